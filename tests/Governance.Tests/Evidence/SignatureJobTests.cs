using System.Text.Json.Nodes;
using Governance.Audit;
using Governance.Audit.Signatures;
using Governance.Evidence;
using Governance.Evidence.Attest;
using Governance.Evidence.Contracts;
using Governance.Evidence.Produce;
using Governance.Evidence.Signatures;
using Governance.Evidence.Storage;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Policy;
using Governance.Policy.Contracts;
using Governance.Registry.Contracts;
using Governance.Signing;
using Governance.Signing.Contracts;
using Governance.Tests.Registry;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Evidence;

public sealed class SignatureJobTests
{
    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_version_is_signed_for_whoever_registered_it()
    {
        await using var host = await StartAsync();
        await host.VersionAsync("fraud");

        await RunAsync(host, host.Database.Writer);

        Assert.Equal("https://localhost:8443/signers/ds", (await VerifiedAsync(host)).Signer?.Subject);
    }

    [Fact]
    public async Task A_gateway_that_dies_between_log_entry_and_evidence_signs_again_and_no_evidence_is_without_its_entry()
    {
        await using var host = await StartAsync();
        await host.VersionAsync("fraud");

        await Assert.ThrowsAsync<IOException>(() => RunAsync(host, new DyingWriter()));

        Assert.Null(await DocumentAsync(host));
        Assert.Equal(1, await EntriesAsync(host));
        await RunAsync(host, host.Database.Writer);
        Assert.NotNull((await VerifiedAsync(host)).Signer);
        Assert.Equal(2, await EntriesAsync(host));
        Assert.Equal(
            "1",
            JsonNode.Parse((await DocumentAsync(host))!)!["verificationMaterial"]!["tlogEntries"]![0]![
                "logIndex"
            ]!.GetValue<string>()
        );
    }

    [Fact]
    public async Task Without_the_log_nothing_is_signed()
    {
        await using var host = await StartAsync();
        await host.VersionAsync("fraud");
        await RunAsync(host, host.Database.Writer);
        await using (var db = host.Database.Read())
        {
            await db.Database.ExecuteSqlRawAsync("UPDATE audit_signature SET \"Edge\" = \"Body\"", Now);
        }

        await host.VersionAsync("other");

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            RunAsync(host, host.Database.Writer, "other")
        );
        Assert.Equal("audit.checkpoint_forged", refused.Message);
    }

    [Fact]
    public async Task Judged_again_a_version_keeps_its_signature_and_what_is_not_allowed_stops_its_promotion()
    {
        await using var host = await StartAsync();
        await host.VersionAsync("fraud");
        await RunAsync(host, host.Database.Writer);
        var first = await DocumentAsync(host);
        await ChangePolicyAsync(host);

        await new SignatureReview(
            host.Database.Get<IDbContextFactory<GovernanceDb>>(),
            host.Database.Get<IRegistryReader>(),
            host.Database.Get<IPolicies>(),
            host.Database.Writer
        ).RunAsync(Now);

        await using var db = host.Database.Read();
        Assert.True(await db.Set<JobRow>().AnyAsync(job => job.Kind == "evidence.signature", Now));
        await RunAsync(host, host.Database.Writer);
        var rows = await db.Set<EvidenceRow>().OrderBy(row => row.Id).ToListAsync(Now);
        Assert.Equal(rows[0].Document, rows[1].Document);
        Assert.NotNull(first);
        Assert.Equal((EvidenceOutcome.Failed, "arriving-refused"), (rows[1].Outcome, rows[1].Class));
        Assert.Contains("signing.not_signed", rows[1].Reasons, StringComparison.Ordinal);
        Assert.NotEqual(rows[0].RulesVersion, rows[1].RulesVersion);
        Assert.Equal(1, await EntriesAsync(host));
    }

    private static async Task ChangePolicyAsync(RegistryHost host)
    {
        using var key = System.Security.Cryptography.ECDsa.Create(
            System.Security.Cryptography.ECCurve.NamedCurves.nistP256
        );
        var pem = key.ExportSubjectPublicKeyInfoPem().Replace("\n", "\\n", StringComparison.Ordinal);
        var text = $$"""
            version: 1
            trusted_roots: {}
            signers: { partner: { key: "{{pem}}" } }
            rules:
              - { models: "*", arriving: { mode: enforce, signers: [partner] }, read: { otherwise: "off" } }
            """;
        await host.Database.ActivateSignersAsync(text);
    }

    private static async Task<RegistryHost> StartAsync()
    {
        var host = await RegistryHost.StartAsync(services =>
            services
                .AddSingleton<IModelContribution, EvidenceModel>()
                .AddSingleton<IVersionIntake, VersionIntake>()
                .AddSingleton<AttestationWriter>()
                .AddAudit()
                .AddSigning()
                .AddPolicy()
        );
        await host.Database.Get<PolicySeed>().RunAsync(Now);
        return host;
    }

    private static async Task RunAsync(RegistryHost host, IWriter writer, string model = "fraud")
    {
        var registry = host.Database.Get<IRegistryReader>();
        var version = await registry.FindVersionAsync(new(model, 1), Now);
        var handler = new EvidenceJobHandler(
            new SignatureProducer(
                host.Database.Get<ISigner>(),
                host.Database.Get<IVerifier>(),
                registry,
                host.Database.Get<IPolicies>(),
                new RecordedBundles(
                    host.Database.Get<IDbContextFactory<GovernanceDb>>(),
                    host.Database.Get<IBlobStore>()
                )
            ),
            registry,
            host.Database.Get<IVersionStatus>(),
            host.Database.Get<AttestationWriter>(),
            host.Database.Get<IBlobStore>(),
            writer,
            host.Database.Get<ISignatureJournal>()
        );
        await handler.RunAsync(EvidenceJob.Of(version!).Request(EvidenceKind.Signature).Payload, Now);
    }

    private static async Task<VerifiedStatement> VerifiedAsync(RegistryHost host)
    {
        var registry = host.Database.Get<IRegistryReader>();
        var signer = host.Database.Get<ISigner>();
        var manifest = await registry.ManifestOfAsync(new("fraud", 1), Now);
        var verified = host
            .Database.Get<IVerifier>()
            .VerifyModel((await DocumentAsync(host))!, manifest!, signer.TrustedRoot, signer.PolicyFor("ds"));
        Assert.Null(verified.Failure);
        return verified.Value;
    }

    private static async Task<byte[]?> DocumentAsync(RegistryHost host)
    {
        await using var db = host.Database.Read();
        var row = await db.Set<EvidenceRow>()
            .Where(item => item.Kind == EvidenceKind.Signature)
            .OrderBy(item => item.Id)
            .LastOrDefaultAsync(Now);
        if (row?.Document is not { } digest)
        {
            return null;
        }

        await using var stored = (await host.Database.Blobs.OpenAsync(digest, Now)).Value;
        using var bytes = new MemoryStream();
        await stored.CopyToAsync(bytes, Now);
        return bytes.ToArray();
    }

    private static async Task<long> EntriesAsync(RegistryHost host) =>
        (await host.Database.Get<CheckSignatureLog>().RunAsync(Now)).Value;

    /// <summary>The gateway dies before the unit is committed.</summary>
    private sealed class DyingWriter : IWriter
    {
        public Task<Result<T>> WriteAsync<T>(
            Func<WriteSession, CancellationToken, Task<Result<T>>> work,
            CancellationToken cancellationToken
        ) => throw new IOException("Killed.");
    }
}
