using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Governance.Tests.Registry;

/// <summary>
/// Replays recorded traffic of a stock MLflow client against any server and compares status, keys and JSON types, mapping the
/// ids that the server gives as they appear. Reusable against the whole gateway: give it an authenticated client.
/// </summary>
public static class MlflowReplay
{
    // What a gateway adds on purpose; stock clients read or ignore these.
    private static readonly HashSet<string> MayBeAdded = ["user_id", "status_message", "code", "reasons", "outputs"];
    private static readonly HashSet<string> IdKeys =
    [
        "run_id",
        "run_uuid",
        "model_id",
        "source_run_id",
        "next_page_token",
        "request_id",
    ];

    // MLflow keeps the alias of a deleted version; here nothing points at what is not there.
    private static bool MayBeMissing(string where, string key) =>
        key == "aliases" && where.Contains(" reg.delete_", StringComparison.Ordinal);

    /// <summary>The lines of a recording in Registry/Data. Requests that the client sent at the same time are in the order of their effect.</summary>
    public static IReadOnlyList<string> Recording(string name)
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Governance.sln")))
        {
            directory = directory.Parent;
        }

        var path = Path.Combine(directory!.FullName, "tests", "Governance.Tests", "Registry", "Data", name);
        return File.ReadAllLines(path);
    }

    /// <summary>
    /// Replays the lines; returns what differed, empty when all was as recorded. <paramref name="expectStatus"/> may replace the
    /// recorded status of a step (null keeps it); a replaced step is compared by status only. <paramref name="settled"/> runs
    /// after every registration, to wait for its evidence. <paramref name="upload"/> gives the bytes of an upload by its file
    /// name (the recordings hold none); null keeps the invented ones.
    /// </summary>
    public static async Task<IReadOnlyList<string>> RunAsync(
        HttpClient client,
        IEnumerable<string> lines,
        CancellationToken cancellationToken,
        Func<string, string, JsonNode?, int?>? expectStatus = null,
        Func<JsonNode, Task>? settled = null,
        Func<string, byte[]?>? upload = null
    )
    {
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        var experiments = new Dictionary<string, string>(StringComparer.Ordinal);
        var differences = new List<string>();
        var at = 0;
        foreach (var line in lines)
        {
            at++;
            var recorded = JsonNode.Parse(line)!;
            var (step, method) = ((string)recorded["step"]!, (string)recorded["method"]!);
            var url = Map((string)recorded["url"]!, ids, experiments);
            var body = recorded["req"] is JsonObject request ? MapBody(request, ids, experiments) : null;
            using var message = new HttpRequestMessage(new HttpMethod(method), url);
            if (body is not null)
            {
                message.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
            }
            else if (method == "PUT")
            {
                message.Content = new ByteArrayContent(
                    upload?.Invoke(url[(url.LastIndexOf('/') + 1)..]) ?? Encoding.UTF8.GetBytes(url)
                );
            }

            using var response = await client.SendAsync(message, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            var expected = expectStatus?.Invoke(method, url, body);
            var status = expected ?? (int)recorded["status"]!;
            var where = $"{at} {step} {method} {url}";
            if ((int)response.StatusCode != status)
            {
                differences.Add($"{where}: {(int)response.StatusCode} instead of {status}: {Short(text)}");
                continue;
            }

            if (expected is null && recorded["resp"] is JsonObject wanted)
            {
                var actual = TryParse(text);
                Learn(wanted, actual, ids, experiments);
                Compare(where, wanted, actual, differences);
                if (
                    settled is not null
                    && url.EndsWith("/model-versions/create", StringComparison.Ordinal)
                    && status == 200
                )
                {
                    await settled(actual!);
                }
            }
        }

        return differences;
    }

    private static string Map(string url, Dictionary<string, string> ids, Dictionary<string, string> experiments)
    {
        foreach (var (old, now) in ids)
        {
            url = url.Replace(old, now, StringComparison.Ordinal)
                .Replace(WebUtility.UrlEncode(old), WebUtility.UrlEncode(now), StringComparison.Ordinal);
        }

        foreach (var (old, now) in experiments)
        {
            if (url.EndsWith($"experiment_id={old}", StringComparison.Ordinal))
            {
                return url[..^old.Length] + now;
            }

            if (url.Contains($"?experiment_ids={old}&", StringComparison.Ordinal))
            {
                return url.Replace($"?experiment_ids={old}&", $"?experiment_ids={now}&", StringComparison.Ordinal);
            }
        }

        return url;
    }

    private static JsonObject MapBody(
        JsonObject body,
        Dictionary<string, string> ids,
        Dictionary<string, string> experiments
    )
    {
        var text = body.ToJsonString();
        foreach (var (old, now) in ids)
        {
            text = text.Replace(old, now, StringComparison.Ordinal);
        }

        var mapped = JsonNode.Parse(text)!.AsObject();
        MapExperiment(mapped, experiments);

        if (mapped["experiment_ids"] is JsonArray many)
        {
            mapped["experiment_ids"] = new JsonArray([
                .. many.Select(one => JsonValue.Create(experiments.GetValueOrDefault((string)one!, (string)one!))),
            ]);
        }

        return mapped;
    }

    private static void MapExperiment(JsonNode? node, Dictionary<string, string> experiments)
    {
        if (node is JsonArray items)
        {
            items.ToList().ForEach(item => MapExperiment(item, experiments));
        }

        if (node is not JsonObject members)
        {
            return;
        }

        foreach (var (key, value) in members.ToList())
        {
            if (key == "experiment_id" && experiments.TryGetValue((string)value!, out var experiment))
            {
                members[key] = experiment;
            }
            else
            {
                MapExperiment(value, experiments);
            }
        }
    }

    private static void Learn(
        JsonNode? recorded,
        JsonNode? actual,
        Dictionary<string, string> ids,
        Dictionary<string, string> experiments
    )
    {
        if (recorded is JsonArray many && actual is JsonArray others)
        {
            foreach (var (one, other) in many.Zip(others))
            {
                Learn(one, other, ids, experiments);
            }
        }

        if (recorded is not JsonObject members || actual is not JsonObject found)
        {
            return;
        }

        foreach (var (key, value) in members)
        {
            if (value is JsonValue && found[key] is JsonValue now && now.GetValueKind() == JsonValueKind.String)
            {
                var (old, text) = (value.ToString(), now.ToString());
                if (key == "experiment_id")
                {
                    experiments.TryAdd(old, text);
                }
                else if (
                    (
                        key is "artifact_uri" or "mlflow.artifactLocation"
                        || (string?)members["key"] == "mlflow.artifactLocation"
                    )
                    && old.StartsWith("mlflow-artifacts:/", StringComparison.Ordinal)
                    && !ids.ContainsKey(old)
                )
                {
                    LearnUri(old, text, ids);
                }
                else if (IdKeys.Contains(key) && old.Length > 0)
                {
                    ids.TryAdd(old, text);
                }
            }
            else
            {
                Learn(value, found[key], ids, experiments);
            }
        }
    }

    // mlflow-artifacts:/<experiment>/<run>/artifacts: paths name the experiment only together with what lies in it.
    private static void LearnUri(string old, string now, Dictionary<string, string> ids)
    {
        var (from, to) = (old["mlflow-artifacts:/".Length..], now["mlflow-artifacts:/".Length..]);
        var (id, newId) = (from.Split('/'), to.Split('/'));
        var own = id[1] is "models" or "traces" ? 2 : 1;
        // The bare id is replaced first, so the pair is keyed by the old experiment and the new id.
        ids.TryAdd(id[own], newId[own]);
        var (before, after) = (string.Join('/', id[..own].Append(newId[own])), string.Join('/', newId[..(own + 1)]));
        ids.TryAdd(before, after);
    }

    private static void Compare(string where, JsonNode? recorded, JsonNode? actual, List<string> differences)
    {
        switch (recorded, actual)
        {
            case (JsonObject wanted, JsonObject found):
                foreach (var (key, value) in wanted)
                {
                    if (!found.ContainsKey(key) && MayBeMissing(where, key))
                    {
                        continue;
                    }

                    if (!found.ContainsKey(key))
                    {
                        differences.Add($"{where}: member '{key}' is missing");
                    }
                    else
                    {
                        Compare($"{where} .{key}", value, found[key], differences);
                    }
                }

                differences.AddRange(
                    found
                        .Where(member => !wanted.ContainsKey(member.Key) && !MayBeAdded.Contains(member.Key))
                        .Select(member => $"{where}: member '{member.Key}' is not in the recording")
                );
                break;
            case (JsonArray wanted, JsonArray found):
                if (wanted.Count != found.Count)
                {
                    differences.Add($"{where}: {found.Count} items instead of {wanted.Count}");
                    break;
                }

                foreach (var (one, other) in Sorted(wanted).Zip(Sorted(found)))
                {
                    Compare(where, one, other, differences);
                }

                break;
            default:
                var (kind, now) = (recorded?.GetValueKind(), actual?.GetValueKind());
                if (Kind(kind) != Kind(now))
                {
                    differences.Add($"{where}: {now} instead of {kind}");
                }

                break;
        }
    }

    private static IEnumerable<JsonNode?> Sorted(JsonArray items) =>
        items.All(item => item is JsonObject o && o.ContainsKey("key"))
            ? items.OrderBy(item => (string)item!["key"]!, StringComparer.Ordinal)
            : items;

    private static JsonValueKind? Kind(JsonValueKind? kind) => kind == JsonValueKind.False ? JsonValueKind.True : kind;

    private static JsonNode? TryParse(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Short(string text) => text.Length <= 200 ? text : text[..200];
}
