using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Compliance.Contracts;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Cli.Commands;

/// <summary>A check that held, for people and machines.</summary>
/// <param name="Kind">model, attestation, receipt, entry, report or kit.</param>
/// <param name="What">What was verified, one line.</param>
/// <param name="Checks">What held, one sentence each.</param>
internal sealed record Verified(string Kind, string What, IReadOnlyList<string> Checks);

/// <summary><c>govern verify</c>: offline, from files alone.</summary>
internal static class VerifyCommand
{
    private const int MaxDocument = ReportVerifier.MaxBytes;

    // These say that an input is not what it should be; every other failure says that it does not verify.
    private static readonly HashSet<string> Unreadable =
    [
        "signing.bad_key",
        "audit.bad_witness_key",
        "signing.trusted_root",
        "signing.bundle_too_large",
        "signing.bundle_malformed",
        "compliance.report_too_large",
        "compliance.kit_too_large",
        "compliance.kit_malformed",
    ];

    private static readonly Argument<string> PathArgument = new("path")
    {
        Description =
            "Model folder or file, attestation, promotion receipt or proof of a log entry (JSON), report (JSON, PDF, CSV), or offline kit (zip).",
    };

    private static readonly Option<string?> Bundle = Shared.File(
        "--bundle",
        "Signature bundle of a model, or of a PDF or CSV report. Inside the folder it is not part of its own scope."
    );

    private static readonly Option<string?> Key = Shared.File(
        "--key",
        "Public key in PEM to trust, for models signed with govern sign."
    );

    private static readonly Option<string?> Root = Shared.File(
        "--trusted-root",
        "trusted_root.json of the gateway whose signatures to trust."
    );

    private static readonly Option<string?> Artifacts = Shared.File(
        "--artifacts",
        "Folder with the files that a kit is about."
    );

    private static readonly Option<string?> Identity = new("--identity")
    {
        HelpName = "name",
        Description = "Whom the signer's certificate must name, to the letter. A model signed by a key is refused.",
    };

    private static readonly Option<string?> Issuer = new("--issuer")
    {
        HelpName = "url",
        Description = "Who must have vouched for that identity: address of an OpenID Connect issuer.",
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "verify",
            "Verifies a model folder, an attestation, a promotion receipt, a log entry, a report or a kit, offline.",
            "govern verify model/ --bundle model.sigstore.json --key signer.pub.pem",
            "govern verify model/ --bundle model.sigstore.json --trusted-root trusted_root.json",
            "govern verify model/ --bundle model.sigstore.json --trusted-root trusted_root.json --identity https://HOST/signers/ID --issuer https://HOST",
            "govern verify receipt.json --trusted-root trusted_root.json",
            "govern verify receipt.json --trusted-root trusted_root.json --witness VKEY1 VKEY2 --witnesses 1",
            "govern verify report.json --trusted-root trusted_root.json",
            "govern verify report.pdf --bundle report.pdf.sigstore.json --trusted-root trusted_root.json",
            "govern verify sbom.json --trusted-root trusted_root.json",
            "govern verify kit.zip --artifacts model/ --trusted-root trusted_root.json"
        )
        {
            PathArgument,
            Bundle,
            Key,
            Root,
            Artifacts,
            Identity,
            Issuer,
            Format,
        }
            .WithWitnesses()
            .Runs(surroundings, RunAsync);

    private static async Task<int> RunAsync(Invocation run)
    {
        var path = run.Get(PathArgument);
        try
        {
            var verified = await VerifyAsync(run, path);
            if (run.IsJson(Format))
            {
                run.Say(
                    new JsonObject
                    {
                        ["verified"] = true,
                        ["kind"] = verified.Kind,
                        ["what"] = verified.What,
                        ["checks"] = new JsonArray([.. verified.Checks.Select(check => (JsonNode)check)]),
                    }
                );
                return Exit.Fine;
            }

            run.Say(verified.What);
            foreach (var check in verified.Checks)
            {
                run.Say($"  ok  {check}");
            }

            run.Say("Verified.");
            return Exit.Fine;
        }
        catch (Stop stop) when (stop.ExitCode == Exit.Refused)
        {
            if (run.IsJson(Format))
            {
                run.Say(
                    new JsonObject
                    {
                        ["verified"] = false,
                        ["code"] = stop.Failure.Code,
                        ["message"] = stop.Failure.Message,
                    }
                );
            }
            else
            {
                run.Say($"{path}: NOT verified.");
            }

            throw;
        }
    }

