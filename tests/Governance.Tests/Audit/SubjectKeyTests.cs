using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Sequencing;
using Governance.Audit.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;

namespace Governance.Tests.Audit;

/// <summary>Salts and personal details under the keys of those whom entries are by and about, and what holds once a key is destroyed.</summary>
public class SubjectKeyTests
{
    private const string Ada = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
    private const string Bob = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_salt_of_an_entry_by_somebody_stands_in_the_database_in_clear()
    {
        await using var database = await LogFixture.StartAsync();
        var id = await LogAsync(database, By(Ada));

        var row = await RowAsync(database, id);
        var read = await ReadAsync(database, id);

        Assert.True(row.Salt.Length > EntryText.SaltSize);
        Assert.Equal(EntryText.SaltSize, read.Salt.Length);
        Assert.Equal(-1, row.Salt.AsSpan().IndexOf(read.Salt));
        Assert.Null(read.ErasedBy);
    }

    [Theory]
    [InlineData(ActorKind.System)]
    [InlineData(ActorKind.Anonymous)]
    public async Task An_entry_by_nobody_is_under_no_key(ActorKind kind)
    {
        await using var database = await LogFixture.StartAsync();
        var actor = kind == ActorKind.System ? Actor.System : Actor.Anonymous;

        var id = await LogAsync(database, new LogEntry("test.happened", actor, "version:fraud/1", LogOutcome.Done));

        Assert.Equal(EntryText.SaltSize, (await RowAsync(database, id)).Salt.Length);
    }

    [Theory]
    [InlineData(Ada)]
    [InlineData(Bob)]
    public async Task Destroying_the_key_of_either_whom_an_entry_is_by_or_about_takes_its_salt(string erased)
    {
        await using var database = await LogFixture.StartAsync();
        await database.Get<SubjectKeys>().GetOrCreateAsync(Bob, Token);
        var id = await LogAsync(database, By(Ada) with { Subject = $"subject:{Bob}" });
        var apart = await LogAsync(database, By("somebody else"));
        await database.SequenceAsync();

        var erasure = await EraseAsync(database, erased);

        var read = await ReadAsync(database, id);
        Assert.Empty(read.Salt);
        Assert.Equal(erasure, read.ErasedBy);
        Assert.Equal(EntryText.SaltSize, (await ReadAsync(database, apart)).Salt.Length);
        Assert.NotNull(await database.Get<IAuditLog>().ProveAsync(id, Token));
    }

    [Fact]
    public async Task The_log_holds_before_and_after_an_erasure_and_goes_on()
    {
        await using var database = await LogFixture.StartAsync();
        await LogAsync(database, By(Ada));
        await LogAsync(database, By(Ada));
        await LogAsync(database, By(Bob));
        await database.SequenceAsync();
        Assert.Equal(0, (await HoldsAsync(database)).Erased);

        await EraseAsync(database, Ada);
        await LogAsync(database, By(Ada)); // from here on under no key
        await database.SequenceAsync();

        var holds = await HoldsAsync(database);
        Assert.Equal((5, 2), (holds.Leaves, holds.Erased));
    }

    [Fact]
    public async Task A_check_sees_one_moment_though_the_log_goes_on()
    {
        await using var database = await LogFixture.StartAsync();
        await LogAsync(database, By(Ada));
        await database.SequenceAsync();
        await using var db = database.Read();
        await using (await db.SnapshotAsync(Token))
        {
            Assert.Equal(1, await db.Set<LeafRow>().CountAsync(Token));
            await LogAsync(database, By(Ada));
            await LogAsync(database, By(Ada));
            await database.SequenceAsync();

            Assert.Equal(
                (1, 0),
                (await db.Set<LeafRow>().CountAsync(Token), await db.Set<NodeRow>().CountAsync(Token))
            );
        }

        Assert.Equal(3, await db.Set<LeafRow>().CountAsync(Token));
    }

