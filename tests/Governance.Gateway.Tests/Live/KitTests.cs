using System.IO.Compression;
using System.Text.Json.Nodes;
using Governance.Compliance.Contracts;
using Governance.Compliance.Engine;
using Governance.Gateway.Hosting;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Gateway.Tests.Live;

/// <summary>What a stranger takes along verifies without the gateway: by govern, stock programs, and the commands in the kit.</summary>
[Collection(GatewayTests.Name)]
public sealed class KitTests(LiveGateway gateway) : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("governance-kit-").FullName;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task The_attestations_of_a_promoted_version_are_signed_statements_about_exactly_it()
    {
        var story = new Story(gateway);
        var model = await story.ModelAsync("kit-attested");
        await story.PromoteAsync(model);
        var at = $"/api/v1/models/{model}/versions/1/attestations";
        var list = (await JsonAsync(at))["attestations"]!.AsArray();

        Assert.Equal(
            [
                "https://cyclonedx.org/bom",
                "https://model_signing/signature/v1.0",
                "https://slsa.dev/provenance/v1",
                "https://slsa.dev/verification_summary/v1",
                "urn:governance:predicate:privacy-result:v1",
                "urn:governance:predicate:scan-result:v1",
            ],
            list.Select(one => one!["predicateType"]!.ToString())
        );
        Assert.Single((await JsonAsync($"{at}?predicateType=https://cyclonedx.org/bom"))["attestations"]!.AsArray());
        var version = (
            await gateway
                .As("ada")
                .GraphQlAsync(
                    "query($m:String!){version(model:$m,version:1){manifestDigest evidenceSubject files{path sha256} attestations{id sha256 href}}}",
                    new JsonObject { ["m"] = model }
                )
        )["data"]!["version"]!;
        Assert.Equal(
            list.Select(one => $"{one!["href"]}"),
            version["attestations"]!.AsArray().Select(one => $"{one!["href"]}")
        );
        var root = await gateway.As("ada").BytesAsync("/.well-known/governance/trusted_root.json");
        foreach (var one in list.Where(one => $"{one!["id"]}" != "signature"))
        {
            var bundle = await gateway.As("ada").BytesAsync($"{one!["href"]}");
            Assert.Equal($"{one["sha256"]}", Digest.Of(bundle).Hex);
            var verified = OfflineVerifier.Create().VerifyStatement(bundle, root);
            Assert.Null(verified.Failure);
            CheckStatement(verified.Value.Payload, version, story);
        }

        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await gateway.As("ada").GetAsync($"{at}/other")).Status);
        var receipts = $"/api/v1/models/{model}/versions/1/receipts";
        var id = (await JsonAsync(receipts))["receipts"]![0];
        Assert.InRange(WorstCase((await JsonAsync($"{receipts}/{id}")).AsObject()), 4096, 8192);
    }

    /// <summary>Bytes of the same receipt with four approvals, under a checkpoint of ten million entries that three witnesses cosigned.</summary>
    private static int WorstCase(JsonObject receipt)
    {
        var envelope = receipt["statement"]!["dsseEnvelope"]!;
        var payload = JsonNode.Parse(Convert.FromBase64String($"{envelope["payload"]}"))!;
        Repeat(payload["predicate"]!["promotion"]!["approvals"]!.AsArray());
        envelope["payload"] = Convert.ToBase64String(CanonicalJson.Serialize(payload));
        var entry = JsonNode.Parse($"{receipt["entry"]}")!;
        Repeat(entry["details"]!["approvals"]!.AsArray());
        receipt["entry"] = CanonicalJson.SerializeToString(entry);
        var proof = receipt["inclusionProof"]!;
        proof["leafIndex"] = 9_999_999;
        proof["hashes"] = new JsonArray([.. Enumerable.Range(0, 24).Select(_ => (JsonNode)new string('f', 64))]);
        var lines = $"{proof["checkpoint"]}".Split('\n');
        lines[1] = "10000000";
        var cosignature = $"\u2014 witness.a-company.example/governance {Convert.ToBase64String(new byte[76])}\n";
        proof["checkpoint"] = string.Join('\n', lines) + string.Concat(Enumerable.Repeat(cosignature, 3));
        return CanonicalJson.Serialize(receipt).Length;

        static void Repeat(JsonArray approvals)
        {
            for (var more = approvals.Count; more < 4; more++)
            {
                approvals.Add(approvals[0]!.DeepClone());
            }
        }
    }

    [Fact]
    public async Task The_kit_of_a_version_verifies_by_the_commands_that_stand_in_it()
    {
        var story = new Story(gateway);
        var model = await story.ModelAsync("kit-commands");
        await story.PromoteAsync(model);
        var kit = Path.Combine(_root, "kit.zip");
        var got = await GovernProgram.RunAsync(
            gateway,
            _root,
            gateway.TokenOf("ada"),
            null,
            "kit",
            $"{model}/1",
            "--out",
            kit
        );
        Assert.True(got.ExitCode == 0, got.Errors);
        await ZipFile.ExtractToDirectoryAsync(kit, _root, Now);
        foreach (var (name, content) in Story.Files())
        {
            Directory.CreateDirectory(Path.Combine(_root, "model"));
            await File.WriteAllBytesAsync(Path.Combine(_root, "model", name), content, Now);
        }

        Directory.CreateSymbolicLink(
            Path.Combine(_root, "node_modules"),
            Path.Combine(Paths.Base, "tests", "peers", "sigstore", "node_modules")
        );
        var guide = await File.ReadAllTextAsync(Path.Combine(_root, "VERIFY.md"), Now);

        foreach (var block in new[] { "govern", "govern-parts", "sigstore-js", "files", "openssl" })
        {
            var run = await ShellAsync(Block(guide, block));
            Assert.True(run.ExitCode == 0, $"{block}: {run.Output}{run.Errors}");
        }

        await CheckChangesAsync(kit);
        await File.AppendAllTextAsync(Path.Combine(_root, "model", "MLmodel"), "\n", Now);
        foreach (var block in new[] { "govern", "govern-parts", "files" })
        {
            Assert.NotEqual(0, (await ShellAsync(Block(guide, block))).ExitCode);
        }
    }

    /// <summary>Each part of the kit is bound to the others: one that is changed, swapped or added is refused for what it is.</summary>
    private static async Task CheckChangesAsync(string kit)
    {
        var parts = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        await using (var zip = await ZipFile.OpenReadAsync(kit, Now))
        {
            Assert.Equal(
                zip.Entries.Select(part => part.FullName).Order(StringComparer.Ordinal),
                zip.Entries.Select(part => part.FullName)
            );
            foreach (var entry in zip.Entries)
            {
                await using var content = await entry.OpenAsync(Now);
                using var bytes = new MemoryStream();
                await content.CopyToAsync(bytes, Now);
                parts.Add(entry.FullName, bytes.ToArray());
            }
        }

        Assert.Null(CodeOf(_ => { }));
        foreach (var name in parts.Keys.Where(name => name is not ("sbom.cdx.json" or "VERIFY.md")))
        {
            Assert.NotNull(CodeOf(p => p.Remove(name)));
        }

        foreach (
            var name in parts.Keys.Where(name =>
                name is not ("VERIFY.md" or "trusted_root.json" or "client_trust_config.json")
            )
        )
        {
            Assert.NotNull(CodeOf(p => p[name] = [.. p[name][..^40], (byte)(p[name][^40] ^ 1), .. p[name][^39..]]));
        }

        Assert.Equal("compliance.kit_part", CodeOf(p => p["../evil"] = []));
        Assert.Equal("compliance.kit_part", CodeOf(p => p["receipts/../evil.json"] = []));
        Assert.Equal("compliance.kit_part", CodeOf(p => p["receipts/Evil.json"] = []));
        Assert.Equal("compliance.kit_incomplete", CodeOf(p => p.Remove("bundle.json")));
        Assert.Equal("compliance.kit_unproven", CodeOf(p => p.Remove("receipts/scan.json")));
        Assert.Equal("compliance.kit_unproven", CodeOf(p => p.Remove("attestations/scan.json")));
        Assert.Equal(
            "compliance.kit_unproven",
            CodeOf(p => p["attestations/scan.json"] = p["attestations/privacy.json"])
        );
        Assert.Equal("compliance.kit_sbom", CodeOf(p => p["sbom.cdx.json"] = "{}"u8.ToArray()));
        Assert.Equal("compliance.kit_manifest", CodeOf(p => p["manifest.json"] = "{}"u8.ToArray()));
        Assert.Equal("signing.file_extra", CodeOf(p => p["manifest.json"] = Of(p, ("more", "x")).ToCanonicalJson()));
        Assert.Equal("audit.bad_checkpoint", CodeOf(p => p["checkpoint"] = "x"u8.ToArray()));
        Assert.Equal("compliance.kit_too_large", CodeOf(p => p["receipts/big.json"] = new byte[(64 << 20) + 1]));
        Assert.Equal("compliance.kit_malformed", Verify(new MemoryStream("PK\u0003\u0004"u8.ToArray())));

        static Manifest Of(Dictionary<string, byte[]> parts, (string Path, string Content) more) =>
            Manifest
                .Create([
                    .. KitParts.Read(parts["manifest.json"])!.Files,
                    new ManifestFile(more.Path, more.Content.Length, Digest.Of(more.Content)),
                ])
                .Value;

        string? CodeOf(Action<Dictionary<string, byte[]>> change)
        {
            var changed = new Dictionary<string, byte[]>(parts);
            change(changed);
            using var bytes = new MemoryStream();
            using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
            {
                foreach (var (name, content) in changed)
                {
                    using var part = zip.CreateEntry(name).Open();
                    part.Write(content);
                }
            }

            bytes.Position = 0;
            return Verify(bytes);
        }

        string? Verify(MemoryStream archive) =>
            KitVerifier
                .Verify(archive, parts["trusted_root.json"], null, SignerPolicy.Anybody, OfflineVerifier.Create())
                .Failure?.Code;
    }

    private static void CheckStatement(JsonObject statement, JsonNode version, Story story)
    {
        var subjects = statement["subject"]!
            .AsArray()
            .Select(subject => (Name: $"{subject!["name"]}", Sha256: $"{subject["digest"]!["sha256"]}"))
            .ToList();
        Assert.Equal($"{version["manifestDigest"]}", subjects[0].Sha256);
        var predicate = statement["predicate"]!;
        var type = $"{statement["predicateType"]}";
        if (type == "https://slsa.dev/verification_summary/v1")
        {
            Assert.Equal($"{version["evidenceSubject"]}", $"{predicate["promotion"]!["evidenceSubject"]}");
            Assert.Single(predicate["promotion"]!["approvals"]!.AsArray());
            Assert.Equal(64, $"{predicate["policy"]!["digest"]!["sha256"]}".Length);
            return;
        }

        var bound = subjects.Exists(subject => subject.Sha256 == $"{version["evidenceSubject"]}");
        Assert.Equal(type != "urn:governance:predicate:scan-result:v1", bound);
        Assert.All(
            version["files"]!.AsArray(),
            file => Assert.Contains(($"{file!["path"]}", $"{file["sha256"]}"), subjects)
        );
        if (type == "https://slsa.dev/provenance/v1")
        {
            var build = predicate["buildDefinition"]!;
            Assert.Equal(story.RunId, $"{build["externalParameters"]!["runId"]}");
            Assert.NotEmpty(build["externalParameters"]!["params"]!.AsObject());
            Assert.Contains(
                story.Dataset.Hex,
                build["resolvedDependencies"]!.AsArray().Select(input => $"{input!["digest"]?["sha256"]}")
            );
        }
        else if (type.StartsWith("urn:", StringComparison.Ordinal))
        {
            Assert.Equal("passed", $"{predicate["outcome"]}");
            Assert.Null(predicate["findings"]);
            Assert.Null(predicate["reasons"]);
        }
    }

    private async Task<JsonNode> JsonAsync(string path) => JsonNode.Parse(await gateway.As("ada").BytesAsync(path))!;

    /// <summary>A block of the guide, with what cannot be installed here taken from where the tests have it.</summary>
    private static string Block(string guide, string name)
    {
        var begin = guide.IndexOf($"```sh {name}\n", StringComparison.Ordinal);
        Assert.True(begin >= 0, name);
        begin = guide.IndexOf('\n', begin) + 1;
        var block = guide[begin..guide.IndexOf("\n```", begin, StringComparison.Ordinal)];
        return string.Join('\n', block.Split('\n').Where(line => !line.StartsWith("npm ", StringComparison.Ordinal)));
    }

    private Task<ChildProcess> ShellAsync(string commands) =>
        ChildProcess.RunAsync(
            "bash",
            ["-euo", "pipefail", "-c", $"cd '{_root}'\n{commands}"],
            TimeSpan.FromMinutes(2),
            environment: new Dictionary<string, string?>
            {
                ["PATH"] = $"{Path.GetDirectoryName(GovernProgram.Path)}:{Environment.GetEnvironmentVariable("PATH")}",
            }
        );
}
