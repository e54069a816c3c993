using System.Text;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Registry.Contracts;
using Governance.Registry.Runs;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Storage;

/// <summary>Read access for higher modules.</summary>
internal sealed class RegistryReader(IDbContextFactory<GovernanceDb> databases, IBlobStore blobs) : IRegistryReader
{
    private const int Batch = 200;

    public Task<ModelView?> FindModelAsync(string name, CancellationToken cancellationToken) =>
        FindModelAsync(name, _ => true, cancellationToken);

    public async Task<ModelView?> FindModelAsync(
        string name,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<ModelRow>()
            .AsNoTracking()
            .SingleOrDefaultAsync(model => model.Name == name && !model.Deleted, cancellationToken);
        return row is null || !visible(AccessTarget.Model(row.Name, row.OwnerId))
            ? null
            : (await ViewsAsync(db, [row], cancellationToken))[0];
    }

    public async Task<string?> ModelOwnerAsync(string name, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<ModelRow>()
            .AsNoTracking()
            .Where(model => model.Name == name && !model.Deleted)
            .Select(model => model.OwnerId)
            .SingleOrDefaultAsync(cancellationToken);
    }

    public async Task<string?> ExperimentOwnerAsync(string name, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<ExperimentRow>()
            .AsNoTracking()
            .Where(experiment => experiment.Name == name && !experiment.Deleted)
            .Select(experiment => experiment.OwnerId)
            .SingleOrDefaultAsync(cancellationToken);
    }

    public async Task<Page<ModelView>> ListModelsAsync(
        Func<AccessTarget, bool> visible,
        string? nameContains,
        int first,
        string? after,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var most = Math.Clamp(first, 1, Batch);
        var last = Decode(after);
        var found = new List<ModelRow>();
        while (found.Count <= most)
        {
            var rows = await db.Set<ModelRow>()
                .AsNoTracking()
                .Where(model => !model.Deleted && string.Compare(model.Name, last) > 0)
                .Where(model => nameContains == null || model.Name.Contains(nameContains))
                .OrderBy(model => model.Name)
                .Take(Batch)
                .ToListAsync(cancellationToken);
            found.AddRange(rows.Where(row => visible(AccessTarget.Model(row.Name, row.OwnerId))));
            if (rows.Count < Batch)
            {
                break;
            }

            last = rows[^1].Name;
        }

        var page = found.Take(most).ToList();
        return new Page<ModelView>(
            await ViewsAsync(db, page, cancellationToken),
            found.Count > most ? Convert.ToBase64String(Encoding.UTF8.GetBytes(page[^1].Name)) : null
        );
    }

    public async Task<VersionView?> FindVersionAsync(ModelVersionRef version, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return (await VersionStore.FindAsync(db, version, cancellationToken))?.ToView();
    }

    public async Task<VersionView?> FindVersionByIdAsync(Guid modelId, int version, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var found = await VersionStore
            .Project(
                db,
                VersionStore.Active(db).Where(join => join.Model.Id == modelId && join.Version.Number == version)
            )
            .SingleOrDefaultAsync(cancellationToken);
        return found?.ToView();
    }

    public async Task<ILookup<string, VersionView>> VersionsOfAsync(
        IReadOnlyCollection<string> models,
        int firstPerModel,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var ids = await db.Set<ModelRow>()
            .Where(model => models.Contains(model.Name) && !model.Deleted)
            .Select(model => model.Id)
            .ToListAsync(cancellationToken);
        // Their ids twice, so that the database numbers versions of no other model.
        var keys = await db.Set<ModelRow>()
            .Where(model => ids.Contains(model.Id))
            .SelectMany(model =>
                db.Set<VersionRow>()
                    .Where(version => ids.Contains(version.ModelId) && version.ModelId == model.Id && !version.Deleted)
                    .OrderByDescending(version => version.Number)
                    .Take(firstPerModel)
                    .Select(version => version.ObjectId)
            )
            .ToListAsync(cancellationToken);
        var rows = await VersionStore.FindAsync(db, keys, cancellationToken);
        return rows.OrderByDescending(row => row.Row.Number).ToLookup(row => row.ModelName, row => row.ToView());
    }

