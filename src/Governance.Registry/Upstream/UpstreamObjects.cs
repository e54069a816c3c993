using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Wire;

namespace Governance.Registry.Upstream;

/// <summary>Makes, finds and takes away what upstream gives an id. What is made carries the intent's id, by which it is found again.</summary>
internal sealed class UpstreamObjects(UpstreamClient client)
{
    /// <summary>
    /// Makes it and reads it again; gives its id. When it may have been made before (<paramref name="again"/>), it is looked for
    /// first: whether a lost answer was a lost request is seen only by looking.
    /// </summary>
    public async Task<Result<string>> MakeAsync(
        UpstreamIntentRow intent,
        bool again,
        CancellationToken cancellationToken
    )
    {
        if (again)
        {
            var found = await FindAsync(intent, cancellationToken);
            if (!found.Ok || found.Value is not null)
            {
                return found.Ok ? found.Value! : found.Failure;
            }
        }

        var body = (JsonObject)JsonNode.Parse(intent.Body)!;
        body["tags"]!.AsArray().Add(new JsonObject { ["key"] = Differences.IntentTag, ["value"] = Id(intent) });
        var made = await client.SendAsync(Intents.Route(intent.Kind), body, cancellationToken);
        if (!made.Ok)
        {
            return made.Failure;
        }

        var id = RemoteReading.Guard(() => Intents.IdOf(intent.Kind, made.Value));
        if (!id.Ok || id.Value is null)
        {
            return UpstreamFailures.Refused;
        }

        var tags = await TagsAsync(intent, id.Value, cancellationToken);
        return !tags.Ok ? UpstreamFailures.Pending
            : tags.Value.Contains((Differences.IntentTag, Id(intent))) ? id.Value
            : UpstreamFailures.Refused;
    }

    private async Task<Result<IReadOnlyList<(string Key, string Value)>>> TagsAsync(
        UpstreamIntentRow intent,
        string id,
        CancellationToken cancellationToken
    ) =>
        intent.Kind switch
        {
            Intents.Experiment => (await client.Reader.ExperimentAsync(id, cancellationToken)).Map(made => made.Tags),
            Intents.Run => (await client.Reader.RunAsync(id, cancellationToken)).Map(made => made.Tags),
            Intents.LoggedModel => (await client.Reader.LoggedModelAsync(id, cancellationToken)).Map(made => made.Tags),
            Intents.Model => (await client.Reader.ModelAsync(id, cancellationToken)).Map(made => made.Tags),
            _ => (
                await client.Reader.VersionAsync(
                    (string)JsonNode.Parse(intent.Body)!["name"]!,
                    int.Parse(id, CultureInfo.InvariantCulture),
                    cancellationToken
                )
            ).Map(made => made.Tags),
        };

    /// <summary>The id of what carries the intent, read from upstream now; null when nothing does.</summary>
    public async Task<Result<string?>> FindAsync(UpstreamIntentRow intent, CancellationToken cancellationToken)
    {
        var asked = (JsonObject)JsonNode.Parse(intent.Body)!;
        var filter = $"tags.`{Differences.IntentTag}` = '{Id(intent)}'";
        switch (intent.Kind)
        {
            case Intents.Model:
                var model = await client.Reader.ModelAsync((string)asked["name"]!, cancellationToken);
                return model.Ok
                        ? (model.Value.Tags.Contains((Differences.IntentTag, Id(intent))) ? model.Value.Name : null)
                    : model.Failure == RemoteFailures.NotFound ? (string?)null
                    : UpstreamFailures.Pending;
            case Intents.Version:
                return await VersionAsync((string)asked["name"]!, intent, cancellationToken);
            case Intents.Experiment:
                return await SearchAsync(
                    UpstreamRoute.SearchExperiments,
                    new JsonObject { ["filter"] = filter, ["max_results"] = 1 },
                    answer =>
                        answer.Objects("experiments", 10) is [var found, ..]
                            ? found.Required("experiment_id", 20)
                            : null,
                    cancellationToken
                );
            default:
                var run = intent.Kind == Intents.Run;
                return await SearchAsync(
                    run ? UpstreamRoute.SearchRuns : UpstreamRoute.SearchLoggedModels,
                    new JsonObject
                    {
                        ["experiment_ids"] = new JsonArray((string)asked["experiment_id"]!),
                        ["filter"] = filter,
                        ["max_results"] = 1,
                    },
                    answer =>
                        answer.Objects(run ? "runs" : "models", 10) is [var found, ..]
                            ? found.Object("info")?.Required(run ? "run_id" : "model_id", 64)
                            : null,
                    cancellationToken
                );
        }
    }

    /// <summary>Takes away upstream what nobody was told of; null when it is gone.</summary>
    public async Task<Failure?> RemoveAsync(UpstreamIntentRow intent, string id, CancellationToken cancellationToken)
    {
        var name = (string?)JsonNode.Parse(intent.Body)!["name"];
        if (intent.Kind == Intents.Experiment)
        {
            // A deleted experiment keeps its name, and whoever asks again is to have it.
            var body = new JsonObject { ["experiment_id"] = id, ["new_name"] = $"undone-{Id(intent)}" };
            if (await client.SendAsync(UpstreamRoute.UpdateExperiment, body, cancellationToken) is { Ok: false } kept)
            {
                return kept.Failure;
            }
        }

        var removed = intent.Kind switch
        {
            Intents.Experiment => client.SendAsync(
                UpstreamRoute.DeleteExperiment,
                new JsonObject { ["experiment_id"] = id },
                cancellationToken
            ),
            Intents.Run => client.SendAsync(
                UpstreamRoute.DeleteRun,
                new JsonObject { ["run_id"] = id },
                cancellationToken
            ),
            Intents.LoggedModel => client.SendAsync(UpstreamRoute.DeleteLoggedModel(id), [], cancellationToken),
            Intents.Model => client.SendAsync(
                UpstreamRoute.DeleteModel,
                new JsonObject { ["name"] = name },
                cancellationToken
            ),
            _ => client.SendAsync(
                UpstreamRoute.DeleteVersion,
                new JsonObject { ["name"] = name, ["version"] = id },
                cancellationToken
            ),
        };
        return (await removed).Failure;
    }

    private async Task<Result<string?>> VersionAsync(
        string name,
        UpstreamIntentRow intent,
        CancellationToken cancellationToken
    )
    {
        var model = await MirroredModels.ReadAsync(client, name, cancellationToken);
        if (!model.Ok)
        {
            return model.Failure;
        }

        var found = model.Value?.Versions.FirstOrDefault(version =>
            version.Value.Tags.GetValueOrDefault(Differences.IntentTag) == Id(intent)
        );
        return found is { Key: > 0 and var number } ? MirroredModels.Number(number) : (string?)null;
    }

    private async Task<Result<string?>> SearchAsync(
        UpstreamRoute route,
        JsonObject body,
        Func<Args, string?> read,
        CancellationToken cancellationToken
    )
    {
        var answer = await client.SendAsync(route, body, cancellationToken);
        if (!answer.Ok)
        {
            return answer.Failure;
        }

        var id = RemoteReading.Guard(() => read(answer.Value));
        return id.Ok ? id.Value : UpstreamFailures.Refused;
    }

    private static string Id(UpstreamIntentRow intent) => intent.Id.ToString("N");
}