    [Fact]
    public async Task A_key_that_goes_while_an_entry_is_sealed_leaves_it_under_the_other_one()
    {
        await using var database = await LogFixture.StartAsync();
        var salts = database.Get<EntrySalts>();
        await database.Get<SubjectKeys>().GetOrCreateAsync(Bob, Token);
        var id = Guid.CreateVersion7();
        var salt = new byte[EntryText.SaltSize];
        var sealing = await salts.KeysOfAsync(By(Ada) with { Subject = $"subject:{Bob}" }, Token);

        await EraseAsync(database, Ada);
        var stored = salts.Seal(id, sealing, salt, "{}");
        var read = await salts.OpenAsync(id, stored, "{}", Token);
        await EraseAsync(database, Bob);
        var erased = await salts.OpenAsync(id, stored, "{}", Token);

        Assert.Equal(2, sealing.Count);
        Assert.Equal(salt, read.Value.Salt);
        Assert.Equal((null, Bob), (erased.Value.Salt, erased.Value.Erased?.Subject));
    }

    [Fact]
    public async Task An_entry_whose_key_was_destroyed_before_it_was_sequenced_is_sequenced_all_the_same()
    {
        await using var database = await LogFixture.StartAsync();
        await LogAsync(database, By(Ada));

        await EraseAsync(database, Ada);
        await database.SequenceAsync();

        Assert.Equal(1, (await HoldsAsync(database)).Erased);
    }

    [Theory]
    [InlineData(
        "UPDATE audit_entry SET \"Canonical\" = replace(\"Canonical\", '\"count\":3', '\"count\":4') WHERE \"Serial\" = 1"
    )]
    [InlineData("UPDATE audit_entry SET \"Salt\" = randomblob(32) WHERE \"Serial\" = 1")]
    [InlineData("UPDATE audit_entry SET \"ActorId\" = 'p-2' WHERE \"Serial\" = 1")]
    [InlineData(
        "UPDATE audit_entry SET \"Salt\" = (SELECT \"Salt\" FROM audit_entry WHERE \"Serial\" = 1) WHERE \"Serial\" = 2"
    )]
    public async Task An_edit_of_an_erased_entry_or_one_that_is_made_to_look_erased_is_found(string sql)
    {
        await using var database = await LogFixture.StartAsync(triggers: false);
        await LogAsync(database, By(Ada));
        await LogAsync(database, By(Bob));
        await database.SequenceAsync();
        await EraseAsync(database, Ada);
        await database.SequenceAsync();
        await HoldsAsync(database);

        await database.SqlAsync(sql);

        Assert.Equal("audit.entry_altered", (await database.CheckAsync()).Failure?.Code);
    }

    [Fact]
    public async Task An_entry_that_is_edited_before_it_is_sequenced_is_found_by_the_sequencer()
    {
        await using var database = await LogFixture.StartAsync(triggers: false);
        await LogAsync(database, By(Ada));
        await database.SqlAsync("UPDATE audit_entry SET \"Canonical\" = replace(\"Canonical\", 'done', 'gone')");

        var result = await database.Get<SequenceEntries>().RunAsync(Token);

        Assert.Equal("audit.entry_altered", result.Failure?.Code);
    }

    [Fact]
    public async Task A_key_that_is_gone_without_an_erasure_is_no_erasure()
    {
        var root = Directory.CreateTempSubdirectory("governance-test-").FullName;
        await using var database = await LogFixture.StartAsync(root: root);
        var mark = Directory.GetFiles(Path.Combine(root, "kek.subjects"), "*.key");
        await LogAsync(database, By(Ada));
        await database.SequenceAsync();
        var file = Assert.Single(Directory.GetFiles(Path.Combine(root, "kek.subjects"), "*.key").Except(mark));

        File.Delete(file);
        using var anew = new SubjectKeys(database.Get<ISubjectKeyStore>(), TimeProvider.System);
        var missing = await CheckWithAsync(database, anew);
        // Another key in its place is as little the one that sealed.
        await anew.GetOrCreateAsync(Ada, Token);
        var other = await CheckWithAsync(database, anew);

        Assert.Equal("audit.subject_key_missing", missing);
        Assert.Equal("audit.subject_key_missing", other);
    }

