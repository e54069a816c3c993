using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Logging;
using Governance.Platform.Outbound;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Imports;

/// <summary>
/// Runs an import in slices, each a durable job that leaves a place to go on from: other jobs get their turn, and a killed gateway
/// goes on with the page that it was at. Everything a slice does it finds done when it does it again.
/// </summary>
internal sealed class ImportJob(RegistryPorts ports, IHostAddresses hosts, JobOptions jobs) : IJobHandler
{
    public const string JobKind = "registry.import";

    public string Kind => JobKind;

    public static JobRequest Request(string importId) => new(JobKind, importId, importId);

    public async Task RunAsync(string payload, CancellationToken cancellationToken)
    {
        if (await FindAsync(payload, cancellationToken) is not { State: ImportState.Running } import)
        {
            return;
        }

        if (!ports.Options.Value.ImportSources.TryGetValue(import.Source, out var source))
        {
            await EndAsync(import, ImportState.Stopped, ImportFailures.NoSource, cancellationToken);
            return;
        }

        using var remote = new RemoteMlflow(RemoteOptions.Of(source), hosts, ports.Clock);
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(jobs.TimeoutSeconds * 0.9));
        var units = new ImportUnits(ports, remote, import, deadline.Token);
        try
        {
            do
            {
                await StepAsync(units, cancellationToken);
            } while (import.Phase != ImportPhase.Ended && !units.Spent);

            await (
                import.Phase == ImportPhase.Ended
                    ? EndAsync(import, ImportState.Done, null, cancellationToken)
                    : GoOnAsync(units, cancellationToken)
            );
        }
        catch (ImportInterruptedException interrupted) when (interrupted.Failure is null)
        {
            // Cancelled: whoever did so has logged it.
        }
        catch (ImportInterruptedException interrupted) when (interrupted.Failure!.Kind == FailureKind.Unavailable)
        {
            await NoteAsync(import, interrupted.Failure, cancellationToken);
            throw;
        }
        catch (ImportInterruptedException interrupted)
        {
            await EndAsync(import, ImportState.Stopped, interrupted.Failure, cancellationToken);
        }
    }

    public async Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken)
    {
        if (await FindAsync(payload, cancellationToken) is { State: ImportState.Running } import)
        {
            var noted = import.StopCode.Length > 0 ? Failure.Conflict(import.StopCode, import.StopMessage) : null;
            var failure = noted ?? Failure.Conflict("registry.import_gave_up", $"Its job was given up: {reason}.");
            await EndAsync(import, ImportState.Stopped, failure, cancellationToken);
        }
    }

    /// <summary>One page of a list, from where the import stands. A list that cannot be read ends the slice.</summary>
    public static async Task<RemotePage<T>> PageAsync<T>(
        Func<string?, Task<Result<RemotePage<T>>>> read,
        string? pageToken,
        bool absent = false
    )
    {
        var page = await read(pageToken);
        if (pageToken is not null && page.Failure?.Code == RemoteFailures.Refused(400).Code)
        {
            // Tokens may age while an import rests; from the start, what is here already is passed over.
            page = await read(null);
        }

        if (absent && page.Failure == RemoteFailures.NotFound)
        {
            return new RemotePage<T>([], null);
        }

        return page.Ok && (page.Value.Next is null || page.Value.Next != pageToken)
            ? page.Value
            : throw new ImportInterruptedException(page.Failure ?? RemoteFailures.Endless);
    }

    private static Task StepAsync(ImportUnits units, CancellationToken cancellationToken) =>
        units.Import.Phase switch
        {
            ImportPhase.Experiments => ImportExperiments.StepAsync(units, cancellationToken),
            ImportPhase.Runs => ImportRuns.StepAsync(units, cancellationToken),
            ImportPhase.LoggedModels => ImportLoggedModels.StepAsync(units, cancellationToken),
            ImportPhase.Models => ImportModels.StepAsync(units, cancellationToken),
            ImportPhase.Copies => ImportModels.CopiesAsync(units, cancellationToken),
            _ => Task.CompletedTask,
        };

    private async Task<ImportRow?> FindAsync(string id, CancellationToken cancellationToken)
    {
        await using var db = await ports.Databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<ImportRow>().AsNoTracking().SingleOrDefaultAsync(row => row.Id == id, cancellationToken);
    }

    private static Task GoOnAsync(ImportUnits units, CancellationToken cancellationToken) =>
        units.WriteAsync<Unit>(
            async (call, session) =>
            {
                await session.EnqueueAsync(Request(units.Import.Id), call.Token);
                return default(Unit);
            },
            cancellationToken
        );

    /// <summary>Says why the import waits, while it is tried again.</summary>
    private Task NoteAsync(ImportRow import, Failure failure, CancellationToken cancellationToken) =>
        ChangeAsync(
            import,
            (row, _) =>
            {
                (row.StopCode, row.StopMessage) = (failure.Code, failure.Message);
                return Task.CompletedTask;
            },
            cancellationToken
        );

    private Task EndAsync(ImportRow import, ImportState state, Failure? failure, CancellationToken cancellationToken) =>
        ChangeAsync(
            import,
            async (row, session) =>
            {
                row.State = state;
                (row.StopCode, row.StopMessage) = (failure?.Code ?? "", failure?.Message ?? "");
                var counts = new JsonObject();
                foreach (var count in await ImportReading.CountsAsync(session.Db, row, cancellationToken))
                {
                    counts[count.Kind] = new JsonObject
                    {
                        ["seen"] = count.Seen,
                        ["imported"] = count.Imported,
                        ["failed"] = count.Failed,
                    };
                }

                await session.LogAsync(
                    new LogEntry(
                        "registry.import_ended",
                        new Actor(row.StartedByKind, row.StartedBy),
                        ImportReading.Subject(row.Id),
                        LogOutcome.Done
                    )
                    {
                        Details = new JsonObject
                        {
                            ["source"] = row.Source,
                            ["state"] = ImportReading.Text(state),
                            ["code"] = failure?.Code,
                            ["counts"] = counts,
                        },
                    },
                    cancellationToken
                );
            },
            cancellationToken
        );

    private Task ChangeAsync(
        ImportRow import,
        Func<ImportRow, WriteSession, Task> change,
        CancellationToken cancellationToken
    ) =>
        ports.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var row = await session.Db.Set<ImportRow>().SingleAsync(found => found.Id == import.Id, token);
                if (row.State == ImportState.Running)
                {
                    row.UpdatedMs = session.Now.ToUnixTimeMilliseconds();
                    await change(row, session);
                }

                return default(Unit);
            },
            cancellationToken
        );
}
