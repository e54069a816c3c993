using System.Globalization;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Governance.Benchmarks;

/// <summary>
/// Whether the time of an answer tells what is there, but not for the caller, from what is not there: pairs of such requests, in
/// random order on one connection, from somebody whose grants are on other names.
/// </summary>
internal sealed class Secrets(Target target, int pairs)
{
    private const int Objects = 200;
    private const string Mlflow = "/api/2.0/mlflow/";
    private const string Can = "/api/v1/can?permission=model:read";
    private const string GraphQl = "graphql ";

    /// <summary>What a request names: of objects that are there, or of none.</summary>
    private sealed record Named(string Model, string Experiment, string Run, string Dataset, string Request);

    private static readonly (string Name, Func<Named, string> Ask)[] Kinds =
    [
        ("model", named => $"{Mlflow}registered-models/get?name={named.Model}"),
        ("version", named => $"{Mlflow}model-versions/get?name={named.Model}&version=1"),
        ("run", named => $"{Mlflow}runs/get?run_id={named.Run}"),
        ("experiment", named => $"{Mlflow}experiments/get?experiment_id={named.Experiment}"),
        ("experiment by name", named => $"{Mlflow}experiments/get-by-name?experiment_name={named.Model}"),
        (
            "artifact",
            named => $"/api/2.0/mlflow-artifacts/artifacts/{named.Experiment}/{named.Run}/artifacts/model/MLmodel"
        ),
        ("dataset", named => $"/api/v1/datasets/{named.Dataset}"),
        ("evidence", named => $"/api/v1/models/{named.Model}/versions/1/sbom"),
        ("graphql model", named => $"{GraphQl}model(name:\"{named.Model}\"){{name}}"),
        ("graphql version", named => $"{GraphQl}version(model:\"{named.Model}\",version:1){{urn}}"),
        ("graphql run", named => $"{GraphQl}run(id:\"{named.Run}\"){{urn}}"),
        ("graphql dataset", named => $"{GraphQl}dataset(sha256:\"{named.Dataset}\"){{urn}}"),
        ("graphql request", named => $"{GraphQl}request(id:\"{named.Request}\"){{id}}"),
        (
            "graphql lineage",
            named => $"{GraphQl}lineage(start:{{version:{{model:\"{named.Model}\",version:1}}}}){{truncated}}"
        ),
        ("can", named => $"{Can}&object=model:{named.Model}"),
        ("can experiment", named => $"{Can}&object=experiment:{named.Model}"),
        ("can dataset", named => $"{Can}&object=dataset:{named.Dataset}"),
        ("graphql can", named => $"{GraphQl}can(permission:\"model:read\",object:\"model:{named.Model}\"){{allowed}}"),
    ];

    // Kinds asked for at the same time, each on a connection of its own: an answer that is held takes its time.
    private const int Together = 7;

    /// <summary>Arguments: <c>--pairs N</c> (10000) and <c>--only A,B</c>.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var (pairs, only) = (10_000, Kinds.Select(kind => kind.Name).ToArray());
        for (var i = 0; i + 1 < args.Length; i += 2)
        {
            (pairs, only) = args[i] switch
            {
                "--pairs" => (int.Parse(args[i + 1], CultureInfo.InvariantCulture), only),
                "--only" => (pairs, args[i + 1].Split(',')),
                _ => throw new FormatException($"Unknown option {args[i]}."),
            };
        }

