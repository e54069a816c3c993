using System.Text.Json.Nodes;
using Governance.Scanning.Contracts;

namespace Governance.Cli.Tests;

/// <summary>Verbs that read files and ask nobody.</summary>
public sealed class LocalVerbTests : IDisposable
{
    private const string Persons = "name,email,age\nAna Silva,ana@example.com,31\nBob Jones,bob@example.org,42\n";
    private readonly CliRun _cli = new();

    [Fact]
    public async Task A_scan_names_what_a_pickle_would_call()
    {
        _cli.Write("model/model.pkl", DemoThreat.MaliciousPickle());
        _cli.Write("model/config.json", "{}");

        var answer = await _cli.RunAsync("scan", _cli.At("model"), "--format", "jsonl");

        Assert.Equal(1, answer.Exit);
        var lines = answer.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!);
        Assert.Contains(
            lines,
            line =>
                line["path"]!.ToString() == "model.pkl"
                && line["class"]!.ToString() == "malicious"
                && line["detail"]!.ToString().Contains("os.system", StringComparison.Ordinal)
        );
        Assert.Contains(
            lines,
            line => line["path"]!.ToString() == "config.json" && line["class"]!.ToString() == "clean"
        );
    }

    [Fact]
    public async Task A_scan_of_a_clean_folder_is_fine()
    {
        _cli.Write("model/config.json", "{}");

        var answer = await _cli.RunAsync("scan", _cli.At("model"));

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Contains("clean", answer.Out);
    }

    [Fact]
    public async Task A_file_name_cannot_steer_the_terminal()
    {
        _cli.Write("model/a\u001b[2J.pkl", DemoThreat.MaliciousPickle());

        var answer = await _cli.RunAsync("scan", _cli.At("model"));

        Assert.Equal(1, answer.Exit);
        Assert.DoesNotContain('\u001b', answer.Out + answer.Error);
    }

    [Fact]
    public async Task A_bill_of_materials_lists_files_and_requirements()
    {
        _cli.Write("model/requirements.txt", "numpy==2.1.0\n");

        var answer = await _cli.RunAsync(
            "sbom",
            _cli.At("model"),
            "--out",
            _cli.At("bom.json"),
            "--name",
            "fraud",
            "--version",
            "3"
        );

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        var bom = File.ReadAllText(_cli.At("bom.json"));
        Assert.Contains("pkg:pypi/numpy@2.1.0", bom);
        Assert.Equal("CycloneDX", JsonNode.Parse(bom)!["bomFormat"]!.ToString());
    }

    [Fact]
    public async Task A_privacy_scan_tells_kinds_and_never_values()
    {
        var answer = await _cli.RunAsync("privacy", "scan", _cli.Write("persons.csv", Persons));

        Assert.Equal(1, answer.Exit);
        Assert.Contains("email: EMAIL, raw, direct", answer.Out);
        Assert.Contains("Verdict: FAIL", answer.Out);
        Assert.DoesNotContain("ana@", answer.Out);
    }

    [Fact]
    public async Task Columns_are_listed_for_machines()
    {
        var answer = await _cli.RunAsync("privacy", "columns", _cli.Write("persons.csv", Persons), "--format", "json");

        Assert.Equal(0, answer.Exit);
        var columns = JsonNode.Parse(answer.Out)!["columns"]!.AsArray();
        Assert.Equal(["name", "email", "age"], columns.Select(column => column!["name"]!.ToString()));
    }

    [Theory]
    [InlineData("1", 0)]
    [InlineData("2", 1)]
    public async Task Anonymity_is_measured_against_the_least_k(string leastK, int exit)
    {
        var answer = await _cli.RunAsync(
            "privacy",
            "anonymity",
            _cli.Write("persons.csv", Persons),
            "--quasi",
            "age",
            "--least-k",
            leastK
        );

        Assert.Equal(exit, answer.Exit);
        Assert.Contains("k = 1", answer.Out);
    }

    [Fact]
    public async Task A_table_is_anonymised_as_planned()
    {
        var answer = await _cli.RunAsync(
            "privacy",
            "anonymise",
            _cli.Write("persons.csv", Persons),
            "--plan",
            "name=drop,email=tokenise,age=generalise:10",
            "--out",
            _cli.At("safe.csv")
        );

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        var safe = File.ReadAllText(_cli.At("safe.csv"));
        Assert.StartsWith("email,age", safe);
        Assert.Contains("30-39", safe);
        Assert.DoesNotContain("ana@", safe);
    }

    [Fact]
    public async Task A_table_is_never_overwritten()
    {
        var persons = _cli.Write("persons.csv", Persons);

        var answer = await _cli.RunAsync(
            "privacy",
            "anonymise",
            persons,
            "--plan",
            "name=drop,email=drop,age=keep",
            "--out",
            persons
        );

        Assert.Equal(2, answer.Exit);
        Assert.Equal(Persons, File.ReadAllText(persons));
    }

    [Fact]
    public async Task A_plan_that_forgets_a_column_writes_nothing()
    {
        var answer = await _cli.RunAsync(
            "privacy",
            "anonymise",
            _cli.Write("persons.csv", Persons),
            "--plan",
            "name=drop",
            "--out",
            _cli.At("safe.csv")
        );

        Assert.Equal(2, answer.Exit);
        Assert.Equal(["persons.csv"], Directory.GetFiles(_cli.At("")).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Identifiers_in_text_are_found_by_utf16_position()
    {
        _cli.Input =
            "{\"id\":\"a\",\"text\":\"\U0001F600 mail ana@example.com\"}\n{\"id\":7,\"text\":\"nothing here\"}\n";

        var answer = await _cli.RunAsync("privacy", "text");

        var lines = answer.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!);
        Assert.Equal(0, answer.Exit);
        Assert.Equal(["a", "7"], lines.Select(line => line["id"]!.ToString()));
        var finding = Assert.Single(lines.First()["findings"]!.AsArray())!;
        Assert.Equal((8, 23, "EMAIL"), ((int)finding["start"]!, (int)finding["end"]!, finding["type"]!.ToString()));
    }

    [Fact]
    public async Task A_plain_text_is_one_document()
    {
        var answer = await _cli.RunAsync("privacy", "text", _cli.Write("letter.txt", "Write to\nbob@example.org"));

        Assert.StartsWith(
            "{\"id\":\"letter.txt\",\"findings\":[{\"start\":9,\"end\":24,\"type\":\"EMAIL\"",
            answer.Out
        );
    }

    [Fact]
    public async Task The_shipped_policy_passes_its_cases()
    {
        var answer = await PolicyTestAsync(Repository.Read("policies/promotion.cases.yaml"));

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.DoesNotContain("FAILED", answer.Out);
    }

    [Fact]
    public async Task A_case_that_comes_out_differently_fails()
    {
        var answer = await PolicyTestAsync("- { name: too easy, target: \"stage:Production\", expect: allow }\n");

        Assert.Equal(1, answer.Exit);
        Assert.Contains("FAILED  too easy: expected allow, decided needs-approval", answer.Out);
    }

    [Theory]
    [InlineData("- { name: a, target: \"stage:Production\", expect: allow, facts: { scam: clean } }")]
    [InlineData("- { name: a, target: \"stage:Production\", expect: maybe }")]
    [InlineData("- &a { name: a }\n- *a")]
    [InlineData("{}")]
    [InlineData("- [")]
    public async Task Cases_that_are_not_understood_are_refused(string cases)
    {
        var answer = await PolicyTestAsync(cases);

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("cli.bad_cases:", answer.Error);
    }

    [Fact]
    public async Task Cases_nested_without_end_are_refused()
    {
        var answer = await PolicyTestAsync(new string('[', 100_000));

        Assert.Equal(2, answer.Exit);
    }

    [Fact]
    public async Task A_policy_with_an_unknown_word_does_not_pass_the_linter()
    {
        var file = _cli.Write("p.yaml", "version: 1\nsurprise: 1\n");

        var answer = await _cli.RunAsync("policy", "lint", "--file", file);

        Assert.Equal(1, answer.Exit);
        Assert.Contains("line 2", answer.Error);
    }

    public void Dispose() => _cli.Dispose();

    private Task<Answer> PolicyTestAsync(string cases) =>
        _cli.RunAsync(
            "policy",
            "test",
            "--file",
            _cli.Write("promotion.yaml", Repository.Read("policies/promotion.yaml")),
            "--cases",
            _cli.Write("cases.yaml", cases)
        );
}
