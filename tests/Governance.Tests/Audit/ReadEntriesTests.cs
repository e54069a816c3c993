using System.Text.Json;
using Governance.Audit;
using Governance.Audit.Contracts;
using Governance.Audit.ReadLog;
using Governance.Audit.Sequencing;
using Governance.Kernel;
using Governance.Platform.Web;
using Governance.Tests.Platform;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Audit;

public class ReadEntriesTests
{
    private static readonly Actor Auditor = new(ActorKind.Person, "p-auditor");

    [Fact]
    public async Task The_read_is_logged_before_the_first_byte_and_its_outcome_after()
    {
        await using var database = await StartAsync();
        await database.AppendManyAsync(3);
        var before = -1;
        await using var body = new WatchedStream(() => before = Reads(database, "begun").Result.Count);

        await ReadAsync(database, Auditor, body);

        Assert.Equal(1, before);
        var end = Assert.Single(await Reads(database, "done"));
        Assert.Contains("\"complete\":true,\"count\":4", end.Canonical);
        var json = JsonDocument.Parse(body.Written.ToArray()).RootElement;
        var first = json.GetProperty("entries")[0];
        Assert.Contains("audit.read", first.GetProperty("entry").GetString());
        Assert.Equal(32, first.GetProperty("salt").GetBytesFromBase64().Length);
    }

    [Fact]
    public async Task A_reader_who_hangs_up_leaves_an_outcome_too()
    {
        await using var database = await StartAsync();
        await database.AppendManyAsync(1);
        await using var body = new WatchedStream(() => throw new IOException("gone"));

        await Assert.ThrowsAsync<IOException>(() => ReadAsync(database, Auditor, body));

        Assert.Contains("\"complete\":false", Assert.Single(await Reads(database, "done")).Canonical);
    }

    [Fact]
    public async Task When_the_read_cannot_be_logged_nothing_is_read()
    {
        await using var database = await StartAsync();
        database.Get<LogState>().Break(LogFailures.TreeAltered);
        await using var body = new WatchedStream(() => { });

        await Assert.ThrowsAsync<LogBrokenException>(() => ReadAsync(database, Auditor, body));

        Assert.Equal(0, body.Written.Length);
    }

    [Fact]
    public async Task Somebody_who_may_not_read_everything_is_refused_and_logged()
    {
        await using var database = await StartAsync();
        await using var body = new WatchedStream(() => { });

        var result = await ReadAsync(database, new Actor(ActorKind.Person, "p-other"), body);

        Assert.Equal(403, Assert.IsType<ProblemHttpResult>(result).StatusCode);
        Assert.Equal("p-other", Assert.Single(await Reads(database, "refused")).ActorId);
        Assert.Equal(0, body.Written.Length);
    }

    [Fact]
    public async Task Without_a_word_of_the_host_nobody_reads()
    {
        await using var database = await LogFixture.StartAsync();

        Assert.False(await database.Get<ILogReaders>().MayReadAsync(Auditor, CancellationToken.None));
    }

    [Theory]
    [InlineData(0, null, null)]
    [InlineData(201, null, null)]
    [InlineData(5, "abc", null)]
    [InlineData(5, "-1", null)]
    [InlineData(5, null, "ended")]
    public async Task A_malformed_query_is_refused(int first, string? after, string? outcome)
    {
        await using var database = await StartAsync();
        await using var body = new WatchedStream(() => { });

        var result = await ReadAsync(database, Auditor, body, first, after, outcome);

        Assert.Equal(400, Assert.IsType<ProblemHttpResult>(result).StatusCode);
    }

    [Fact]
    public async Task The_log_does_not_keep_what_a_reader_typed()
    {
        await using var database = await StartAsync();
        await using var body = new WatchedStream(() => { });

        await LogEndpoints.EntriesAsync(
            Context(Auditor, body),
            database.Get<ReadEntries>(),
            null,
            "ana@example.test",
            null,
            null,
            null,
            null,
            null,
            CancellationToken.None
        );

        Assert.DoesNotContain("ana@", Assert.Single(await Reads(database, "begun")).Canonical);
    }

    private static Task<TestDatabase> StartAsync() =>
        TestDatabase.StartAsync(services => services.AddSingleton<ILogReaders, OneReader>().AddAudit());

    private static async Task<IReadOnlyList<AuditEntry>> Reads(TestDatabase database, string outcome) =>
        (
            await database
                .Get<IAuditLog>()
                .QueryAsync(new AuditQuery { KindPrefix = "audit.read", Outcome = outcome }, CancellationToken.None)
        ).Items;

    private static Task<IResult> ReadAsync(
        TestDatabase database,
        Actor actor,
        Stream body,
        int? first = null,
        string? after = null,
        string? outcome = null
    ) =>
        LogEndpoints.EntriesAsync(
            Context(actor, body),
            database.Get<ReadEntries>(),
            null,
            null,
            null,
            null,
            outcome,
            after,
            first,
            CancellationToken.None
        );

    private static DefaultHttpContext Context(Actor actor, Stream body)
    {
        var context = new DefaultHttpContext { Response = { Body = body } };
        context.SetActor(actor);
        return context;
    }

    private sealed class OneReader : ILogReaders
    {
        public ValueTask<bool> MayReadAsync(Actor actor, CancellationToken cancellationToken) => new(actor == Auditor);
    }

    private sealed class WatchedStream(Action onFirstByte) : MemoryStream
    {
        public MemoryStream Written { get; } = new();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.Length > 0 && Written.Length == 0)
            {
                onFirstByte();
            }

            Written.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        {
            Write(buffer.AsSpan(offset, count));
            return Task.CompletedTask;
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Write(buffer.Span);
            return ValueTask.CompletedTask;
        }
    }
}