    [Fact]
    public async Task A_destroyed_key_without_an_entry_about_it_is_found()
    {
        await using var database = await LogFixture.StartAsync();
        await LogAsync(database, By(Ada));
        await database.SequenceAsync();

        var erasure = new SubjectErasure(Ada, Guid.CreateVersion7(), DateTimeOffset.UnixEpoch);
        await database.Get<SubjectKeys>().DestroyAsync(erasure, Token);

        Assert.Equal("audit.erasure_unlogged", (await database.CheckAsync()).Failure?.Code);
    }

    [Fact]
    public async Task What_is_personal_is_read_in_clear_while_the_key_is_there_and_nowhere_stored_so()
    {
        await using var database = await LogFixture.StartAsync();
        var id = await LogAsync(
            database,
            By(Ada) with
            {
                Subject = $"subject:{Bob}",
                Personal = new JsonObject { ["reason"] = "Lawsuit of Bob Builder" },
            }
        );

        var row = await RowAsync(database, id);
        var before = await ReadAsync(database, id);
        await EraseAsync(database, Bob);
        var after = await ReadAsync(database, id);

        Assert.DoesNotContain("Builder", row.Canonical, StringComparison.Ordinal);
        Assert.Equal("Lawsuit of Bob Builder", before.Personal?["reason"]?.ToString());
        Assert.Null(after.Personal);
        await database.SequenceAsync();
        await HoldsAsync(database);
    }

    [Fact]
    public async Task What_a_receipt_proves_keeps_its_salt()
    {
        await using var database = await LogFixture.StartAsync();
        var id = await LogAsync(database, By(Ada) with { Keeps = true });
        await LogAsync(database, By(Ada));

        await EraseAsync(database, Ada);

        Assert.Equal(EntryText.SaltSize, (await ReadAsync(database, id)).Salt.Length);
    }

    private static LogEntry By(string actor) =>
        LogFixture.Entry("version:fraud/1") with
        {
            Actor = new Actor(ActorKind.Person, actor),
        };

    private static async Task<Guid> LogAsync(TestDatabase database, LogEntry entry) =>
        (
            await database.Writer.WriteAsync<Guid>(
                async (session, token) => await session.LogAsync(entry, token),
                Token
            )
        ).Value;

    private static async Task<Guid> EraseAsync(TestDatabase database, string subject)
    {
        var entry = new LogEntry(SubjectErasure.Kind, Actor.System, $"subject:{subject}", LogOutcome.Begun)
        {
            Keeps = true,
        };
        var id = await LogAsync(database, entry);
        await database.Get<SubjectKeys>().DestroyAsync(new SubjectErasure(subject, id, DateTimeOffset.UtcNow), Token);
        return id;
    }

    private static async Task<EntryRow> RowAsync(TestDatabase database, Guid id)
    {
        await using var db = database.Read();
        return await db.Set<EntryRow>().AsNoTracking().SingleAsync(row => row.Id == id, Token);
    }

    private static async Task<AuditEntry> ReadAsync(TestDatabase database, Guid id) =>
        (await database.Get<IAuditLog>().FindAsync([id], Token))[id];

    private static async Task<LogHolds> HoldsAsync(TestDatabase database)
    {
        var holds = await database.Get<CheckLog>().RunAsync(Token);
        Assert.True(holds.Ok, $"{holds.Failure?.Code} {string.Join(' ', holds.Failure?.Reasons ?? [])}");
        return holds.Value;
    }

    private static async Task<string?> CheckWithAsync(TestDatabase database, SubjectKeys keys)
    {
        var salts = new Governance.Audit.Keys.EntrySalts(
            keys,
            database.Get<Governance.Platform.PlatformOptions>(),
            database.Get<IKeyWrap>(),
            TimeProvider.System
        );
        var check = new CheckLog(
            database.Get<IDbContextFactory<Governance.Platform.Database.GovernanceDb>>(),
            database.Get<Governance.Audit.Keys.LogKey>(),
            salts,
            database.Get<Governance.Audit.Witnessing.CheckpointFiles>(),
            database.Get<Governance.Audit.AuditOptions>()
        );
        return (await check.RunAsync(Token)).Failure?.Code;
    }
}
