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
    private const string InputsOf = """
        SELECT "Context", "DatasetSha256", "Name", "MlflowDigest" FROM registry_inputs WHERE "RunId" = @0
        """;

    public static async Task<Digest> ComputeAsync(
        GovernanceDb db,
        VersionRow row,
        CancellationToken cancellationToken
    ) => Compute(row, row.RunId is null ? [] : await InputsAsync(db, row.RunId, cancellationToken));

    /// <summary>
    /// Gives every version of a run its new subject. What was READY is pending again: its evidence was about other inputs.
    /// </summary>
    public static async Task RecomputeAsync(Call call, WriteSession session, string runId)
    {
        var inputs = await InputsAsync(session.Db, runId, call.Token);
        var joins = await VersionStore
            .Active(session.Db)
            .Where(join => join.Version.RunId == runId)
            .ToListAsync(call.Token);
        var changed = joins.Where(join => Compute(join.Version, inputs).Hex != join.Version.EvidenceSubject).ToList();
        foreach (var row in changed.Select(join => join.Version))
        {
            row.EvidenceSubject = Compute(row, inputs).Hex;
            if (row.Status == VersionStatus.Ready)
            {
                row.Status = VersionStatus.PendingRegistration;
            }

            row.Touch(session.Now);
        }

        await session.Db.SaveChangesAsync(call.Token);
        foreach (var join in changed)
        {
            await call.LogAsync(
                session,
                "registry.subject_changed",
                Urn.Version(new ModelVersionRef(join.Model.Name, join.Version.Number)),
                new JsonObject { ["subject"] = join.Version.EvidenceSubject }
            );
        }

        var keys = changed.ConvertAll(join => join.Version.ObjectId);
        var data = await VersionStore.FindAsync(session.Db, keys, call.Token);
        await call.Ports.Intake.OnSubjectChangedAsync(session, data.ConvertAll(found => found.ToView()), call.Token);
    }

    private static Digest Compute(VersionRow row, IReadOnlyList<SubjectInput> inputs) =>
        EvidenceSubjects.Compute(row.ModelId, row.Number, Digest.Parse(row.ManifestDigest), row.RunId, inputs);

    private static async Task<IReadOnlyList<SubjectInput>> InputsAsync(
        GovernanceDb db,
        string runId,
        CancellationToken cancellationToken
    ) =>
        await db.ReadAsync(
            InputsOf,
            [runId],
            row =>
                SubjectInput.Declared(
                    row.GetString(0),
                    row.IsDBNull(1) ? null : row.GetString(1),
                    row.GetString(2),
                    row.GetString(3)
                ),
            cancellationToken
        );
}
