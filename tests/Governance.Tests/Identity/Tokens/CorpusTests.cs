using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Governance.Tests.Identity.Tokens;

/// <summary>
/// Forged and misused tokens are refused, unusual ones are not. The recipes are data: forged.tsv and unusual.tsv beside this
/// file. Every refusal names its reason where RFC 6750 §3 and RFC 9449 §7.1 want it.
/// <para>
/// Counted twice: rows that make the same kind of thing of the same parameters count once (<see cref="Distinct"/>), and, more
/// strictly, rows that touch the same parameters count once whatever they make of them (<see cref="Touched"/>). A step that
/// changes no parameter, such as another signature, counts as it is written.
/// </para>
/// </summary>
public sealed partial class CorpusTests
{
    private static readonly IReadOnlyList<string[]> Forged = Read("forged.tsv");
    private static readonly IReadOnlyList<string[]> Unusual = Read("unusual.tsv");

    [Fact]
    public void The_corpus_is_as_large_as_promised_and_counts_repeats_of_one_parameter_once()
    {
        var classes = Forged.GroupBy(row => row[0]).ToList();

        Assert.True(Distinct(Forged.Select(row => row[2])) >= 300);
        Assert.True(Touched(Forged.Select(row => row[2])) >= 300);
        Assert.True(classes.Count >= 20);
        Assert.All(classes, cases => Assert.True(Distinct(cases.Select(row => row[2])) >= 15, cases.Key));
        Assert.All(classes, cases => Assert.True(Touched(cases.Select(row => row[2])) >= 15, cases.Key));
        Assert.True(Distinct(Unusual.Select(row => row[1])) >= 60);
        Assert.Equal(Forged.Count, Forged.Select(row => row[2]).Distinct().Count());
        Assert.Equal(Unusual.Count, Unusual.Select(row => row[1]).Distinct().Count());
    }

    [Theory]
    [InlineData("c aud=\"a\"", "c aud=\"b\"", 1)]
    [InlineData("c aud=\"a\"", "c aud=\"\"", 2)]
    [InlineData("c exp=$past", "c exp=0", 1)]
    [InlineData("c exp=$past;c nbf=1", "c exp=$past", 2)]
    [InlineData("c cnf={\"jkt\":\"a\"}", "c cnf={\"jkt\":\"b\"}", 1)]
    [InlineData("c cnf={\"jkt\":\"a\"}", "c cnf={\"kid\":\"a\"}", 2)]
    [InlineData("c aud=[\"a\"]", "c aud=[\"a\",\"b\"]", 1)]
    [InlineData("bound;dpop;p c htu=\"a\"", "bound;dpop;p c htu=\"$url/b\"", 1)]
    [InlineData("craw exp=1e4", "craw exp=x", 2)]
    public void Rows_that_differ_in_a_text_or_number_of_one_parameter_count_once(string one, string other, int count) =>
        Assert.Equal(count, Distinct([one, other]));

    [Theory]
    [InlineData("c aud=\"a\"", "c -aud", 1)]
    [InlineData("c aud=\"a\";c jti=\"x\"", "c jti=\"y\";c aud=[]", 1)]
    [InlineData("c aud=\"a\"", "h aud=\"a\"", 2)]
    [InlineData("c aud=\"a\"", "c aud=\"a\";c jti=\"x\"", 2)]
    [InlineData("craw exp=1e4", "c exp=1", 1)]
    [InlineData("sign empty", "sign cut", 2)]
    public void Rows_that_touch_the_same_parameters_count_once(string one, string other, int count) =>
        Assert.Equal(count, Touched([one, other]));

    [Fact]
    public async Task No_forged_token_is_accepted_and_each_refusal_says_so_correctly()
    {
        await using var scene = await Scene.StartAsync();
        var forger = new Forger(scene);
        var wrong = new List<string>();
        foreach (var row in Forged)
        {
            var (status, challenges) = await forger.SendAsync(row[2]);
            if (status != 401 || !IsChallenge(challenges, row.Length > 3 ? row[3] : ExpectedOf(row[0])))
            {
                wrong.Add($"{row[0]}: {row[1]}: {status} {string.Join(" | ", challenges)}");
            }
        }

        // The scene itself is good: what a recipe does not change is accepted.
        Assert.Equal(200, (await forger.SendAsync("")).Status);
        Assert.Equal(200, (await forger.SendAsync("bound;dpop")).Status);
        Assert.Equal(200, (await forger.SendAsync("tls;mutual")).Status);
        Assert.Equal(200, (await forger.SendAsync("c more=1")).Status);
        Assert.True(wrong.Count == 0, string.Join(Environment.NewLine, wrong));
    }

