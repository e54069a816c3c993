using System.Text;
using System.Text.Json.Nodes;

namespace Governance.Cli.Tests;

/// <summary>Verbs that ask the gateway, over real TLS.</summary>
public sealed class ServerVerbTests : IAsyncLifetime
{
    private readonly CliRun _cli = new();
    private FakeGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await FakeGateway.StartAsync();
        _cli.Write("ca.pem", _gateway.AuthorityPem);
    }

    public async ValueTask DisposeAsync()
    {
        _cli.Dispose();
        await _gateway.DisposeAsync();
    }

    [Fact]
    public async Task Who_am_I_sends_the_token_of_the_environment()
    {
        _gateway.AnswerJson(
            """{"data":{"whoAmI":{"id":"p-1","kind":"PERSON","authenticatedAt":null,"roles":[{"role":"reviewer","on":"MODEL","pattern":"fraud*"}],"permissions":["model:read"]}}}"""
        );

        var answer = await RunAsync("whoami");

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Contains("PERSON p-1", answer.Out);
        Assert.Contains("reviewer on MODEL fraud*", answer.Out);
        Assert.Equal($"Bearer {CliRun.AccessToken}", Assert.Single(_gateway.Requests).Authorization);
    }

    [Fact]
    public async Task A_gateway_of_another_authority_is_not_trusted_and_gets_no_token()
    {
        await using var other = await FakeGateway.StartAsync();

        var answer = await _cli.RunAsync("whoami", "--server", other.Address, "--ca", _cli.At("ca.pem"));

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("server.not_trusted:", answer.Error);
        Assert.Empty(other.Requests);
    }

    [Fact]
    public async Task A_certificate_for_another_name_is_not_trusted()
    {
        var answer = await _cli.RunAsync(
            "whoami",
            "--server",
            $"https://127.0.0.1:{_gateway.Port}",
            "--ca",
            _cli.At("ca.pem")
        );

        Assert.StartsWith("server.not_trusted:", answer.Error);
        Assert.Empty(_gateway.Requests);
    }

    [Fact]
    public async Task Without_a_ca_a_private_certificate_is_not_trusted()
    {
        var answer = await _cli.RunAsync("whoami", "--server", _gateway.Address);

        Assert.StartsWith("server.not_trusted:", answer.Error);
        Assert.Empty(_gateway.Requests);
    }

    [Fact]
    public async Task Insecure_accepts_any_certificate_on_loopback()
    {
        _gateway.AnswerJson("""{"data":{"whoAmI":{"id":"p-1","kind":"PERSON","roles":[],"permissions":[]}}}""");

        var answer = await _cli.RunAsync("whoami", "--server", _gateway.Address, "--insecure");

        Assert.Equal(0, answer.Exit);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        _gateway.AnswerJson("{}", 307);

        var answer = await RunAsync("whoami");

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("server.status_307:", answer.Error);
    }

    [Fact]
    public async Task A_refusal_keeps_the_gateways_code_and_reasons()
    {
        _gateway.AnswerJson(
            """{"data":null,"errors":[{"message":"Policy refuses.","extensions":{"code":"promotion.denied","reasons":["The privacy verdict is incomplete."]}}]}"""
        );

        var answer = await RunAsync("promote", "fraud/3", "--to", "stage:Production");

        Assert.Equal(1, answer.Exit);
        Assert.Equal(
            "promotion.denied: Policy refuses.\n  - The privacy verdict is incomplete.\n",
            answer.Error.ReplaceLineEndings("\n")
        );
    }

    [Theory]
    [InlineData(403, 1, "a.code: No.")]
    [InlineData(500, 2, "a.code: No.")]
    public async Task A_problem_of_the_gateway_is_said(int status, int exit, string error)
    {
        _gateway.AnswerJson("""{"code":"a.code","detail":"No."}""", status);

        var answer = await RunAsync("datasets", "upload", _cli.Write("t.csv", "a\n1\n"), "--name", "t");

        Assert.Equal(exit, answer.Exit);
        Assert.Equal(error, answer.Error.TrimEnd());
    }

    [Fact]
    public async Task A_problem_without_a_detail_is_said_by_its_title()
    {
        _gateway.AnswerJson(
            """{"status":401,"title":"The token is not valid.","code":"identity.invalid_token"}""",
            401
        );

        var answer = await RunAsync("whoami");

        Assert.Equal("identity.invalid_token: The token is not valid.", answer.Error.TrimEnd());
    }

    [Fact]
    public async Task An_address_where_nothing_answers_is_named()
    {
        var answer = await _cli.RunAsync("whoami", "--server", "https://localhost:1", "--ca", _cli.At("ca.pem"));

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("server.unreachable: Nothing answers at https://localhost:1/.", answer.Error);
    }

    [Fact]
    public async Task An_answer_that_is_no_answer_is_refused()
    {
        _gateway.AnswerJson("<html>");

        var answer = await RunAsync("whoami");

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("server.bad_answer:", answer.Error);
    }

    [Fact]
    public async Task A_dataset_is_sent_as_it_is()
    {
        _gateway.AnswerJson("""{"sha256":"abc","name":"my data","size":4,"scanState":"PENDING"}""", 201);

        var answer = await RunAsync("datasets", "upload", _cli.Write("t.csv", "a\n1\n"), "--name", "my data");

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        var seen = Assert.Single(_gateway.Requests);
        Assert.Equal(
            ("POST", "/api/v1/datasets?name=my%20data&format=csv", "a\n1\n"),
            (seen.Method, seen.Address, seen.Body)
        );
        Assert.StartsWith("sha256:abc", answer.Out);
    }

    [Theory]
    [InlineData(
        "request models:/fraud/3 --to alias:champion --reason why",
        "requestPromotion",
        """{"model":"fraud","version":3,"target":{"alias":"champion"},"reason":"why"}"""
    )]
    [InlineData("approve r-1 --comment fine", "approveRequest", """{"id":"r-1","comment":"fine"}""")]
    [InlineData("reject r-1", "rejectRequest", """{"id":"r-1","comment":""}""")]
    [InlineData(
        "promote fraud/3 --to stage:Production --archive-existing",
        "carryOutPromotion",
        """{"model":"fraud","version":3,"target":{"stage":"PRODUCTION"},"archive":true}"""
    )]
    [InlineData(
        "lineage fraud/3 --direction both --depth 6",
        "lineage",
        """{"start":{"version":{"model":"fraud","version":3}},"direction":"BOTH","depth":6}"""
    )]
    [InlineData("lineage run:1", "lineage", """{"start":{"urn":"run:1"},"direction":"UP","depth":16}""")]
    public async Task A_verb_becomes_its_graphql_document(string line, string field, string variables)
    {
        _gateway.AnswerJson($"{{\"data\":{{\"{field}\":{{\"id\":\"r-1\",\"state\":\"open\"}}}}}}");

        var answer = await RunAsync(line.Split(' '));

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        var body = JsonNode.Parse(Assert.Single(_gateway.Requests).Body)!;
        Assert.Contains(field, body["query"]!.ToString());
        Assert.Equal(variables, body["variables"]!.ToJsonString());
    }

    [Fact]
    public async Task What_cannot_be_seen_has_no_lineage()
    {
        _gateway.AnswerJson("""{"data":{"lineage":null}}""");

        var answer = await RunAsync("lineage", "fraud/3");

        Assert.Equal(1, answer.Exit);
    }

    [Fact]
    public async Task A_promotion_writes_its_receipt()
    {
        _gateway.AnswerJson(
            """{"data":{"carryOutPromotion":{"version":{"model":"fraud","version":3,"stage":"PRODUCTION","aliases":[]},"receipt":{"id":"e-1","json":"{\"a\":1}"}}}}"""
        );

        var answer = await RunAsync(
            "promote",
            "fraud/3",
            "--to",
            "stage:Production",
            "--receipt",
            _cli.At("receipt.json")
        );

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Equal("{\"a\":1}", File.ReadAllText(_cli.At("receipt.json")));
    }

    [Fact]
    public async Task A_report_in_pdf_comes_with_its_signature()
    {
        _gateway.Answer = address =>
            address switch
            {
                "POST /api/v1/reports" => Utf8("""{"id":"r-1","regulation":"gdpr","model":"fraud","version":3}"""),
                "GET /api/v1/reports/r-1?format=pdf" => Utf8("%PDF"),
                "GET /api/v1/reports/r-1?format=bundle" => Utf8("{}"),
                _ => null,
            };

        var answer = await RunAsync(
            "report",
            "create",
            "--regulation",
            "GDPR",
            "--scope",
            "fraud/3",
            "--format",
            "pdf",
            "--out",
            _cli.At("r.pdf")
        );

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Equal("""{"model":"fraud","version":3,"regulation":"gdpr"}""", _gateway.Requests[0].Body);
        Assert.Equal("%PDF", File.ReadAllText(_cli.At("r.pdf")));
        Assert.Equal("{}", File.ReadAllText(_cli.At("r.pdf.sigstore.json")));
    }

    private Task<Answer> RunAsync(params string[] args) =>
        _cli.RunAsync([.. args, "--server", _gateway.Address, "--ca", _cli.At("ca.pem")]);

    [Fact]
    public async Task An_import_is_started_by_name_and_followed_to_its_end()
    {
        var asked = 0;
        _gateway.Answer = request =>
            request == "POST /api/v1/imports" ? (202, Encoding.UTF8.GetBytes(Import("running", 0)))
            : request == "GET /api/v1/imports/i-1"
                ? (200, Encoding.UTF8.GetBytes(Import(asked++ > 0 ? "done" : "running", 1)))
            : null;

        var answer = await RunAsync("import", "--source", "old", "--models", "fraud*", "--dry-run", "--follow");

        Assert.Equal((1, ""), (answer.Exit, answer.Error));
        Assert.Equal("""{"source":"old","dryRun":true,"models":"fraud*"}""", _gateway.Requests[0].Body);
        Assert.Contains("runs: 2/5 runs (1 failed); 1.5 MB", answer.Out);
        Assert.Contains("Import i-1 from old (dry run): done", answer.Out);
        Assert.Contains("What was left out, and why: govern import failures i-1", answer.Out);
    }

    [Fact]
    public async Task What_an_import_left_out_is_listed_page_by_page()
    {
        _gateway.Answer = request =>
            request switch
            {
                "GET /api/v1/imports/i-1/failures" => (
                    200,
                    Encoding.UTF8.GetBytes(
                        """{"failures":[{"kind":"model","id":"m","code":"registry.import_conflict","message":"Taken."}],"nextToken":"t=="}"""
                    )
                ),
                "GET /api/v1/imports/i-1/failures?pageToken=t%3D%3D" => (
                    200,
                    Encoding.UTF8.GetBytes(
                        """{"failures":[{"kind":"run","id":"r","code":"registry.remote_error","message":"Broken."}],"nextToken":null}"""
                    )
                ),
                _ => null,
            };

        var answer = await RunAsync("import", "failures", "i-1");

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Equal(
            ["model m: registry.import_conflict: Taken.", "run r: registry.remote_error: Broken."],
            answer.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        );
    }

    [Fact]
    public async Task An_import_needs_the_name_of_a_source()
    {
        var answer = await RunAsync("import");

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("cli.usage:", answer.Error);
        Assert.Empty(_gateway.Requests);
    }

    private static string Import(string state, int failed) =>
        $$"""
            {"id":"i-1","source":"old","state":"{{state}}","phase":"runs","dryRun":true,"files":3,"bytes":1500000,"stop":null,
            "counts":[{"kind":"run","seen":5,"imported":2,"present":0,"failed":{{failed}}}]}
            """;

    private static (int, byte[]) Utf8(string text) => (200, Encoding.UTF8.GetBytes(text));
}
