using System.Linq.Expressions;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Storage;

internal sealed class VersionJoin
{
    public required VersionRow Version { get; init; }
    public required ModelRow Model { get; init; }
}

/// <summary>A version with everything an answer needs.</summary>
internal sealed class VersionData
{
    public required VersionRow Row { get; init; }
    public required string ModelName { get; init; }
    public required string OwnerId { get; init; }
    public required List<string> Aliases { get; init; }
    public required List<LabelRow> Tags { get; init; }

    public ModelVersionRef Ref => new(ModelName, Row.Number);

    public VersionView ToView() =>
        new()
        {
            Ref = Ref,
            ModelId = Row.ModelId,
            OwnerId = OwnerId,
            RegisteredBy = Row.RegisteredBy,
            Status = Row.Status,
            StatusMessage = Row.StatusMessage,
            Quarantined = Row.Quarantined,
            Stage = Row.Stage,
            Aliases = [.. Aliases.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
            Source = Row.Source,
            RunId = Row.RunId,
            LoggedModelId = Row.LoggedModelId,
            Description = Row.Description,
            Tags = Tags.DistinctBy(tag => tag.Key).ToDictionary(tag => tag.Key, tag => tag.Value),
            ManifestDigest = Digest.Parse(Row.ManifestDigest),
            EvidenceSubject = Digest.Parse(Row.EvidenceSubject),
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Row.CreatedMs),
            UpdatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Row.UpdatedMs),
            Revision = Row.Revision,
        };
}

/// <summary>Queries over versions that are not deleted.</summary>
internal static class VersionStore
{
    private static readonly CompiledQuery<Func<GovernanceDb, string, CancellationToken, Task<ModelRow?>>> ModelOf = new(
        () =>
            EF.CompileAsyncQuery(
                (GovernanceDb db, string name, CancellationToken _) =>
                    db.Set<ModelRow>().SingleOrDefault(model => model.Name == name && !model.Deleted)
            )
    );

    private static readonly Expression<
        Func<GovernanceDb, IQueryable<VersionJoin>, IQueryable<VersionData>>
    > Projection = (db, joins) =>
        joins
            .Select(join => new VersionData
            {
                Row = join.Version,
                ModelName = join.Model.Name,
                OwnerId = join.Model.OwnerId,
                Aliases = db.Set<AliasRow>()
                    .Where(a => a.ModelId == join.Version.ModelId && a.Number == join.Version.Number)
                    .Select(a => a.Alias)
                    .ToList(),
                Tags = db.Set<LabelRow>()
                    .Where(l => l.Scope == LabelScope.VersionTag && l.ObjectId == join.Version.ObjectId)
                    .OrderBy(l => l.Key)
                    .ToList(),
            })
            .AsNoTracking()
            .AsSingleQuery();

    // The hottest read.
    private static readonly CompiledQuery<Func<GovernanceDb, string, int, IAsyncEnumerable<VersionData>>> VersionOf =
        new(() =>
            EF.CompileAsyncQuery(
                Projected<Func<GovernanceDb, string, int, IQueryable<VersionData>>>(
                    (GovernanceDb db, string name, int number) =>
                        from model in db.Set<ModelRow>()
                        join version in db.Set<VersionRow>() on model.Id equals version.ModelId
                        where model.Name == name && !model.Deleted && version.Number == number && !version.Deleted
                        select new VersionJoin { Version = version, Model = model }
                )
            )
        );

    private static readonly CompiledQuery<Func<GovernanceDb, string, int, int, IAsyncEnumerable<VersionData>>> OfModel =
        new(() =>
            EF.CompileAsyncQuery(
                Projected<Func<GovernanceDb, string, int, int, IQueryable<VersionData>>>(
                    (GovernanceDb db, string name, int skip, int take) =>
                        (
                            from model in db.Set<ModelRow>()
                            join version in db.Set<VersionRow>() on model.Id equals version.ModelId
                            where model.Name == name && !model.Deleted && !version.Deleted
                            orderby version.UpdatedMs descending, version.Number descending
                            select new VersionJoin { Version = version, Model = model }
                        )
                            .Skip(skip)
                            .Take(take)
                )
            )
        );

    private static readonly CompiledQuery<Func<GovernanceDb, List<string>, IAsyncEnumerable<VersionData>>> ById = new(
        () =>
            EF.CompileAsyncQuery(
                Projected<Func<GovernanceDb, List<string>, IQueryable<VersionData>>>(
                    (GovernanceDb db, List<string> ids) =>
                        from model in db.Set<ModelRow>()
                        join version in db.Set<VersionRow>() on model.Id equals version.ModelId
                        where !model.Deleted && !version.Deleted && ids.Contains(version.ObjectId)
                        select new VersionJoin { Version = version, Model = model }
                )
            )
    );

    private static readonly CompiledQuery<Func<GovernanceDb, List<Guid>, IAsyncEnumerable<Top>>> Tops = new(() =>
        EF.CompileAsyncQuery(
            (GovernanceDb db, List<Guid> models) =>
                db.Set<VersionRow>()
                    .Where(v => models.Contains(v.ModelId) && !v.Deleted)
                    .GroupBy(v => new { v.ModelId, v.Stage })
                    .Select(group => new Top(group.Key.ModelId, group.Max(v => v.Number)))
        )
    );

    private sealed record Top(Guid ModelId, int Number);

