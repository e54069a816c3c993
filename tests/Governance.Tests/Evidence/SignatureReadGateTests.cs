using Governance.Evidence.Contracts;
using Governance.Evidence.Signatures;
using Governance.Kernel;
using Governance.Policy;
using Governance.Policy.Contracts;
using Governance.Registry.Contracts;
using Governance.Tests.Registry;

namespace Governance.Tests.Evidence;

/// <summary>Verify on read, by rule and stage.</summary>
public sealed class SignatureReadGateTests
{
    private static readonly Actor Reader = new(ActorKind.Person, "p-reader");
    private static readonly ModelVersionRef Good = new("good", 1);
    private static readonly ModelVersionRef Bad = new("bad", 1);

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("off", false, 0)]
    [InlineData("warn", false, 1)]
    [InlineData("enforce", true, 0)]
    public async Task A_version_whose_signature_does_not_hold_is_served_warned_of_or_refused(
        string mode,
        bool refused,
        int warnings
    )
    {
        await using var host = await StartAsync(mode);

        var failure = await GateOf(host).CheckAsync(Reader, [(Bad, "Production")], Now);

        Assert.Equal(refused ? "evidence.signature_required" : null, failure?.Code);
        Assert.Equal(refused ? ["signing.key_not_valid: Too late."] : [], failure?.Reasons ?? []);
        Assert.Equal(
            warnings,
            host.Database.Log.Entries.Count(entry =>
                entry.Kind == "evidence.unsigned_read" && entry.Subject == "version:bad/1"
            )
        );
        Assert.Null(await GateOf(host).CheckAsync(Reader, [(Good, "Production")], Now));
        Assert.Null(await GateOf(host).CheckAsync(Reader, [(Bad, "Staging")], Now));
    }

    [Fact]
    public async Task Bytes_that_a_version_vouches_for_as_policy_asks_are_served_whoever_else_holds_them()
    {
        await using var host = await StartAsync("enforce");

        Assert.Null(await GateOf(host).CheckAsync(Reader, [(Bad, "Production"), (Good, "Production")], Now));
        Assert.NotNull(await GateOf(host).CheckAsync(Reader, [(Bad, "Production"), (Good, "Staging")], Now));
    }

    private static SignatureReadGate GateOf(RegistryHost host) =>
        new(
            new Standings(),
            host.Database.Get<IRegistryReader>(),
            host.Database.Get<IPolicies>(),
            host.Database.Writer,
            TimeProvider.System
        );

    private static async Task<RegistryHost> StartAsync(string mode)
    {
        var host = await RegistryHost.StartAsync(services => services.AddPolicy());
        await host.VersionAsync("good");
        await host.VersionAsync("bad");
        var text = $$"""
            version: 1
            trusted_roots: {}
            signers: {}
            rules:
              - models: "*"
                arriving: { mode: "off", signers: [] }
                read: { otherwise: "off", Production: "{{mode}}" }
            """;
        await host.Database.ActivateSignersAsync(text);
        return host;
    }

    private sealed class Standings : ISignatures
    {
        public Task<SignatureStanding> OfAsync(VersionView version, CancellationToken cancellationToken) =>
            Task.FromResult(
                new SignatureStanding(null, null, version.Ref == Good ? [] : ["signing.key_not_valid: Too late."])
                {
                    Verified = version.Ref == Good,
                }
            );
    }
}