    public async Task<IReadOnlyDictionary<ModelVersionRef, VersionView>> FindVersionsAsync(
        IReadOnlyCollection<ModelVersionRef> versions,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var wanted = versions.ToHashSet();
        var names = wanted.Select(version => version.Model).Distinct().ToList();
        var numbers = wanted.Select(version => version.Version).Distinct().ToList();
        var rows = await VersionStore
            .Project(
                db,
                VersionStore
                    .Active(db)
                    .Where(join => names.Contains(join.Model.Name) && numbers.Contains(join.Version.Number))
            )
            .ToListAsync(cancellationToken);
        return rows.Where(row => wanted.Contains(row.Ref)).ToDictionary(row => row.Ref, row => row.ToView());
    }

    public Task<IReadOnlyDictionary<string, RunView>> FindRunsAsync(
        IReadOnlyCollection<string> runIds,
        CancellationToken cancellationToken
    ) => FindRunsAsync(runIds, _ => true, cancellationToken);

    public async Task<IReadOnlyDictionary<string, RunView>> FindRunsAsync(
        IReadOnlyCollection<string> runIds,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var runs = await (
            from run in db.Set<RunRow>().AsNoTracking()
            join experiment in db.Set<ExperimentRow>() on run.ExperimentId equals experiment.Id
            where runIds.Contains(run.RunId)
            select new { run, experiment }
        ).ToListAsync(cancellationToken);
        runs.RemoveAll(found =>
            !visible(AccessTarget.Experiment(found.experiment.Name, found.experiment.OwnerId ?? found.run.OwnerId))
        );
        if (runs.Count == 0)
        {
            return new Dictionary<string, RunView>();
        }

        var details = await RunDetail.LoadAsync(db, [.. runs.Select(found => found.run)], cancellationToken);
        return runs.ToDictionary(found => found.run.RunId, found => View(details[found.run], found.experiment));
    }

    public async Task<Manifest?> ManifestOfAsync(ModelVersionRef version, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var digest = await VersionStore
            .Active(db)
            .Where(join => join.Model.Name == version.Model && join.Version.Number == version.Version)
            .Select(join => join.Version.ManifestDigest)
            .SingleOrDefaultAsync(cancellationToken);
        return digest is null ? null : await ManifestAsync(db, digest, cancellationToken);
    }

    public async Task<IArtifactSource?> OpenAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        await ManifestOfAsync(version, cancellationToken) is { } manifest ? new BlobArtifacts(manifest, blobs) : null;

    public async Task<IReadOnlyList<VersionView>> StageHoldersAsync(string model, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await VersionStore
            .Project(
                db,
                VersionStore
                    .Active(db)
                    .Where(join =>
                        join.Model.Name == model && join.Version.Stage != "None" && join.Version.Stage != "Archived"
                    )
            )
            .ToListAsync(cancellationToken);
        return [.. rows.OrderBy(row => row.Row.Number).Select(row => row.ToView())];
    }

    public async Task<IReadOnlyList<ModelVersionRef>> VersionsTrainedOnAsync(
        Digest dataset,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var hex = dataset.Hex;
        var rows = await VersionStore
            .Active(db)
            .Where(join =>
                db.Set<InputRow>().Any(input => input.DatasetSha256 == hex && input.RunId == join.Version.RunId)
            )
            .OrderBy(join => join.Model.Name)
            .ThenBy(join => join.Version.Number)
            .Select(join => new { join.Model.Name, join.Version.Number })
            .ToListAsync(cancellationToken);
        return [.. rows.Select(row => new ModelVersionRef(row.Name, row.Number))];
    }