    private static async Task<Verified> VerifyAsync(Invocation run, string path)
    {
        if (Witnesses.AreAsked(run) && (Directory.Exists(path) || run.Get(Bundle) is not null))
        {
            throw Stop.Usage("Witnesses cosign the log: --witness is for receipts and proofs of entries.");
        }

        if (Directory.Exists(path))
        {
            return await VerifyModelAsync(run, path);
        }

        if (run.Get(Bundle) is { } bundlePath)
        {
            return IsModelBundle(InputFile.Read(bundlePath, ModelFolder.MaxBundle))
                ? await VerifyModelAsync(run, path)
                : VerifyDetached(run, path);
        }

        var document = InputFile.Read(path, MaxDocument);
        var json = CanonicalJson.TryParse(document) as JsonObject;
        if (Witnesses.AreAsked(run) && json?["inclusionProof"] is null)
        {
            throw Stop.Usage("Witnesses cosign the log: --witness is for receipts and proofs of entries.");
        }

        if (KitVerifier.IsArchive(document))
        {
            return await VerifyKitAsync(run, path, document);
        }

        if (ReportVerifier.IsSignedReport(document))
        {
            return Describe(
                Checked(ReportVerifier.Verify(document, RequireRoot(run, "report"), OfflineVerifier.Create()))
            );
        }

        if (json?["inclusionProof"] is not null)
        {
            return json["statement"] is null
                ? Describe(run, Checked(ReceiptVerifier.VerifyEntry(document, RequireRoot(run, "proof"))))
                : Describe(run, Checked(ReceiptVerifier.Verify(document, RequireRoot(run, "receipt"))));
        }

        if (json?["dsseEnvelope"] is not null)
        {
            return IsModelBundle(document)
                ? throw Stop.Usage("A model's signature is verified with its files: govern verify DIR --bundle FILE.")
                : Describe(
                    Checked(OfflineVerifier.Create().VerifyStatement(document, RequireRoot(run, "attestation")))
                );
        }

        throw Stop.Unusable(
            "unknown_input",
            $"{path} is neither a folder nor an attestation, receipt or report in JSON, nor a kit. A single model file, a PDF and a CSV are verified with the --bundle of their signature."
        );
    }

    private static async Task<Verified> VerifyKitAsync(Invocation run, string path, byte[] archive)
    {
        if (run.Get(Key) is not null)
        {
            throw Stop.Usage("A kit is verified with --trusted-root, not with --key.");
        }

        var root = InputFile.Read(run.Get(Root) ?? throw Stop.Usage("A kit needs --trusted-root."), InputFile.Small);
        var files = run.Get(Artifacts) is { } folder
            ? (await ModelFolder.OpenAsync(folder, null, Exit.Refused, run.Cancelled)).Manifest
            : null;
        using var stream = new MemoryStream(archive, writable: false);
        var kit = Checked(
            KitVerifier.Verify(
                stream,
                root,
                files,
                new SignerPolicy(run.Get(Identity), run.Get(Issuer)),
                OfflineVerifier.Create()
            )
        );
        return new Verified(
            "kit",
            $"Kit {path}: {Visible.Of(kit.Version)}, {kit.Manifest.Files.Count} files, {kit.Manifest.TotalSize} bytes, manifest sha256:{kit.Manifest.Digest}",
            [.. kit.Checks.Select(Visible.Of)]
        );
    }

    private static async Task<Verified> VerifyModelAsync(Invocation run, string path)
    {
        var bundlePath = run.Get(Bundle) ?? throw Stop.Usage("A model needs its --bundle.");
        var (keyPath, rootPath) = (run.Get(Key), run.Get(Root));
        if (keyPath is null == rootPath is null)
        {
            throw Stop.Usage("A model needs either --key or --trusted-root.");
        }

        var policy = new SignerPolicy(run.Get(Identity), run.Get(Issuer));
        if (keyPath is not null && policy != SignerPolicy.Anybody)
        {
            throw Stop.Usage("--identity and --issuer are of a certificate: give --trusted-root, not --key.");
        }

        var bundle = InputFile.Read(bundlePath, ModelFolder.MaxBundle);
        var trust = keyPath is null ? InputFile.Read(rootPath!, InputFile.Small) : [];
        var key = keyPath is null ? "" : InputFile.ReadText(keyPath);
        var model = await ModelFolder.OpenAsync(path, bundlePath, Exit.Refused, run.Cancelled);
        var statement = Checked(
            keyPath is null
                ? OfflineVerifier.Create().VerifyModel(bundle, model.Manifest, trust, policy)
                : OfflineVerifier.VerifyModelByKey(bundle, model.Manifest, key)
        );
        var manifest = model.Manifest;
        List<string> checks =
        [
            .. Signers(statement, policy, keyPath is null),
            $"Every signed file is there and unchanged: {manifest.Files.Count} of {manifest.Files.Count}.",
            "No file is there that was not signed.",
            $"It was signed under the name {SignedName(statement)}; the folder's own name proves nothing.",
        ];
        if (ModelFolder.RelativeInside(path, bundlePath) is { } inside)
        {
            checks.Add($"The bundle lies in the folder ({inside}) and is not part of its own scope.");
        }

        return new Verified(
            "model",
            $"Model {path}: {manifest.Files.Count} files, {manifest.TotalSize} bytes, manifest sha256:{manifest.Digest}",
            checks
        );
    }

