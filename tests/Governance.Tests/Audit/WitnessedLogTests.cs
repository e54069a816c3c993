using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Sequencing;
using Governance.Audit.Storage;
using Governance.Audit.Witnessing;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Outbound;
using Governance.Signing.Contracts;
using Governance.Tests.Platform;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using NSec.Cryptography;

namespace Governance.Tests.Audit;

/// <summary>The gateway's side of witnesses: who is asked, what is believed, and what a witness can and cannot stop.</summary>
public sealed class WitnessedLogTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_receipt_is_under_a_checkpoint_that_the_witnesses_cosigned()
    {
        await using var first = await WitnessHost.StartAsync();
        await using var second = await WitnessHost.StartAsync();
        var options = new AuditOptions { WitnessQuorum = 2, WitnessWaitMilliseconds = 10_000 };
        options.Witnesses.Add(first.Reserve("w1.example"));
        options.Witnesses.Add(second.Reserve("w2.example"));
        await using var database = await LogFixture.StartAsync(options: options);
        var key = database.Get<ILogKey>();
        first.Watch(key.VerifierKey, key.Origin, "w1.example");
        second.Watch(key.VerifierKey, key.Origin, "w2.example");
        await StartHostedAsync(database);
        var log = database.Get<IAuditLog>();

        for (var i = 0; i < 3; i++)
        {
            var id = await database.AppendAsync();
            var proof = await log.ReceiptProofAsync(id, TimeSpan.FromSeconds(5), Token);

            var seen = CosignatureVerifier.Verify(proof!.Checkpoint, Keys(options), 2);
            Assert.Equal(["w1.example", "w2.example"], seen.Value.Select(by => by.Name));
            Assert.NotNull(Checkpoint.Open(proof.Checkpoint, NoteKey.TryParse(key.VerifierKey)!));
            var entry = (await log.FindAsync([id], Token))[id];
            Assert.Null(
                new LogVerifier()
                    .VerifyInclusion((JsonObject)JsonNode.Parse(entry.Canonical)!, entry.Salt, proof, key.VerifierKey)
                    .Failure
            );
        }

        var cosigned = await log.CosignedCheckpointAsync(Token);
        Assert.Equal(3, Checkpoint.TryParse(SignedNote.TryParse(cosigned!)!.Text)!.Size);
        Assert.Equal(cosigned, await log.CheckpointAsync(Token));
        Assert.All(
            await log.WitnessesAsync(Token),
            witness => Assert.Equal((3L, false), (witness.Size, witness.IsBehind))
        );
        await StopHostedAsync(database);
    }

    [Fact]
    public async Task Without_its_witnesses_a_receipt_waits_shortly_and_with_a_quorum_is_not_complete()
    {
        await using var host = await WitnessHost.StartAsync();
        host.Instead = context =>
        {
            context.Abort();
            return Task.FromResult(true);
        };
        var options = new AuditOptions { WitnessWaitMilliseconds = 50 };
        options.Witnesses.Add(host.Reserve("w1.example"));
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow) { AutoAdvanceAmount = TimeSpan.FromMilliseconds(20) };
        await using var database = await LogFixture.StartAsync(options: options, clock: clock);
        var log = database.Get<IAuditLog>();
        var id = await database.AppendAsync();
        await database.SequenceAsync();

        using var client = Client(host.Reserve("w1.example"));
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => AskAsync(database, client));
        Assert.NotNull(await Advancing(clock, log.ReceiptProofAsync(id, TimeSpan.FromSeconds(2), Token)));
        Assert.False(Assert.Single(await log.WitnessesAsync(Token)).IsBehind);
        clock.Advance(TimeSpan.FromSeconds(31));
        Assert.True(Assert.Single(await log.WitnessesAsync(Token)).IsBehind);

        options.WitnessQuorum = 1;
        Assert.Null(await Advancing(clock, log.ReceiptProofAsync(id, TimeSpan.FromSeconds(2), Token)));
        // Nothing else waits for it.
        await database.AppendAsync();
        await database.SequenceAsync();
        Assert.Null(database.Get<LogState>().Broken);
    }

    [Fact]
    public async Task A_witness_that_knows_more_or_less_is_met_where_it_is()
    {
        await using var world = await World.StartAsync(5);
        Assert.Equal(Asked.Cosigned, await world.AskAsync());
        await world.Database.AppendManyAsync(4);
        await world.Database.SequenceAsync();
        Assert.Equal(Asked.Cosigned, await world.AskAsync());
        // As after another gateway's round, and as after the loss of the cosignatures here.
        await world.Database.SqlAsync("DELETE FROM audit_cosignature");
        Assert.Equal(Asked.Cosigned, await world.AskAsync());

        world.Host.Forget();
        world.Watch();

        Assert.Equal(Asked.SetBack, await world.AskAsync());
        Assert.Null(world.State.Broken);
    }

    [Fact]
    public async Task A_witness_alone_can_stop_nothing_and_lend_no_one_its_word()
    {
        await using var world = await World.StartAsync(5);
        using var strange = Key.Create(SignatureAlgorithm.Ed25519);
        var stranger = NoteKey.Create("w1.example", strange.PublicKey, NoteKey.Witness);
        var text = SignedNote.TryParse((await world.NewestAsync()).Note)!.Text;
        using var forged = new SignedTree(world.Database.Get<ILogKey>().Origin);

        await UnansweredAsync(200, "");
        await UnansweredAsync(200, "nonsense\n");
        await UnansweredAsync(200, Cosignature.Sign(text, 1_700_000_000, stranger, strange).ToString());
        await UnansweredAsync(200, new string('x', 200_000));
        await UnansweredAsync(409, "999999\n");
        await UnansweredAsync(409, "-1\n");
        await UnansweredAsync(409, "three\n");
        await UnansweredAsync(422, "");
        await UnansweredAsync(403, "");
        await UnansweredAsync(500, "");
        await UnansweredAsync(302, "");
        // It shows a larger tree, which this log's key did not sign.
        await UnansweredAsync(409, "64\n", forged.Note(64));
        await UnansweredAsync(422, "", (await world.NewestAsync()).Note);
        Assert.Null(await world.Database.Get<IAuditLog>().CosignedCheckpointAsync(Token));

        async Task UnansweredAsync(int status, string body, string? shown = null)
        {
            world.Host.Instead = async context =>
            {
                var get = HttpMethods.IsGet(context.Request.Method);
                context.Response.StatusCode = get ? 200 : status;
                context.Response.Headers.Location = status == 302 ? $"{world.Host.Address}/elsewhere" : default;
                await context.Response.WriteAsync(get ? shown ?? "" : body);
                return true;
            };
            var asked = Asked.Unanswered;
            try
            {
                asked = await world.AskAsync();
            }
            catch (HttpRequestException)
            {
                // An answer without end is cut off.
            }

            Assert.Equal((Asked.Unanswered, null), (asked, world.State.Broken));
        }
    }

    [Fact]
    public async Task A_witness_that_is_slow_is_left()
    {
        await using var world = await World.StartAsync(1, TimeSpan.FromMilliseconds(300));
        world.Host.Instead = async context =>
        {
            await Task.Delay(TimeSpan.FromSeconds(20), context.RequestAborted);
            return true;
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => world.AskAsync());
    }

    [Fact]
    public async Task Cosignatures_are_only_inserted()
    {
        await using var world = await World.StartAsync(2, triggers: true);
        await world.AskAsync();

        await Assert.ThrowsAnyAsync<Exception>(() => world.Database.SqlAsync("DELETE FROM audit_cosignature"));
        await Assert.ThrowsAnyAsync<Exception>(() =>
            world.Database.SqlAsync("UPDATE audit_cosignature SET \"Size\" = 1")
        );
    }

    [Fact]
    public void A_key_under_two_names_is_one_witness_and_a_stranger_none()
    {
        using var log = new SignedTree("example.com/log");
        using var key = Key.Create(SignatureAlgorithm.Ed25519);
        var (one, two) = (
            NoteKey.Create("one", key.PublicKey, NoteKey.Witness),
            NoteKey.Create("two", key.PublicKey, NoteKey.Witness)
        );
        var text = SignedNote.TryParse(log.Note(5))!.Text;
        var note =
            log.Note(5)
            + Cosignature.Sign(text, 1_700_000_000, one, key)
            + Cosignature.Sign(text, 1_700_000_000, two, key);

        Assert.Single(CosignatureVerifier.Verify(note, [one.VerifierKey, two.VerifierKey], 1).Value);
        Assert.Equal(
            "audit.not_witnessed",
            CosignatureVerifier.Verify(note, [one.VerifierKey, two.VerifierKey], 2).Failure?.Code
        );
        Assert.Equal(
            "audit.not_witnessed",
            CosignatureVerifier.Verify(log.Note(5), [one.VerifierKey], 1).Failure?.Code
        );
        Assert.Equal(
            "audit.not_witnessed",
            CosignatureVerifier
                .Verify(log.Note(6) + Cosignature.Sign(text, 1, one, key), [one.VerifierKey], 1)
                .Failure?.Code
        );
        Assert.Equal("audit.bad_witness_key", CosignatureVerifier.Verify(note, [log.Key.VerifierKey], 1).Failure?.Code);
        Assert.Equal("audit.bad_checkpoint", CosignatureVerifier.Verify("note", [one.VerifierKey], 1).Failure?.Code);
    }

    [Theory]
    [InlineData("", "https://w.example", false)]
    [InlineData("vkey", "https://w.example/prefix", true)]
    [InlineData("vkey", "http://127.0.0.1:7443", true)]
    [InlineData("vkey", "http://w.example", false)]
    [InlineData("vkey", "https://me@w.example", false)]
    [InlineData("vkey", "w.example", false)]
    public void A_witness_is_configured_whole_or_not_at_all(string key, string url, bool good)
    {
        const string vkey = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
        var options = new AuditOptions();
        options.Witnesses.Add(new WitnessOptions { VerifierKey = key.Length > 0 ? vkey : "", Url = url });

        Assert.Equal(good, new AuditOptionsValidator().Validate("", options).Succeeded);
        options.WitnessQuorum = 2;
        Assert.False(new AuditOptionsValidator().Validate("", options).Succeeded);
    }

    [Fact]
    public async Task Checkpoints_leave_to_a_directory_and_to_a_webhook()
    {
        await using var receiver = await WitnessHost.StartAsync();
        var bodies = new List<(string Body, string Signature, string Id, string At)>();
        var down = 1;
        receiver.Instead = async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var headers = context.Request.Headers;
            var seen = (
                await reader.ReadToEndAsync(Token),
                headers["X-Governance-Signature"].ToString(),
                headers["X-Governance-Delivery-Id"].ToString(),
                headers["X-Governance-Timestamp"].ToString()
            );
            context.Response.StatusCode = down-- > 0 ? 503 : 204;
            lock (bodies)
            {
                bodies.Add(seen);
            }

            return true;
        };
        var folder = Directory.CreateTempSubdirectory("checkpoints-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "secret"), "a secret of the test\n", Token);
        var options = new AuditOptions
        {
            CheckpointDirectory = Path.Combine(folder, "out"),
            CheckpointWebhook = receiver.Address,
            CheckpointWebhookSecretFile = Path.Combine(folder, "secret"),
            CheckpointExportSeconds = 1,
        };
        await using var database = await LogFixture.StartAsync(options: options);
        await StartHostedAsync(database);
        await database.AppendAsync();

        await UntilAsync(() => bodies.Count > 1 && Directory.Exists(options.CheckpointDirectory));
        await StopHostedAsync(database);

        var (body, signature, id, at) = bodies[1];
        Assert.Equal("checkpoint-1", id);
        Assert.Equal(WebhookSignature.Of("a secret of the test"u8, id, long.Parse(at), body), signature);
        var note = JsonNode.Parse(body)!["checkpoint"]!.ToString();
        Assert.Equal(1, Checkpoint.Open(note, NoteKey.TryParse(database.Get<ILogKey>().VerifierKey)!)!.Size);
        Assert.Equal(
            note,
            await File.ReadAllTextAsync(Path.Combine(options.CheckpointDirectory, "000000000001.checkpoint"), Token)
        );
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_check_while_it_runs_finds_what_the_sequencer_does_not_touch()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var database = await LogFixture.StartAsync(
            triggers: false,
            clock: clock,
            options: new AuditOptions { CheckMinutes = 60 }
        );
        await database.AppendManyAsync(10);
        await database.SequenceAsync();
        var again = database.Services.GetServices<IHostedService>().OfType<CheckAgain>().Single();
        await again.StartAsync(Token);
        await database.SqlAsync("UPDATE audit_entry SET \"Outcome\" = 'refused' WHERE \"Serial\" = 3");
        var id = Guid.Empty;
        await using (var db = database.Read())
        {
            id = await db.Set<EntryRow>().Where(row => row.Serial == 3).Select(row => row.Id).SingleAsync(Token);
        }

        clock.Advance(TimeSpan.FromMinutes(60));
        await UntilAsync(() => database.Get<LogState>().Broken is not null);

        Assert.Equal("audit.entry_altered", database.Get<LogState>().Broken);
        Assert.Contains(id.ToString(), Assert.Single(database.Get<LogState>().Evidence), StringComparison.Ordinal);
        await Assert.ThrowsAsync<LogBrokenException>(() => database.AppendAsync());
        await again.StopAsync(Token);
    }

    // A promotion with three approvals and six attestations, among ten million entries, with all witnesses that there may be.
    [Fact]
    public void A_receipt_with_eight_witnesses_has_at_most_8_KiB()
    {
        static string Hex(int i) => Digest.Of(BitConverter.GetBytes(i)).Hex;
        var statement = new JsonObject
        {
            ["_type"] = "https://in-toto.io/Statement/v1",
            ["subject"] = new JsonArray(
                new JsonObject
                {
                    ["name"] = "income-classification/12",
                    ["digest"] = new JsonObject { ["sha256"] = Hex(1) },
                }
            ),
            ["predicateType"] = "https://slsa.dev/verification_summary/v1",
            ["predicate"] = new JsonObject
            {
                ["verifier"] = new JsonObject { ["id"] = "https://governance.example.com:8443" },
                ["timeVerified"] = "2026-11-22T18:00:00.000Z",
                ["resourceUri"] = "income-classification/12",
                ["policy"] = new JsonObject
                {
                    ["uri"] = "policy:promotion",
                    ["digest"] = new JsonObject { ["sha256"] = Hex(2) },
                },
                ["inputAttestations"] = new JsonArray([
                    .. Enumerable
                        .Range(0, 6)
                        .Select(i => new JsonObject
                        {
                            ["uri"] = "evidence:signature",
                            ["digest"] = new JsonObject { ["sha256"] = Hex(i) },
                        }),
                ]),
                ["verificationResult"] = "PASSED",
                ["verifiedLevels"] = new JsonArray("stage:Production"),
                ["promotion"] = new JsonObject
                {
                    ["approvals"] = new JsonArray([
                        .. Enumerable
                            .Range(0, 3)
                            .Select(i => new JsonObject
                            {
                                ["at"] = "2026-11-22T18:00:00.000Z",
                                ["entry"] = Guid.Empty.ToString(),
                                ["person"] = Hex(i)[..32],
                                ["request"] = Guid.Empty.ToString(),
                            }),
                    ]),
                    ["carriedOutBy"] = Hex(3)[..32],
                    ["decision"] = Guid.Empty.ToString(),
                    ["evidence"] = Hex(4),
                    ["evidenceSubject"] = Hex(5),
                    ["target"] = "stage:Production",
                },
            },
        };
        var bundle = CanonicalJson.Serialize(
            new JsonObject
            {
                ["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.3+json",
                ["verificationMaterial"] = new JsonObject
                {
                    ["publicKey"] = new JsonObject { ["hint"] = Hex(6) },
                    ["tlogEntries"] = new JsonArray(),
                },
                ["dsseEnvelope"] = new JsonObject
                {
                    ["payload"] = Convert.ToBase64String(CanonicalJson.Serialize(statement)),
                    ["payloadType"] = "application/vnd.in-toto+json",
                    ["signatures"] = new JsonArray(new JsonObject { ["sig"] = Convert.ToBase64String(new byte[72]) }),
                },
            }
        );
        var entry = new AuditEntry(
            Guid.Empty,
            0,
            default,
            "promotion.carried_out",
            "",
            "",
            "done",
            new string('e', 1400),
            new byte[32]
        );
        using var log = new SignedTree("governance.example.com/governance/log");
        using var key = Key.Create(SignatureAlgorithm.Ed25519);
        var text = SignedNote.TryParse(log.Note(8))!.Text;
        var witness = NoteKey.Create("witness.somewhere.example.com/governance/w1", key.PublicKey, NoteKey.Witness);
        var note =
            log.Note(8)
            + string.Concat(Enumerable.Repeat(Cosignature.Sign(text, 1_700_000_000, witness, key).ToString(), 8));
        var proof = new InclusionProof(
            9_999_999,
            default,
            [.. Enumerable.Range(0, 24).Select(i => Digest.Of(BitConverter.GetBytes(i)))],
            note
        );

        var receipt = CanonicalJson.Serialize(ReceiptVerifier.Compose(bundle, entry, proof, log.Key.VerifierKey));

        Assert.InRange(receipt.Length, 6000, 8 << 10);
    }

    private static IReadOnlyCollection<string> Keys(AuditOptions options) =>
        [.. options.Witnesses.Select(witness => witness.VerifierKey)];

    private static WitnessClient Client(WitnessOptions options, TimeSpan? timeout = null) =>
        new(options, timeout ?? TimeSpan.FromSeconds(5), new FakeNames());

    private static async Task<Asked> AskAsync(TestDatabase database, WitnessClient client)
    {
        var ask = database.Get<AskWitness>();
        return await ask.RunAsync(client, (await ask.NewestAsync(Token))!, Token);
    }

    private static async Task<T> Advancing<T>(FakeTimeProvider clock, Task<T> waiting)
    {
        while (!waiting.IsCompleted)
        {
            clock.Advance(TimeSpan.FromMilliseconds(25));
            await Task.Delay(1, Token);
        }

        return await waiting;
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        for (var i = 0; i < 1000 && !isSo(); i++)
        {
            await Task.Delay(20, Token);
        }

        Assert.True(isSo());
    }

    private static async Task StartHostedAsync(TestDatabase database)
    {
        foreach (var hosted in database.Services.GetServices<IHostedService>())
        {
            await hosted.StartAsync(Token);
        }
    }

    private static async Task StopHostedAsync(TestDatabase database)
    {
        foreach (var hosted in database.Services.GetServices<IHostedService>())
        {
            await hosted.StopAsync(Token);
        }
    }

    private sealed class FakeNames : IHostAddresses
    {
        public Task<System.Net.IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("The address of a test is a number.");
    }

    /// <summary>A log with some entries and a witness that watches it.</summary>
    internal sealed class World : IAsyncDisposable
    {
        private const string Name = "w1.example";
        private WitnessClient _client = null!;

        public TestDatabase Database { get; private set; } = null!;

        public WitnessHost Host { get; private set; } = null!;

        public LogState State => Database.Get<LogState>();

        public static async Task<World> StartAsync(int entries, TimeSpan? timeout = null, bool triggers = false)
        {
            var world = new World { Host = await WitnessHost.StartAsync() };
            var witness = world.Host.Reserve(Name);
            var options = new AuditOptions();
            options.Witnesses.Add(witness);
            world.Database = await LogFixture.StartAsync(triggers, options: options);
            world._client = Client(witness, timeout);
            world.Watch();
            await world.Database.AppendManyAsync(entries);
            await world.Database.SequenceAsync();
            return world;
        }

        public void Watch()
        {
            var key = Database.Get<ILogKey>();
            Host.Watch(key.VerifierKey, key.Origin, Name);
        }

        public Task<Asked> AskAsync() => WitnessedLogTests.AskAsync(Database, _client);

        /// <summary>The same with a state of its own, for one that may break.</summary>
        public Task<(Asked Asked, LogState State)> AskApartAsync() => Database.AskApartAsync(_client);

        public async Task<CheckpointRow> NewestAsync() => (await Database.Get<AskWitness>().NewestAsync(Token))!;

        public async ValueTask DisposeAsync()
        {
            _client.Dispose();
            await Database.DisposeAsync();
            await Host.DisposeAsync();
        }
    }
}