    public static async Task<Manifest> ManifestAsync(
        GovernanceDb db,
        string digest,
        CancellationToken cancellationToken
    )
    {
        var files = await db.Set<ManifestFileRow>()
            .AsNoTracking()
            .Where(row => row.ManifestDigest == digest)
            .ToListAsync(cancellationToken);
        var manifest = Manifest.Create(
            files.Select(row => new ManifestFile(row.Path, row.Size, Digest.Parse(row.Digest)))
        );
        return manifest.Ok && manifest.Value.Digest.Hex == digest
            ? manifest.Value
            : throw new InvalidOperationException("A stored manifest does not match its digest.");
    }

    private static RunView View(RunDetail detail, ExperimentRow experiment) =>
        new()
        {
            RunId = detail.Run.RunId,
            Name = detail.Run.Name,
            ExperimentId = LabelIds.Experiment(experiment.Id),
            ExperimentName = experiment.Name,
            OwnerId = experiment.OwnerId ?? detail.Run.OwnerId,
            Status = detail.Run.Status,
            StartedAt = Time(detail.Run.StartMs),
            EndedAt = Time(detail.Run.EndMs),
            Params = detail.Params.ToDictionary(row => row.Key, row => row.Value),
            Metrics = detail.Metrics.ToDictionary(row => row.Key, row => row.IsNan ? double.NaN : row.Value),
            Tags = detail.Tags.ToDictionary(row => row.Key, row => row.Value),
            Inputs =
            [
                .. detail.Inputs.Select(row => new RunInput
                {
                    Name = row.Name,
                    MlflowDigest = row.MlflowDigest,
                    Context = row.Context,
                    DatasetSha256 = row.DatasetSha256 is { } hex ? Digest.Parse(hex) : null,
                    SourceType = row.SourceType,
                }),
            ],
        };

    // Clients may send any 64-bit time; what no calendar holds is not shown.
    private static DateTimeOffset? Time(long? ms) =>
        ms is >= 0 and < 253_402_300_800_000 ? DateTimeOffset.FromUnixTimeMilliseconds(ms.Value) : null;

    private static async Task<IReadOnlyList<ModelView>> ViewsAsync(
        GovernanceDb db,
        IReadOnlyCollection<ModelRow> rows,
        CancellationToken cancellationToken
    )
    {
        var ids = rows.Select(row => row.Id).ToList();
        // Read before the rest: a change in between makes the revision too old, which a comparison finds, never too new.
        var revisions = await db.Set<VersionRow>()
            .Where(version => ids.Contains(version.ModelId))
            .GroupBy(version => version.ModelId)
            .Select(group => new { group.Key, Sum = group.Sum(version => version.Revision + 1L) })
            .ToDictionaryAsync(group => group.Key, group => group.Sum, cancellationToken);
        var tags = await Labels.LoadAsync(db, LabelScope.ModelTag, ids.ConvertAll(LabelIds.Model), cancellationToken);
        var aliases = (
            await db.Set<AliasRow>().AsNoTracking().Where(a => ids.Contains(a.ModelId)).ToListAsync(cancellationToken)
        ).ToLookup(row => row.ModelId);
        return
        [
            .. rows.Select(row => new ModelView
            {
                Name = row.Name,
                Id = row.Id,
                OwnerId = row.OwnerId,
                Description = row.Description,
                CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.CreatedMs),
                UpdatedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.UpdatedMs),
                Tags = tags[LabelIds.Model(row.Id)].ToDictionary(tag => tag.Key, tag => tag.Value),
                Aliases = aliases[row.Id].ToDictionary(alias => alias.Alias, alias => alias.Number),
                Revision = revisions.GetValueOrDefault(row.Id),
            }),
        ];
    }

    private static string Decode(string? token)
    {
        var bytes = new byte[(token?.Length ?? 0) + 4];
        return Convert.TryFromBase64String(token ?? "", bytes, out var length)
            ? Encoding.UTF8.GetString(bytes, 0, length)
            : "";
    }
}
