namespace Governance.Policy.Engine;

/// <summary>A parsed promotion policy. Immutable values.</summary>
/// <param name="ApprovalLifetime">How long an approval holds.</param>
/// <param name="FreeAliases">Patterns of aliases that are not protected.</param>
/// <param name="Rules">Target or target pattern → rule.</param>
internal sealed record PromotionRules(
    TimeSpan ApprovalLifetime,
    IReadOnlyList<string> FreeAliases,
    IReadOnlyDictionary<string, PromotionRule> Rules
);

/// <summary>What one target needs.</summary>
/// <param name="Signature">A signature that verifies.</param>
/// <param name="Sbom">A bill of materials.</param>
/// <param name="Lineage">Recorded lineage.</param>
/// <param name="ScanClasses">Scan classes that pass; null asks for no scan.</param>
/// <param name="PrivacyOutcomes">Privacy outcomes that pass; null asks for none.</param>
/// <param name="CarryOut">Roles that may carry it out.</param>
/// <param name="Approvals">Approvals needed.</param>
internal sealed record PromotionRule(
    bool Signature,
    bool Sbom,
    bool Lineage,
    IReadOnlyList<string>? ScanClasses,
    IReadOnlyList<string>? PrivacyOutcomes,
    IReadOnlyList<string> CarryOut,
    IReadOnlyList<ApprovalRule> Approvals
)
{
    /// <summary>Whether it asks for any evidence, so that the version must be READY.</summary>
    public bool NeedsEvidence => Signature || Sbom || Lineage || ScanClasses is not null || PrivacyOutcomes is not null;
}

/// <summary>Approvals by distinct persons of one role.</summary>
/// <param name="Role">Role the person must hold on the model when the decision is made.</param>
/// <param name="Count">Distinct persons.</param>
internal sealed record ApprovalRule(string Role, int Count);
