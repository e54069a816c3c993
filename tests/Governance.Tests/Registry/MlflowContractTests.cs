using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Registry.Storage;

namespace Governance.Tests.Registry;

/// <summary>
/// One host for the tables below. Model <c>m</c>: versions 1 (Production, alias champion, tag k=v) and 3 (None), 2 was deleted.
/// Models <c>a_1</c> and <c>B-2</c> have no version. Run <c>Run</c> has a param, a tag, metrics and an input dataset.
/// </summary>
public sealed class ContractHost : IAsyncLifetime
{
    internal RegistryHost Host { get; private set; } = null!;

    public string Experiment { get; private set; } = "";

    public string Run { get; private set; } = "";

    public string Path { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        Host = await RegistryHost.StartAsync();
        Path = await Host.VersionAsync("m");
        (Experiment, Run) = (Path.Split('/')[0], Path.Split('/')[1]);
        await Host.OkAsync(
            "POST",
            "runs/log-inputs",
            $$"""
            {"run_id":"{{Run}}","datasets":[{"tags":[{"key":"mlflow.data.context","value":"training"}],
             "dataset":{"name":"d","digest":"12345678","source_type":"local","source":"{}"} } ] }
            """
        );
        await Host.RegisterAsync("m", $"mlflow-artifacts:/{Path}", null);
        await Host.OkAsync("DELETE", "model-versions/delete", """{"name":"m","version":"2"}""");
        await Host.RegisterAsync("m", $"mlflow-artifacts:/{Path}", null);
        await Task.Delay(5);
        await Host.OkAsync(
            "POST",
            "model-versions/transition-stage",
            """{"name":"m","version":"1","stage":"production"}"""
        );
        await Host.OkAsync("POST", "registered-models/alias", """{"name":"m","alias":"champion","version":"1"}""");
        await Host.OkAsync("POST", "model-versions/set-tag", """{"name":"m","version":"1","key":"k","value":"v"}""");
        await Host.OkAsync(
            "POST",
            "registered-models/create",
            """{"name":"a_1","tags":[{"key":"a b","value":"x"},{"key":"team","value":"Risk"}]}"""
        );
        await Host.OkAsync(
            "POST",
            "registered-models/create",
            """{"name":"B-2","tags":[{"key":"team","value":"ops"}]}"""
        );
        await Host.OkAsync(
            "POST",
            "runs/log-batch",
            $$"""
            {"run_id":"{{Run}}","params":[{"key":"p","value":"1"}],"tags":[{"key":"t","value":"x"}],
             "metrics":[{"key":"nan","value":"NaN","timestamp":"1700000000000","step":"1"},
                        {"key":"up","value":"Infinity","timestamp":1700000000000},
                        {"key":"down","value":"-Infinity","timestamp":1700000000000},
                        {"key":"acc","value":0.5,"timestamp":1700000000000,"step":2}]}
            """
        );
    }

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}

/// <summary>The wire contract of MLflow 3.5.2, line by line: what a stock client sends and must get.</summary>
public sealed class MlflowContractTests(ContractHost fixture) : IClassFixture<ContractHost>
{
    private const string Invalid = "INVALID_PARAMETER_VALUE";
    private const string Absent = "RESOURCE_DOES_NOT_EXIST";
    private const string NoRoute = "ENDPOINT_NOT_FOUND";
    private static readonly string NoRun = new('f', 32);

    private RegistryHost Host => fixture.Host;

