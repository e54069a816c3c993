using System.Data;
using System.Diagnostics;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Governance.PostgreSql.Tests;

/// <summary>Keys of subjects in a database: what its own files keep, who may say that somebody is erased, and which database it is.</summary>
public sealed class SubjectKeyTableTests : IAsyncLifetime
{
    private const string Ada = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
    private const string Bob = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";
    private static readonly SubjectErasure Erasure = new(Ada, Guid.CreateVersion7(), DateTimeOffset.UnixEpoch);
    private ComposedDatabase _database = null!;
    private NpgsqlDataSource _source = null!;
    private PostgresSubjectKeys _store = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await ComposedDatabase.StartAsync();
        var text = _database.Get<DatabaseOptions>().ConnectionString;
        _source = NpgsqlDataSource.Create(text);
        var options = new SubjectKeyOptions { Provider = SubjectKeyOptions.PostgreSql, ConnectionString = text };
        _store = new PostgresSubjectKeys(options, _database.Get<IKeyWrap>());
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _source.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData("'\\x00'")]
    [InlineData("(SELECT erased FROM governance_subject_key WHERE subject = '0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b')")]
    public async Task An_erasure_that_no_gateway_wrote_is_refused(string record)
    {
        await _store.CreateAsync(Ada, Token);
        await _store.DestroyAsync(Erasure with { Subject = Bob }, Token);

        await SqlAsync(
            $"UPDATE governance_subject_key SET key = NULL, erased = {record}, changed = now() WHERE subject = '{Ada}'"
        );
        var found = await Assert.ThrowsAsync<SubjectKeyException>(() => _store.FindAsync(Ada, Token));
        var listed = await _store.ErasuresAsync(null, Token);

        Assert.Equal("keys.erasure_forged", found.Code);
        Assert.Equal("keys.erasure_forged", Assert.Single(listed, erasure => !erasure.Ok).Failure?.Code);
        Assert.Equal(Bob, Assert.Single(listed, erasure => erasure.Ok).Value.Subject);
    }

    [Fact]
    public async Task No_snapshot_keeps_a_destroyed_key_in_the_table()
    {
        await _store.CreateAsync(Ada, Token);
        var bob = (await _store.CreateAsync(Bob, Token)).Key;
        var wrapped = (byte[])(await SqlAsync($"SELECT key FROM governance_subject_key WHERE subject = '{Ada}'"))!;

        await using (await ReadAsync("SELECT count(*) FROM pg_class"))
        {
            Assert.True(await IsInTableAsync(wrapped));
            await _store.DestroyAsync(Erasure, Token);
            Assert.False(await IsInTableAsync(wrapped));
        }

        Assert.Equal(Erasure, (await _store.FindAsync(Ada, Token))!.Erased);
        Assert.Equal(bob, (await _store.FindAsync(Bob, Token))!.Key);
    }

    [Fact]
    public async Task Who_reads_the_table_is_waited_for()
    {
        await _store.CreateAsync(Ada, Token);
        var waited = Stopwatch.StartNew();
        await using (await ReadAsync("SELECT count(*) FROM governance_subject_key"))
        {
            await Assert.ThrowsAsync<JobPostponedException>(() => _store.DestroyAsync(Erasure, Token));
        }

        // Meanwhile nobody else could read.
        Assert.True(waited.Elapsed < TimeSpan.FromSeconds(4), $"{waited.Elapsed}");

        Assert.NotNull((await _store.FindAsync(Ada, Token))!.Key);
        await _store.DestroyAsync(Erasure, Token);
        Assert.Equal(Erasure, (await _store.FindAsync(Ada, Token))!.Erased);
    }

    [Fact]
    public async Task An_erasure_that_is_there_waits_for_nobody()
    {
        await _store.DestroyAsync(Erasure, Token);

        await using (await ReadAsync("SELECT count(*) FROM governance_subject_key"))
        {
            await _store.DestroyAsync(Erasure, Token);
            var other = Erasure with { EntryId = Guid.CreateVersion7() };
            await Assert.ThrowsAsync<JobPostponedException>(() => _store.DestroyAsync(other, Token));
        }
    }

    [Fact]
    public async Task Keys_do_not_lie_in_the_database_of_the_gateway()
    {
        await using var other = await ComposedDatabase.StartAsync();

        var warned = new Warned();
        await HomeOf(other).OpenAsync([], Token);
        var refused = await Assert.ThrowsAsync<SubjectKeyException>(() => HomeOf(_database).OpenAsync([], Token));

        Assert.Equal("keys.same_database", refused.Code);
        Assert.Equal([1033], warned.Events); // another database of the same server

        SubjectKeyHome HomeOf(ComposedDatabase database) =>
            new(
                _store,
                database.Get<PlatformOptions>(),
                _database.Get<IKeyWrap>(),
                TimeProvider.System,
                database.Get<IDbContextFactory<GovernanceDb>>(),
                database.Get<ILogAppender>(),
                warned
            );
    }

    // The transaction ends, and its connection closes, with what is given back.
    private async Task<NpgsqlConnection> ReadAsync(string sql)
    {
        var connection = await _source.OpenConnectionAsync(Token);
        var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, Token);
        await using var command = new NpgsqlCommand(sql, connection, transaction);
        await command.ExecuteScalarAsync(Token);
        return connection;
    }

    private async Task<bool> IsInTableAsync(byte[] bytes)
    {
        await SqlAsync("CHECKPOINT");
        var file = await SqlAsync("SELECT pg_read_binary_file(pg_relation_filepath('governance_subject_key'))");
        return ((byte[])file!).AsSpan().IndexOf(bytes) >= 0;
    }

    private async Task<object?> SqlAsync(string sql)
    {
        await using var command = _source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Token);
    }

    private sealed class Warned : ILogger<SubjectKeyHome>
    {
        public List<int> Events { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Events.Add(eventId.Id);
    }
}
