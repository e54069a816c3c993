using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Compliance.Engine;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Compliance.Contracts;

/// <summary>What a verified kit says.</summary>
/// <param name="Version">Name of the version, as signed.</param>
/// <param name="Manifest">Its files, each under the signature.</param>
/// <param name="Checks">What was checked, one sentence each, in order.</param>
public sealed record VerifiedKit(string Version, Manifest Manifest, IReadOnlyList<string> Checks);

/// <summary>
/// Verifies an offline kit: that each part holds, and that all are about the same version. Writes nothing to disk; the kit's own
/// trusted root is not believed. Pure beside the time. Codes <c>compliance.kit_*</c>, <c>signing.*</c> and <c>audit.*</c>.
/// </summary>
public static class KitVerifier
{
    private const int MaxParts = 500;
    private const long MaxPart = 64 << 20;
    private const long MaxTotal = 256 << 20;

    /// <summary>Whether the bytes begin like a zip archive, so that a command can choose this verifier.</summary>
    public static bool IsArchive(ReadOnlySpan<byte> beginning) => beginning.StartsWith("PK\u0003\u0004"u8);

    /// <summary>Verifies a kit against a trusted root that somebody obtained elsewhere.</summary>
    /// <param name="archive">The zip, seekable.</param>
    /// <param name="trustedRoot">The trusted root to believe.</param>
    /// <param name="files">The files that somebody has, or null when only the kit is checked.</param>
    /// <param name="policy">Who must have signed the version.</param>
    /// <param name="verifier">Verifier of bundles.</param>
    public static Result<VerifiedKit> Verify(
        Stream archive,
        byte[] trustedRoot,
        Manifest? files,
        SignerPolicy policy,
        IVerifier verifier
    )
    {
        ArgumentNullException.ThrowIfNull(verifier);
        var parts = Open(archive);
        return parts.Ok ? new Kit(parts.Value, trustedRoot, verifier).Verify(files, policy) : parts.Failure;
    }

    // Sizes are counted while unpacking: what an archive says of itself is only a claim.
    private static Result<Dictionary<string, byte[]>> Open(Stream archive)
    {
        try
        {
            using var zip = new ZipArchive(archive, ZipArchiveMode.Read, leaveOpen: true, Encoding.UTF8);
            var parts = new Dictionary<string, byte[]>(StringComparer.Ordinal);
            var left = MaxTotal;
            if (zip.Entries.Count > MaxParts)
            {
                return TooLarge;
            }

            foreach (var entry in zip.Entries)
            {
                if (!KitParts.IsName(entry.FullName) || parts.ContainsKey(entry.FullName))
                {
                    return Failure.Invalid(
                        "compliance.kit_part",
                        "The kit holds a part that kits do not have, or one twice."
                    );
                }

                if (Read(entry, Math.Min(MaxPart, left)) is not { } content)
                {
                    return TooLarge;
                }

                left -= content.Length;
                parts.Add(entry.FullName, content);
            }

            return KitParts.Always.FirstOrDefault(name => !parts.ContainsKey(name)) is { } missing
                ? Failure.Invalid("compliance.kit_incomplete", $"The kit has no {missing}.")
                : parts;
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            return Failure.Invalid("compliance.kit_malformed", "The file is not a readable zip archive.");
        }
    }

    private static byte[]? Read(ZipArchiveEntry entry, long atMost)
    {
        using var packed = entry.Open();
        using var content = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int read; (read = packed.Read(buffer)) > 0; )
        {
            if (content.Length + read > atMost)
            {
                return null;
            }

            content.Write(buffer, 0, read);
        }

