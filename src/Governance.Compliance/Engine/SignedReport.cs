using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Compliance.Engine;

/// <summary>The statement over a report, and the one file that carries report and signature together.</summary>
internal static class SignedReport
{
    public const string FileKind = "governance.signed-report/v1";
    public const string StatementType = "https://in-toto.io/Statement/v1";
    public const string PredicateType = "urn:governance:predicate:evidence-report:v1";

    /// <summary>Subject name of the canonical bytes of member <c>report</c> of the file (a JSON pointer into it).</summary>
    public const string JsonSubject = "report.json#/report";
    public const string CsvSubject = "report.csv";
    public const string PdfSubject = "report.pdf";

    public static JsonObject Statement(ReportContent content, Digest json, Digest csv, Digest pdf) =>
        new()
        {
            ["_type"] = StatementType,
            ["subject"] = new JsonArray(Subject(JsonSubject, json), Subject(CsvSubject, csv), Subject(PdfSubject, pdf)),
            ["predicateType"] = PredicateType,
            ["predicate"] = new JsonObject
            {
                ["id"] = content.Id.ToString(),
                ["regulation"] = content.Catalogue.Regulation,
                ["catalogue_sha256"] = content.Catalogue.Digest.Hex,
                ["model"] = content.Version.Model,
                ["version"] = content.Version.Version,
                ["evidence_subject"] = content.Facts.Version.EvidenceSubject.Hex,
                ["created_at"] = ReportContent.Text(content.CreatedAt),
            },
        };

    /// <summary>
    /// Canonical bytes of {kind, report, signature, signature_sha256}. The canonical form leaves no free whitespace, order or
    /// spelling; the last member pins the signature bundle, whose base64 and unknown members a signature cannot pin.
    /// </summary>
    public static byte[] File(JsonObject report, byte[] bundle)
    {
        var signature =
            CanonicalJson.TryParse(bundle) ?? throw new InvalidOperationException("The signer made no JSON bundle.");
        return CanonicalJson.Serialize(
            new JsonObject
            {
                ["kind"] = FileKind,
                ["report"] = report.DeepClone(),
                ["signature_sha256"] = Digest.Of(CanonicalJson.Serialize(signature)).Hex,
                ["signature"] = signature,
            }
        );
    }

    private static JsonObject Subject(string name, Digest digest) =>
        new()
        {
            ["name"] = name,
            ["digest"] = new JsonObject { ["sha256"] = digest.Hex },
        };
}