    [Fact]
    public async Task Every_unusual_token_is_accepted()
    {
        await using var scene = await Scene.StartAsync();
        var forger = new Forger(scene);
        var wrong = new List<string>();
        foreach (var row in Unusual)
        {
            var (status, challenges) = await forger.SendAsync(row[1]);
            if (status != 200)
            {
                wrong.Add($"{row[0]}: {status} {string.Join(" | ", challenges)}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join(Environment.NewLine, wrong));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Authorization: Basic eDp5")]
    [InlineData("X-Access-Token: x")]
    [InlineData("Cookie: access_token=x")]
    public async Task Without_a_token_no_error_is_named(string line)
    {
        await using var scene = await Scene.StartAsync();

        var (status, challenges) = await new Forger(scene).SendAsync(
            line.Length == 0 ? [] : [line],
            "?access_token=" + scene.Token
        );

        Assert.Equal(401, status);
        Assert.DoesNotContain(challenges, challenge => challenge.Contains("error", StringComparison.Ordinal));
        Assert.True(challenges.Count == 2);
    }

    // RFC 6750 §3.1 for the token, RFC 9449 §7.1 for the proof, which is looked at when the token is good. Forged tokens come as
    // Bearer unless the recipe says otherwise; rows that are answered by the other scheme say so themselves.
    private static string ExpectedOf(string kind) =>
        kind.StartsWith("proof: ", StringComparison.Ordinal) ? "DPoP invalid_dpop_proof" : "Bearer invalid_token";

    // Both schemes are offered; the expected one comes first and carries the expected error, the other one carries none.
    private static bool IsChallenge(IReadOnlyList<string> challenges, string expected)
    {
        var (scheme, error) = (expected.Split(' ')[0], expected.Split(' ')[1]);
        const string bearer = "Bearer realm=\"governance\"";
        const string dpop = "DPoP realm=\"governance\", algs=\"ES256 ES384 PS256\"";
        var (mine, other) = scheme == "DPoP" ? (dpop, bearer) : (bearer, dpop);
        return challenges.Count == 2
            && challenges[0].StartsWith($"{mine}, error=\"{error}\", error_description=\"", StringComparison.Ordinal)
            && challenges[0].EndsWith('"')
            && challenges[1] == other;
    }

    private static int Touched(IEnumerable<string> recipes) =>
        recipes
            .Select(recipe => string.Join(';', recipe.Split(';').Select(ParameterOf).Distinct().Order()))
            .Distinct()
            .Count();

    // "c aud" of "c aud=1", "c -aud" and "craw aud=x" alike; of the proof "p c htu".
    private static string ParameterOf(string step) =>
        Parameter().Match(step) is { Success: true } found
            ? found
                .Groups["part"]
                .Value.Replace("praw", "p c", StringComparison.Ordinal)
                .Replace("craw", "c", StringComparison.Ordinal) + found.Groups["name"].Value
            : step;

    private static int Distinct(IEnumerable<string> recipes) =>
        recipes.Select(recipe => string.Join(';', recipe.Split(';').Select(ShapeOf))).Distinct().Count();

    // A step without the texts and numbers of its value: which parameter becomes what kind of thing.
    private static string ShapeOf(string step)
    {
        var match = Assignment().Match(step);
        if (!match.Success)
        {
            return step;
        }

        var value = match.Groups["value"].Value;
        if (!value.StartsWith('"'))
        {
            value = Times().Replace(value, "0");
            value = Values().Replace(value, found => $"{{\"{found.Value}\":0}}");
        }

        try
        {
            return match.Groups["what"].Value + ShapeOf(JsonNode.Parse(value));
        }
        catch (JsonException)
        {
            return match.Groups["what"].Value + "no JSON";
        }
    }

    private static string ShapeOf(JsonNode? json) =>
        json switch
        {
            JsonObject members =>
                $"{{{string.Join(',', members.Select(one => one.Key + ShapeOf(one.Value)).Order())}}}",
            JsonArray items => $"[{string.Join(',', items.Select(ShapeOf).Distinct().Order())}]",
            JsonValue value when value.TryGetValue<string>(out var text) => text.Length == 0 ? "empty" : "text",
            _ => $"{json?.GetValueKind() ?? JsonValueKind.Null}",
        };

    private static IReadOnlyList<string[]> Read(string name) =>
        [
            .. File.ReadLines(Path.Combine(Golden.Repository, "tests", "Governance.Tests", "Identity", "Tokens", name))
                .Where(line => !line.StartsWith('#'))
                .Select(line => line.Split('\t')),
        ];

    [GeneratedRegex("^(?<what>(?:(?:late |p )?[hc]|craw|praw) [^-=][^=]*=)(?<value>.*)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Assignment();

    [GeneratedRegex("^(?<part>(?:late |p )?[hc] |craw |praw )-?(?<name>[^=]+)(=.*)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\$(past|justpast|future|far|now|halfago|halfahead)\b", RegexOptions.ExplicitCapture)]
    private static partial Regex Times();

    [GeneratedRegex(@"(?<!"")\$[\w+-]+")]
    private static partial Regex Values();
}
