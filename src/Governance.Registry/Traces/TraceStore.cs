using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Traces;

/// <summary>Removes traces with everything that belongs to them, and keeps their number and age in bounds.</summary>
internal static class TraceStore
{
    private const int ExpiredPerArrival = 20;

    /// <summary>Makes room before a trace is added: what is too old goes, and the oldest when there are too many.</summary>
    public static async Task ExpireAsync(Call call, WriteSession session, long experimentId)
    {
        var options = call.Ports.Options.Value;
        var oldest = session.Now.AddDays(-options.TraceDays).ToUnixTimeMilliseconds();
        var ofExperiment = session.Db.Set<TraceRow>().Where(row => row.ExperimentId == experimentId);
        var count = await ofExperiment.CountAsync(call.Token);
        var over = Math.Max(0, count - options.MaxTracesPerExperiment + 1);
        var first = await ofExperiment
            .OrderBy(row => row.CreatedMs)
            .Take(Math.Min(1000, Math.Max(ExpiredPerArrival, over)))
            .ToListAsync(call.Token);
        var expired = first.Where((row, i) => i < over || row.CreatedMs < oldest).ToList();
        if (expired.Count == 0)
        {
            return;
        }

        await RemoveAsync(session.Db, expired, call.Token);
        await session.LogAsync(
            new LogEntry("registry.traces_expired", Actor.System, $"experiment:{experimentId}", LogOutcome.Done)
            {
                Details = new JsonObject { ["traces"] = expired.Count },
            },
            call.Token
        );
    }

    public static async Task RemoveAsync(
        GovernanceDb db,
        IReadOnlyList<TraceRow> rows,
        CancellationToken cancellationToken
    )
    {
        var ids = rows.Select(row => row.TraceId).ToList();
        var containers = rows.Select(row => ArtifactAddress.OfTrace(row.ExperimentId, row.TraceId)).ToList();
        db.RemoveRange(
            await db.Set<LabelRow>()
                .Where(label =>
                    (label.Scope == LabelScope.TraceTag || label.Scope == LabelScope.TraceMetadata)
                    && ids.Contains(label.ObjectId)
                )
                .ToListAsync(cancellationToken)
        );
        db.RemoveRange(
            await db.Set<AssessmentRow>().Where(row => ids.Contains(row.TraceId)).ToListAsync(cancellationToken)
        );
        db.RemoveRange(
            await db.Set<ArtifactRow>()
                .Where(file => containers.Contains(file.Container))
                .ToListAsync(cancellationToken)
        );
        db.RemoveRange(rows);
        await db.SaveChangesAsync(cancellationToken);
    }
}
