namespace Governance.EndToEnd.Tests;

/// <summary>On SQLite: every phase.</summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    // 2 seeds × 22 phases = 44 kills that count, and 32 in the other classes; 70 × 22 = 1,540 in a long run, and 550 in the others.
    [Fact]
    public Task What_was_acknowledged_survives_kill_9_and_nothing_half_written_is_seen() =>
        new Deaths(output, Deaths.Long ? 70 : 2, Enum.GetValues<Phase>()).RunAsync();
}

/// <summary>On PostgreSQL, where another gateway could have what a dead one left: a job waits a minute for it.</summary>
public sealed class PostgreSqlCrashTests(ITestOutputHelper output)
{
    private static readonly Phase[] Few =
    [
        Phase.Run,
        Phase.Stored,
        Phase.Register,
        Phase.Scan,
        Phase.Approve,
        Phase.Move,
        Phase.Rotate,
        Phase.Erase,
        Phase.Sequence,
    ];

    [Fact]
    public Task What_was_acknowledged_survives_kill_9_on_PostgreSQL() =>
        new Deaths(output, Deaths.Long ? 15 : 1, Deaths.Long ? Enum.GetValues<Phase>() : Few)
        {
            OnPostgreSql = true,
        }.RunAsync();
}

/// <summary>
/// Before a server that governs nothing: the gateway dies, and the server dies, while a change is being made there. Afterwards both
/// say the same, every intent has its outcome, and nobody is taken for somebody who went around the gateway.
/// </summary>
public sealed class UpstreamCrashTests(ITestOutputHelper output)
{
    private static readonly Phase[] Mirrored =
    [
        Phase.Run,
        Phase.Stored,
        Phase.Register,
        Phase.Move,
        Phase.MoveFreely,
        Phase.Tag,
        Phase.Delete,
    ];

    // Seven kills of each that count; 70 of each in a long run.
    [Fact]
    public Task What_was_acknowledged_is_upstream_too_whoever_dies() =>
        new Deaths(output, Deaths.Long ? 10 : 1, Mirrored) { BeforeUpstream = true }.RunAsync();
}
