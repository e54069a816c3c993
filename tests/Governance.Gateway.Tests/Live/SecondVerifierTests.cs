using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Gateway.Hosting;
using Governance.Kernel;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;
using NSec.Cryptography;

namespace Governance.Gateway.Tests.Live;

/// <summary>
/// The verifier in Python, which shares nothing with the gateway: takes what the gateway gives out, and names the check that
/// each change breaks.
/// </summary>
[Collection(GatewayTests.Name)]
public sealed class SecondVerifierTests(LiveGateway gateway) : IDisposable
{
    // Debian's, whose package the tests install; another python3 may come first in the path.
    private const string Python = "/usr/bin/python3";
    private static readonly string Script = Path.Combine(Paths.Base, "tests", "verifier", "verify.py");
    private readonly string _root = Directory.CreateTempSubdirectory("governance-second-").FullName;
    private int _files;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task It_accepts_what_the_gateway_gives_out_and_names_the_check_that_each_change_breaks()
    {
        var kept = await SaveAsync("kept.checkpoint", "/log/checkpoint");
        var story = new Story(gateway);
        var model = await story.ModelAsync("second-verifier");
        await story.PromoteAsync(model);
        var kit = await SaveAsync("kit.zip", $"/api/v1/models/{model}/versions/1/kit");
        var parts = await PartsAsync(kit);
        var files = await FolderAsync("model", Story.Files());
        var log = await LogAsync(kept);
        var receipt = JsonNode.Parse(parts["receipts/sbom.json"])!.AsObject();
        var bundle = JsonNode.Parse(parts["bundle.json"])!.AsObject();
        var trust = JsonNode.Parse(parts["trusted_root.json"])!.AsObject();
        var root = await WriteAsync(parts["trusted_root.json"]);
        var promotion = parts.Keys.Single(name => name.StartsWith("receipts/promotion-", StringComparison.Ordinal));
        var signer = bundle["verificationMaterial"]!["certificate"] is not null;
        Assert.True(signer);

        await VerifiedAsync("kit", kit, "--trusted-root", root, "--artifacts", files);
        await VerifiedAsync("receipt", await WriteAsync(parts[promotion]), "--trusted-root", root);
        await VerifiedAsync("attestation", await WriteAsync(parts["attestations/scan.json"]), "--trusted-root", root);
        await VerifiedAsync("model", files, "--bundle", await WriteAsync(bundle), "--trusted-root", root);
        await VerifiedAsync("log", log, "--trusted-root", root, "--kept", kept);

        List<(string Check, string Name, Func<Task<string[]>> Args)> cases =
        [
            .. Receipts(receipt, JsonNode.Parse(parts[promotion])!.AsObject(), trust),
            .. Bundles(bundle, trust, files),
            .. Files(bundle, root),
            .. Logs(log, kept, root),
            .. Kits(parts, root, files),
        ];
        Assert.True(cases.Count >= 60, $"{cases.Count}");
        var wrong = new List<string>();
        await Parallel.ForEachAsync(
            cases,
            new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = Now },
            async (one, _) =>
            {
                var run = await RunAsync(await one.Args());
                if (
                    run.ExitCode != 1
                    || !one
                        .Check.Split('|')
                        .Any(check => run.Errors.StartsWith($"NOT verified: {check}: ", StringComparison.Ordinal))
                )
                {
                    lock (wrong)
                    {
                        wrong.Add($"{one.Check}, {one.Name}: {run.ExitCode} {run.Errors}");
                    }
                }
            }
        );
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task It_verifies_a_folder_signed_by_a_key_of_the_trusted_root()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signer = ModelSigner.FromPem(new Secret(key.ExportPkcs8PrivateKeyPem())).Value;
        var content = new Dictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["MLmodel"] = "flavors: {}"u8.ToArray(),
            ["é.bin"] = [],
        };
        var manifest = Manifest
            .Create(content.Select(f => new ManifestFile(f.Key, f.Value.Length, Digest.Of(f.Value))))
            .Value;
        var bundle = JsonNode.Parse(signer.SignModel("m", manifest))!.AsObject();
        var (start, end) = (DateTimeOffset.UnixEpoch, (DateTimeOffset?)null);
        var spki = key.ExportSubjectPublicKeyInfo();
        var root = await WriteAsync(
            new TrustedRootDocument([TrustedRootDocument.SigningKey("https://a", spki, start, end)]).Write()
        );
        var over = await WriteAsync(
            new TrustedRootDocument([
                TrustedRootDocument.SigningKey("https://a", spki, start, start.AddDays(1)),
            ]).Write()
        );
        var none = await WriteAsync(new TrustedRootDocument([]).Write());
        var files = await FolderAsync("keyed", content);
        var saved = await WriteAsync(bundle);

        await VerifiedAsync("model", files, "--bundle", saved, "--trusted-root", root);

        await RefusedAsync("key_window", "model", files, "--bundle", saved, "--trusted-root", over);
        await RefusedAsync("key", "model", files, "--bundle", saved, "--trusted-root", none);
        await RefusedAsync(
            "identity",
            "model",
            files,
            "--bundle",
            saved,
            "--trusted-root",
            root,
            "--identity",
            "https://a/b"
        );
        Change(bundle, b => b["dsseEnvelope"]!["payload"] = Flip(b["dsseEnvelope"]!["payload"]!, 40), out var changed);
        await RefusedAsync("signature", "model", files, "--bundle", await WriteAsync(changed), "--trusted-root", root);
    }

    [Fact]
    public async Task It_counts_the_witnesses_that_cosigned_a_checkpoint()
    {
        using var witness = Key.Create(SignatureAlgorithm.Ed25519);
        var note = Encoding.UTF8.GetString(await gateway.As("ada").BytesAsync("/log/checkpoint"));
        var root = await SaveAsync("trusted_root.json", "/.well-known/governance/trusted_root.json");
        var folder = await LogAsync(await WriteAsync(Encoding.UTF8.GetBytes(note)));
        note = await File.ReadAllTextAsync(Path.Combine(folder, "checkpoint"), Now);
        byte[] typed = [4, .. witness.PublicKey.Export(KeyBlobFormat.RawPublicKey)];
        var hash = SHA256.HashData([.. "witness.example/1\n"u8, .. typed])[..4];
        var verifier = $"witness.example/1+{Convert.ToHexStringLower(hash)}+{Convert.ToBase64String(typed)}";
        string[] asked = ["--trusted-root", root, "--witness", verifier, "--witnesses", "1"];

        await RefusedAsync("cosignature", ["log", folder, .. asked]);
        await File.WriteAllTextAsync(Path.Combine(folder, "checkpoint"), note + Line(0), Now);
        await VerifiedAsync(["log", folder, .. asked]);
        await File.WriteAllTextAsync(Path.Combine(folder, "checkpoint"), note + Line(1), Now);
        await RefusedAsync("cosignature", ["log", folder, .. asked]);

        string Line(int flip)
        {
            var time = new byte[8];
            BinaryPrimitives.WriteInt64BigEndian(time, 1_790_000_000);
            var body = note[..(note.LastIndexOf("\n\n", StringComparison.Ordinal) + 1)];
            var signature = SignatureAlgorithm.Ed25519.Sign(
                witness,
                Encoding.UTF8.GetBytes($"cosignature/v1\ntime 1790000000\n{body}")
            );
            signature[9] ^= (byte)flip;
            return $"\u2014 witness.example/1 {Convert.ToBase64String([.. hash, .. time, .. signature])}\n";
        }
    }

    [Fact]
    public async Task It_explains_itself_and_ends_with_2_over_what_it_cannot_use()
    {
        Assert.InRange((await File.ReadAllLinesAsync(Script, Now)).Length, 1, 600);
        var help = await RunAsync(["--help"]);
        Assert.True(help is { ExitCode: 0 } && help.Output.Contains("--trusted-root", StringComparison.Ordinal));
        Assert.Equal(2, (await RunAsync(["receipt", "/nowhere", "--trusted-root", "/nowhere"])).ExitCode);
        Assert.Equal(2, (await RunAsync(["receipt"])).ExitCode);
    }

    private IEnumerable<(string, string, Func<Task<string[]>>)> Receipts(
        JsonObject receipt,
        JsonObject other,
        JsonObject trust
    )
    {
        yield return Of(
            "entry",
            r => r["entry"] = $"{r["entry"]}".Replace("\"v\":1", "\"v\":2", StringComparison.Ordinal)
        );
        yield return Of(
            "entry",
            r =>
                r["entry"] = $"{r["entry"]}".Replace(
                    "\"outcome\":\"done\"",
                    "\"outcome\":\"refused\"",
                    StringComparison.Ordinal
                )
        );
        yield return Of("entry", r => r["salt"] = Flip(r["salt"]!, 3));
        yield return Of("entry", r => r["inclusionProof"]!["leafHash"] = new string('0', 64));
        yield return Of("receipt", r => r["salt"] = "AAAA");
        yield return Of("receipt", r => r["salt"] = $"{r["salt"]}\n");
        yield return Of("receipt", r => r["extra"] = 1);
        yield return Of("receipt", r => r.Remove("salt"));
        yield return Of(
            "inclusion",
            r => r["inclusionProof"]!["leafIndex"] = r["inclusionProof"]!["leafIndex"]!.GetValue<long>() - 1
        );
        yield return Of("inclusion", r => r["inclusionProof"]!["leafIndex"] = true);
        yield return Of("inclusion", r => r["inclusionProof"]!["hashes"]![0] = new string('0', 64));
        yield return Of("inclusion", r => r["inclusionProof"]!["hashes"]!.AsArray().RemoveAt(0));
        yield return Of("inclusion", r => r["inclusionProof"]!["hashes"]!.AsArray().Add(new string('0', 64)));
        yield return Of(
            "checkpoint",
            r => Note(r, n => n.Replace("governance/log\n", "governance/log\n1", StringComparison.Ordinal))
        );
        yield return Of("checkpoint", r => Note(r, n => $"{n[..^6]}AAA=\n"));
        yield return Of("checkpoint", r => Note(r, n => n[..(n.IndexOf("\n\n", StringComparison.Ordinal) + 2)]));
        yield return Of("checkpoint", r => Note(r, n => $"x{n}"));
        yield return Of("log", r => r["verifierKey"] = "a+00000000+AAAA");
        yield return Of(
            "signature",
            r => r["statement"]!["dsseEnvelope"]!["payload"] = Flip(r["statement"]!["dsseEnvelope"]!["payload"]!, 100)
        );
        yield return Of(
            "signature",
            r =>
                r["statement"]!["dsseEnvelope"]!["signatures"]![0]!["sig"] = Flip(
                    r["statement"]!["dsseEnvelope"]!["signatures"]![0]!["sig"]!,
                    12
                )
        );
        yield return Of(
            "key",
            r => r["statement"]!["verificationMaterial"]!["publicKey"]!["hint"] = new string('0', 64)
        );
        yield return Of("binding", r => r["statement"] = other["statement"]!.DeepClone());
        yield return Of("bundle", r => r["statement"]!["mediaType"] = "text/plain");
        yield return Root("log", t => Remove(t["tlogs"]!, key => Kind(key) == "PKIX_ED25519"));
        yield return Root("log_window", t => End(t["tlogs"]!, key => Kind(key) == "PKIX_ED25519", "publicKey"));
        yield return Root("key", t => Remove(t["tlogs"]!, IsKey));
        yield return Root("key_window", t => End(t["tlogs"]!, IsKey, "publicKey"));
        yield return Root("trusted_root", t => t["mediaType"] = "text/plain");

        (string, string, Func<Task<string[]>>) Of(string check, Action<JsonObject> change) =>
            (
                check,
                "receipt",
                async () =>
                {
                    Change(receipt, change, out var changed);
                    return ["receipt", await WriteAsync(changed), "--trusted-root", await WriteAsync(trust)];
                }
            );

        (string, string, Func<Task<string[]>>) Root(string check, Action<JsonObject> change) =>
            (
                check,
                "receipt, root",
                async () =>
                {
                    Change(trust, change, out var changed);
                    return ["receipt", await WriteAsync(receipt), "--trusted-root", await WriteAsync(changed)];
                }
            );
    }

    private IEnumerable<(string, string, Func<Task<string[]>>)> Bundles(
        JsonObject bundle,
        JsonObject trust,
        string files
    )
    {
        yield return Of("log_body", b => b["dsseEnvelope"]!["payload"] = Flip(b["dsseEnvelope"]!["payload"]!, 50));
        yield return Of(
            "timestamp",
            b => b["dsseEnvelope"]!["signatures"]![0]!["sig"] = Flip(b["dsseEnvelope"]!["signatures"]![0]!["sig"]!, 12)
        );
        yield return Of("envelope", b => b["dsseEnvelope"]!["payloadType"] = "text/plain");
        yield return Of(
            "envelope",
            b => b["dsseEnvelope"]!["signatures"]!.AsArray().Add(b["dsseEnvelope"]!["signatures"]![0]!.DeepClone())
        );
        yield return Of("bundle", b => b["more"] = 1);
        yield return Of(
            "timestamp",
            b => Stamps(b)[0]!["signedTimestamp"] = Flip(Stamps(b)[0]!["signedTimestamp"]!, -1)
        );
        yield return Of(
            "timestamp",
            b => Stamps(b)[0]!["signedTimestamp"] = Flip(Stamps(b)[0]!["signedTimestamp"]!, 6)
        );
        yield return Of("timestamp", b => Stamps(b).Clear());
        yield return Of("log_entry", b => Material(b)["tlogEntries"]!.AsArray().Add(Entry(b).DeepClone()));
        yield return Of(
            "promise",
            b =>
                Entry(b)["inclusionPromise"]!["signedEntryTimestamp"] = Flip(
                    Entry(b)["inclusionPromise"]!["signedEntryTimestamp"]!,
                    12
                )
        );
        yield return Of("promise", b => Entry(b)["integratedTime"] = Add(Entry(b)["integratedTime"]!, 1));
        yield return Of("log_entry", b => Entry(b)["kindVersion"]!["version"] = "0.0.2");
        yield return Of("log_entry", b => Entry(b)["logId"]!["keyId"] = Flip(Entry(b)["logId"]!["keyId"]!, 0));
        yield return Of("log_body", b => Entry(b)["canonicalizedBody"] = Flip(Entry(b)["canonicalizedBody"]!, 30));
        yield return Of(
            "log_inclusion",
            b => Entry(b)["inclusionProof"]!["rootHash"] = Flip(Entry(b)["inclusionProof"]!["rootHash"]!, 0)
        );
        yield return Of(
            "log_inclusion",
            b =>
                Entry(b)["inclusionProof"]!["hashes"]!
                    .AsArray()
                    .Add(Entry(b)["inclusionProof"]!["rootHash"]!.DeepClone())
        );
        yield return Of(
            "log_checkpoint",
            b =>
                Entry(b)["inclusionProof"]!["checkpoint"]!["envelope"] =
                    $"{Entry(b)["inclusionProof"]!["checkpoint"]!["envelope"]}\u2014 other AAAAAAAA\n"
        );
        yield return Of(
            "certificate|log_body",
            b => Material(b)["certificate"]!["rawBytes"] = Flip(Material(b)["certificate"]!["rawBytes"]!, 200)
        );
        yield return Of("certificate", b => Material(b)["certificate"]!["rawBytes"] = "AAAA");
        yield return Root("timestamp", t => t["timestampAuthorities"]!.AsArray().Clear());
        yield return Root("timestamp_window", t => End(t["timestampAuthorities"]!, _ => true));
        yield return Root("log_entry", t => Remove(t["tlogs"]!, key => Kind(key) != "PKIX_ED25519" && !IsKey(key)));
        yield return Root(
            "log_window",
            t => End(t["tlogs"]!, key => Kind(key) != "PKIX_ED25519" && !IsKey(key), "publicKey")
        );
        yield return Root("chain", t => t["certificateAuthorities"]!.AsArray().Clear());
        yield return Root("chain", t => t["certificateAuthorities"] = t["timestampAuthorities"]!.DeepClone());
        yield return Root("authority_window", t => End(t["certificateAuthorities"]!, _ => true));
        yield return Root("sct", t => t["ctlogs"]!.AsArray().Clear());
        yield return Root("sct_window", t => End(t["ctlogs"]!, _ => true, "publicKey"));
        yield return (
            "identity",
            "another signer",
            async () => [.. await ArgsAsync(bundle, trust), "--identity", "https://other"]
        );
        yield return (
            "identity",
            "another issuer",
            async () => [.. await ArgsAsync(bundle, trust), "--issuer", "https://other"]
        );

        async Task<string[]> ArgsAsync(JsonObject one, JsonObject root) =>
            ["model", files, "--bundle", await WriteAsync(one), "--trusted-root", await WriteAsync(root)];

        (string, string, Func<Task<string[]>>) Of(string check, Action<JsonObject> change) =>
            (
                check,
                "bundle",
                () =>
                {
                    Change(bundle, change, out var changed);
                    return ArgsAsync(changed, trust);
                }
            );

        (string, string, Func<Task<string[]>>) Root(string check, Action<JsonObject> change) =>
            (
                check,
                "bundle, root",
                () =>
                {
                    Change(trust, change, out var changed);
                    return ArgsAsync(bundle, changed);
                }
            );
    }

    private IEnumerable<(string, string, Func<Task<string[]>>)> Files(JsonObject bundle, string root)
    {
        yield return Of("changed", folder => File.AppendAllText(Path.Combine(folder, "MLmodel"), "\n"));
        yield return Of("missing", folder => File.Delete(Path.Combine(folder, "MLmodel")));
        yield return Of("more", folder => File.WriteAllText(Path.Combine(folder, "more"), ""));
        yield return Of(
            "renamed",
            folder => File.Move(Path.Combine(folder, "MLmodel"), Path.Combine(folder, "mlmodel"))
        );
        yield return Of("link", folder => File.CreateSymbolicLink(Path.Combine(folder, "link"), "MLmodel"));

        (string, string, Func<Task<string[]>>) Of(string name, Action<string> change) =>
            (
                "files",
                name,
                async () =>
                {
                    var folder = await FolderAsync($"model-{name}", Story.Files());
                    change(folder);
                    return ["model", folder, "--bundle", await WriteAsync(bundle), "--trusted-root", root];
                }
            );
    }

    private IEnumerable<(string, string, Func<Task<string[]>>)> Logs(string log, string kept, string root)
    {
        var first = Directory
            .EnumerateFiles(Path.Combine(log, "tile"), "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .First();
        var tile = Path.GetRelativePath(log, first);
        yield return Of("root|consistency", "leaf", folder => Edit(folder, tile, bytes => bytes[0] ^= 1));
        yield return Of(
            "root|consistency",
            "swapped",
            folder => Edit(folder, tile, bytes => Array.Reverse(bytes, 0, 64))
        );
        yield return Of(
            "tile",
            "cut",
            folder =>
                File.WriteAllBytes(Path.Combine(folder, tile), File.ReadAllBytes(Path.Combine(folder, tile))[..^32])
        );
        yield return Of("checkpoint", "signature", folder => Edit(folder, "checkpoint", bytes => bytes[^8] ^= 1));
        yield return Of("checkpoint", "root hash", folder => Edit(folder, "checkpoint", bytes => bytes[^160] ^= 1));
        yield return (
            "shrunk",
            "set back",
            async () =>
            {
                var folder = Copy(log, "log-back");
                var newest = await WriteAsync(await File.ReadAllBytesAsync(Path.Combine(folder, "checkpoint"), Now));
                File.Copy(kept, Path.Combine(folder, "checkpoint"), overwrite: true);
                return ["log", folder, "--trusted-root", root, "--kept", newest];
            }
        );

        (string, string, Func<Task<string[]>>) Of(string check, string name, Action<string> change) =>
            (
                check,
                $"log, {name}",
                () =>
                {
                    var folder = Copy(log, $"log-{name}");
                    change(folder);
                    return Task.FromResult<string[]>(["log", folder, "--trusted-root", root, "--kept", kept]);
                }
            );

        static void Edit(string folder, string file, Action<byte[]> change)
        {
            var path = Path.Combine(folder, file);
            var bytes = File.ReadAllBytes(path);
            change(bytes);
            File.WriteAllBytes(path, bytes);
        }
    }

    private IEnumerable<(string, string, Func<Task<string[]>>)> Kits(
        Dictionary<string, byte[]> parts,
        string root,
        string files
    )
    {
        yield return Of("kit", "unknown part", p => p["more"] = []);
        yield return Of("kit", "traversal", p => p["../evil"] = []);
        yield return Of("kit", "traversal in a folder", p => p["receipts/../evil.json"] = []);
        yield return Of("kit", "no receipt", p => p.Remove("receipts/scan.json"));
        yield return Of("kit", "no attestation", p => p.Remove("attestations/scan.json"));
        yield return Of("kit", "no bundle", p => p.Remove("bundle.json"));
        yield return Of(
            "attestation",
            "swapped",
            p =>
                (p["attestations/scan.json"], p["attestations/privacy.json"]) = (
                    p["attestations/privacy.json"],
                    p["attestations/scan.json"]
                )
        );
        yield return Of("sbom", "another", p => p["sbom.cdx.json"] = "{}"u8.ToArray());
        yield return Of(
            "sbom",
            "unattested",
            p =>
            {
                p.Remove("attestations/sbom.json");
                p.Remove("receipts/sbom.json");
            }
        );
        yield return Of("manifest", "spaced", p => p["manifest.json"] = [.. p["manifest.json"], 10]);
        yield return Of("files", "shorter list", p => p["manifest.json"] = "[]"u8.ToArray());
        yield return Of("checkpoint", "cut", p => p["checkpoint"] = p["checkpoint"][..^9]);
        yield return (
            "kit",
            "not a zip",
            async () => ["kit", await WriteAsync("PK"u8.ToArray()), "--trusted-root", root]
        );
        yield return (
            "files",
            "of another version",
            async () =>
                ["kit", await ZipAsync(parts), "--trusted-root", root, "--artifacts", await FolderAsync("none", [])]
        );

        (string, string, Func<Task<string[]>>) Of(
            string check,
            string name,
            Action<Dictionary<string, byte[]>> change
        ) =>
            (
                check,
                $"kit, {name}",
                async () =>
                {
                    var changed = new Dictionary<string, byte[]>(parts);
                    change(changed);
                    return ["kit", await ZipAsync(changed), "--trusted-root", root, "--artifacts", files];
                }
            );
    }

    private static void Change(JsonObject original, Action<JsonObject> change, out JsonObject changed)
    {
        changed = original.DeepClone().AsObject();
        change(changed);
        Assert.False(JsonNode.DeepEquals(original, changed), "Nothing was changed.");
    }

    private static JsonNode Material(JsonObject bundle) => bundle["verificationMaterial"]!;

    private static JsonNode Entry(JsonObject bundle) => Material(bundle)["tlogEntries"]![0]!;

    private static JsonArray Stamps(JsonObject bundle) =>
        Material(bundle)["timestampVerificationData"]!["rfc3161Timestamps"]!.AsArray();

    private static void Note(JsonObject receipt, Func<string, string> change) =>
        receipt["inclusionProof"]!["checkpoint"] = change($"{receipt["inclusionProof"]!["checkpoint"]}");

    private static string Kind(JsonNode key) => $"{key["publicKey"]!["keyDetails"]}";

    private static bool IsKey(JsonNode key) => $"{key["baseUrl"]}".EndsWith("keys.pem", StringComparison.Ordinal);

    private static void Remove(JsonNode list, Func<JsonNode, bool> which)
    {
        foreach (var one in list.AsArray().Where(one => which(one!)).ToList())
        {
            list.AsArray().Remove(one);
        }
    }

    private static void End(JsonNode list, Func<JsonNode, bool> which, string? member = null)
    {
        foreach (var one in list.AsArray().Where(one => which(one!)))
        {
            (member is null ? one! : one![member]!)["validFor"]!["end"] = "2001-01-01T00:00:00Z";
            (member is null ? one! : one![member]!)["validFor"]!["start"] = "2000-01-01T00:00:00Z";
        }
    }

    private static string Add(JsonNode number, long by) =>
        (long.Parse($"{number}", CultureInfo.InvariantCulture) + by).ToString(CultureInfo.InvariantCulture);

    private static string Flip(JsonNode base64, int at)
    {
        var bytes = Convert.FromBase64String($"{base64}");
        bytes[at < 0 ? bytes.Length + at : at] ^= 1;
        return Convert.ToBase64String(bytes);
    }

    private static async Task<Dictionary<string, byte[]>> PartsAsync(string kit)
    {
        var parts = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        await using var zip = await ZipFile.OpenReadAsync(kit, Now);
        foreach (var entry in zip.Entries)
        {
            await using var content = await entry.OpenAsync(Now);
            using var bytes = new MemoryStream();
            await content.CopyToAsync(bytes, Now);
            parts.Add(entry.FullName, bytes.ToArray());
        }

        return parts;
    }

    private async Task<string> ZipAsync(Dictionary<string, byte[]> parts)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in parts)
            {
                using var part = zip.CreateEntry(name).Open();
                part.Write(content);
            }
        }

        return await WriteAsync(bytes.ToArray());
    }

    private async Task<string> LogAsync(string kept)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_root, $"log{Interlocked.Increment(ref _files)}")).FullName;
        var note = await gateway.As("ada").BytesAsync("/log/checkpoint");
        await File.WriteAllBytesAsync(Path.Combine(folder, "checkpoint"), note, Now);
        var size = long.Parse(Encoding.UTF8.GetString(note).Split('\n')[1], CultureInfo.InvariantCulture);
        for (var at = 0L; at < size; at += 256)
        {
            var width = Math.Min(256, size - at);
            var name = $"tile/0/{at / 256:D3}{(width < 256 ? $".p/{width}" : "")}";
            var path = Path.Combine(folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllBytesAsync(path, await gateway.As("ada").BytesAsync($"/log/{name}"), Now);
        }

        Assert.True(File.Exists(kept));
        return folder;
    }

    private string Copy(string folder, string name)
    {
        var copy = Path.Combine(_root, name.Replace(' ', '-'));
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(copy, Path.GetRelativePath(folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return copy;
    }

    private async Task<string> FolderAsync(string name, Dictionary<string, byte[]> files)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_root, name)).FullName;
        foreach (var (path, content) in files)
        {
            await File.WriteAllBytesAsync(Path.Combine(folder, path), content, Now);
        }

        return folder;
    }

    private Task<string> WriteAsync(JsonObject json) => WriteAsync(Encoding.UTF8.GetBytes(json.ToJsonString()));

    private async Task<string> WriteAsync(byte[] content)
    {
        var file = Path.Combine(_root, $"file{Interlocked.Increment(ref _files)}");
        await File.WriteAllBytesAsync(file, content, Now);
        return file;
    }

    private async Task<string> SaveAsync(string name, string path)
    {
        var file = Path.Combine(_root, name);
        await File.WriteAllBytesAsync(file, await gateway.As("ada").BytesAsync(path), Now);
        return file;
    }

    private static Task<ChildProcess> RunAsync(string[] args) =>
        ChildProcess.RunAsync(Python, ["-B", Script, .. args], TimeSpan.FromMinutes(1));

    private static async Task VerifiedAsync(params string[] args)
    {
        var run = await RunAsync(args);
        Assert.True(
            run.ExitCode == 0 && run.Output.EndsWith("verified\n", StringComparison.Ordinal),
            $"{args[0]}: {run.Output}{run.Errors}"
        );
    }

    private static async Task RefusedAsync(string check, params string[] args)
    {
        var run = await RunAsync(args);
        Assert.True(
            run.ExitCode == 1 && run.Errors.StartsWith($"NOT verified: {check}: ", StringComparison.Ordinal),
            $"{check}: {run.Output}{run.Errors}"
        );
    }
}
