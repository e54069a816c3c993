using Governance.Audit.Engine;

namespace Governance.Audit.Contracts;

/// <summary>A witness to whom checkpoints are sent.</summary>
public sealed class WitnessOptions
{
    /// <summary>Its verifier key, as <c>govern witness --show-key</c> prints it; names it in cosignatures.</summary>
    public string VerifierKey { get; set; } = "";

    /// <summary>Its address, <c>https://host[:port][/prefix]</c>; plain http on loopback only.</summary>
    public string Url { get; set; } = "";

    /// <summary>PEM file of the authorities that its certificate must come from; empty for the system's.</summary>
    public string Authorities { get; set; } = "";

    /// <summary>What is wrong, in a sentence; null when nothing is.</summary>
    internal string? Wrong() =>
        NoteKey.TryParse(VerifierKey, NoteKey.Witness) is null ? "a VerifierKey is not one of a witness."
        : !IsAddress(Url) && !IsOnLoopback(Url) ? "a Url is an https address without user name or fragment."
        : null;

    internal static bool IsAddress(string text) => Is(text, Uri.UriSchemeHttps);

    private static bool IsOnLoopback(string text) => Is(text, Uri.UriSchemeHttp) && new Uri(text).IsLoopback;

    private static bool Is(string text, string scheme) =>
        Uri.TryCreate(text, UriKind.Absolute, out var address)
        && address is { UserInfo: "", Fragment: "", Host.Length: > 0 }
        && address.Scheme == scheme;
}
