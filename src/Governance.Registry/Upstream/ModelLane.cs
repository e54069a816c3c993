using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Upstream;

/// <summary>
/// Makes upstream's model say what ours says: compares, sends the differences, reads again. What an open drift names is left as
/// it was found, for it is evidence and somebody has to look at it.
/// </summary>
internal sealed class ModelLane(IDbContextFactory<GovernanceDb> databases, UpstreamClient client)
{
    private sealed record Ours(ModelRow Row, MirroredModel? Model, HashSet<int> Deleted, List<UpstreamDriftRow> Drift);

    public async Task<Result<Made>> MakeAsync(Guid modelId, Touched touched, CancellationToken cancellationToken)
    {
        if (await LoadAsync(modelId, cancellationToken) is not { } ours)
        {
            return Made.Quietly;
        }

        ours.Drift.RemoveAll(row => touched.Repairs.Contains(row.Id.ToString("N")));

        var name = ours.Row.Name;
        var theirs = await MirroredModels.ReadAsync(client, name, cancellationToken);
        if (!theirs.Ok)
        {
            return theirs.Failure;
        }

        if (ours.Model is null)
        {
            return await DeleteAsync(ours, theirs.Value, cancellationToken);
        }

        if (theirs.Value is null)
        {
            theirs = await RenameAsync(name, touched.Names, cancellationToken);
            if (!theirs.Ok)
            {
                return theirs.Failure;
            }
        }

        var sent = new List<string>();
        var refused = new List<Difference>();
        foreach (var difference in Differences.Of(ours.Model, theirs.Value).Where(found => Follows(ours, found)))
        {
            var made = await SendAsync(name, difference, cancellationToken);
            if (made is { Kind: FailureKind.Unavailable })
            {
                return made;
            }

            sent.Add(Text(difference));
            if (made is not null)
            {
                refused.Add(difference);
            }
        }

        if (sent.Count + touched.Names.Count + touched.Repairs.Count == 0)
        {
            return Made.Quietly;
        }

        return await AgainAsync(modelId, name, sent, refused, touched.Repairs, cancellationToken);
    }

    /// <summary>Whether a difference is ours to send: not drift, and not something that was made behind the gateway.</summary>
    private static bool Follows(Ours ours, Difference difference) =>
        (
            difference.CanRepair
            || (difference.Kind == DifferenceKind.VersionMade && ours.Deleted.Contains(difference.Version))
        )
        && !ours.Drift.Exists(row =>
            row.Version == difference.Version && row.Kind == Drift.Name(difference.Kind) && row.Key == difference.Key
        );

    // The answer to a change says nothing about it: only what is read afterwards does.
    private async Task<Result<Made>> AgainAsync(
        Guid modelId,
        string name,
        List<string> sent,
        List<Difference> refused,
        IReadOnlyCollection<string> repairs,
        CancellationToken cancellationToken
    )
    {
        var theirs = await MirroredModels.ReadAsync(client, name, cancellationToken);
        if (!theirs.Ok)
        {
            return theirs.Failure;
        }

        // What changed here meanwhile has work of its own.
        var ours = await LoadAsync(modelId, cancellationToken);
        var left = Differences.Of(ours?.Model, theirs.Value);
        return new Made(Urn.Model(name))
        {
            Model = name,
            Left = [.. refused.Where(left.Contains)],
            Repaired = repairs.Count == 0 ? [] : Repaired(repairs, ours, left),
            Details = new JsonObject
            {
                ["made"] = new JsonArray([.. sent.Take(100).Select(text => JsonValue.Create(text))]),
                ["count"] = sent.Count,
                ["refused"] = refused.Count,
            },
        };
    }

    private static List<string> Repaired(
        IReadOnlyCollection<string> repairs,
        Ours? ours,
        IReadOnlyList<Difference> left
    ) =>
        [
            .. (ours?.Drift ?? [])
                .Where(row => repairs.Contains(row.Id.ToString("N")))
                .Where(row =>
                    !left.Any(difference =>
                        // What is gone says nothing about what was wrong with it.
                        difference.Kind == DifferenceKind.ModelMissing
                        || (difference.Kind == DifferenceKind.VersionMissing && row.Version == difference.Version)
                        || (
                            row.Version == difference.Version
                            && row.Key == difference.Key
                            && row.Kind == Drift.Name(difference.Kind)
                        )
                    )
                )
                .Select(row => row.Id.ToString("N")),
        ];

