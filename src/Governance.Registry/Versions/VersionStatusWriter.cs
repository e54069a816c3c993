using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Registry.Contracts;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Versions;

/// <summary>The only writer of a version's registration status and quarantine.</summary>
internal sealed class VersionStatusWriter : IVersionStatus
{
    public Task<Result<Unit>> CompleteAsync(
        WriteSession session,
        ModelVersionRef version,
        Digest subject,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            session,
            version,
            async row =>
            {
                if (row.EvidenceSubject != subject.Hex || row.Status == VersionStatus.FailedRegistration)
                {
                    return Changed;
                }

                if (row.Status == VersionStatus.PendingRegistration)
                {
                    row.Status = VersionStatus.Ready;
                    row.StatusMessage = "";
                    row.Touch(session.Now);
                    var details = new JsonObject { ["subject"] = subject.Hex };
                    await LogAsync(session, "registry.version_ready", version, details, cancellationToken);
                }

                return null;
            },
            cancellationToken
        );

    public Task<Result<Unit>> FailAsync(
        WriteSession session,
        ModelVersionRef version,
        string reason,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            session,
            version,
            async row =>
            {
                if (row.Status == VersionStatus.Ready)
                {
                    return Changed;
                }

                if (row.Status == VersionStatus.PendingRegistration)
                {
                    row.Status = VersionStatus.FailedRegistration;
                    row.StatusMessage = Bounded(reason);
                    row.Touch(session.Now);
                    var details = new JsonObject { ["reason"] = Bounded(reason) };
                    await LogAsync(session, "registry.version_failed", version, details, cancellationToken);
                }

                return null;
            },
            cancellationToken
        );

    public Task<Result<Unit>> QuarantineAsync(
        WriteSession session,
        ModelVersionRef version,
        string reason,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            session,
            version,
            async row =>
            {
                await QuarantineAsync(session, row, version.Model, reason, cancellationToken);
                return null;
            },
            cancellationToken
        );

    public static async Task QuarantineAsync(
        WriteSession session,
        VersionRow row,
        string model,
        string reason,
        CancellationToken cancellationToken
    )
    {
        // A reason that can be lifted must not hide one that cannot.
        if (row.Quarantined && (!IsDrift(row.StatusMessage) || IsDrift(reason)))
        {
            return;
        }

        row.Quarantined = true;
        row.StatusMessage = Bounded(reason);
        row.Touch(session.Now);
        await LogAsync(
            session,
            "registry.version_quarantined",
            new ModelVersionRef(model, row.Number),
            new() { ["reason"] = Bounded(reason) },
            cancellationToken
        );
    }

    /// <summary>Ends a quarantine that has this reason and no other.</summary>
    public static async Task ReleaseAsync(
        WriteSession session,
        VersionRow row,
        string model,
        string reason,
        CancellationToken cancellationToken
    )
    {
        if (!row.Quarantined || !row.StatusMessage.StartsWith(reason, StringComparison.Ordinal))
        {
            return;
        }

        (row.Quarantined, row.StatusMessage) = (false, "");
        row.Touch(session.Now);
        await LogAsync(
            session,
            "registry.version_released",
            new ModelVersionRef(model, row.Number),
            new() { ["reason"] = reason },
            cancellationToken
        );
    }

    private static bool IsDrift(string reason) => reason.StartsWith(Drift.Reason, StringComparison.Ordinal);

    private static readonly Failure Changed = Failure.Conflict(
        "registry.changed",
        "The version changed since; its status stays as it is."
    );

    private static async Task<Result<Unit>> ChangeAsync(
        WriteSession session,
        ModelVersionRef version,
        Func<VersionRow, Task<Failure?>> change,
        CancellationToken cancellationToken
    )
    {
        var row = await VersionStore
            .Active(session.Db)
            .Where(join => join.Model.Name == version.Model && join.Version.Number == version.Version)
            .Select(join => join.Version)
            .SingleOrDefaultAsync(cancellationToken);
        if (row is null)
        {
            return VersionErrors.NoVersion(version);
        }

        if (await change(row) is { } failure)
        {
            return failure;
        }

        await session.Db.SaveChangesAsync(cancellationToken);
        return default(Unit);
    }

    private static Task<Guid> LogAsync(
        WriteSession session,
        string kind,
        ModelVersionRef version,
        JsonObject details,
        CancellationToken cancellationToken
    ) =>
        session.LogAsync(
            new LogEntry(kind, Actor.System, Urn.Version(version), LogOutcome.Done) { Details = details },
            cancellationToken
        );

    private static string Bounded(string reason) => reason.Length <= 2000 ? reason : reason[..2000];
}
