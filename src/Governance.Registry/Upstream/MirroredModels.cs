using System.Globalization;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Upstream;

/// <summary>Registered models as both sides have them.</summary>
internal static class MirroredModels
{
    /// <summary>Models that are not deleted, by id; all of them when no ids are given.</summary>
    public static async Task<Dictionary<Guid, MirroredModel>> LoadAsync(
        GovernanceDb db,
        IReadOnlyCollection<Guid>? ids,
        CancellationToken cancellationToken
    )
    {
        var models = await db.Set<ModelRow>()
            .AsNoTracking()
            .Where(model => !model.Deleted && (ids == null || ids.Contains(model.Id)))
            .ToListAsync(cancellationToken);
        var versions = await db.Set<VersionRow>()
            .AsNoTracking()
            .Where(version => !version.Deleted && (ids == null || ids.Contains(version.ModelId)))
            .ToListAsync(cancellationToken);
        var aliases = await db.Set<AliasRow>()
            .AsNoTracking()
            .Where(alias => ids == null || ids.Contains(alias.ModelId))
            .ToListAsync(cancellationToken);
        var modelTags = await TagsAsync(
            db,
            LabelScope.ModelTag,
            ids is null ? null : models.ConvertAll(model => LabelIds.Model(model.Id)),
            cancellationToken
        );
        var versionTags = await TagsAsync(
            db,
            LabelScope.VersionTag,
            ids is null ? null : versions.ConvertAll(version => version.ObjectId),
            cancellationToken
        );
        var (byModel, pointing) = (versions.ToLookup(row => row.ModelId), aliases.ToLookup(row => row.ModelId));
        return models.ToDictionary(
            model => model.Id,
            model => new MirroredModel(model.Name)
            {
                Description = model.Description,
                Tags = Map(modelTags[LabelIds.Model(model.Id)]),
                Aliases = pointing[model.Id].ToDictionary(row => row.Alias, row => row.Number),
                Versions = byModel[model.Id]
                    .ToDictionary(
                        row => row.Number,
                        row => new MirroredVersion(row.Stage, row.Source)
                        {
                            Description = row.Description,
                            RunId = row.RunId ?? "",
                            Tags = Map(versionTags[row.ObjectId]),
                        }
                    ),
            }
        );
    }

    public static MirroredModel Of(RemoteModel model, IEnumerable<RemoteVersion> versions) =>
        new(model.Name)
        {
            Description = model.Description,
            Tags = Map(model.Tags),
            Aliases = model.Aliases.DistinctBy(alias => alias.Alias).ToDictionary(a => a.Alias, a => a.Version),
            Versions = versions
                .DistinctBy(version => version.Number)
                .ToDictionary(
                    version => version.Number,
                    version => new MirroredVersion(version.Stage, version.Source)
                    {
                        Description = version.Description,
                        RunId = version.RunId ?? "",
                        Tags = Map(version.Tags),
                    }
                ),
        };

    /// <summary>The model as upstream has it now; null when it has none of that name.</summary>
    public static async Task<Result<MirroredModel?>> ReadAsync(
        UpstreamClient client,
        string name,
        CancellationToken cancellationToken
    )
    {
        var model = await client.Reader.ModelAsync(name, cancellationToken);
        if (!model.Ok)
        {
            return model.Failure == RemoteFailures.NotFound
                ? (MirroredModel?)null
                : UpstreamFailures.OfReading(model.Failure);
        }

        var versions = new List<RemoteVersion>();
        // Some servers leave prompts out of a search that does not name their tag.
        foreach (var filter in Filters(model.Value))
        {
            var pages = client.Reader.PagesAsync(
                token => client.Reader.VersionsAsync(filter, 10_000, token, cancellationToken),
                cancellationToken
            );
            await foreach (var page in pages)
            {
                if (!page.Ok || page.Value.Items.Any(item => !item.Value.Ok))
                {
                    return page.Ok ? UpstreamFailures.Unreadable : UpstreamFailures.OfReading(page.Failure);
                }

                versions.AddRange(
                    page.Value.Items.Select(item => item.Value.Value).Where(version => version.Model == name)
                );
            }
        }

        return Of(model.Value, versions);
    }

    // The grammar has no escapes: a name with both quotes is found only among all others.
    private static IEnumerable<string> Filters(RemoteModel model)
    {
        var quote =
            !model.Name.Contains('\'', StringComparison.Ordinal) ? "'"
            : !model.Name.Contains('"', StringComparison.Ordinal) ? "\""
            : null;
        var name = quote is null ? "" : $"name = {quote}{model.Name}{quote}";
        yield return name;
        if (model.Tags.Contains((RegisterVersion.IsPrompt, "true")))
        {
            yield return $"{(quote is null ? "" : $"{name} AND ")}tags.`{RegisterVersion.IsPrompt}` = 'true'";
        }
    }

    public static string Number(int version) => version.ToString(CultureInfo.InvariantCulture);

    private static Dictionary<string, string> Map(IEnumerable<(string Key, string Value)> tags) =>
        tags.DistinctBy(tag => tag.Key).ToDictionary(tag => tag.Key, tag => tag.Value);

    private static Dictionary<string, string> Map(IEnumerable<LabelRow> tags) =>
        tags.ToDictionary(tag => tag.Key, tag => tag.Value);

    private static async Task<ILookup<string, LabelRow>> TagsAsync(
        GovernanceDb db,
        LabelScope scope,
        IReadOnlyCollection<string>? ids,
        CancellationToken cancellationToken
    ) =>
        (
            await db.Set<LabelRow>()
                .AsNoTracking()
                .Where(label => label.Scope == scope && (ids == null || ids.Contains(label.ObjectId)))
                .ToListAsync(cancellationToken)
        ).ToLookup(label => label.ObjectId);
}
