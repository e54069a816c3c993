using Governance.Kernel;

namespace Governance.Platform.Database;

/// <summary>
/// The one way to change the database. Units are committed in batches, one savepoint each; a unit that returns a failure or
/// throws leaves nothing behind. The task completes after the commit is durable.
/// </summary>
public interface IWriter
{
    /// <summary>Folds refusals that are committed by themselves; null where every one is an entry.</summary>
    Logging.RefusalFold? Refusals => null;

    /// <summary>Commits entries that stand alone together; null where each has a unit of its own.</summary>
    Logging.EntryQueue? Entries => null;

    /// <summary>Runs a unit inside a transaction. A unit does no network or artifact I/O: it holds the one write lock.</summary>
    Task<Result<T>> WriteAsync<T>(
        Func<WriteSession, CancellationToken, Task<Result<T>>> work,
        CancellationToken cancellationToken
    );
}

/// <summary>Short forms over <see cref="IWriter"/>.</summary>
public static class WriterExtensions
{
    /// <summary>
    /// Commits one log entry in a transaction of its own: refusals and sensitive reads. In a flood, a refusal is counted
    /// instead (<see cref="Logging.RefusalFold"/>).
    /// </summary>
    public static async Task LogAsync(this IWriter writer, Logging.LogEntry entry, CancellationToken cancellationToken)
    {
        if (entry.Outcome == Logging.LogOutcome.Refused && writer.Refusals is { } fold)
        {
            if (fold.Admit(entry) is not { } admitted)
            {
                return;
            }

            entry = admitted;
        }

        if (writer.Entries is { } queue)
        {
            await queue.CommitAsync(entry, cancellationToken);
            return;
        }

        var result = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.LogAsync(entry, token);
                return default(Unit);
            },
            cancellationToken
        );
        if (!result.Ok)
        {
            throw new InvalidOperationException(result.Failure.Code);
        }
    }
}
