using System.Globalization;
using System.Security.Cryptography;
using System.Text;
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
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;

namespace Governance.Tests.Audit;

/// <summary>
/// Plays the database's administrator at random places of a log, each attack at a hundred of them: the check at start (which
/// the gateway repeats while it runs) or a witness finds every one, and says where.
/// </summary>
public sealed class AttackTests(AttackTests.Victim victim, ITestOutputHelper output) : IClassFixture<AttackTests.Victim>
{
    private const int Seed = 20_261_130;

    private const int Places = 100;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public Task Edited() =>
        FoundAsync(
            async (random, place) =>
            {
                string[] edits =
                [
                    "\"Canonical\" = replace(\"Canonical\", '\"count\":3', '\"count\":4')",
                    "\"Canonical\" = \"Canonical\" || ' '",
                    "\"Outcome\" = 'refused'",
                    "\"ActorId\" = 'p-2'",
                    "\"Subject\" = 'version:other/1'",
                    "\"Kind\" = 'test.another'",
                    "\"At\" = \"At\" + 1",
                    "\"Salt\" = randomblob(32)",
                ];
                await victim.SqlAsync(
                    $"UPDATE audit_entry SET {edits[random.Next(edits.Length)]} WHERE \"Serial\" = {victim.Serial(place)}"
                );
                return victim.Id(place);
            },
            "audit.entry_altered"
        );

    [Fact]
    public Task Deleted() =>
        FoundAsync(
            async (random, place) =>
            {
                var kind = random.Next(place == Victim.Entries ? 1 : 3);
                if (kind < 2)
                {
                    await victim.SqlAsync($"DELETE FROM audit_entry WHERE \"Serial\" = {victim.Serial(place)}");
                }

                if (kind > 0)
                {
                    await victim.SqlAsync($"DELETE FROM audit_leaf WHERE \"Index\" = {place - 1}");
                }

                return kind == 0 ? victim.Id(place) : $"Leaf {place - 1} ";
            },
            "audit.entry_missing",
            "audit.leaf_missing"
        );

    [Fact]
    public Task Inserted() =>
        FoundAsync(
            async (random, place) =>
            {
                var (id, salt) = (Guid.CreateVersion7(), RandomNumberGenerator.GetBytes(EntryText.SaltSize));
                var canonical = EntryText.Canonical(id, victim.Clock.GetUtcNow(), LogFixture.Entry("version:forged/1"));
                var serial = victim.Serial(place) - random.Next(1, Victim.Gap);
                await victim.SqlAsync(
                    $"""
                    INSERT INTO audit_entry ("Serial", "Id", "At", "Kind", "ActorId", "Subject", "Outcome", "Canonical", "Salt")
                    VALUES ({serial}, {victim.Text(
                        id
                    )}, {victim.Clock.GetUtcNow().ToUnixTimeMilliseconds()}, 'test.happened', 'p-1',
                    'version:forged/1', 'done', '{canonical}', {Victim.Blob(salt)})
                    """
                );
                if (random.Next(2) == 0)
                {
                    return $"serial {serial} ";
                }

                // With a leaf of its own, all later ones moved up.
                await victim.SqlAsync(
                    $"UPDATE audit_leaf SET \"Index\" = -\"Index\" - 1 WHERE \"Index\" >= {place - 1}"
                );
                await victim.SqlAsync("UPDATE audit_leaf SET \"Index\" = -\"Index\" WHERE \"Index\" < 0");
                await victim.SqlAsync(
                    $"INSERT INTO audit_leaf (\"Index\", \"Serial\", \"EntryId\", \"Hash\") VALUES ({place - 1}, {serial}, {victim.Text(id)}, {Victim.Blob(EntryText.LeafHash(salt, canonical))})"
                );
                return $"size {place},";
            },
            "audit.entry_inserted",
            "audit.checkpoint_forged"
        );

    [Fact]
    public Task Reordered() =>
        FoundAsync(
            async (random, place) =>
            {
                var other = 1 + ((place - 1 + random.Next(1, Victim.Entries)) % Victim.Entries);
                var first = Math.Min(place, other);
                switch (random.Next(3))
                {
                    case 0:
                        await victim.SwapAsync("audit_leaf", "Index", place - 1, other - 1);
                        return $"size {first},";
                    case 1:
                        await victim.SwapAsync("audit_entry", "Serial", victim.Serial(place), victim.Serial(other));
                        return victim.Id(first);
                    default:
                        // Entries and leaves alike: only the root differs.
                        await victim.SwapAsync("audit_entry", "Serial", victim.Serial(place), victim.Serial(other));
                        await victim.SwapAsync("audit_leaf", "Serial", victim.Serial(place), victim.Serial(other));
                        await victim.SwapAsync("audit_leaf", "Index", place - 1, other - 1);
                        return $"size {first},";
                }
            },
            "audit.order_changed",
            "audit.entry_altered",
            "audit.checkpoint_forged"
        );

