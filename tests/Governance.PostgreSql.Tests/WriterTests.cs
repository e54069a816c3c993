using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.PostgreSql.Tests;

/// <summary>Units that run at the same time end as if one writer had run them one after another.</summary>
public sealed class WriterTests : IAsyncLifetime
{
    private ComposedDatabase? _database;

    private ComposedDatabase Database => _database!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _database = await ComposedDatabase.StartAsync();

    public ValueTask DisposeAsync() => Database.DisposeAsync();

    [Fact]
    public async Task No_increment_is_lost_among_units_on_one_row()
    {
        await WriteAsync(session => session.Db.Add(new ModelNameRow { Name = "fraud" }));

        var numbers = await TogetherAsync(
            40,
            async session => (await session.Db.Set<ModelNameRow>().SingleAsync(Token)).NextVersion++
        );

        Assert.Equal(Enumerable.Range(1, 40), numbers.Order());
    }

    [Fact]
    public async Task The_highest_plus_one_is_given_once()
    {
        var ids = await TogetherAsync(
            30,
            async session =>
            {
                var id = await session.Db.Set<ExperimentRow>().MaxAsync(row => row.Id, Token) + 1;
                session.Db.Add(new ExperimentRow { Id = id, Name = $"e-{id}" });
                return id;
            }
        );

        Assert.Equal(Enumerable.Range(1, 30).Select(id => (long)id), ids.Order());
    }

    [Fact]
    public async Task Two_units_cannot_both_add_what_neither_saw()
    {
        // A check over rows that are not there yet has no row to lock: only the isolation itself keeps it.
        var added = await TogetherAsync(
            20,
            async session =>
            {
                if (await session.Db.Set<AliasRow>().CountAsync(Token) >= 3)
                {
                    return false;
                }

                session.Db.Add(new AliasRow { ModelId = Guid.NewGuid(), Alias = "a" });
                return true;
            }
        );

        Assert.Equal(3, added.Count(did => did));
        await using var db = Database.Open();
        Assert.Equal(3, await db.Set<AliasRow>().CountAsync(Token));
    }

    [Fact]
    public async Task A_param_stays_unique_though_its_partitioned_index_cannot_say_so()
    {
        var added = await TogetherAsync(
            20,
            async session =>
            {
                if (await session.Db.Set<LabelRow>().FindAsync([LabelScope.RunParam, "r", "k"], Token) is not null)
                {
                    return false;
                }

                session.Db.Add(
                    new LabelRow
                    {
                        Scope = LabelScope.RunParam,
                        ObjectId = "r",
                        Key = "k",
                        Value = Guid.NewGuid().ToString(),
                    }
                );
                return true;
            }
        );

        Assert.Single(added, did => did);
    }

    [Fact]
    public async Task A_unit_that_fails_or_throws_leaves_neither_row_nor_entry()
    {
        var failed = await Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await AddAsync(session, token);
                return Failure.Conflict("test.no", "No.");
            },
            Token
        );
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() =>
            Database.Writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    await AddAsync(session, token);
                    throw new InvalidTimeZoneException();
                },
                Token
            )
        );

        Assert.Equal("test.no", failed.Failure?.Code);
        Assert.Equal(
            [0L, 0L],
            await Database.QueryAsync<long>(
                "SELECT count(*) AS \"Value\" FROM audit_entry UNION ALL SELECT count(*) FROM registry_model_names"
            )
        );
    }

    [Fact]
    public async Task A_unit_that_swallows_an_error_of_the_database_is_not_acknowledged()
    {
        await Assert.ThrowsAnyAsync<Exception>(() =>
            Database.Writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    await AddAsync(session, token);
                    try
                    {
                        await session.Db.Database.ExecuteSqlRawAsync("SELECT 1 / 0", token);
                    }
                    catch (Npgsql.PostgresException)
                    {
                        // What a careless unit would do.
                    }

                    return default(Unit);
                },
                Token
            )
        );

        Assert.Equal([0L], await Database.QueryAsync<long>("SELECT count(*) AS \"Value\" FROM audit_entry"));
    }

    [Fact]
    public async Task A_unit_that_breaks_a_unique_index_by_itself_fails_and_does_not_run_for_ever()
    {
        await WriteAsync(session => session.Db.Add(new ExperimentRow { Id = 1, Name = "twice" }));
        var runs = 0;

        await Assert.ThrowsAsync<DbUpdateException>(() =>
            WriteAsync(session =>
            {
                runs++;
                session.Db.Add(new ExperimentRow { Id = 2, Name = "twice" });
            })
        );

        Assert.InRange(runs, 2, 10);
    }

    [Fact]
    public async Task What_happens_after_the_commit_happens_once_however_often_the_unit_ran()
    {
        await WriteAsync(session => session.Db.Add(new ModelNameRow { Name = "fraud" }));
        var afterwards = 0;

        await TogetherAsync(
            20,
            async session =>
            {
                session.AfterCommit(() => Interlocked.Increment(ref afterwards));
                return (await session.Db.Set<ModelNameRow>().SingleAsync(Token)).NextVersion++;
            }
        );

        Assert.Equal(20, afterwards);
    }

    private static async Task AddAsync(WriteSession session, CancellationToken token)
    {
        session.Db.Add(new ModelNameRow { Name = "gone" });
        await session.Db.SaveChangesAsync(token);
        await session.LogAsync(Log.Entry("model:gone"), token);
    }

    private async Task WriteAsync(Action<WriteSession> work) =>
        _ = (
            await Database.Writer.WriteAsync<Unit>(
                (session, _) =>
                {
                    work(session);
                    return Task.FromResult<Result<Unit>>(default(Unit));
                },
                Token
            )
        ).Value;

    private async Task<T[]> TogetherAsync<T>(int count, Func<WriteSession, Task<T>> work) =>
        await Task.WhenAll(
            Enumerable
                .Range(0, count)
                .Select(_ =>
                    Task.Run(
                        async () =>
                            (
                                await Database.Writer.WriteAsync<T>(async (session, _) => await work(session), Token)
                            ).Value,
                        Token
                    )
                )
        );
}
