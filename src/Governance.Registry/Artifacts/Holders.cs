using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Contracts;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Artifacts;

/// <summary>A version that froze a path of a storage root.</summary>
internal sealed record Holder(
    ModelVersionRef Version,
    string? OwnerId,
    string Prefix,
    bool Deleted,
    bool Quarantined,
    bool Failed,
    string Stage,
    bool HasAlias
)
{
    public AccessTarget Target => AccessTarget.Model(Version.Model, OwnerId);

    /// <summary>Whether a stage or alias serves it, so that reading its bytes is logged.</summary>
    public bool IsProtected => !Deleted && (HasAlias || Stage is "Production" or "Staging");

    public bool Covers(string path) => Prefix.Length == 0 || IsWithin(path, Prefix);

    /// <summary>Whether changing this path, or everything under it, would change frozen files.</summary>
    public bool Freezes(string path) => Covers(path) || IsWithin(Prefix, path);

    private static bool IsWithin(string path, string ancestor) =>
        path.Length == ancestor.Length
            ? path == ancestor
            : path.Length > ancestor.Length
                && path.StartsWith(ancestor, StringComparison.Ordinal)
                && path[ancestor.Length] == '/';
}

/// <summary>Which versions hold the bytes of a storage root, and who may read them therefore.</summary>
internal static class Holders
{
    private sealed record Held(
        string Name,
        string? OwnerId,
        int Number,
        string Prefix,
        bool Deleted,
        bool Quarantined,
        bool Failed,
        string Stage,
        bool HasAlias
    );

    private static readonly CompiledQuery<Func<GovernanceDb, string, IAsyncEnumerable<Held>>> InContainer = new(() =>
        EF.CompileAsyncQuery(
            (GovernanceDb db, string container) =>
                from version in db.Set<VersionRow>()
                join model in db.Set<ModelRow>() on version.ModelId equals model.Id
                where version.Container == container
                select new Held(
                    model.Name,
                    model.OwnerId,
                    version.Number,
                    version.Prefix,
                    version.Deleted || model.Deleted,
                    version.Quarantined,
                    version.Status == VersionStatus.FailedRegistration,
                    version.Stage,
                    db.Set<AliasRow>().Any(a => a.ModelId == model.Id && a.Number == version.Number)
                )
        )
    );

    private static readonly Failure Failed = Failure.Conflict(
        "registry.version_not_ready",
        "These bytes belong to a version whose registration failed: only who may write the run or logged model reads them."
    );

    /// <summary>Null when the versions that let the caller read this path have the signatures that policy asks for.</summary>
    public static Task<Failure?> CheckSignaturesAsync(Call call, IEnumerable<Holder> all, string path) =>
        call.Ports.Reads.CheckAsync(
            call.Actor,
            [
                .. all.Where(holder =>
                        !holder.Deleted
                        && holder.Covers(path)
                        && call.Rights.Allows(Permissions.ArtifactRead, holder.Target)
                    )
                    .Select(holder => (holder.Version, holder.Stage)),
            ],
            call.Token
        );

    public static async Task<List<Holder>> OfAsync(
        GovernanceDb db,
        string container,
        CancellationToken cancellationToken
    )
    {
        var rows = await InContainer.For(db)(db, container).ToListAsync(cancellationToken);
        return rows.ConvertAll(row => new Holder(
            new ModelVersionRef(row.Name, row.Number),
            row.OwnerId,
            row.Prefix,
            row.Deleted,
            row.Quarantined,
            row.Failed,
            row.Stage,
            row.HasAlias
        ));
    }

    /// <summary>
    /// Null when the caller may read these bytes. Bytes under a registered prefix need the right on a version holding them;
    /// the right on the experiment alone opens only what nobody registered. Deleted versions count when no other holds the path.
    /// What was examined and refused, whoever registered it, is served to those alone who may write where it lies.
    /// </summary>
    public static Failure? CheckRead(
        Call call,
        AccessTarget experiment,
        IReadOnlyList<Holder> all,
        string path,
        Failure absent
    )
    {
        var covering = all.Where(holder => holder.Covers(path)).ToList();
        if (covering.Count == 0)
        {
            return call.May(Permissions.ArtifactRead, experiment) ? null : absent;
        }

        var deciding = covering.Any(holder => !holder.Deleted) ? covering.FindAll(holder => !holder.Deleted) : covering;
        var readable = deciding.FindAll(holder => call.Rights.Allows(Permissions.ArtifactRead, holder.Target));
        if (readable.Count == 0)
        {
            call.Refuse(Permissions.ArtifactRead, deciding[0].Target);
            return absent;
        }

        if (readable.TrueForAll(holder => holder.Quarantined))
        {
            return Failure.Conflict(
                "registry.quarantined",
                "These bytes are quarantined: they did not match their digest."
            );
        }

        return
            deciding.TrueForAll(holder => holder.Failed) && !call.Rights.Allows(Permissions.ExperimentWrite, experiment)
            ? Failed
            : null;
    }
}
