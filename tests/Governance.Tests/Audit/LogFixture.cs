using Governance.Audit;
using Governance.Audit.Contracts;
using Governance.Audit.Keys;
using Governance.Audit.Sequencing;
using Governance.Audit.Witnessing;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Audit;

internal static class LogFixture
{
    public static async Task<TestDatabase> StartAsync(
        bool triggers = true,
        bool sequencer = false,
        AuditOptions? options = null,
        TimeProvider? clock = null,
        string? root = null,
        Action<IServiceCollection>? add = null,
        bool marked = true
    )
    {
        var database = await TestDatabase.StartAsync(
            services =>
            {
                services.AddSingleton(options ?? new AuditOptions());
                services.AddAudit();
                add?.Invoke(services);
            },
            clock: clock,
            root: root,
            marked: marked
        );
        if (triggers)
        {
            await SqlAsync(database, TestServer.IsPostgreSql ? AuditSchema.PostgresTriggerSql : AuditSchema.TriggerSql);
            await SqlAsync(
                database,
                TestServer.IsPostgreSql ? AuditSchema.PostgresSignatureTriggerSql : AuditSchema.SignatureTriggerSql
            );
            await SqlAsync(
                database,
                TestServer.IsPostgreSql ? AuditSchema.PostgresCosignatureTriggerSql : AuditSchema.CosignatureTriggerSql
            );
        }

        if (sequencer)
        {
            foreach (var hosted in database.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>())
            {
                await hosted.StartAsync(CancellationToken.None);
            }
        }

        return database;
    }

    public static async Task<Guid> AppendAsync(this TestDatabase database, string subject = "version:fraud/1")
    {
        var result = await database.Writer.WriteAsync<Guid>(
            async (session, token) => await session.LogAsync(Entry(subject), token),
            CancellationToken.None
        );
        return result.Value;
    }

    public static async Task AppendManyAsync(this TestDatabase database, int count)
    {
        await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                for (var i = 0; i < count; i++)
                {
                    await session.LogAsync(Entry($"version:fraud/{i}"), token);
                }

                return default(Unit);
            },
            CancellationToken.None
        );
    }

    public static LogEntry Entry(string subject) =>
        new("test.happened", new Actor(ActorKind.Person, "p-1"), subject, LogOutcome.Done)
        {
            Details = new() { ["count"] = 3 },
        };

    public static async Task SequenceAsync(this TestDatabase database)
    {
        while ((await database.Get<SequenceEntries>().RunAsync(CancellationToken.None)).Value > 0) { }
    }

    public static async Task<Result<long>> CheckAsync(this TestDatabase database) =>
        (await database.Get<CheckLog>().RunAsync(CancellationToken.None)).Map(holds => holds.Leaves);

    /// <summary>Asks a witness about the newest checkpoint, with a state of its own that may break.</summary>
    public static async Task<(Asked Asked, LogState State)> AskApartAsync(
        this TestDatabase database,
        WitnessClient client
    )
    {
        var state = new LogState();
        var ask = new AskWitness(
            database.Get<IDbContextFactory<GovernanceDb>>(),
            database.Writer,
            database.Get<IAuditLog>(),
            database.Get<LogKey>(),
            state,
            database.Get<PlatformOptions>()
        );
        var newest = await ask.NewestAsync(CancellationToken.None);
        return (await ask.RunAsync(client, newest!, CancellationToken.None), state);
    }

    public static async Task SqlAsync(this TestDatabase database, string sql)
    {
        await using var db = database.Read();
        await db.Database.ExecuteSqlRawAsync(TestServer.IsPostgreSql ? OnPostgres(sql) : sql);
    }

    private static string OnPostgres(string sql) =>
        sql.Replace("randomblob(32)", "sha256(random()::text::bytea)", StringComparison.Ordinal)
            .Replace("char(10)", "chr(10)", StringComparison.Ordinal)
            .Replace("'X'", "gen_random_uuid()", StringComparison.Ordinal);
}
