using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Governance.Gateway.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>Every route of MLflow has a decision, the gateway keeps it, and the page that tells of it is true.</summary>
[Collection(GatewayTests.Name)]
public sealed partial class MlflowInventoryTests(LiveGateway gateway)
{
    private const string Begin =
        "<!-- routes: written by MlflowInventoryTests from tests/Governance.Gateway.Tests/Data/mlflow-routes.txt -->";
    private const string End = "<!-- end of routes -->";

    private static readonly string[] Roots =
    [
        "/api/2.0/mlflow",
        "/api/2.0mlflow",
        "/api/3.0/",
        "/ajax-api/",
        "/get-artifact",
        "/model-versions/",
        "/v1/",
    ];

    private static string Repository => Paths.Base;

    private static IReadOnlyList<Line> Lines =>
        [
            .. File.ReadAllLines(
                    Path.Combine(Repository, "tests", "Governance.Gateway.Tests", "Data", "mlflow-routes.txt")
                )
                .Where(line => line.Length > 0 && line[0] != '#')
                .Select(Line.Parse),
        ];

    [Fact]
    public async Task The_gateway_does_what_was_decided_for_every_route()
    {
        var dana = gateway.As("dana");
        var made = await dana.PostAsync("runs/create", new() { ["experiment_id"] = "0" });
        var run = made.Text("run", "info", "run_id");
        var client = gateway.Http("dana");
        using (var file = new ByteArrayContent("x"u8.ToArray()))
        {
            using var put = await client.PutAsync(
                new Uri($"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/x", UriKind.Relative),
                file,
                TestContext.Current.CancellationToken
            );
            Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        }

        var wrong = new List<string>();
        foreach (var line in Lines.Where(line => line.Decision != "replaced"))
        {
            foreach (var path in line.Examples(run))
            {
                using var message = new HttpRequestMessage(new HttpMethod(line.Method), path);
                if (line.Method is not "GET" and not "PUT")
                {
                    var body = path.Contains("presigned", StringComparison.Ordinal)
                        ? $$"""{"run_id":"{{run}}","path":"x"}"""
                        : "{}";
                    message.Content = new StringContent(body, Encoding.UTF8, "application/json");
                }

                using var answer = await client.SendAsync(message, TestContext.Current.CancellationToken);
                var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                var refused =
                    answer.StatusCode == HttpStatusCode.NotImplemented
                    || text.Contains("ENDPOINT_NOT_FOUND", StringComparison.Ordinal)
                    || text.Contains("route.unknown", StringComparison.Ordinal);
                var wants501 = line.Note.StartsWith("501", StringComparison.Ordinal);
                if (
                    (line.Decision == "refused") != refused
                    || wants501 != (answer.StatusCode == HttpStatusCode.NotImplemented)
                    || (int)answer.StatusCode is 405 or 500
                )
                {
                    wrong.Add($"{line.Decision} {line.Method} {path}: {(int)answer.StatusCode} {text}");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void Every_route_under_mlflows_addresses_has_a_decision()
    {
        var listed = Lines.SelectMany(line => line.Examples("x").Select(path => (line.Method, Path: path))).ToList();
        var unknown = Inventory
            .Of([gateway.Services.GetRequiredService<EndpointDataSource>()])
            .Select(route => route.Split(' '))
            .Where(route => Roots.Any(root => route[1].StartsWith(root, StringComparison.Ordinal)) && route[0] != "*")
            .Select(route =>
                (Text: string.Join(' ', route), Method: route[0] is "HEAD" ? "GET" : route[0], Path: route[1])
            )
            .Where(route =>
                !listed.Exists(known => known.Method == route.Method && Pattern(route.Path).IsMatch(known.Path))
            )
            .Select(route => route.Text);

        Assert.Equal([], unknown);
    }

    [Fact]
    public void Whatever_is_refused_says_why_and_nothing_is_listed_twice()
    {
        Assert.All(Lines.Where(line => line.Decision != "served"), line => Assert.True(line.Note.Length > 10));
        Assert.Equal(
            [],
            Lines.GroupBy(line => (line.Method, line.Path)).Where(same => same.Count() > 1).Select(s => s.Key)
        );
        Assert.True(Lines.Count > 180, $"{Lines.Count}");
    }

    [Fact]
    public void The_page_on_compatibility_shows_every_decision()
    {
        var page = Path.Combine(Repository, "docs", "reference", "mlflow-compatibility.md");
        var table = new StringBuilder(Begin).Append("\n\n| | method | route | why, or note |\n|---|---|---|---|\n");
        foreach (var line in Lines)
        {
            table.Append($"| {line.Decision} | {line.Method} | `{line.Path}` | {line.Note} |\n");
        }

        table.Append('\n').Append(End);
        var text = File.ReadAllText(page);
        var (from, to) = (text.IndexOf(Begin, StringComparison.Ordinal), text.IndexOf(End, StringComparison.Ordinal));
        var expected = text[..from] + table + text[(to + End.Length)..];
        if (
            Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1"
            && Environment.GetEnvironmentVariable("CI") is null
        )
        {
            File.WriteAllText(page, expected);
            return;
        }

        Assert.Equal(expected, text, ignoreLineEndingDifferences: true);
    }

    private static Regex Pattern(string route) =>
        new(
            "^" + Parameter().Replace(Regex.Escape(route).Replace(@"\{", "{", StringComparison.Ordinal), Any) + "$",
            RegexOptions.None,
            TimeSpan.FromSeconds(1)
        );

    private static string Any(Match parameter) =>
        parameter.Value.Contains(@"\*\*", StringComparison.Ordinal) ? ".+" : "[^/]+";

    [GeneratedRegex(@"\{[^}]*\}", RegexOptions.None, 1000)]
    private static partial Regex Parameter();

    /// <summary>One line of the list.</summary>
    private sealed record Line(string Decision, string Method, string Path, string Note)
    {
        public static Line Parse(string text)
        {
            var note = text.IndexOf(" # ", StringComparison.Ordinal);
            var parts = (note < 0 ? text : text[..note]).Split(' ');
            Assert.True(parts.Length == 3 && parts[0] is "served" or "refused" or "replaced", text);
            return new Line(parts[0], parts[1], parts[2], note < 0 ? "" : text[(note + 3)..]);
        }

        /// <summary>The addresses it stands for, with examples for parameters.</summary>
        public IEnumerable<string> Examples(string run)
        {
            var example = Parameter()
                .Replace(
                    Path,
                    match =>
                        match.Value switch
                        {
                            "{path}"
                                when Path.Contains("/mpu/", StringComparison.Ordinal)
                                    || Path.Contains("/presigned/", StringComparison.Ordinal) => $"0/{run}/artifacts/x",
                            "{trace_id}" => $"tr-{new string('0', 32)}",
                            _ => "x",
                        }
                );
            return example[0] == '/' ? [example] : [$"/api/{example}", $"/ajax-api/{example}"];
        }
    }
}
