using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Versions;

/// <summary>Evidence subjects of stored versions.</summary>
internal static class VersionSubjects
{
    public static async Task<Digest> ComputeAsync(GovernanceDb db, VersionRow row, CancellationToken cancellationToken)
    {
        var inputs = row.RunId is null
            ? []
            : await db.Set<InputRow>()
                .AsNoTracking()
                .Where(input => input.RunId == row.RunId)
                .Select(input => new
                {
                    input.Context,
                    input.DatasetSha256,
                    input.Name,
                    input.MlflowDigest,
                })
                .ToListAsync(cancellationToken);
        return EvidenceSubjects.Compute(
            row.ModelId,
            row.Number,
            Digest.Parse(row.ManifestDigest),
            row.RunId,
            inputs.Select(i => SubjectInput.Declared(i.Context, i.DatasetSha256, i.Name, i.MlflowDigest))
        );
    }

    /// <summary>
    /// Gives every version of a run its new subject. What was READY is pending again: its evidence was about other inputs.
    /// </summary>
    public static async Task RecomputeAsync(Call call, WriteSession session, string runId)
    {
        var rows = await VersionStore
            .Active(session.Db)
            .Where(join => join.Version.RunId == runId)
            .ToListAsync(call.Token);
        foreach (var join in rows)
        {
            var row = join.Version;
            var subject = await ComputeAsync(session.Db, row, call.Token);
            if (subject.Hex == row.EvidenceSubject)
            {
                continue;
            }

            row.EvidenceSubject = subject.Hex;
            if (row.Status == VersionStatus.Ready)
            {
                row.Status = VersionStatus.PendingRegistration;
            }

            row.Touch(session.Now);
            await session.Db.SaveChangesAsync(call.Token);
            var reference = new ModelVersionRef(join.Model.Name, row.Number);
            await call.LogAsync(
                session,
                "registry.subject_changed",
                Urn.Version(reference),
                new JsonObject { ["subject"] = subject.Hex }
            );
            var data = await VersionStore.FindAsync(session.Db, reference, call.Token);
            await call.Ports.Intake.OnSubjectChangedAsync(session, data!.ToView(), call.Token);
        }
    }
}