        return content.ToArray();
    }

    private static Failure TooLarge =>
        Failure.Invalid("compliance.kit_too_large", "The kit has over 500 parts, a part over 64 MiB, or over 256 MiB.");

    private sealed class Kit(Dictionary<string, byte[]> parts, byte[] trustedRoot, IVerifier verifier)
    {
        private readonly List<string> _checks = [];
        private Manifest _manifest = null!;
        private string _version = "";
        private string? _evidenceSubject;

        public Result<VerifiedKit> Verify(Manifest? files, SignerPolicy policy) =>
            CheckSignature(policy)
            ?? CheckFiles(files)
            ?? CheckAttestations()
            ?? CheckSbom()
            ?? CheckReceipts()
            ?? CheckLog()
            ?? (Result<VerifiedKit>)new VerifiedKit(_version, _manifest, _checks);

        private Failure? CheckSignature(SignerPolicy policy)
        {
            if (KitParts.Read(parts[KitParts.Files]) is not { } manifest)
            {
                return Failure.Invalid(
                    "compliance.kit_manifest",
                    "The kit's list of files isn't in its one canonical form."
                );
            }

            _manifest = manifest;
            var signed = verifier.VerifyModel(parts[KitParts.Bundle], manifest, trustedRoot, policy);
            if (!signed.Ok)
            {
                return signed.Failure;
            }

            _checks.Add(
                signed.Value.Signer is { } signer
                    ? $"The bundle signs exactly the {manifest.Files.Count} listed files, for {signer.Subject}, vouched for by {signer.Issuer}, at {signed.Value.SignedAt:yyyy-MM-dd HH:mm:ss}Z."
                    : $"The bundle signs exactly the {manifest.Files.Count} listed files, by key {signed.Value.KeyHint[..16]}…."
            );
            return null;
        }

        private Failure? CheckFiles(Manifest? files)
        {
            if (files is null)
            {
                _checks.Add("No files were compared with the list: none were given.");
                return null;
            }

            if (files.Digest != _manifest.Digest)
            {
                return Failure.Invalid(
                    "compliance.kit_files",
                    $"The files are not those of the kit{DifferenceFrom(files)}."
                );
            }

            _checks.Add($"Every file is there and unchanged, and no other: {files.Files.Count}.");
            return null;
        }

        private string DifferenceFrom(Manifest files)
        {
            var known = _manifest.Files.ToDictionary(file => file.Path, StringComparer.Ordinal);
            var there = files.Files.ToDictionary(file => file.Path, StringComparer.Ordinal);
            return known.Values.FirstOrDefault(file => there.GetValueOrDefault(file.Path) != file) is { } differs
                    ? $": {differs.Path} is missing or changed"
                : files.Files.FirstOrDefault(file => !known.ContainsKey(file.Path)) is { } extra
                    ? $": {extra.Path} is not of it"
                : "";
        }

        // Each is proven by its receipt: the key must have been valid when the log took it, not now.
        private Failure? CheckAttestations()
        {
            foreach (var name in Names(KitParts.Attestations))
            {
                var id = KitParts.IdOf(name, KitParts.Attestations)!;
                if (!parts.TryGetValue($"{KitParts.Receipts}{id}{KitParts.Json}", out var receipt))
                {
                    return Failure.Invalid("compliance.kit_unproven", $"The attestation {id} has no receipt.");
                }

                var proven = ReceiptVerifier.Verify(receipt, trustedRoot);
                if (!proven.Ok)
                {
                    return proven.Failure with { Message = $"{name}: {proven.Failure.Message}" };
                }

                if (!SameJson(parts[name], (CanonicalJson.TryParse(receipt) as JsonObject)?["statement"]))
                {
                    return Failure.Invalid(
                        "compliance.kit_unproven",
                        $"The attestation {id} is another than the one of its receipt."
                    );
                }

                if (CheckSubjects(id, proven.Value.Statement.Payload) is { } stranger)
                {
                    return stranger;
                }

                _checks.Add(
                    $"{name} ({proven.Value.Statement.Payload["predicateType"]}) is signed, about this version, and entry {proven.Value.LeafIndex} of the audit log."
                );
            }

            return null;
        }

        private Failure? CheckSubjects(string id, JsonObject statement)
        {
            var subjects = (statement["subject"] as JsonArray ?? [])
                .OfType<JsonObject>()
                .Select(subject =>
                    (Name: $"{subject["name"]}", Sha256: $"{(subject["digest"] as JsonObject)?["sha256"]}")
                )
                .ToList();
            // The first names the version by the digest of its list of files.
            if (subjects[0].Sha256 != _manifest.Digest.Hex || (_version.Length > 0 && subjects[0].Name != _version))
            {
                return Failure.Invalid("compliance.kit_subject", $"The attestation {id} is about another version.");
            }

            _version = subjects[0].Name;
            if (Text(statement["predicateType"]) == Attestation.Promotion)
            {
                return null; // Older promotions may have been of an earlier evidence subject; each names its own.
            }

            var listed = subjects.Select(subject => (subject.Name, subject.Sha256)).ToHashSet();
            return _manifest.Files.Any(file => !listed.Contains((file.Path, file.Digest.Hex)))
                ? Failure.Invalid("compliance.kit_subject", $"The attestation {id} leaves a file out.")
                : CheckEvidenceSubject(
                    id,
                    subjects.Find(subject => subject.Name == $"{_version}#evidence-subject").Sha256
                );
        }

        private Failure? CheckEvidenceSubject(string id, string? evidenceSubject)
        {
            if (evidenceSubject is not null && _evidenceSubject is not null && evidenceSubject != _evidenceSubject)
            {
                return Failure.Invalid(
                    "compliance.kit_subject",
                    $"The attestation {id} is about other training data than another of the kit."
                );
            }

            _evidenceSubject ??= evidenceSubject;
            return null;
        }

        private Failure? CheckSbom()
        {
            if (!parts.TryGetValue(KitParts.Sbom, out var sbom))
            {
                return null;
            }

            if (
                !parts.TryGetValue($"{KitParts.Attestations}sbom{KitParts.Json}", out var bundle)
                || !SameJson(sbom, (PayloadOf(bundle) as JsonObject)?["predicate"])
            )
            {
                return Failure.Invalid("compliance.kit_sbom", "The bill of materials is not the attested one.");
            }

            _checks.Add($"{KitParts.Sbom} is the attested bill of materials.");
            return null;
        }

        private Failure? CheckReceipts() =>
            Names(KitParts.Receipts)
                .Select(name => KitParts.IdOf(name, KitParts.Receipts)!)
                .FirstOrDefault(id => !parts.ContainsKey($"{KitParts.Attestations}{id}{KitParts.Json}"))
                is { } alone
                ? Failure.Invalid("compliance.kit_unproven", $"The receipt {alone} has no attestation.")
                : null;

        private Failure? CheckLog()
        {
            var keys = TrustedRootFile.LogVerifierKeys(trustedRoot);
            if (!keys.Ok)
            {
                return keys.Failure;
            }

            var note = Encoding.UTF8.GetString(parts[KitParts.Checkpoint]);
            if (
                keys.Value.Select(key => LogVerifier.SizeOf(note, key)).FirstOrDefault(size => size is not null)
                is not { } size
            )
            {
                return Failure.Invalid(
                    "audit.bad_checkpoint",
                    "The kit's checkpoint is malformed or not signed by a log of the trusted root."
                );
            }

            _checks.Add(
                $"The checkpoint is signed by the audit log, at {size} entries; keep it to see later that the log only grew."
            );
            _checks.Add(
                parts[KitParts.TrustedRoot].AsSpan().SequenceEqual(trustedRoot)
                    ? "The trusted root in the kit is the one given."
                    : "The trusted root in the kit is another than the one given, and was not used."
            );
            return null;
        }

        private IEnumerable<string> Names(string folder) =>
            parts.Keys.Where(name => KitParts.IdOf(name, folder) is not null).Order(StringComparer.Ordinal);

        private static bool SameJson(byte[] utf8, JsonNode? expected) =>
            Canonical(CanonicalJson.TryParse(utf8)) is { } one
            && Canonical(expected) is { } other
            && one.AsSpan().SequenceEqual(other);

        // Half a surrogate pair and numbers beyond a double are JSON, but have no canonical form.
        private static byte[]? Canonical(JsonNode? node)
        {
            try
            {
                return node is null ? null : CanonicalJson.Serialize(node);
            }
            catch (Exception exception)
                when (exception is InvalidOperationException or ArgumentException or FormatException)
            {
                return null;
            }
        }

        private static JsonNode? PayloadOf(byte[] bundle) =>
            Text(((CanonicalJson.TryParse(bundle) as JsonObject)?["dsseEnvelope"] as JsonObject)?["payload"])
                is { } text
            && StrictBase64.TryDecode(text) is { } payload
                ? CanonicalJson.TryParse(payload)
                : null;

        private static string? Text(JsonNode? node) =>
            node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
    }
}
