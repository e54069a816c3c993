using Governance.Audit.Sequencing;
using Governance.Kernel;
using Governance.Platform.Logging;

namespace Governance.PostgreSql.Tests;

internal static class Log
{
    public static LogEntry Entry(string subject) =>
        new("test.happened", new Actor(ActorKind.Person, "p-1"), subject, LogOutcome.Done);

    public static async Task AppendAsync(ComposedDatabase database, string subject = "version:fraud/1") =>
        _ = (
            await database.Writer.WriteAsync<Guid>(
                async (session, token) => await session.LogAsync(Entry(subject), token),
                TestContext.Current.CancellationToken
            )
        ).Value;

    public static async Task<int> SequenceAsync(ComposedDatabase database) =>
        (await database.Get<SequenceEntries>().RunAsync(TestContext.Current.CancellationToken)).Value;

    public static async Task<long> CheckAsync(ComposedDatabase database) =>
        (await database.Get<CheckLog>().RunAsync(TestContext.Current.CancellationToken)).Value.Leaves;
}
