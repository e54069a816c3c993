using System.Data.Common;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Audit.Sequencing;
using Governance.Audit.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Governance.Tests.Audit;

public class LogTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_entry_is_canonical_and_salted()
    {
        await using var database = await LogFixture.StartAsync();

        var id = await database.AppendAsync();

        var entry = (await database.Get<IAuditLog>().FindAsync([id], CancellationToken.None))[id];
        Assert.Equal(
            $$"""{"actor":{"id":"p-1","kind":"person"},"at":"{{entry.At:yyyy-MM-ddTHH:mm:ss.fffZ}}","details":{"count":3},"id":"{{id}}","kind":"test.happened","outcome":"done","subject":"version:fraud/1","v":1}""",
            entry.Canonical
        );
        Assert.Equal(32, entry.Salt.Length);
        Assert.Null(entry.Position);
    }

    [Theory]
    [InlineData("UPDATE audit_entry SET \"Kind\" = 'x'")]
    [InlineData("DELETE FROM audit_entry")]
    [InlineData("UPDATE audit_leaf SET \"Serial\" = 9")]
    [InlineData("DELETE FROM audit_leaf")]
    [InlineData("DELETE FROM audit_node")]
    [InlineData("DELETE FROM audit_checkpoint")]
    [InlineData("UPDATE audit_checkpoint SET \"Note\" = ''")]
    public async Task The_tables_of_the_log_refuse_changes(string sql)
    {
        await using var database = await LogFixture.StartAsync();
        await database.AppendManyAsync(2);
        await database.SequenceAsync();

        var refusal = await Assert.ThrowsAnyAsync<DbException>(() => database.SqlAsync(sql));

        Assert.Contains("append-only", refusal.Message);
    }

    [Fact]
    public async Task A_unit_that_fails_leaves_no_entry()
    {
        await using var database = await LogFixture.StartAsync();

        await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.LogAsync(LogFixture.Entry("x"), token);
                return Failure.Conflict("test.no", "No.");
            },
            CancellationToken.None
        );

        Assert.Empty((await database.Get<IAuditLog>().QueryAsync(new AuditQuery(), CancellationToken.None)).Items);
    }

    [Fact]
    public async Task A_failure_to_append_fails_the_unit()
    {
        await using var database = await LogFixture.StartAsync();
        await database.SqlAsync("ALTER TABLE audit_entry RENAME TO audit_gone");

        await Assert.ThrowsAnyAsync<DbException>(() =>
            database.Writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    session.Db.Add(new CheckpointRow { Size = 77, Note = "the change itself" });
                    await session.Db.SaveChangesAsync(token);
                    await session.LogAsync(LogFixture.Entry("x"), token);
                    return default(Unit);
                },
                CancellationToken.None
            )
        );

        await using var db = database.Read();
        Assert.False(await db.Set<CheckpointRow>().AnyAsync());
    }

    [Fact]
    public async Task Entries_that_stand_alone_are_durable_when_told_and_share_commits()
    {
        const int Callers = 300;
        await using var database = await LogFixture.StartAsync();

        await Task.WhenAll(
            Enumerable
                .Range(0, Callers)
                .Select(number => database.Writer.LogAsync(LogFixture.Entry($"version:alone/{number}"), Token))
        );

        await using var db = database.Read();
        var entries = await db.Set<EntryRow>().AsNoTracking().ToListAsync(Token);
        Assert.Equal(Callers, entries.Select(entry => entry.Subject).Distinct().Count());
        Assert.Equal(Callers, entries.Select(entry => Convert.ToHexString(entry.Salt)).Distinct().Count());
        // A unit has one time: fewer times than entries, fewer commits than entries.
        Assert.InRange(entries.Select(entry => entry.At).Distinct().Count(), 1, Callers / 2);
        await database.SequenceAsync();
        Assert.Equal(Callers, (await database.CheckAsync()).Value);
    }

    [Fact]
    public async Task An_entry_that_cannot_be_written_takes_no_other_with_it()
    {
        await using var database = await LogFixture.StartAsync();
        var whole = Enumerable.Range(0, 40).Select(number => LogFixture.Entry($"version:whole/{number}"));
        var tooLong = LogFixture.Entry(new string('x', 3000));

        var written = whole.Select(entry => database.Writer.LogAsync(entry, Token)).ToList();
        var refused = database.Writer.LogAsync(tooLong, Token);

        await Task.WhenAll(written);
        await Assert.ThrowsAsync<ArgumentException>(() => refused);
        await using var db = database.Read();
        Assert.Equal(40, await db.Set<EntryRow>().CountAsync(Token));
    }

    [Fact]
    public async Task A_broken_log_takes_no_more_entries()
    {
        await using var database = await LogFixture.StartAsync();
        database.Get<LogState>().Break(LogFailures.TreeAltered);

        await Assert.ThrowsAsync<LogBrokenException>(() => database.AppendAsync());
        await Assert.ThrowsAsync<LogBrokenException>(() => database.Writer.LogAsync(LogFixture.Entry("x"), Token));
    }

    [Fact]
    public async Task An_entry_is_under_a_signed_checkpoint_within_a_second()
    {
        await using var database = await LogFixture.StartAsync(sequencer: true);
        var id = await database.AppendAsync();

        var proof = await database
            .Get<IAuditLog>()
            .AwaitProofAsync(id, TimeSpan.FromSeconds(1), CancellationToken.None);

        Assert.NotNull(proof);
        await StopAsync(database);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1300)]
    public async Task Every_entry_has_a_proof_that_verifies_offline(int count)
    {
        await using var database = await LogFixture.StartAsync();
        var first = await database.AppendAsync("version:first/1");
        await database.SequenceAsync();
        await database.AppendManyAsync(count);
        await database.SequenceAsync();
        var log = database.Get<IAuditLog>();

        foreach (var entry in (await log.QueryAsync(new AuditQuery { First = 5 }, CancellationToken.None)).Items)
        {
            await AssertProvenAsync(database, entry.Id);
        }

        await AssertProvenAsync(database, first);
        Assert.Equal(count + 1, (await database.CheckAsync()).Value);
    }

    [Fact]
    public async Task A_proof_does_not_carry_another_entry_salt_key_or_checkpoint()
    {
        await using var database = await LogFixture.StartAsync();
        await database.AppendManyAsync(3);
        var id = await database.AppendAsync();
        await database.SequenceAsync();
        await using var other = await LogFixture.StartAsync();
        var log = database.Get<IAuditLog>();
        var entry = (await log.FindAsync([id], CancellationToken.None))[id];
        var text = JsonNode.Parse(entry.Canonical)!.AsObject();
        var proof = (await log.ProveAsync(id, CancellationToken.None))!;
        var key = database.Get<ILogKey>().VerifierKey;
        var verifier = new LogVerifier();

        var changed = text.DeepClone().AsObject();
        changed["outcome"] = "refused";
        Assert.Equal("audit.entry_mismatch", verifier.VerifyInclusion(changed, entry.Salt, proof, key).Failure!.Code);
        Assert.Equal("audit.entry_mismatch", verifier.VerifyInclusion(text, new byte[32], proof, key).Failure!.Code);
        Assert.Equal(
            "audit.bad_checkpoint",
            verifier.VerifyInclusion(text, entry.Salt, proof, other.Get<ILogKey>().VerifierKey).Failure!.Code
        );
        Assert.Equal(
            "audit.not_included",
            verifier.VerifyInclusion(text, entry.Salt, proof with { LeafIndex = 0 }, key).Failure!.Code
        );
        Assert.Equal("audit.bad_verifier_key", verifier.VerifyInclusion(text, entry.Salt, proof, "x").Failure!.Code);
        Assert.Equal("audit.bad_proof", verifier.VerifyInclusion(text, [1], proof, key).Failure!.Code);
    }

    [Fact]
    public async Task Queries_filter_and_page_newest_first()
    {
        await using var database = await LogFixture.StartAsync();
        await database.AppendManyAsync(5);
        await database.AppendAsync("version:other/1");
        var log = database.Get<IAuditLog>();

        var first = await log.QueryAsync(new AuditQuery { First = 4 }, CancellationToken.None);
        var second = await log.QueryAsync(
            new AuditQuery { First = 4, After = first.NextToken },
            CancellationToken.None
        );
        var one = await log.QueryAsync(
            new AuditQuery
            {
                Subject = "version:other/1",
                KindPrefix = "test.",
                ActorId = "p-1",
                Outcome = "done",
            },
            CancellationToken.None
        );
        var none = await log.QueryAsync(new AuditQuery { KindPrefix = "happened" }, CancellationToken.None);

        Assert.Equal("version:other/1", first.Items[0].Subject);
        Assert.Equal(["version:fraud/1", "version:fraud/0"], second.Items.Select(entry => entry.Subject));
        Assert.Null(second.NextToken);
        Assert.Equal("version:other/1", Assert.Single(one.Items).Subject);
        Assert.Empty(none.Items);
    }

    [Fact]
    public async Task Checkpoints_are_kept_and_proven_consistent()
    {
        await using var database = await LogFixture.StartAsync();
        for (var i = 0; i < 9; i++)
        {
            await database.AppendManyAsync(3);
            await database.SequenceAsync();
        }

        var log = database.Get<IAuditLog>();
        var notes = await log.CheckpointsAsync(0, 200, CancellationToken.None);
        Assert.Equal(9, notes.Count);
        for (var i = 0; i < notes.Count; i++)
        {
            var proof = await log.ProveConsistencyAsync((i + 1) * 3, 27, CancellationToken.None);
            Assert.True(
                LogVerifier.VerifyConsistency(notes[i], notes[^1], proof.Value, database.Get<ILogKey>().VerifierKey).Ok
            );
        }

        Assert.Equal("audit.bad_range", (await log.ProveConsistencyAsync(0, 27, CancellationToken.None)).Failure!.Code);
        Assert.Equal("audit.bad_range", (await log.ProveConsistencyAsync(3, 28, CancellationToken.None)).Failure!.Code);
    }

    [Fact]
    public async Task A_log_is_audited_from_its_tiles_and_checkpoints_alone()
    {
        await using var database = await LogFixture.StartAsync();
        for (var i = 0; i < 3; i++)
        {
            await database.AppendManyAsync(300);
            await database.SequenceAsync();
        }

        var log = database.Get<IAuditLog>();
        var kept = await log.CheckpointsAsync(0, 200, CancellationToken.None);
        var key = database.Get<ILogKey>().VerifierKey;
        var audit = await LogTreeAuditor.AuditAsync(Fetch(log), kept, key, CancellationToken.None);
        Assert.Equal((900, 3), (audit.Value.Size, audit.Value.Checkpoints));

        var lying = await LogTreeAuditor.AuditAsync(Fetch(log, "tile/0/001"), kept, key, CancellationToken.None);
        Assert.Equal("audit.root_mismatch", lying.Failure!.Code);
        var lyingAbove = await LogTreeAuditor.AuditAsync(
            Fetch(log, "tile/1/000.p/3"),
            kept,
            key,
            CancellationToken.None
        );
        Assert.Equal("audit.bad_tile", lyingAbove.Failure!.Code);
        var foreign = await LogTreeAuditor.AuditAsync(
            Fetch(log),
            [kept[0].Replace("300", "301", StringComparison.Ordinal)],
            key,
            CancellationToken.None
        );
        Assert.Equal("audit.bad_checkpoint", foreign.Failure!.Code);
    }

    [Fact]
    public async Task A_log_is_audited_from_a_kept_checkpoint_on_by_few_tiles()
    {
        await using var database = await LogFixture.StartAsync();
        foreach (var count in new[] { 1, 2, 252, 1, 1, 1, 254, 600, 0 })
        {
            await database.AppendManyAsync(count);
            await database.SequenceAsync();
        }

        var log = database.Get<IAuditLog>();
        var notes = await log.CheckpointsAsync(0, 200, Token);
        var key = database.Get<ILogKey>().VerifierKey;
        Assert.Equal([1, 3, 255, 256, 257, 258, 512, 1112], notes.Select(note => int.Parse(note.Split('\n')[1])));
        foreach (var since in notes)
        {
            var asked = new List<string>();
            var audit = await LogTreeAuditor.AuditAsync(Counting(log, asked), [since, notes[0]], [], key, Token);

            Assert.Equal(1112, audit.Value.Size);
            Assert.True(asked.Count <= 12, string.Join(' ', asked));
            // Whoever is shown a leaf or an edge that is another finds out.
            var left = since.StartsWith(notes[^1], StringComparison.Ordinal) ? "tile/1/000.p/4" : "tile/0/004.p/88";
            var lying = await LogTreeAuditor.AuditAsync(Fetch(log, left), [since], [], key, Token);
            Assert.Contains(lying.Failure!.Code, new[] { "audit.root_mismatch", "audit.bad_tile" });
        }

        // A checkpoint in between is compared, and one before the kept one takes the whole log.
        var between = await LogTreeAuditor.AuditAsync(Fetch(log), [notes[3]], [notes[5]], key, Token);
        var whole = new List<string>();
        var before = await LogTreeAuditor.AuditAsync(Counting(log, whole), [notes[5]], [notes[3]], key, Token);
        Assert.Equal((3, 3), (between.Value.Checkpoints, before.Value.Checkpoints));
        Assert.Contains("tile/0/000", whole);

        static FetchLogPath Counting(IAuditLog log, List<string> asked) =>
            (path, token) =>
            {
                asked.Add(path);
                return Fetch(log)(path, token);
            };
    }

    [Fact]
    public async Task A_rolled_back_log_is_smaller_than_a_kept_checkpoint()
    {
        await using var database = await LogFixture.StartAsync();
        await database.AppendManyAsync(2);
        await database.SequenceAsync();
        var log = database.Get<IAuditLog>();
        var old = Encoding.UTF8.GetBytes((await log.CheckpointAsync(CancellationToken.None))!);
        await database.AppendManyAsync(2);
        await database.SequenceAsync();
        var kept = await log.CheckpointsAsync(0, 200, CancellationToken.None);
        var fetch = Fetch(log);

        var audit = await LogTreeAuditor.AuditAsync(
            (path, token) => path == "checkpoint" ? Task.FromResult<byte[]?>(old) : fetch(path, token),
            kept,
            database.Get<ILogKey>().VerifierKey,
            CancellationToken.None
        );

        Assert.Equal("audit.shrunk", audit.Failure!.Code);
    }

    [Fact]
    public async Task Only_tiles_under_the_newest_checkpoint_are_served()
    {
        await using var database = await LogFixture.StartAsync();
        await database.AppendManyAsync(5);
        var log = database.Get<IAuditLog>();
        Assert.Null(await log.TileAsync("0", "000.p/5", CancellationToken.None));
        await database.SequenceAsync();

        Assert.Equal(160, (await log.TileAsync("0", "000.p/5", CancellationToken.None))!.Length);
        Assert.Null(await log.TileAsync("0", "000.p/6", CancellationToken.None));
        Assert.Null(await log.TileAsync("0", "000", CancellationToken.None));
        Assert.Null(await log.TileAsync("0", "x999/x999/x999/x999/x999/999", CancellationToken.None));
    }

    internal static FetchLogPath Fetch(IAuditLog log, string? corrupt = null) =>
        async (path, token) =>
        {
            if (path == "checkpoint")
            {
                return Encoding.UTF8.GetBytes((await log.CheckpointAsync(token))!);
            }

            var parts = path.Split('/', 3);
            var tile = await log.TileAsync(parts[1], parts[2], token);
            if (path == corrupt)
            {
                tile![5] ^= 1;
            }

            return tile;
        };

    private static async Task AssertProvenAsync(TestDatabase database, Guid id)
    {
        var log = database.Get<IAuditLog>();
        var entry = (await log.FindAsync([id], CancellationToken.None))[id];
        var proof = (await log.ProveAsync(id, CancellationToken.None))!;
        var result = new LogVerifier().VerifyInclusion(
            JsonNode.Parse(entry.Canonical)!.AsObject(),
            entry.Salt,
            proof,
            database.Get<ILogKey>().VerifierKey
        );
        Assert.Null(result.Failure);
        Assert.Equal(proof.LeafIndex, entry.Position);
    }

    private static async Task StopAsync(TestDatabase database)
    {
        foreach (var hosted in database.Services.GetServices<IHostedService>())
        {
            await hosted.StopAsync(CancellationToken.None);
        }
    }
}
