using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Runs;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Upstream;

/// <summary>
/// A part of an experiment, run, logged model or storage root that upstream does not take: a difference named by lane and part,
/// which repair makes again as a whole from the rows of that moment.
/// </summary>
internal static class NotTaken
{
    public const string Info = "info";
    public const string Life = "life";
    public const string Tags = "tags";
    public const string Params = "params";
    public const string Metrics = "metrics";
    public const string Inputs = "inputs";
    public const string ModelHistory = "log-model";

    /// <summary>The difference; the part of a storage root is a file's path.</summary>
    public static Difference Of(string lane, string part, Failure why) =>
        new(DifferenceKind.NotTaken, 0, $"{lane} {part}", "", why.Code);

    /// <summary>The lane, in which there is never a space.</summary>
    public static string Lane(string key) => key.Split(' ', 2)[0];

    /// <summary>All of the part, to be made once more.</summary>
    public static async Task<Touched> AgainAsync(GovernanceDb db, string key, CancellationToken cancellationToken)
    {
        var (lane, part) = (Lane(key), key.Split(' ', 2)[1]);
        var id = lane[(lane.IndexOf(':', StringComparison.Ordinal) + 1)..];
        var touched = new Touched();
        if (lane.StartsWith(Lanes.Artifacts, StringComparison.Ordinal))
        {
            touched.Files.Add(part);
            return touched;
        }

        var (tags, parameters) =
            lane.StartsWith(Lanes.Experiment, StringComparison.Ordinal) ? (LabelScope.ExperimentTag, (LabelScope?)null)
            : lane.StartsWith(Lanes.Run, StringComparison.Ordinal) ? (LabelScope.RunTag, LabelScope.RunParam)
            : (LabelScope.LoggedModelTag, LabelScope.LoggedModelParam);
        switch (part)
        {
            case Life:
                (touched.Info, touched.Life) = (true, true);
                break;
            case ModelHistory:
                touched.Tags.Add(RunRoutes.ModelHistory);
                break;
            case Tags:
                touched.Tags.UnionWith(await KeysAsync(db, tags, id, cancellationToken));
                break;
            case Params when parameters is { } scope:
                touched.Params.UnionWith(await KeysAsync(db, scope, id, cancellationToken));
                break;
            case Metrics:
                var ids = db.Set<MetricRow>().Where(row => row.RunId == id).Select(row => (long?)row.Id);
                if (await ids.MinAsync(cancellationToken) is { } first)
                {
                    touched.Metrics.Add((first, (await ids.MaxAsync(cancellationToken))!.Value));
                }

                break;
            case Inputs:
                touched.Inputs.UnionWith(
                    await db.Set<InputRow>()
                        .Where(row => row.RunId == id)
                        .Select(row => row.InputKey)
                        .ToListAsync(cancellationToken)
                );
                touched.Models.UnionWith(
                    await db.Set<RunModelRow>()
                        .Where(row => row.RunId == id)
                        .Select(row => row.ModelId)
                        .ToListAsync(cancellationToken)
                );
                break;
            default:
                touched.Info = true;
                break;
        }

        return touched;
    }

    private static Task<List<string>> KeysAsync(
        GovernanceDb db,
        LabelScope scope,
        string id,
        CancellationToken cancellationToken
    ) =>
        db.Set<LabelRow>()
            .Where(row => row.Scope == scope && row.ObjectId == id)
            .Select(row => row.Key)
            .ToListAsync(cancellationToken);
}