    /// <summary>The versions of a name, last changed first.</summary>
    public static Task<List<VersionData>> OfModelAsync(
        GovernanceDb db,
        string name,
        int skip,
        int take,
        CancellationToken cancellationToken
    ) => OfModel.For(db)(db, name, skip, take).ToListAsync(cancellationToken).AsTask();

    public static async Task<VersionData?> FindAsync(
        GovernanceDb db,
        ModelVersionRef version,
        CancellationToken cancellationToken
    )
    {
        await foreach (
            var found in VersionOf.For(db)(db, version.Model, version.Version).WithCancellation(cancellationToken)
        )
        {
            return found;
        }

        return null;
    }

    /// <summary>Versions by their object ids, in no order.</summary>
    public static async Task<List<VersionData>> FindAsync(
        GovernanceDb db,
        List<string> objectIds,
        CancellationToken cancellationToken
    ) => objectIds.Count == 0 ? [] : await ById.For(db)(db, objectIds).ToListAsync(cancellationToken);

    public static IQueryable<VersionJoin> Active(GovernanceDb db) =>
        from model in db.Set<ModelRow>()
        join version in db.Set<VersionRow>() on model.Id equals version.ModelId
        where !model.Deleted && !version.Deleted
        select new VersionJoin { Version = version, Model = model };

    public static IQueryable<VersionData> Project(GovernanceDb db, IQueryable<VersionJoin> joins) =>
        joins.Provider.CreateQuery<VersionData>(
            new Substitution
            {
                [Projection.Parameters[0]] = Expression.Constant(db),
                [Projection.Parameters[1]] = joins.Expression,
            }.Visit(Projection.Body)
        );

    // The query whose joins are given, with what an answer needs of each.
    private static Expression<TQuery> Projected<TQuery>(LambdaExpression joins) =>
        Expression.Lambda<TQuery>(
            new Substitution
            {
                [Projection.Parameters[0]] = joins.Parameters[0],
                [Projection.Parameters[1]] = joins.Body,
            }.Visit(Projection.Body),
            joins.Parameters
        );

    /// <summary>The highest version of each stage of each model, by model id, lowest number first.</summary>
    public static async Task<ILookup<Guid, VersionData>> LatestAsync(
        GovernanceDb db,
        IReadOnlyCollection<Guid> modelIds,
        CancellationToken cancellationToken
    )
    {
        var tops = await Tops.For(db)(db, [.. modelIds]).ToListAsync(cancellationToken);
        var versions = await FindAsync(
            db,
            tops.ConvertAll(top => LabelIds.Version(top.ModelId, top.Number)),
            cancellationToken
        );
        return versions.OrderBy(v => v.Row.Number).ToLookup(v => v.Row.ModelId);
    }

    /// <summary>Takes the next version number of a name, or the wanted one, inside a unit; nobody else gets it.</summary>
    public static async Task<int> TakeNumberAsync(
        GovernanceDb db,
        string name,
        int? wanted,
        CancellationToken cancellationToken
    )
    {
        if (wanted is { } number)
        {
            await db.ExecuteAsync(
                """
                UPDATE registry_model_names SET "NextVersion" = @1 + 1 WHERE "Name" = @0 AND "NextVersion" <= @1
                """,
                [name, number],
                cancellationToken
            );
            return number;
        }

        var taken = await db.ReadAsync(
            """
            UPDATE registry_model_names SET "NextVersion" = "NextVersion" + 1 WHERE "Name" = @0 RETURNING "NextVersion" - 1
            """,
            [name],
            row => row.GetInt32(0),
            cancellationToken
        );
        return taken.Single();
    }

    /// <summary>Moves the time of a model's last update on, inside a unit.</summary>
    public static Task TouchModelAsync(GovernanceDb db, Guid id, long now, CancellationToken cancellationToken) =>
        db.ExecuteAsync(
            """UPDATE registry_models SET "UpdatedMs" = @1 WHERE "Id" = @0""",
            [id, now],
            cancellationToken
        );

    /// <summary>
    /// Changes with every change of any version of the model. Rows are never removed and revisions only grow, so the sum does too.
    /// </summary>
    public static Task<long> RevisionAsync(GovernanceDb db, Guid modelId, CancellationToken cancellationToken) =>
        db.Set<VersionRow>()
            .Where(version => version.ModelId == modelId)
            .SumAsync(version => version.Revision + 1L, cancellationToken);

    /// <summary>Whether another model has or had a name that differs from this one in letter case alone.</summary>
    public static Task<bool> HasTwinAsync(
        GovernanceDb db,
        string name,
        Guid modelId,
        CancellationToken cancellationToken
    )
    {
        var folded = RegistryNames.Key(name);
        return db.Set<ModelNameRow>()
            .AnyAsync(row => row.FoldedName == folded && row.Name != name && row.ModelId != modelId, cancellationToken);
    }

    public static Task<ModelRow?> ModelAsync(GovernanceDb db, string name, CancellationToken cancellationToken) =>
        ModelOf.For(db)(db, name, cancellationToken);

    /// <summary>Puts expressions in the place of parameters.</summary>
    private sealed class Substitution : ExpressionVisitor
    {
        private readonly Dictionary<ParameterExpression, Expression> _by = [];

        public Expression this[ParameterExpression parameter]
        {
            set => _by[parameter] = value;
        }

        protected override Expression VisitParameter(ParameterExpression node) => _by.GetValueOrDefault(node, node);
    }
}