    private async Task<Result<Made>> DeleteAsync(Ours ours, MirroredModel? theirs, CancellationToken cancellationToken)
    {
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            // The name may be another model's by now, whose upstream this is.
            if (
                theirs is null
                || await db.Set<ModelRow>()
                    .AnyAsync(row => row.Name == ours.Row.Name && !row.Deleted, cancellationToken)
            )
            {
                return Made.Quietly;
            }
        }

        var body = new JsonObject { ["name"] = ours.Row.Name };
        var sent = await client.SendAsync(UpstreamRoute.DeleteModel, body, cancellationToken);
        if (!sent.Ok)
        {
            return sent.Failure;
        }

        var again = await MirroredModels.ReadAsync(client, ours.Row.Name, cancellationToken);
        return !again.Ok ? again.Failure
            : again.Value is not null ? UpstreamFailures.Refused
            : new Made(Urn.Model(ours.Row.Name)) { Details = new JsonObject { ["made"] = "delete-model" } };
    }

    private async Task<Result<MirroredModel?>> RenameAsync(
        string name,
        IReadOnlyCollection<string> formerNames,
        CancellationToken cancellationToken
    )
    {
        foreach (var former in formerNames)
        {
            var body = new JsonObject { ["name"] = former, ["new_name"] = name };
            var renamed = await client.SendAsync(UpstreamRoute.RenameModel, body, cancellationToken);
            if (renamed.Ok || renamed.Failure.Kind == FailureKind.Unavailable)
            {
                return renamed.Ok ? await MirroredModels.ReadAsync(client, name, cancellationToken) : renamed.Failure;
            }
        }

        return (MirroredModel?)null;
    }

    private async Task<Failure?> SendAsync(string name, Difference difference, CancellationToken cancellationToken)
    {
        var body = new JsonObject { ["name"] = name };
        if (difference.Version > 0)
        {
            body["version"] = MirroredModels.Number(difference.Version);
        }

        var route = Fill(body, difference);
        return (await client.SendAsync(route, body, cancellationToken)).Failure;
    }

    private static UpstreamRoute Fill(JsonObject body, Difference difference)
    {
        switch (difference.Kind)
        {
            case DifferenceKind.ModelDescription:
                body["description"] = difference.Expected;
                return UpstreamRoute.UpdateModel;
            case DifferenceKind.VersionDescription:
                body["description"] = difference.Expected;
                return UpstreamRoute.UpdateVersion;
            case DifferenceKind.Stage:
                body["stage"] = difference.Expected;
                // Every other holder has a difference of its own.
                body["archive_existing_versions"] = false;
                return UpstreamRoute.TransitionVersion;
            case DifferenceKind.Alias:
                body["alias"] = difference.Key;
                if (difference.Expected is null)
                {
                    return UpstreamRoute.DeleteAlias;
                }

                body["version"] = difference.Expected;
                return UpstreamRoute.SetAlias;
            case DifferenceKind.VersionMade:
                return UpstreamRoute.DeleteVersion;
            default:
                body["key"] = difference.Key;
                var ofModel = difference.Kind == DifferenceKind.ModelTag;
                if (difference.Expected is null)
                {
                    return ofModel ? UpstreamRoute.DeleteModelTag : UpstreamRoute.DeleteVersionTag;
                }

                body["value"] = difference.Expected;
                return ofModel ? UpstreamRoute.SetModelTag : UpstreamRoute.SetVersionTag;
        }
    }

    // Keys and stages are names that the log holds already; values are not repeated.
    private static string Text(Difference difference) =>
        difference.IsPlain
            ? $"{Drift.Name(difference.Kind)}:{difference.Version}:{difference.Key}:{difference.Expected ?? "-"}"
            : $"{Drift.Name(difference.Kind)}:{difference.Version}:{difference.Key}";

    private async Task<Ours?> LoadAsync(Guid modelId, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (
            await db.Set<ModelRow>()
                .AsNoTracking()
                .SingleOrDefaultAsync(model => model.Id == modelId, cancellationToken)
            is not { } row
        )
        {
            return null;
        }

        var models = await MirroredModels.LoadAsync(db, [modelId], cancellationToken);
        var deleted = await db.Set<VersionRow>()
            .Where(version => version.ModelId == modelId && version.Deleted)
            .Select(version => version.Number)
            .ToListAsync(cancellationToken);
        var drift = await db.Set<UpstreamDriftRow>()
            .AsNoTracking()
            .Where(open => open.Model == row.Name)
            .ToListAsync(cancellationToken);
        return new Ours(row, models.GetValueOrDefault(modelId), [.. deleted], drift);
    }
}
