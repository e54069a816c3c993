namespace Governance.Policy.Engine;

/// <summary>The policies whose texts this module reads, which are those that can be proposed.</summary>
internal static class PolicyTexts
{
    public const string Promotion = "promotion";
    public const string Signers = "signers";

    /// <summary>Whether it is one of them.</summary>
    public static bool Has(string name) => name is Promotion or Signers;

    /// <summary>Reads a text that is to be in force by the grammar of its policy, or throws <see cref="PolicySyntaxException"/>.</summary>
    public static void Check(string name, string text)
    {
        PolicyYaml.RefuseHidden(text);
        _ = name == Promotion ? (object)PromotionRulesReader.Read(text) : SignersReader.Read(text);
    }
}