    [Fact]
    public Task Truncated() =>
        FoundAsync(
            async (random, place) =>
            {
                await victim.CutAsync(place - 1, checkpointsToo: random.Next(2) == 0);
                return $"{place - 1} leaves";
            },
            "audit.truncated",
            "audit.rolled_back"
        );

    [Fact]
    public Task Rewritten_with_recomputed_hashes() =>
        FoundAsync(
            async (random, place) =>
            {
                var dropped = random.Next(2) == 0;
                await victim.RewriteAsync(place, dropped);
                return dropped
                    ? $"Its root at size {Victim.Entries} is another; what it signed holds up to size {place - 1}."
                    : $"The checkpoint of size {place}, the last that holds is of size {place - 1}.";
            },
            "audit.checkpoint_forged",
            "audit.forked"
        );

    [Fact]
    public async Task Set_back_to_a_snapshot()
    {
        await AtPlacesAsync(
            async (_, place) =>
            {
                await victim.RestoreAsync(place);

                var found = await victim.CheckAsync();
                Assert.Equal("audit.rolled_back", found.Failure?.Code);
                Assert.Contains($"It has {place} leaves; {Victim.Entries} were signed.", found.Failure!.Reasons);
                // Without an exported file, the check cannot know, and a witness does.
                Assert.True((await victim.CheckAsync(exported: false)).Ok);
                var (asked, state) = await victim.AskAsync();
                Assert.Equal((Asked.Contradicted, "audit.rolled_back"), (asked, state.Broken));
                Assert.Contains($"It has {place} leaves; {Victim.Entries} were signed.", state.Evidence);
            }
        );
    }

    [Fact]
    public async Task Forked()
    {
        await AtPlacesAsync(
            async (random, place) =>
            {
                await victim.RestoreAsync(place);
                await victim.Database.AppendManyAsync(Victim.Entries - place + random.Next(3));
                await victim.Database.SequenceAsync();

                var found = await victim.CheckAsync();
                Assert.Equal("audit.forked", found.Failure?.Code);
                Assert.StartsWith(
                    $"Its root at size {Victim.Entries} is another",
                    Assert.Single(found.Failure!.Reasons)
                );
                var (asked, state) = await victim.AskAsync();
                Assert.Equal((Asked.Contradicted, "audit.forked"), (asked, state.Broken));
                Assert.Contains($"Its root at size {Victim.Entries} is another.", state.Evidence);
            }
        );
    }

    [Fact]
    public async Task Clock_back()
    {
        var now = victim.Clock.GetUtcNow();
        await AtPlacesAsync(
            async (random, place) =>
            {
                await victim.RestoreAsync(place);
                var last = DateTimeOffset.FromUnixTimeMilliseconds(victim.At(place));
                victim.Clock.AdjustTime(
                    last.AddSeconds(-61 - (random.NextDouble() * TimeSpan.FromDays(3650).TotalSeconds))
                );
                var id = await victim.Database.AppendAsync();
                await victim.Database.SequenceAsync();
                victim.Clock.AdjustTime(now);

                var holds = await victim.CheckAsync(exported: false);
                Assert.Contains(id.ToString(), holds.Value.ClockBack, StringComparison.Ordinal);
                Assert.StartsWith($"Leaf {place}, ", holds.Value.ClockBack, StringComparison.Ordinal);
            }
        );
        await victim.RestoreAsync(Victim.Entries);
        Assert.Null((await victim.CheckAsync()).Value.ClockBack);
    }

    [Fact]
    public async Task A_clock_before_what_a_witness_saw()
    {
        await victim.RestoreAsync(Victim.Entries);
        // The last entry was made ten minutes before the witness saw it.
        var now = victim.Clock.GetUtcNow().AddMinutes(10);
        await victim.SqlAsync("DELETE FROM audit_cosignature");
        await victim.CosignAsync(Victim.Entries, now);
        victim.Clock.AdjustTime(now.AddMinutes(-2));
        var id = await victim.Database.AppendAsync();
        await victim.Database.SequenceAsync();
        victim.Clock.AdjustTime(now);

        var holds = await victim.CheckAsync(exported: false);

        Assert.Contains(id.ToString(), holds.Value.ClockBack, StringComparison.Ordinal);
    }

