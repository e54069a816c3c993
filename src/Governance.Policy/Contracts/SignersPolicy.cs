using Governance.Identity.Contracts;
using Governance.Kernel;

namespace Governance.Policy.Contracts;

/// <summary>How much a rule asks.</summary>
public enum Strictness
{
    /// <summary>Nothing is looked at.</summary>
    Off,

    /// <summary>What is wrong is said, and stops nothing.</summary>
    Warn,

    /// <summary>What is wrong stops.</summary>
    Enforce,
}

/// <summary>Somebody whose signatures count: whom a certificate names, or a key.</summary>
/// <param name="Name">Name in the policy.</param>
public sealed record AllowedSigner(string Name)
{
    /// <summary>Pattern of the certificate's alternative name; null for a key.</summary>
    public string? Identity { get; init; }

    /// <summary>The certificate's issuer of identities, to the letter; null for a key.</summary>
    public string? Issuer { get; init; }

    /// <summary>Text of the trusted root that must vouch for the certificate; null for the gateway's own.</summary>
    public string? TrustedRoot { get; init; }

    /// <summary>PEM public key, ECDSA P-256; null for a certificate.</summary>
    public string? KeyPem { get; init; }
}

/// <summary>What holds for the models of one pattern.</summary>
/// <param name="Models">Pattern of model names.</param>
/// <param name="Arriving">Whether a signature must come with the files.</param>
/// <param name="Signers">Whose arriving signatures count.</param>
/// <param name="ReadOtherwise">What reading asks in stages that are not named.</param>
/// <param name="ReadByStage">What reading asks in a stage.</param>
public sealed record SignersRule(
    string Models,
    Strictness Arriving,
    IReadOnlyList<AllowedSigner> Signers,
    Strictness ReadOtherwise,
    IReadOnlyDictionary<string, Strictness> ReadByStage
)
{
    /// <summary>What reading a version in this stage asks.</summary>
    public Strictness ReadIn(string stage) => ReadByStage.GetValueOrDefault(stage, ReadOtherwise);
}

/// <summary>Whose signatures over models count.</summary>
/// <param name="Digest">SHA-256 of the text in force.</param>
/// <param name="Rules">In order; the last matches every model.</param>
public sealed record SignersPolicy(Digest Digest, IReadOnlyList<SignersRule> Rules)
{
    /// <summary>The rule in force for a model.</summary>
    public SignersRule For(string model) => Rules.First(rule => NamePattern.Matches(rule.Models, model));
}
