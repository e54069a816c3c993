using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit;
using Governance.Audit.Contracts;
using Governance.Audit.Keys;
using Governance.Audit.Signatures;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Signing;
using Governance.Signing.Change;
using Governance.Signing.Contracts;
using Governance.Signing.Keys;
using Governance.Signing.Storage;
using Governance.Tests.Audit;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Signing;

/// <summary>Keys are replaced while everything signs and verifies, and are bad from a time on.</summary>
public sealed class KeyRotationTests
{
    private static readonly Actor Admin = new(ActorKind.Person, "p-admin");

    public static TheoryData<string, string> Names =>
        new()
        {
            { "signing", "signing.key_not_valid" },
            { "ca-signers", "signing.authority_not_valid" },
            { "certificate-log", "signing.sct_log_not_valid" },
            { "timestamp", "signing.timestamp_authority_not_valid" },
            { "signature-log", "signing.log_key_not_valid" },
        };

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_key_is_replaced_under_load_and_nothing_fails_on_either_of_two_gateways()
    {
        await using var database = await StartAsync(leadSeconds: 2);
        using var other = new SecondGateway(database);
        using var stop = new CancellationTokenSource();
        var bundles = new List<(byte[] Bundle, bool Model)>();
        var load = Enumerable
            .Range(0, 2)
            .Select(lane => Task.Run(() => LoadAsync(database, other, lane, bundles, stop.Token), Now))
            .ToList();

        foreach (var name in KeyCatalogue.Names)
        {
            var rotated = await database.Get<KeyChanges>().RotateAsync(Admin, name, Now);
            Assert.Null(rotated.Failure);
        }

        await Task.Delay(TimeSpan.FromSeconds(3), Now);
        await stop.CancelAsync();
        await Task.WhenAll(load);

        var root = database.Get<ISigner>().TrustedRoot;
        Assert.All(bundles, one => Assert.Null(Verify(database, one.Bundle, one.Model, root).Failure));
        Assert.True(bundles.Count >= 20, $"only {bundles.Count}");
        Assert.All(
            database.Get<KeyCatalogue>().All.GroupBy(key => key.Generation.Name),
            task => Assert.Equal([true, false], task.Select(key => key.Generation.End is not null))
        );
        Assert.True((await database.Get<CheckSignatureLog>().RunAsync(Now)).Ok);
        // Signed by the new keys alone: a root without the old ones knows them.
        var last = await SignAsync(database.Get<ISigner>());
        Assert.Null(Verify(database, last, true, Newest(root)).Failure);
        Assert.NotNull(Verify(database, bundles[0].Bundle, bundles[0].Model, Newest(root)).Failure);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task What_a_bad_key_signed_since_then_fails_and_what_it_signed_before_holds(string name, string code)
    {
        await using var database = await StartAsync();
        var signer = database.Get<ISigner>();
        var models = name != "signing";
        var before = await RecordedAsync(database, models, "before");
        await Task.Delay(TimeSpan.FromSeconds(1.1), Now);
        var bad = DateTimeOffset.UtcNow;
        var after = await RecordedAsync(database, models, "after");
        var key = database.Get<KeyCatalogue>().All.Single(known => known.Generation.Name == name);

        var revoked = await database.Get<KeyChanges>().RevokeAsync(Admin, key.Id, bad, "The laptop was stolen.", Now);

        Assert.Null(revoked.Failure);
        Assert.Equal(1, revoked.Value);
        Assert.Null(Verify(database, before, models, signer.TrustedRoot).Failure);
        Assert.Equal(code, Verify(database, after, models, signer.TrustedRoot).Failure?.Code);
        // Its successor signs at once.
        var next = models ? await SignAsync(signer) : signer.SignStatement(Statement("next"));
        Assert.Null(Verify(database, next, models, signer.TrustedRoot).Failure);
        var uses = await UsesAsync(database, key.Id);
        Assert.Equal(["before", "after"], uses.Select(use => use.Subject));
    }

    [Fact]
    public async Task Versions_whose_signature_became_bad_are_named_to_those_who_watch()
    {
        var watch = new Watch();
        await using var database = await StartAsync(add: services => services.AddSingleton<IRevocationWatch>(watch));
        var bundle = await RecordedAsync(database, true, "version:m/1");
        var issuer = database.Get<KeyCatalogue>().All.Single(key => key.Generation.Name == "ca-signers");

        await database
            .Get<KeyChanges>()
            .RevokeAsync(Admin, issuer.Id, DateTimeOffset.UtcNow.AddMinutes(-1), "Lost.", Now);

        Assert.Equal([Digest.Of(bundle)], watch.Bundles);
    }

    [Fact]
    public async Task A_key_that_does_not_sign_yet_is_not_replaced_and_takes_over_at_once_when_the_old_one_is_bad()
    {
        await using var database = await StartAsync(leadSeconds: 3600);
        var changes = database.Get<KeyChanges>();
        var first = database.Get<ISigner>().KeyHint;
        var second = (await changes.RotateAsync(Admin, "signing", Now)).Value.Id;

        Assert.Equal("keys.rotation_pending", (await changes.RotateAsync(Admin, "signing", Now)).Failure?.Code);
        Assert.Equal(first, database.Get<ISigner>().KeyHint);
        await changes.RevokeAsync(Admin, first, DateTimeOffset.UtcNow, "Lost.", Now);

        Assert.Equal(second, database.Get<ISigner>().KeyHint);
        Assert.Equal(2, database.Get<KeyCatalogue>().All.Count(key => key.Generation.Name == "signing"));
    }

    [Theory]
    [InlineData(0, "", "keys.no_reason")]
    [InlineData(1, "Lost.", "keys.bad_time")]
    public async Task A_revocation_says_why_and_lies_not_ahead(int hours, string reason, string code)
    {
        await using var database = await StartAsync();
        var key = database.Get<KeyCatalogue>().All[0];

        var refused = await database
            .Get<KeyChanges>()
            .RevokeAsync(Admin, key.Id, DateTimeOffset.UtcNow.AddHours(hours), reason, Now);

        Assert.Equal(code, refused.Failure?.Code);
        Assert.Equal("keys.unknown", (await database.Get<KeyChanges>().RotateAsync(Admin, "log", Now)).Failure?.Code);
    }

    [Fact]
    public async Task A_gateway_that_starts_again_knows_its_keys()
    {
        await using var database = await StartAsync();
        await database.Get<KeyChanges>().RotateAsync(Admin, "ca-signers", Now);
        var bundle = await SignAsync(database.Get<ISigner>());

        using var again = new SecondGateway(database);

        await again.Ring.RefreshAsync(Now);
        Assert.Equal(database.Get<ISigner>().TrustedRoot, again.Signer.TrustedRoot);
        Assert.Null(Verify(database, bundle, true, again.Signer.TrustedRoot).Failure);
    }

    [Fact]
    public async Task The_stock_verifier_accepts_bundles_of_old_and_new_keys_with_the_current_root()
    {
        await using var database = await StartAsync();
        var signer = database.Get<ISigner>();
        var directory = Directory.CreateTempSubdirectory("governance-rotation-").FullName;
        try
        {
            var (identity, statement, pem) = (
                await SignAsync(signer),
                signer.SignStatement(Statement("old")),
                signer.PublicKeyPem
            );
            foreach (var name in KeyCatalogue.Names)
            {
                Assert.Null((await database.Get<KeyChanges>().RotateAsync(Admin, name, Now)).Failure);
            }

            foreach (
                var (bundle, key) in new[]
                {
                    (identity, pem),
                    (statement, pem),
                    (await SignAsync(signer), signer.PublicKeyPem),
                    (signer.SignStatement(Statement("new")), signer.PublicKeyPem),
                }
            )
            {
                await File.WriteAllBytesAsync(Path.Combine(directory, "bundle"), bundle, Now);
                await File.WriteAllTextAsync(Path.Combine(directory, "key"), key, Now);
                await File.WriteAllBytesAsync(Path.Combine(directory, "root"), signer.TrustedRoot, Now);
                await StockAsync(directory);
            }

            Assert.NotEqual(pem, signer.PublicKeyPem);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task StockAsync(string directory)
    {
        var script = Path.Combine(TestDatabase.PoliciesDirectory(), "..", "tests", "peers", "sigstore", "verify.mjs");
        using var process = Process.Start(
            new ProcessStartInfo("node", [script, "bundle", "key", "root"])
            {
                WorkingDirectory = directory,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var output = await process.StandardOutput.ReadToEndAsync(Now);
        var error = await process.StandardError.ReadToEndAsync(Now);
        await process.WaitForExitAsync(Now);
        Assert.True(process.ExitCode == 0, output + error);
    }

    /// <summary>Signs on one gateway and verifies at once by the root of the other.</summary>
    private static async Task LoadAsync(
        TestDatabase database,
        SecondGateway other,
        int lane,
        List<(byte[], bool)> bundles,
        CancellationToken stop
    )
    {
        ISigner[] signers = [database.Get<ISigner>(), other.Signer];
        for (var round = lane; !stop.IsCancellationRequested; round++)
        {
            if (lane == 1)
            {
                await other.Ring.RefreshAsync(CancellationToken.None);
            }

            var (signer, reader) = (signers[round % 2], signers[(round + 1) % 2]);
            var model = await SignAsync(signer);
            var statement = signer.SignStatement(Statement($"s{round}"));
            Assert.Null(Verify(database, model, true, reader.TrustedRoot).Failure);
            Assert.Null(Verify(database, statement, false, reader.TrustedRoot).Failure);
            lock (bundles)
            {
                bundles.Add((model, true));
                bundles.Add((statement, false));
            }
        }
    }

    private static Task<byte[]> SignAsync(ISigner signer) =>
        signer.SignModelAsync("fraud", SigningFixture.Model(), "p-1", CancellationToken.None);

    private static async Task<byte[]> RecordedAsync(TestDatabase database, bool model, string subject)
    {
        var signer = database.Get<ISigner>();
        var bundle = model ? await SignAsync(signer) : signer.SignStatement(Statement(subject));
        await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await database.Get<ISignatureJournal>().RecordAsync(session, bundle, subject, token);
                await database.Get<ISignatureJournal>().RecordAsync(session, bundle, subject, token);
                return default(Unit);
            },
            Now
        );
        return bundle;
    }

    private static async Task<List<SignatureUseRow>> UsesAsync(TestDatabase database, string key)
    {
        await using var db = database.Read();
        return await db.Set<SignatureUseRow>().Where(use => use.KeyId == key).OrderBy(use => use.Id).ToListAsync(Now);
    }

    internal static JsonObject Statement(string name) =>
        new()
        {
            ["_type"] = "https://in-toto.io/Statement/v1",
            ["subject"] = new JsonArray(
                new JsonObject
                {
                    ["name"] = name,
                    ["digest"] = new JsonObject { ["sha256"] = Digest.Of(name).Hex },
                }
            ),
            ["predicateType"] = "https://example.com/test",
            ["predicate"] = new JsonObject(),
        };

    private static Result<VerifiedStatement> Verify(TestDatabase database, byte[] bundle, bool model, byte[] root)
    {
        var verifier = database.Get<IVerifier>();
        return model
            ? verifier.VerifyModel(bundle, SigningFixture.Model(), root, SignerPolicy.Anybody)
            : verifier.VerifyStatement(bundle, root);
    }

    /// <summary>The root as if every key that has an end had never been.</summary>
    private static byte[] Newest(byte[] root)
    {
        var document = JsonNode.Parse(root)!.AsObject();
        foreach (var member in new[] { "tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities" })
        {
            var kept = document[member]!
                .AsArray()
                .Where(one => (one!["publicKey"]?["validFor"] ?? one["validFor"])!["end"] is null)
                .Select(one => one!.DeepClone());
            document[member] = new JsonArray([.. kept]);
        }

        return Encoding.UTF8.GetBytes(document.ToJsonString());
    }

    private static Task<TestDatabase> StartAsync(int leadSeconds = 0, Action<IServiceCollection>? add = null) =>
        TestDatabase.StartAsync(services =>
        {
            services.AddSingleton(new SigningOptions { RotationLeadSeconds = leadSeconds });
            services.AddAudit().AddSigning();
            add?.Invoke(services);
        });

    /// <summary>Another gateway on the same database and data directory, which learns of changes by looking only.</summary>
    private sealed class SecondGateway : IDisposable
    {
        private readonly Authorities _authorities;
        private readonly SignatureLogSigner _log;

        public SecondGateway(TestDatabase database)
        {
            var (platform, keys, clock) = (
                database.Get<PlatformOptions>(),
                database.Get<PrivateKeys>(),
                database.Get<TimeProvider>()
            );
            Ring = new KeyRing(database.Get<IDbContextFactory<GovernanceDb>>());
            _log = new SignatureLogSigner(database.Get<AuditOptions>(), Ring, keys, clock);
            _authorities = new Authorities(platform, database.Get<ILogKey>(), Ring, keys, clock);
            Signer = new GatewaySigner(
                platform,
                new SigningOptions(),
                Ring,
                keys,
                database.Get<ILogKey>(),
                new SignatureLog(database.Writer, _log),
                _authorities,
                clock
            );
        }

        public KeyRing Ring { get; }

        public GatewaySigner Signer { get; }

        public void Dispose()
        {
            Signer.Dispose();
            _authorities.Dispose();
            _log.Dispose();
        }
    }

    private sealed class Watch : IRevocationWatch
    {
        public List<Digest> Bundles { get; } = [];

        public Task OnRevokedAsync(
            WriteSession session,
            IReadOnlyCollection<Digest> bundles,
            CancellationToken cancellationToken
        )
        {
            Bundles.AddRange(bundles);
            return Task.CompletedTask;
        }
    }
}
