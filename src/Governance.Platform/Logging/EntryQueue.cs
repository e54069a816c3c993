using System.Threading.Channels;
using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Platform.Logging;

/// <summary>
/// Commits the entries that are a change of their own (refusals, sensitive reads). Those that came while the last ones were being
/// committed share a unit, so that many callers wait for one durable commit and not for one each. Thread-safe.
/// </summary>
public sealed class EntryQueue : IAsyncDisposable
{
    private const int MaxTogether = 512;

    private readonly Channel<Waiting> _queue = Channel.CreateBounded<Waiting>(
        new BoundedChannelOptions(4096) { SingleReader = true }
    );

    private readonly IWriter _writer;
    private readonly Task _loop;

    /// <summary>Writes by the given writer, which disposes of this before itself.</summary>
    internal EntryQueue(IWriter writer)
    {
        _writer = writer;
        _loop = Task.Run(LoopAsync);
    }

    /// <summary>Completes when the entry is durable; throws when it is not.</summary>
    public async Task CommitAsync(LogEntry entry, CancellationToken cancellationToken)
    {
        var waiting = new Waiting(entry);
        await _queue.Writer.WriteAsync(waiting, cancellationToken);
        await waiting.Durable.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _loop;
    }

    private async Task LoopAsync()
    {
        var together = new List<Waiting>(MaxTogether);
        while (await _queue.Reader.WaitToReadAsync())
        {
            together.Clear();
            while (together.Count < MaxTogether && _queue.Reader.TryRead(out var waiting))
            {
                together.Add(waiting);
            }

            await CommitAsync(together);
        }
    }

    private async Task CommitAsync(List<Waiting> together)
    {
        try
        {
            await _writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    await session.LogAsync([.. together.Select(waiting => waiting.Entry)], token);
                    return default(Unit);
                },
                CancellationToken.None
            );
            together.ForEach(waiting => waiting.Durable.TrySetResult());
        }
        catch (Exception) when (together.Count > 1)
        {
            // One that cannot be written takes nobody else's with it.
            foreach (var waiting in together)
            {
                await CommitAsync([waiting]);
            }
        }
        catch (Exception exception)
        {
            together[0].Durable.TrySetException(exception);
        }
    }

    private sealed record Waiting(LogEntry Entry)
    {
        public TaskCompletionSource Durable { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
