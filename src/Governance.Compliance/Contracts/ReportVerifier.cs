using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Compliance.Engine;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Compliance.Contracts;

/// <summary>What a verified report is, read from the signed statement.</summary>
/// <param name="Subject">Which of the signed forms was verified: <c>report.json#/report</c>, <c>report.csv</c> or <c>report.pdf</c>.</param>
/// <param name="Digest">SHA-256 of that form.</param>
/// <param name="ReportId">Id of the report.</param>
/// <param name="Regulation">gdpr, lgpd or hipaa.</param>
/// <param name="Version">Scope.</param>
/// <param name="CreatedAt">UTC, as signed.</param>
/// <param name="KeyHint">Key of the trusted root that signed.</param>
/// <param name="Checks">What was checked, one sentence each, in order.</param>
public sealed record ReportVerification(
    string Subject,
    Digest Digest,
    Guid ReportId,
    string Regulation,
    ModelVersionRef Version,
    DateTimeOffset CreatedAt,
    string KeyHint,
    IReadOnlyList<string> Checks
);

/// <summary>Verifies reports offline, from the given bytes alone. Pure; codes <c>compliance.*</c> and <c>signing.*</c>.</summary>
public static class ReportVerifier
{
    /// <summary>Longest file that is looked at, in bytes.</summary>
    public const int MaxBytes = 64 << 20;

    /// <summary>Whether the bytes look like a signed report file, so that a command can choose this verifier.</summary>
    public static bool IsSignedReport(ReadOnlySpan<byte> file) =>
        file.StartsWith("{\"kind\":\"governance.signed-report/"u8);

    /// <summary>Verifies the self-contained file <c>report.json</c>. Every byte of it is bound: one changed byte fails.</summary>
    public static Result<ReportVerification> Verify(
        ReadOnlySpan<byte> file,
        ReadOnlySpan<byte> trustedRoot,
        IVerifier verifier
    )
    {
        if (file.Length > MaxBytes)
        {
            return Failure.Invalid("compliance.report_too_large", "The report is larger than 64 MiB.");
        }

        if (
            CanonicalJson.TryParse(file) is not JsonObject members
            || CanonicalBytes(members) is not { } canonical
            || !file.SequenceEqual(canonical)
        )
        {
            return Failure.Invalid("compliance.report_not_canonical", "The report isn't in its one canonical form.");
        }

        if (
            members.Count != 4
            || !IsText(members["kind"], SignedReport.FileKind)
            || members["report"] is not JsonObject report
            || members["signature"] is not JsonObject signature
            || members["signature_sha256"] is not { } pin
        )
        {
            return Failure.Invalid("compliance.report_bad_shape", "The file has other members than a signed report.");
        }

        var bundle = CanonicalJson.Serialize(signature);
        if (!IsText(pin, Digest.Of(bundle).Hex))
        {
            return Failure.Invalid("compliance.report_signature_changed", "The signature bundle was changed.");
        }

        return VerifySubject(
            Digest.Of(CanonicalJson.Serialize(report)),
            [SignedReport.JsonSubject],
            bundle,
            trustedRoot,
            verifier,
            [
                "The file is in its one canonical form, without members or bytes beside the signed ones.",
                "The signature bundle is the one that the file was made with.",
            ]
        );
    }

    /// <summary>Verifies a PDF or CSV with the bundle that was exported beside it.</summary>
    public static Result<ReportVerification> VerifyDetached(
        ReadOnlySpan<byte> file,
        ReadOnlySpan<byte> bundle,
        ReadOnlySpan<byte> trustedRoot,
        IVerifier verifier
    ) =>
        file.Length > MaxBytes || bundle.Length > MaxBytes
            ? Failure.Invalid("compliance.report_too_large", "The report is larger than 64 MiB.")
            : VerifySubject(
                Digest.Of(file),
                [SignedReport.PdfSubject, SignedReport.CsvSubject],
                bundle,
                trustedRoot,
                verifier,
                []
            );

    private static Result<ReportVerification> VerifySubject(
        Digest digest,
        IReadOnlyList<string> names,
        ReadOnlySpan<byte> bundle,
        ReadOnlySpan<byte> trustedRoot,
        IVerifier verifier,
        IReadOnlyList<string> checks
    )
    {
        var verified = verifier.VerifyStatement(bundle, trustedRoot);
        if (!verified.Ok)
        {
            return verified.Failure;
        }

        var statement = verified.Value.Payload;
        if (
            !IsText(statement["_type"], SignedReport.StatementType)
            || !IsText(statement["predicateType"], SignedReport.PredicateType)
            || statement["predicate"] is not JsonObject predicate
            || statement["subject"] is not JsonArray subjects
        )
        {
            return Failure.Invalid("compliance.not_a_report", "What was signed isn't a report.");
        }

        var subject = subjects
            .OfType<JsonObject>()
            .FirstOrDefault(item =>
                names.Any(name => IsText(item["name"], name))
                && IsText((item["digest"] as JsonObject)?["sha256"], digest.Hex)
            );
        if (subject is null)
        {
            return Failure.Invalid("compliance.report_changed", "The report isn't the one that was signed.");
        }

        if (
            !Guid.TryParse(TextOf(predicate["id"]), out var id)
            || TextOf(predicate["model"]) is not { } model
            || TextOf(predicate["regulation"]) is not { } regulation
            || predicate["version"] is not JsonValue number
            || !number.TryGetValue<int>(out var version)
            || !DateTimeOffset.TryParse(
                TextOf(predicate["created_at"]),
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal,
                out var createdAt
            )
        )
        {
            return Failure.Invalid("compliance.not_a_report", "The signed statement lacks what names a report.");
        }

        return new ReportVerification(
            TextOf(subject["name"])!,
            digest,
            id,
            regulation,
            new ModelVersionRef(model, version),
            createdAt,
            verified.Value.KeyHint,
            [
                .. checks,
                "The statement was signed by a key of the trusted root.",
                $"The SHA-256 of the report is the signed one: {digest}.",
            ]
        );
    }

    // Text with lone surrogates or numbers out of range has no canonical form.
    private static byte[]? CanonicalBytes(JsonObject members)
    {
        try
        {
            return CanonicalJson.Serialize(members);
        }
        catch (Exception error)
            when (error is ArgumentException or InvalidOperationException or FormatException or OverflowException)
        {
            return null;
        }
    }

    private static bool IsText(JsonNode? node, string text) => TextOf(node) == text;

    private static string? TextOf(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