    private async Task FoundAsync(Func<Random, int, Task<string>> attackAsync, params string[] codes)
    {
        var random = Announce();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var place in Shuffled(random))
        {
            await victim.RestoreAsync(Victim.Entries);
            var evidence = await attackAsync(random, place);

            var found = await victim.CheckAsync();

            Assert.False(found.Ok, $"Not found at {place}.");
            Assert.Contains(found.Failure!.Code, codes);
            Assert.Contains(evidence, Assert.Single(found.Failure.Reasons), StringComparison.Ordinal);
            seen.Add(found.Failure.Code);
        }

        output.WriteLine($"{Places} places: {string.Join(' ', seen)}");
    }

    private async Task AtPlacesAsync(Func<Random, int, Task> attackAsync)
    {
        var random = Announce();
        foreach (var place in Shuffled(random))
        {
            await attackAsync(random, place);
        }
    }

    private Random Announce()
    {
        output.WriteLine($"Seed {Seed}");
        return new Random(Seed);
    }

    private static IEnumerable<int> Shuffled(Random random)
    {
        var places = Enumerable.Range(1, Victim.Entries - 1).ToArray();
        random.Shuffle(places);
        return places.Take(Places);
    }

    /// <summary>A log of some entries, each under its own checkpoint, the last one cosigned and exported; and a copy of its rows.</summary>
    public sealed class Victim : IAsyncLifetime
    {
        public const int Entries = 110;
        public const int Gap = 10;

        // Of each table what was there at size {0}, when the last serial was {1}: a log only grows.
        private static readonly (string Table, string Part)[] Tables =
        [
            ("audit_entry", "\"Serial\" <= {1}"),
            ("audit_leaf", "\"Index\" < {0}"),
            ("audit_node", "(\"Index\" + 1) << \"Level\" <= {0}"),
            ("audit_checkpoint", "\"Size\" <= {0}"),
            ("audit_cosignature", "\"Size\" <= {0}"),
        ];
        private readonly string _folder = Directory.CreateTempSubdirectory("exported-").FullName;
        private readonly AuditOptions _options = new();
        private List<LeafRow> _leaves = [];
        private List<long> _times = [];
        private WitnessClient _client = null!;
        private WitnessHost _host = null!;

        internal FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 11, 1, 0, 0, 0, TimeSpan.Zero));

        internal TestDatabase Database { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            _host = await WitnessHost.StartAsync();
            var witness = _host.Reserve("w1.example");
            _options.Witnesses.Add(witness);
            _options.CheckpointDirectory = _folder;
            _client = new WitnessClient(witness, TimeSpan.FromSeconds(30), new NoNames());
            await MakeAsync();
        }

        public async ValueTask DisposeAsync()
        {
            _client.Dispose();
            await Database.DisposeAsync();
            await _host.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
        }

        public long Serial(int place) => _leaves[place - 1].Serial;

        public string Id(int place) => _leaves[place - 1].EntryId.ToString();

        public long At(int place) => _times[place - 1];

        public static string Blob(byte[] bytes) =>
            TestServer.IsPostgreSql ? $"'\\x{Convert.ToHexString(bytes)}'::bytea" : $"X'{Convert.ToHexString(bytes)}'";

        // The provider writes ids in capitals.
        public string Text(Guid id) => TestServer.IsPostgreSql ? $"'{id}'" : $"'{id.ToString().ToUpperInvariant()}'";

        public Task SqlAsync(string sql) =>
            Database.SqlAsync(
                sql.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal)
            );

        public async Task SwapAsync(string table, string column, long one, long other)
        {
            await SqlAsync($"UPDATE {table} SET \"{column}\" = -1000000 WHERE \"{column}\" = {one}");
            await SqlAsync($"UPDATE {table} SET \"{column}\" = {one} WHERE \"{column}\" = {other}");
            await SqlAsync($"UPDATE {table} SET \"{column}\" = {other} WHERE \"{column}\" = -1000000");
        }

        public async Task CutAsync(int size, bool checkpointsToo)
        {
            await SqlAsync($"DELETE FROM audit_leaf WHERE \"Index\" >= {size}");
            await SqlAsync($"DELETE FROM audit_entry WHERE \"Serial\" > {Serial(size + 1) - Gap}");
            for (var level = 1; level < 10; level++)
            {
                await SqlAsync($"DELETE FROM audit_node WHERE \"Level\" = {level} AND \"Index\" >= {size >> level}");
            }

            if (checkpointsToo)
            {
                await SqlAsync($"DELETE FROM audit_checkpoint WHERE \"Size\" > {size}");
            }
        }

        /// <summary>Changes an entry and everything that is computed from it; only signatures cannot be made.</summary>
        public async Task RewriteAsync(int place, bool dropCheckpoints)
        {
            await using var db = Database.Read();
            var serial = Serial(place);
            var entry = await db.Set<EntryRow>().AsNoTracking().SingleAsync(row => row.Serial == serial);
            var canonical = entry.Canonical.Replace("\"count\":3", "\"count\":4", StringComparison.Ordinal);
            Assert.NotEqual(entry.Canonical, canonical);
            // Whoever has no keys takes a salt in clear instead of a sealed one.
            var salt = new byte[EntryText.SaltSize];
            await SqlAsync(
                $"UPDATE audit_entry SET \"Canonical\" = '{canonical}', \"Salt\" = {Blob(salt)} WHERE \"Serial\" = {serial}"
            );
            var leaf = EntryText.LeafHash(salt, canonical);
            await SqlAsync($"UPDATE audit_leaf SET \"Hash\" = {Blob(leaf)} WHERE \"Index\" = {place - 1}");
            var tree = new TreeBuilder();
            foreach (var row in _leaves)
            {
                foreach (var (id, hash) in tree.Append(row.Index == place - 1 ? leaf : row.Hash))
                {
                    if (id.Index == (place - 1) >> id.Level)
                    {
                        await SqlAsync(
                            $"UPDATE audit_node SET \"Hash\" = {Blob(hash)} WHERE \"Level\" = {id.Level} AND \"Index\" = {id.Index}"
                        );
                    }
                }
            }

            if (dropCheckpoints)
            {
                await SqlAsync($"DELETE FROM audit_checkpoint WHERE \"Size\" >= {place}");
            }
        }

        /// <summary>Sets the tables of the log to what they held when it had so many entries.</summary>
        public async Task RestoreAsync(int size)
        {
            foreach (var (table, part) in Tables)
            {
                var kept = string.Format(CultureInfo.InvariantCulture, part, size, size * Gap);
                await SqlAsync($"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table} WHERE {kept}");
            }
        }

        internal Task<Result<LogHolds>> CheckAsync(bool exported = true)
        {
            var options = exported ? _options : new AuditOptions();
            return new CheckLog(
                Database.Get<IDbContextFactory<GovernanceDb>>(),
                Database.Get<LogKey>(),
                Database.Get<EntrySalts>(),
                new CheckpointFiles(options, Database.Get<LogKey>()),
                _options
            ).RunAsync(Token);
        }

        internal Task<(Asked Asked, LogState State)> AskAsync() => Database.AskApartAsync(_client);

        /// <summary>A witness's word, written as if it had come later than it did.</summary>
        internal async Task CosignAsync(long size, DateTimeOffset at)
        {
            await using var db = Database.Read();
            var note = await db.Set<CheckpointRow>().AsNoTracking().SingleAsync(row => row.Size == size);
            var line = _host.Cosign(SignedNote.TryParse(note.Note)!.Text, at.ToUnixTimeSeconds());
            await Database.Writer.KeepAsync(size, _options.Witnesses[0].VerifierKey, line, Token);
        }

        private async Task MakeAsync()
        {
            Database = await LogFixture.StartAsync(triggers: false, options: _options, clock: Clock);
            var key = Database.Get<ILogKey>();
            _host.Watch(key.VerifierKey, key.Origin, "w1.example", Clock);
            for (var i = 1; i <= Entries; i++)
            {
                Clock.Advance(TimeSpan.FromSeconds(90));
                await Database.AppendAsync($"version:fraud/{i}");
                // Gaps as between real ones, where a unit was given up.
                await SqlAsync(
                    $"UPDATE audit_entry SET \"Serial\" = {i * Gap} WHERE \"Serial\" = (SELECT max(\"Serial\") FROM audit_entry)"
                );
                await (
                    TestServer.IsPostgreSql
                        ? SqlAsync($"SELECT setval(pg_get_serial_sequence('audit_entry', 'Serial'), {i * Gap})")
                        : Task.CompletedTask
                );
                await Database.SequenceAsync();
            }

            Assert.Equal(Asked.Cosigned, (await AskAsync()).Asked);
            await using (var db = Database.Read())
            {
                _leaves = await db.Set<LeafRow>().AsNoTracking().OrderBy(row => row.Index).ToListAsync();
                _times = await db.Set<EntryRow>().OrderBy(row => row.Serial).Select(row => row.At).ToListAsync();
            }

            var newest = (await Database.Get<IAuditLog>().CheckpointAsync(CancellationToken.None))!;
            Database.Get<CheckpointFiles>().Write(Entries, newest);
            foreach (var (table, _) in Tables)
            {
                await SqlAsync($"CREATE TABLE kept_{table} AS SELECT * FROM {table}");
            }

            Assert.Equal(Entries, (await CheckAsync()).Value.Leaves);
        }

        private sealed class NoNames : IHostAddresses
        {
            public Task<System.Net.IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
                throw new InvalidOperationException("The address of a test is a number.");
        }
    }
}