    private static IEnumerable<string> Signers(VerifiedStatement statement, SignerPolicy policy, bool byRoot)
    {
        if (statement is not { Signer: { } signer, SignedAt: { } at })
        {
            yield return $"The bundle is signed by key {statement.KeyHint[..16]}…, "
                + (byRoot ? "which the trusted root lists and which is valid now." : "the key given.");
            yield break;
        }

        yield return $"The bundle is signed for {Visible.Of(signer.Subject)}, "
            + (policy.Subject is null ? "whoever that is: no --identity was asked for." : "who was asked for.");
        yield return $"{Visible.Of(signer.Issuer)} vouched for that identity"
            + (policy.Issuer is null ? ", whoever that is: no --issuer was asked for." : ", as was asked for.");
        yield return $"A timestamp authority of the trusted root saw the signature at {at:yyyy-MM-dd HH:mm:ss}Z; the certificate was valid then.";
        yield return "A log of the trusted root holds certificate and signature, and another saw the certificate.";
    }

    private static string SignedName(VerifiedStatement statement) =>
        statement.Payload["subject"]?[0]?["name"]?.ToString() ?? "";

    private static Verified VerifyDetached(Invocation run, string path) =>
        Describe(
            Checked(
                ReportVerifier.VerifyDetached(
                    InputFile.Read(path, MaxDocument),
                    InputFile.Read(run.Get(Bundle)!, ModelFolder.MaxBundle),
                    RequireRoot(run, "report"),
                    OfflineVerifier.Create()
                )
            )
        );

    private static Verified Describe(ReportVerification report) =>
        new(
            "report",
            $"Report {report.ReportId} ({report.Regulation}) about {report.Version}, made {report.CreatedAt:yyyy-MM-dd HH:mm:ss}Z",
            [.. report.Checks, $"Signed by key {report.KeyHint[..16]}…."]
        );

    private static Verified Describe(Invocation run, VerifiedEntry proof) =>
        new(
            "entry",
            $"Log entry: {proof.Entry["kind"]} of {proof.Entry["subject"]} by {proof.Entry["actor"]?["id"]}, {proof.Entry["at"]}, {proof.Entry["outcome"]}",
            [
                $"The entry is number {proof.LeafIndex} of the audit log, under a checkpoint signed by the log's key.",
                "The trusted root lists that key, and it was valid when the entry was written.",
                .. Witnesses.Check(run, proof.Checkpoint),
            ]
        );

    private static Verified Describe(Invocation run, VerifiedReceipt receipt) =>
        new(
            "receipt",
            $"Receipt: {receipt.Entry["kind"]} of {receipt.Entry["subject"]} by {receipt.Entry["actor"]?["id"]}, {receipt.Entry["at"]}",
            [
                $"The statement is signed by key {receipt.Statement.KeyHint[..16]}…, which the trusted root lists.",
                $"The log entry records exactly this statement ({receipt.Statement.Payload["predicateType"]}).",
                $"The entry is number {receipt.LeafIndex} of the audit log, under a checkpoint signed by the log's key.",
                "Both keys were valid when the entry was written.",
                .. Witnesses.Check(run, receipt.Checkpoint),
            ]
        );

    private static Verified Describe(VerifiedStatement statement) =>
        new(
            "attestation",
            $"Attestation: {Visible.Of($"{statement.Payload["predicateType"]}")}",
            [
                $"The statement is signed by key {statement.KeyHint[..16]}…, which the trusted root lists and which is valid now.",
                .. Subjects(statement.Payload),
            ]
        );

    private static IEnumerable<string> Subjects(JsonObject statement)
    {
        const int shown = 3;
        var subjects = (statement["subject"] as JsonArray ?? []).OfType<JsonObject>().ToList();
        foreach (var subject in subjects.Take(shown))
        {
            yield return Visible.Of(
                $"It is about {subject["name"]}, sha256:{(subject["digest"] as JsonObject)?["sha256"]}."
            );
        }

        if (subjects.Count > shown)
        {
            yield return $"And about {subjects.Count - shown} more subjects.";
        }
    }

    private static byte[] RequireRoot(Invocation run, string kind)
    {
        if (run.Get(Key) is not null)
        {
            throw Stop.Usage($"A {kind} is verified with --trusted-root, not with --key.");
        }

        if (run.Get(Identity) is not null || run.Get(Issuer) is not null)
        {
            throw Stop.Usage(
                $"A {kind} is signed by the gateway's key: there is no --identity and no --issuer to ask for."
            );
        }

        return InputFile.Read(run.Get(Root) ?? throw Stop.Usage($"A {kind} needs --trusted-root."), InputFile.Small);
    }

    private static T Checked<T>(Result<T> result) =>
        result.OrStop(Unreadable.Contains(result.Failure?.Code ?? "") ? Exit.Unusable : Exit.Refused);

    // Chooses the verifier only; it reads the payload again after the signature held.
    private static bool IsModelBundle(byte[] bundle)
    {
        var payload =
            (CanonicalJson.TryParse(bundle) as JsonObject)?["dsseEnvelope"] is JsonObject envelope
            && envelope["payload"] is JsonValue value
            && value.TryGetValue<string>(out var text)
                ? StrictBase64.TryDecode(text)
                : null;
        return payload is null
            || (CanonicalJson.TryParse(payload) as JsonObject)?["predicateType"]?.ToString()
                is "https://model_signing/signature/v1.0";
    }
}