        await using var target = await Target.OpenAsync(new Settings { Connections = 4 });
        return await new Secrets(target, pairs).MeasureAllAsync(only);
    }

    private async Task<int> MeasureAllAsync(string[] only)
    {
        await target.JobsAsync(on: true);
        Named[] there = [.. await MakeAsync()];
        await target.DrainAsync();
        await target.JobsAsync(on: false);
        // Of the same length and, where the gateway numbers them, behind the last number.
        Named[] nowhere =
        [
            .. there.Select(
                (named, i) =>
                    new Named(
                        named.Model.Replace("there", "gone-", StringComparison.Ordinal),
                        (long.Parse(there[^1].Experiment, CultureInfo.InvariantCulture) + 1 + i).ToString(
                            CultureInfo.InvariantCulture
                        ),
                        Hex(16),
                        Hex(32),
                        new Guid(RandomNumberGenerator.GetBytes(16)).ToString()
                    )
            ),
        ];
        System.Console.WriteLine("| asked for | pairs | median µs, there | median µs, nowhere | advantage | load |");
        System.Console.WriteLine("|---|---:|---:|---:|---:|---:|");
        var told = 0;
        await Parallel.ForEachAsync(
            Kinds.Where(kind => only.Contains(kind.Name)),
            new ParallelOptions { MaxDegreeOfParallelism = Together },
            async (kind, _) =>
            {
                if (await MeasureAsync(kind.Name, kind.Ask, there, nowhere) >= 0.02)
                {
                    Interlocked.Increment(ref told);
                }
            }
        );
        return told > 0 ? 1 : 0;
    }

    private async Task<double> MeasureAsync(string name, Func<Named, string> ask, Named[] there, Named[] nowhere)
    {
        await using var wire = await Wire.OpenAsync(target.Http.BaseAddress!, target.Authority);
        byte[][][] requests =
        [
            [.. there.Select(Bytes)],
            [.. nowhere.Select(Bytes)],
        ];
        double[][] times = [new double[pairs], new double[pairs]];
        var warm = Math.Max(1000, pairs / 5);
        for (var i = -warm; i < pairs; i++)
        {
            var one = RandomNumberGenerator.GetInt32(Objects / 2, Objects);
            var first = RandomNumberGenerator.GetInt32(2);
            foreach (var side in new[] { first, 1 - first })
            {
                var (took, answer) = await wire.AskAsync(requests[side][one]);
                if (
                    !answer.StartsWith("404", StringComparison.Ordinal)
                    && !answer.Contains(":null", StringComparison.Ordinal)
                    && !answer.Contains("\"allowed\":false", StringComparison.Ordinal)
                )
                {
                    throw new InvalidOperationException($"{name}: {answer}");
                }

                if (i >= 0)
                {
                    times[side][i] = took;
                }
            }
        }

        var advantage = Advantage.Of(times[0], times[1]);
        System.Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {name} | {pairs} | {Median(times[0]):F0} | {Median(times[1]):F0} | {advantage:F3} | {Load.MachineLoad()} |"
            )
        );
        return advantage;

        byte[] Bytes(Named named)
        {
            var asked = ask(named);
            var body = asked.StartsWith(GraphQl, StringComparison.Ordinal)
                ? new JsonObject { ["query"] = $"{{{asked[GraphQl.Length..]}}}" }.ToJsonString()
                : "";
            var (method, path) = body.Length > 0 ? ("POST", "/graphql") : ("GET", asked);
            return Encoding.UTF8.GetBytes(
                $"{method} {path} HTTP/1.1\r\nHost: localhost:{target.Http.BaseAddress!.Port}\r\nAuthorization: Bearer {target.ProberToken}\r\n"
                    + (body.Length > 0 ? $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n" : "")
                    + $"\r\n{body}"
            );
        }
    }

    private async Task<List<Named>> MakeAsync()
    {
        var made = new List<Named>();
        for (var i = 0; i < Objects; i++)
        {
            var name = $"there-{i:D4}";
            var experiment = Text(await PostAsync("experiments/create", new() { ["name"] = name }), "experiment_id");
            var run = (await PostAsync("runs/create", new() { ["experiment_id"] = experiment }))["run"]!["info"]!;
            var root = $"{experiment}/{Text(run, "run_id")}/artifacts/model";
            await SendAsync(HttpMethod.Put, $"/api/2.0/mlflow-artifacts/artifacts/{root}/MLmodel", "flavors: {}\n");
            await PostAsync("registered-models/create", new() { ["name"] = name });
            await PostAsync(
                "model-versions/create",
                new()
                {
                    ["name"] = name,
                    ["source"] = $"mlflow-artifacts:/{root}",
                    ["run_id"] = Text(run, "run_id"),
                }
            );
            var dataset = await SendAsync(HttpMethod.Post, $"/api/v1/datasets?name={name}", $"city,n\n{name},{i}\n");
            var query = $"mutation{{requestPromotion(model:\"{name}\",version:1,target:{{stage:STAGING}}){{id}}}}";
            using var content = JsonContent.Create(new JsonObject { ["query"] = query });
            using var asked = await target.Http.PostAsync(new Uri("/graphql", UriKind.Relative), content);
            var request = JsonNode.Parse(await asked.Content.ReadAsStringAsync())!["data"]!["requestPromotion"]!;
            made.Add(new Named(name, experiment, Text(run, "run_id"), Text(dataset, "sha256"), Text(request, "id")));
        }

        return made;
    }

    private async Task<JsonNode> PostAsync(string route, JsonObject body)
    {
        using var content = JsonContent.Create(body);
        using var answer = await target.Http.PostAsync(new Uri(Mlflow + route, UriKind.Relative), content);
        return await ReadAsync(answer);
    }

    private async Task<JsonNode> SendAsync(HttpMethod method, string path, string text)
    {
        using var request = new HttpRequestMessage(method, path) { Content = new StringContent(text) };
        using var answer = await target.Http.SendAsync(request);
        return await ReadAsync(answer);
    }

    private static async Task<JsonNode> ReadAsync(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync();
        return answer.IsSuccessStatusCode
            ? JsonNode.Parse(text)!
            : throw new InvalidOperationException($"{(int)answer.StatusCode} {text}");
    }

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    private static double Median(double[] times) => times.Order().ElementAt(times.Length / 2);

    private static string Hex(int bytes) => RandomNumberGenerator.GetHexString(2 * bytes, lowercase: true);
}
