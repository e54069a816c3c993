using Governance.Platform.Blobs;
using Governance.Scanning.Contracts;
using Governance.Scanning.Engine;
using Microsoft.Extensions.Options;

namespace Governance.Scanning;

/// <summary>Feeds the files of a source to the engine under one deadline.</summary>
internal sealed class ArtifactScanner(IOptions<ScanningOptions> options, TimeProvider clock) : IArtifactScanner
{
    public string RulesVersion => ImportRules.Version;

    public async Task<ScanReport> ScanAsync(IArtifactSource source, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(options.Value.MaxSeconds), clock);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var budget = new ScanBudget(options.Value, deadline.Token);
        var run = new ScanRun(budget);
        var files = 0;
        long bytes = 0;
        foreach (var file in source.Manifest.Files)
        {
            try
            {
                await using var stream = await source.OpenAsync(file, deadline.Token);
                await using var spool = await Spool.CopyAsync(
                    stream,
                    options.Value.MaxMemoryBytes,
                    budget.TakeBytes,
                    deadline.Token
                );
                files++;
                bytes += spool.Length;

                // Parsing is work for a processor; the caller's thread is left free.
                await Task.Run(() => run.Scan(new ScanItem(file.Path, Content.Of(spool), 0)), CancellationToken.None);
            }
            catch (BudgetExceededException exceeded)
            {
                run.Findings.Add(
                    file.Path,
                    ScanClass.TimedOut,
                    "scan.over-budget",
                    $"over the budget of {exceeded.Message}"
                );
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                run.Findings.Add(file.Path, ScanClass.TimedOut, "scan.over-budget", "over the budget of time");
            }

            cancellationToken.ThrowIfCancellationRequested();
        }

        return new ScanReport(run.Findings.Worst, run.Findings.Sorted(), RulesVersion, files, bytes);
    }
}