    public static TheoryData<string, string, string?, int, string, string> Refusals =>
        new()
        {
            {
                "POST",
                "registered-models/create",
                """{"name":"m"}""",
                400,
                "RESOURCE_ALREADY_EXISTS",
                "Registered Model (name=m) already exists."
            },
            { "GET", "registered-models/get?name=no", null, 404, Absent, "Registered Model with name=no not found" },
            {
                "GET",
                "registered-models/get",
                null,
                400,
                Invalid,
                "Missing value for required parameter 'name'. See the API docs for more information about request parameters."
            },
            { "GET", "registered-models/get?name=M", null, 404, Absent, "Registered Model with name=M not found" },
            {
                "GET",
                "model-versions/get?name=m&version=9",
                null,
                404,
                Absent,
                "Model Version (name=m, version=9) not found"
            },
            {
                "GET",
                "model-versions/get?name=m&version=2",
                null,
                404,
                Absent,
                "Model Version (name=m, version=2) not found"
            },
            {
                "GET",
                "model-versions/get-download-uri?name=m&version=2",
                null,
                404,
                Absent,
                "Model Version (name=m, version=2) not found"
            },
            {
                "GET",
                "registered-models/alias?name=m&alias=no",
                null,
                400,
                Invalid,
                "Registered model alias no not found."
            },
            {
                "GET",
                "registered-models/alias?name=m&alias=Champion",
                null,
                400,
                Invalid,
                "Registered model alias Champion not found."
            },
            { "GET", "runs/get?run_id=@norun", null, 404, Absent, "Run with id=@norun not found" },
            { "GET", "experiments/get?experiment_id=999", null, 404, Absent, "No Experiment with id=999 exists" },
            {
                "GET",
                "experiments/get-by-name?experiment_name=no",
                null,
                404,
                Absent,
                "Could not find experiment with name 'no'"
            },
            {
                "POST",
                "model-versions/transition-stage",
                """{"name":"m","version":"1","stage":"Prod"}""",
                400,
                Invalid,
                "Invalid Model Version stage: Prod. Value must be one of None, Staging, Production, Archived."
            },
            {
                "POST",
                "model-versions/transition-stage",
                """{"name":"m","version":"1","stage":"None","archive_existing_versions":true}""",
                400,
                Invalid,
                "archive_existing_versions"
            },
            {
                "POST",
                "model-versions/transition-stage",
                """{"name":"m","version":"1","stage":"archived","archive_existing_versions":true}""",
                400,
                Invalid,
                "archive_existing_versions"
            },
            {
                "POST",
                "model-versions/transition-stage",
                """{"name":"m","version":1,"stage":"None"}""",
                400,
                Invalid,
                "'version'"
            },
            {
                "GET",
                "registered-models/get-latest-versions?name=m&stages=Prod",
                null,
                400,
                Invalid,
                "Invalid Model Version stage: Prod."
            },
            {
                "POST",
                "registered-models/alias",
                """{"name":"m","alias":"latest","version":"1"}""",
                400,
                Invalid,
                "reserved"
            },
            {
                "POST",
                "registered-models/alias",
                """{"name":"m","alias":"Latest","version":"1"}""",
                400,
                Invalid,
                "reserved"
            },
            {
                "POST",
                "registered-models/alias",
                """{"name":"m","alias":"v7","version":"1"}""",
                400,
                Invalid,
                "reserved"
            },
            {
                "POST",
                "registered-models/alias",
                """{"name":"m","alias":"V7","version":"1"}""",
                400,
                Invalid,
                "reserved"
            },
            {
                "POST",
                "registered-models/alias",
                """{"name":"m","alias":"a b","version":"1"}""",
                400,
                Invalid,
                "alias"
            },
            {
                "POST",
                "registered-models/alias",
                """{"name":"m","alias":"x","version":"2"}""",
                404,
                Absent,
                "Model Version (name=m, version=2) not found"
            },
            {
                "POST",
                "registered-models/rename",
                """{"name":"m","new_name":"a_1"}""",
                400,
                "RESOURCE_ALREADY_EXISTS",
                "a_1"
            },
            {
                "POST",
                "experiments/create",
                """{"name":"e-m"}""",
                400,
                "RESOURCE_ALREADY_EXISTS",
                "Experiment(name=e-m) already exists."
            },
            { "POST", "experiments/delete", """{"experiment_id":"0"}""", 403, "PERMISSION_DENIED", "experiment:write" },
            {
                "POST",
                "runs/log-parameter",
                """{"run_id":"@run","key":"p","value":"2"}""",
                400,
                Invalid,
                "Changing param values is not allowed."
            },
            {
                "POST",
                "runs/log-metric",
                """{"run_id":"@run","key":"x","value":"inf","timestamp":1}""",
                400,
                Invalid,
                "'value'"
            },
            { "POST", "runs/log-metric", """{"run_id":"@run","key":"x","value":1}""", 400, Invalid, "'timestamp'" },
            {
                "POST",
                "runs/update",
                """{"run_id":"@run","status":"DONE"}""",
                400,
                Invalid,
                "RUNNING, SCHEDULED, FINISHED, FAILED, KILLED"
            },
            {
                "DELETE",
                "registered-models/delete?name=m",
                null,
                400,
                Invalid,
                "Missing value for required parameter 'name'."
            },
            {
                "DELETE",
                "model-versions/delete-tag?name=m&version=1&key=k",
                null,
                400,
                Invalid,
                "Missing value for required parameter"
            },
            { "GET", "registered-models/search?max_results=1001", null, 400, Invalid, "'max_results'" },
            { "GET", "registered-models/search?max_results=-1", null, 400, Invalid, "'max_results'" },
            { "GET", "model-versions/search?max_results=200001", null, 400, Invalid, "'max_results'" },
            { "POST", "experiments/search", "{}", 400, Invalid, "'max_results'" },
            { "POST", "experiments/search", """{"max_results":0}""", 400, Invalid, "'max_results'" },
            {
                "POST",
                "runs/search",
                """{"experiment_ids":["0"],"max_results":50001}""",
                400,
                Invalid,
                "'max_results'"
            },
            {
                "GET",
                "registered-models/search?page_token=zz",
                null,
                400,
                Invalid,
                "Invalid page token, decoded value="
            },
            {
                "GET",
                "model-versions/search?page_token=eyJvZmZzZXQiOiAtMX0=",
                null,
                400,
                Invalid,
                "Invalid page token, decoded value={\"offset\": -1}"
            },
            {
                "GET",
                "model-versions/search?filter=current_stage%3D%27None%27",
                null,
                400,
                Invalid,
                "Invalid attribute key 'current_stage' specified. Valid keys are '{'name', 'run_id', 'source_path', 'version_number'}'"
            },
            { "GET", "model-versions/search?filter=name%20IN%20(%27m%27)", null, 400, Invalid, "filter" },
            { "GET", "model-versions/search?filter=run_id%20NOT%20IN%20(%27m%27)", null, 400, Invalid, "filter" },
            { "GET", "model-versions/search?filter=version_number%3D%271%27", null, 400, Invalid, "number" },
            { "GET", "model-versions/search?filter=name%3D%27a%27%20OR%20name%3D%27b%27", null, 400, Invalid, "AND" },
            { "GET", "registered-models/search?filter=name%20%3E%20%27a%27", null, 400, Invalid, "LIKE" },
            { "GET", "registered-models/search?filter=name%3Dm", null, 400, Invalid, "quoted" },
            { "GET", "registered-models/search?order_by=current_stage", null, 400, Invalid, "order_by" },
            { "GET", "registered-models/search?order_by=name%20UP", null, 400, Invalid, "order_by" },
            { "POST", "experiments/search-datasets", "{}", 400, Invalid, "'experiment_ids'" },
            {
                "GET",
                "registered-models/alias?name=a_1&alias=latest",
                null,
                404,
                Absent,
                "Latest version not found for model a_1."
            },
            { "POST", "runs/create", "{}", 400, Invalid, "'experiment_id'" },
            {
                "POST",
                "runs/create",
                """{"experiment_id":"@experiment","run_name":"a","tags":[{"key":"mlflow.runName","value":"b"}]}""",
                400,
                Invalid,
                "Both 'run_name' argument and 'mlflow.runName' tag are specified"
            },
            {
                "POST",
                "runs/log-parameter",
                """{"run_id":"@run","key":"a;b","value":"1"}""",
                400,
                Invalid,
                "only contain"
            },
            { "POST", "runs/set-tag", """{"run_id":"@run","key":"a/../b","value":"1"}""", 400, Invalid, "as files" },
            {
                "POST",
                "runs/log-metric",
                """{"run_id":"@run","key":"/a","value":1,"timestamp":1}""",
                400,
                Invalid,
                "as files"
            },
            {
                "POST",
                "runs/log-metric",
                """{"run_id":"@run","key":"a","value":1,"timestamp":-1}""",
                400,
                Invalid,
                "nonnegative"
            },
            {
                "POST",
                "runs/log-batch",
                """{"run_id":"@run","params":[{"key":"z","value":"1"},{"key":"z","value":"1"}]}""",
                400,
                Invalid,
                "Duplicate parameter keys"
            },
            {
                "POST",
                "runs/log-inputs",
                """{"run_id":"@run","datasets":[{"dataset":{"name":"d","digest":"0123456789012345678901234567890123456"}}]}""",
                400,
                Invalid,
                "'digest'"
            },
            { "POST", "experiments/update", """{"experiment_id":"@experiment"}""", 400, Invalid, "'new_name'" },
            { "POST", "experiments/search", """{"max_results":1,"order_by":["tags.a"]}""", 400, Invalid, "order_by" },
            {
                "POST",
                "experiments/set-experiment-tag",
                """{"experiment_id":"@experiment","key":"a%b","value":"1"}""",
                400,
                Invalid,
                "only contain"
            },
            {
                "POST",
                "registered-models/set-tag",
                """{"name":"m","key":"../a","value":"1"}""",
                400,
                Invalid,
                "as files"
            },
            {
                "POST",
                "model-versions/set-tag",
                """{"name":"m","version":"1","key":"a\\b","value":"1"}""",
                400,
                Invalid,
                "only contain"
            },
            {
                "POST",
                "logged-models",
                """{"experiment_id":"@experiment","name":"a.b"}""",
                400,
                Invalid,
                "Invalid model name ('a.b')"
            },
            { "POST", "registered-models/search", "{}", 404, NoRoute, "" },
            { "GET", "registered-models/create", null, 404, NoRoute, "" },
            { "POST", "datasets/create", "{}", 404, NoRoute, "Not served on purpose. " },
            { "GET", "gateway/secrets/list", null, 404, NoRoute, "Not served on purpose. " },
            { "GET", "users/get?username=x", null, 404, NoRoute, "Not served on purpose. " },
            {
                "POST",
                "artifacts/presigned-upload-url",
                """{"run_id":"@run","path":"x"}""",
                501,
                "NOT_IMPLEMENTED",
                ""
            },
            { "POST", "artifacts/presigned-upload-url", """{"run_id":"@norun","path":"x"}""", 404, Absent, "" },
            {
                "POST",
                "artifacts/presigned-download-url",
                """{"run_id":"@run","path":"x"}""",
                501,
                "NOT_IMPLEMENTED",
                ""
            },
            { "GET", "logged-models/m-00000000000000000000000000000000/artifacts/directories", null, 404, Absent, "" },
            { "GET", "traces/00000000000000000000000000000000/info", null, 404, Absent, "" },
        };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task A_refusal_has_mlflows_status_code_and_message(
        string method,
        string path,
        string? body,
        int status,
        string code,
        string message
    )
    {
        var (actual, answer) = await Host.SendAsync(method, Fill(path), body is null ? null : Fill(body));

        Assert.Equal((status, code), (actual, (string?)answer["error_code"]));
        Assert.Contains(Fill(message), (string?)answer["message"], StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string?> Empties =>
        new()
        {
            { "GET", "registered-models/search?filter=name%3D%27none%27", null },
            { "GET", "registered-models/search?max_results=0", null },
            { "GET", "model-versions/search?filter=name%3D%27none%27", null },
            { "POST", "registered-models/get-latest-versions", """{"name":"a_1"}""" },
            { "POST", "registered-models/get-latest-versions", """{"name":"m","stages":["Staging"]}""" },
            { "POST", "runs/search", """{"experiment_ids":["999"]}""" },
            { "POST", "experiments/search", """{"max_results":5,"filter":"name = 'none'"}""" },
            { "POST", "logged-models/search", """{"experiment_ids":["@experiment"]}""" },
            { "POST", "experiments/search-datasets", """{"experiment_ids":["0","999"]}""" },
            { "GET", "metrics/get-history?run_id=@run&metric_key=none", null },
            { "GET", "traces?experiment_ids=@experiment", null },
            { "DELETE", "registered-models/alias", """{"name":"m","alias":"never-set"}""" },
            { "POST", "runs/set-tag", """{"run_id":"@run","key":"later","value":""}""" },
        };

    [Theory]
    [MemberData(nameof(Empties))]
    public async Task What_is_empty_is_omitted(string method, string path, string? body) =>
        Assert.Equal("{}", (await Host.OkAsync(method, Fill(path), body is null ? null : Fill(body))).ToJsonString());

    public static TheoryData<string, string, string> Searches =>
        new()
        {
            { "registered-models", "name LIKE 'a%'", "a_1" },
            { "registered-models", "name LIKE 'A%'", "" },
            { "registered-models", "name LIKE 'a_1'", "a_1" },
            { "registered-models", "name LIKE 'a_1_'", "" },
            { "registered-models", "name LIKE 'm'", "m" },
            { "registered-models", "name LIKE '%1'", "a_1" },
            { "registered-models", "name LIKE 'B%' and name LIKE '%2'", "B-2" },
            { "registered-models", "name ILIKE 'A%'", "a_1" },
            { "registered-models", "name != 'm'", "B-2,a_1" },
            { "registered-models", "name = 'm' and name LIKE '%'", "m" },
            { "registered-models", "NAME = 'm'", "400" },
            { "registered-models", "tags.team = 'Risk'", "a_1" },
            { "registered-models", "tag.team ILIKE 'risk'", "a_1" },
            { "registered-models", "tags.`a b` = 'x'", "a_1" },
            { "registered-models", "tags.\"a b\" = 'x'", "a_1" },
            { "registered-models", "tags.team != 'ops'", "a_1" },
            { "registered-models", "tags.`mlflow.prompt.is_prompt` != 'true'", "B-2,a_1,m" },
            { "registered-models", "tags.team IN ('ops')", "400" },
            { "model-versions", "name = 'm'", "m/1,m/3" },
            { "model-versions", "run_id = '@run'", "m/1,m/3" },
            { "model-versions", "run_id IN ('@run','x')", "m/1,m/3" },
            { "model-versions", "run_id IN ()", "400" },
            { "model-versions", "source_path LIKE '%/model' AND version_number > 1", "m/3" },
            { "model-versions", "version_number != 1", "m/3" },
            { "model-versions", "version_number <= 1", "m/1" },
            { "model-versions", "tags.k = 'v'", "m/1" },
            { "model-versions", "tags.k != 'v'", "" },
            { "model-versions", "tags.k != 'w'", "m/1" },
            { "model-versions", "tags.`mlflow.prompt.is_prompt` != 'true'", "m/1,m/3" },
            { "model-versions", "attributes.name = \"m\"", "m/1,m/3" },
        };

    [Theory]
    [MemberData(nameof(Searches))]
    public async Task A_search_finds_what_the_grammar_says(string route, string filter, string expected)
    {
        var (status, answer) = await Host.SendAsync(
            "GET",
            $"{route}/search?filter={Uri.EscapeDataString(Fill(filter))}"
        );

        var found = (answer["registered_models"] ?? answer["model_versions"])?.AsArray() ?? [];
        var names = found.Select(item =>
            item!["version"] is { } version ? $"{item["name"]}/{version}" : (string)item["name"]!
        );
        Assert.Equal(expected, status == 200 ? string.Join(',', names.Order(StringComparer.Ordinal)) : $"{status}");
    }

    public static TheoryData<string, string, string> Orders =>
        new()
        {
            { "registered-models/search", "", "B-2,a_1,m" },
            { "registered-models/search", "name DESC", "m,a_1,B-2" },
            { "registered-models/search", "creation_timestamp ASC", "m,a_1,B-2" },
            { "registered-models/search", "timestamp DESC", "B-2,a_1,m" },
            { "model-versions/search", "version_number ASC", "1,3" },
            { "model-versions/search", "version_number desc", "3,1" },
            { "model-versions/search", "creation_timestamp DESC", "3,1" },
            { "model-versions/search", "last_updated_timestamp ASC", "3,1" },
            { "model-versions/search", "", "1,3" },
        };

    [Theory]
    [MemberData(nameof(Orders))]
    public async Task A_search_comes_in_the_order_asked_for_or_in_mlflows(string route, string order, string expected)
    {
        var clause = order.Length == 0 ? "" : $"?order_by={Uri.EscapeDataString(order)}";

        var answer = await Host.OkAsync("GET", route + clause);

        var found = (answer["registered_models"] ?? answer["model_versions"])!.AsArray();
        Assert.Equal(expected, string.Join(',', found.Select(item => (string)(item!["version"] ?? item["name"])!)));
    }

    [Theory]
    [InlineData("registered-models/search", "registered_models", 3)]
    [InlineData("model-versions/search", "model_versions", 2)]
    public async Task Pages_follow_each_other_and_the_last_one_has_no_token(string route, string member, int count)
    {
        var seen = new List<string>();
        var token = "";
        do
        {
            var page = await Host.OkAsync("GET", $"{route}?max_results=1&page_token={Uri.EscapeDataString(token)}");
            seen.Add(Assert.Single(page[member]!.AsArray())!.ToJsonString());
            token = (string?)page["next_page_token"] ?? "";
        } while (token.Length > 0 && seen.Count <= count);

        Assert.Equal(count, seen.Distinct().Count());
        Assert.Equal(count, seen.Count);
    }

    [Fact]
    public async Task A_version_is_text_and_times_are_numbers()
    {
        var version = (await Host.OkAsync("GET", "model-versions/get?name=m&version=1"))["model_version"]!.AsObject();

        Assert.Equal(
            [
                "name String",
                "version String",
                "creation_timestamp Number",
                "last_updated_timestamp Number",
                "user_id String",
                "current_stage String",
                "description String",
                "source String",
                "run_id String",
                "status String",
                "tags Array",
                "run_link String",
                "aliases Array",
            ],
            version.Select(member => $"{member.Key} {member.Value!.GetValueKind()}")
        );
        Assert.Equal("Production", (string?)version["current_stage"]);
        Assert.Equal(fixture.Run, (string?)version["run_id"]);
    }

    [Fact]
    public async Task The_latest_versions_are_one_per_stage_within_a_model_without_aliases()
    {
        var model = (await Host.OkAsync("GET", "registered-models/get?name=m"))["registered_model"]!;
        var latest = await Host.OkAsync("GET", "registered-models/get-latest-versions?name=m&stages=NONE");
        var serving = await Host.OkAsync("GET", "registered-models/get-latest-versions?name=m&stages=production");

        Assert.Equal(["1", "3"], model["latest_versions"]!.AsArray().Select(v => (string)v!["version"]!));
        Assert.All(model["latest_versions"]!.AsArray(), v => Assert.Null(v!["aliases"]));
        Assert.Equal("champion", (string?)model["aliases"]![0]!["alias"]);
        Assert.Equal("1", (string?)model["aliases"]![0]!["version"]);
        Assert.Equal("3", (string?)Assert.Single(latest["model_versions"]!.AsArray())!["version"]);
        Assert.Equal("champion", (string?)Assert.Single(serving["model_versions"]!.AsArray())!["aliases"]![0]);
    }

    [Theory]
    [InlineData("metrics.nan != 1", true)]
    [InlineData("metrics.nan = 0", false)]
    [InlineData("metrics.nan > -1", false)]
    [InlineData("metrics.none != 1", false)]
    public async Task A_metric_that_is_no_number_differs_from_every_number(string filter, bool found)
    {
        var answer = await Host.OkAsync(
            "POST",
            "runs/search",
            new JsonObject
            {
                ["experiment_ids"] = new JsonArray(fixture.Experiment),
                ["filter"] = filter,
            }.ToJsonString()
        );

        Assert.Equal(found, answer["runs"] is not null);
    }

    [Theory]
    [InlineData("latest")]
    [InlineData("Latest")]
    public async Task The_alias_latest_names_the_newest_version(string alias) =>
        Assert.Equal(
            "3",
            (string?)
                (await Host.OkAsync("GET", $"registered-models/alias?name=m&alias={alias}"))["model_version"]![
                    "version"
                ]
        );

    [Fact]
    public async Task A_directory_may_be_named_with_a_slash_at_its_end()
    {
        var plain = await Host.OkAsync("GET", $"artifacts/list?run_id={fixture.Run}&path=model");
        var slashed = await Host.OkAsync("GET", $"artifacts/list?run_id={fixture.Run}&path=model/");

        Assert.NotEmpty(plain["files"]!.AsArray());
        Assert.Equal(plain.ToJsonString(), slashed.ToJsonString());
    }

    [Fact]
    public async Task An_experiment_that_is_deleted_takes_no_name_and_no_tag_until_it_is_restored()
    {
        var id = (string)(await Host.OkAsync("POST", "experiments/create", """{"name":"passing"}"""))["experiment_id"]!;
        var named = $$"""{"experiment_id":"{{id}}"}""";
        var rename = $$"""{"experiment_id":"{{id}}","new_name":"passing-2"}""";
        var tag = $$"""{"experiment_id":"{{id}}","key":"k","value":"v"}""";

        await Host.OkAsync("POST", "experiments/delete", named);
        var (renamed, why) = await Host.SendAsync("POST", "experiments/update", rename);
        var (tagged, _) = await Host.SendAsync("POST", "experiments/set-experiment-tag", tag);
        await Host.OkAsync("POST", "experiments/restore", named);
        await Host.OkAsync("POST", "experiments/update", rename);
        await Host.OkAsync("POST", "experiments/set-experiment-tag", tag);

        Assert.Equal((400, 400), (renamed, tagged));
        Assert.Contains("must be in the 'active' state", (string?)why["message"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Numbers_that_json_lacks_are_texts_and_infinities_the_largest_doubles_as_mlflow_stores_them()
    {
        var run = (await Host.OkAsync("GET", $"runs/get?run_uuid={fixture.Run}"))["run"]!;
        var metrics = run["data"]!["metrics"]!.AsArray().ToDictionary(m => (string)m!["key"]!, m => m!["value"]!);

        Assert.Equal("NaN", (string?)metrics["nan"]);
        Assert.Equal(double.MaxValue, (double)metrics["up"]);
        Assert.Equal(double.MinValue, (double)metrics["down"]);
        Assert.Equal(JsonValueKind.Number, metrics["acc"].GetValueKind());
        Assert.Equal((string?)run["info"]!["run_id"], (string?)run["info"]!["run_uuid"]);
        Assert.Equal(JsonValueKind.Number, run["info"]!["start_time"]!.GetValueKind());
        Assert.Equal(JsonValueKind.String, run["info"]!["experiment_id"]!.GetValueKind());
        Assert.Contains(
            run["data"]!["tags"]!.AsArray(),
            tag => (string?)tag!["key"] == "mlflow.runName" && (string?)tag["value"] == "r"
        );
    }

    [Theory]
    [InlineData("text/plain", 400)]
    [InlineData("application/x-www-form-urlencoded", 400)]
    [InlineData("application/xml+json", 400)]
    [InlineData("", 400)]
    [InlineData("application/json", 200)]
    [InlineData("Application/JSON; charset=utf-8", 200)]
    public async Task A_post_must_name_json_as_its_content_type(string type, int expected)
    {
        using var content = new ByteArrayContent("""{"experiment_ids":["0"]}"""u8.ToArray());
        if (type.Length > 0)
        {
            content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        using var answer = await Host.Client.PostAsync(
            new Uri("/api/2.0/mlflow/runs/search", UriKind.Relative),
            content,
            TestContext.Current.CancellationToken
        );

        Assert.Equal(expected, (int)answer.StatusCode);
    }

    public static TheoryData<string, int, int, int> Batches =>
        new()
        {
            { "metrics", 1000, 200, 1 },
            { "metrics", 1001, 400, 1 },
            { "params", 100, 200, 1 },
            { "params", 101, 400, 1 },
            { "tags", 101, 400, 1 },
            { "params", 1, 200, 6000 },
            { "params", 1, 400, 6001 },
            { "tags", 1, 200, 8000 },
            { "tags", 1, 400, 8001 },
        };

    [Theory]
    [MemberData(nameof(Batches))]
    public async Task A_batch_has_mlflows_limits(string member, int count, int expected, int length)
    {
        var made = await Host.OkAsync("POST", "runs/create", """{"experiment_id":"0"}""");
        var items = Enumerable
            .Range(0, count)
            .Select(i =>
                (JsonNode)(
                    member == "metrics"
                        ? new JsonObject
                        {
                            ["key"] = $"k{i}",
                            ["value"] = i,
                            ["timestamp"] = 1,
                        }
                        : new JsonObject { ["key"] = $"k{i}", ["value"] = new string('x', length) }
                )
            );
        var body = new JsonObject
        {
            ["run_id"] = (string?)made["run"]!["info"]!["run_id"],
            [member] = new JsonArray([.. items]),
        };

        var (status, _) = await Host.SendAsync("POST", "runs/log-batch", body.ToJsonString());

        Assert.Equal(expected, status);
    }

    [Fact]
    public async Task A_batch_over_1000_items_in_all_or_over_a_megabyte_is_refused()
    {
        var metrics = Enumerable.Range(0, 950).Select(i => $$"""{"key":"k{{i}}","value":1,"timestamp":1}""");
        var tags = Enumerable.Range(0, 51).Select(i => $$"""{"key":"k{{i}}","value":"x"}""");
        var parameters = Enumerable
            .Range(0, 100)
            .Select(i => $$"""{"key":"k{{i}}","value":"{{new string('x', 6000)}}"}""");
        var wide = Enumerable.Range(0, 60).Select(i => $$"""{"key":"t{{i}}","value":"{{new string('x', 8000)}}"}""");

        var (many, _) = await Host.SendAsync(
            "POST",
            "runs/log-batch",
            Fill(
                $$"""{"run_id":"@run","metrics":[{{string.Join(',', metrics)}}],"tags":[{{string.Join(',', tags)}}]}"""
            )
        );
        var (large, _) = await Host.SendAsync(
            "POST",
            "runs/log-batch",
            Fill(
                $$"""{"run_id":"@run","params":[{{string.Join(',', parameters)}}],"tags":[{{string.Join(',', wide)}}]}"""
            )
        );

        Assert.Equal([400, 400], [many, large]);
    }

    [Fact]
    public async Task Copies_renames_and_deletions_keep_what_they_should()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("origin");
        await host.OkAsync("POST", "registered-models/create", """{"name":"copied"}""");
        await host.OkAsync(
            "POST",
            "model-versions/create",
            """{"name":"copied","source":"models:/origin/1","description":"of a person","run_link":"https://x"}"""
        );
        var uri = await host.OkAsync("GET", "model-versions/get-download-uri?name=copied&version=1");
        await host.OkAsync("POST", "registered-models/alias", """{"name":"copied","alias":"live","version":"1"}""");
        var renamed = await host.OkAsync(
            "POST",
            "registered-models/rename",
            """{"name":"copied","new_name":"moved"}"""
        );
        var alias = await host.OkAsync("GET", "registered-models/alias?name=moved&alias=live");
        await host.OkAsync("DELETE", "model-versions/delete", """{"name":"moved","version":"1"}""");
        var (dangling, _) = await host.SendAsync("GET", "registered-models/alias?name=moved&alias=live");
        var next = await host.OkAsync(
            "POST",
            "model-versions/create",
            """{"name":"moved","source":"models:/origin/1"}"""
        );

        Assert.Equal($"mlflow-artifacts:/{path}", (string?)uri["artifact_uri"]);
        Assert.Equal("moved", (string?)renamed["registered_model"]!["name"]);
        Assert.Equal("1", (string?)alias["model_version"]!["version"]);
        Assert.Equal(400, dangling);
        Assert.Equal("2", (string?)next["model_version"]!["version"]);
        await using var db = host.Database.Read();
        var gone = db.Set<VersionRow>().Single(row => row.Deleted && row.Source == "models:/origin/1");
        Assert.Equal(("", ""), (gone.Description, gone.RunLink));
    }

    [Theory]
    [InlineData("/api/2.0/mlflow")]
    [InlineData("/ajax-api/2.0/mlflow")]
    [InlineData("/api/2.0mlflow")]
    [InlineData("/ajax-api/2.0mlflow")]
    public async Task Datasets_of_runs_are_found_by_the_misspelt_path_too(string prefix)
    {
        using var content = new StringContent(
            Fill("""{"experiment_ids":["@experiment"]}"""),
            Encoding.UTF8,
            "application/json"
        );

        using var answer = await Host.Client.PostAsync(
            new Uri($"{prefix}/experiments/search-datasets", UriKind.Relative),
            content,
            TestContext.Current.CancellationToken
        );

        Assert.Equal(
            Fill(
                """{"dataset_summaries":[{"experiment_id":"@experiment","name":"d","digest":"12345678","context":"training"}]}"""
            ),
            await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public async Task Datasets_of_runs_that_the_caller_may_not_see_are_not_listed()
    {
        var hidden = await Host.OkAsync(
            "POST",
            "experiments/search-datasets",
            Fill("""{"experiment_ids":["@experiment"]}"""),
            "private-x"
        );

        Assert.Equal("{}", hidden.ToJsonString());
    }

    [Fact]
    public async Task Logged_models_sort_and_filter_by_a_metric_on_a_dataset()
    {
        var (experiment, run) = await Host.RunAsync("sorted");
        var ids = new List<string>();
        foreach (var (name, on, value) in new[] { ("low", "d1", 1.0), ("high", "d1", 3.0), ("other", "d2", 9.0) })
        {
            var made = await Host.OkAsync("POST", "logged-models", new { experiment_id = experiment, name });
            ids.Add((string)made["model"]!["info"]!["model_id"]!);
            await Host.OkAsync(
                "POST",
                "runs/log-metric",
                new
                {
                    run_id = run,
                    key = "acc",
                    value,
                    timestamp = 1,
                    model_id = ids[^1],
                    dataset_name = on,
                    dataset_digest = "x",
                }
            );
        }

        var order = new[]
        {
            new
            {
                field_name = "metrics.acc",
                ascending = false,
                dataset_name = "d1",
            },
        };
        var sorted = await SearchAsync(new { experiment_ids = new[] { experiment }, order_by = order });
        var filtered = await SearchAsync(
            new
            {
                experiment_ids = new[] { experiment },
                filter = "metrics.acc >= 2",
                datasets = new[] { new { dataset_name = "d1" } },
            }
        );

        Assert.Equal(["high", "low", "other"], sorted);
        Assert.Equal(["high"], filtered);

        async Task<IEnumerable<string>> SearchAsync(object body)
        {
            var found = await Host.OkAsync("POST", "logged-models/search", body);
            return found["models"]!.AsArray().Select(m => (string)m!["info"]!["name"]!);
        }
    }

    [Theory]
    [InlineData("/api/3.0/mlflow/server-info")]
    [InlineData("/ajax-api/3.0/mlflow/server-info")]
    public async Task Newer_clients_are_told_what_kind_of_store_this_is(string path) =>
        Assert.Equal(
            """{"store_type":"SqlStore","workspaces_enabled":false}""",
            await Host.Client.GetStringAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken)
        );

    private string Fill(string text) =>
        text.Replace("@norun", NoRun, StringComparison.Ordinal)
            .Replace("@run", fixture.Run, StringComparison.Ordinal)
            .Replace("@experiment", fixture.Experiment, StringComparison.Ordinal);
}
