namespace Governance.Evidence.Contracts;

/// <summary>Predicate types of the in-toto statements about a version.</summary>
public static class Attestation
{
    /// <summary>The bundle over the files: OpenSSF Model Signing v1.0.</summary>
    public const string ModelSignature = "https://model_signing/signature/v1.0";

    /// <summary>Promotions: SLSA verification summary v1.</summary>
    public const string Promotion = "https://slsa.dev/verification_summary/v1";

    /// <summary>What a kind of evidence is stated as.</summary>
    public static string? PredicateTypeOf(EvidenceKind kind) =>
        kind switch
        {
            EvidenceKind.Scan => "urn:governance:predicate:scan-result:v1",
            EvidenceKind.Sbom => "https://cyclonedx.org/bom",
            EvidenceKind.Lineage => "https://slsa.dev/provenance/v1",
            EvidenceKind.Privacy => "urn:governance:predicate:privacy-result:v1",
            _ => null,
        };
}
