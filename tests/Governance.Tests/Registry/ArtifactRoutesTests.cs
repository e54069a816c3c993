using Governance.Platform.Logging;

namespace Governance.Tests.Registry;

/// <summary>The other routes to bytes: none of them is a way around the one that is checked and logged.</summary>
public sealed class ArtifactRoutesTests
{
    [Fact]
    public async Task The_web_interfaces_routes_read_runs_logged_models_and_versions_as_downloads()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        var run = path.Split('/')[1];
        var logged = await LoggedModelAsync(host, path.Split('/')[0]);

        foreach (
            var (url, expected) in new[]
            {
                ($"/get-artifact?run_id={run}&path=model%2Fmodel.pkl", "bytes of m"),
                ($"/get-artifact?run_uuid={run}&path=model/model.pkl", "bytes of m"),
                ("/model-versions/get-artifact?name=m&version=1&path=model.pkl", "bytes of m"),
                ($"/api/2.0/mlflow/logged-models/{logged}/artifacts/files?artifact_file_path=a%2Fb.txt", "logged"),
                ($"/ajax-api/2.0/mlflow/logged-models/{logged}/artifacts/files?artifact_file_path=a/b.txt", "logged"),
            }
        )
        {
            using var answer = await host.Client.GetAsync(Relative(url), TestContext.Current.CancellationToken);

            Assert.Equal(expected, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            Assert.Equal("attachment", answer.Content.Headers.ContentDisposition?.DispositionType);
            Assert.Equal("application/octet-stream", answer.Content.Headers.ContentType?.MediaType);
            Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        }
    }

    [Fact]
    public async Task A_version_whose_signature_policy_asks_for_is_read_by_no_route_without_it()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        var run = path.Split('/')[1];
        host.Database.Get<FakeReadGate>().Refused = new("m", 1);

        foreach (
            var url in new[]
            {
                $"/get-artifact?run_id={run}&path=model%2Fmodel.pkl",
                "/model-versions/get-artifact?name=m&version=1&path=model.pkl",
                $"/api/2.0/mlflow-artifacts/artifacts/{path}/model.pkl",
            }
        )
        {
            using var answer = await host.Client.GetAsync(Relative(url), TestContext.Current.CancellationToken);

            Assert.Equal(409, (int)answer.StatusCode);
            var body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.Contains("\"code\":\"evidence.signature_required\"", body, StringComparison.Ordinal);
            Assert.Contains("\"error_code\":\"RESOURCE_CONFLICT\"", body, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("/get-artifact?run_id=@run&path=..%2Fx", 400)]
    [InlineData("/get-artifact?run_id=@run&path=%252e%252e%2Fx", 400)]
    [InlineData("/get-artifact?run_id=@run&path=%2Fetc%2Fpasswd", 400)]
    [InlineData("/get-artifact?run_id=@run&path=a%5Cb", 400)]
    [InlineData("/get-artifact?run_id=@run", 400)]
    [InlineData("/get-artifact?path=model", 400)]
    [InlineData("/get-artifact?run_id=@run&path=model", 404)]
    [InlineData("/get-artifact?run_id=00000000000000000000000000000000&path=x", 404)]
    [InlineData("/model-versions/get-artifact?name=m&version=1&path=..%2Fx", 400)]
    [InlineData("/model-versions/get-artifact?name=m&version=1&path=none", 404)]
    [InlineData("/model-versions/get-artifact?name=m&version=7&path=model.pkl", 404)]
    [InlineData("/model-versions/get-artifact?name=m&version=x&path=model.pkl", 400)]
    public async Task What_is_not_a_stored_file_is_refused(string url, int expected)
    {
        await using var host = await RegistryHost.StartAsync();
        var run = (await host.VersionAsync("m")).Split('/')[1];

        using var answer = await host.Client.GetAsync(
            Relative(url.Replace("@run", run, StringComparison.Ordinal)),
            TestContext.Current.CancellationToken
        );

        Assert.Equal(expected, (int)answer.StatusCode);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task Who_may_not_read_the_bytes_gets_them_by_no_route_and_the_refusal_is_logged()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m", "private-a");
        var (experiment, run) = (path.Split('/')[0], path.Split('/')[1]);
        var logged = await LoggedModelAsync(host, experiment, "private-a");

        foreach (
            var url in new[]
            {
                $"/get-artifact?run_id={run}&path=model/model.pkl",
                "/model-versions/get-artifact?name=m&version=1&path=model.pkl",
                $"/api/2.0/mlflow/logged-models/{logged}/artifacts/files?artifact_file_path=a/b.txt",
                $"/api/2.0/mlflow-artifacts/presigned/{path}/model.pkl",
            }
        )
        {
            Assert.Equal(404, await GetAsync(host, url, "private-b"));
            Assert.NotEqual(200, await GetAsync(host, url, "viewer-x"));
        }

        Assert.True(host.Database.Log.Entries.Count(e => e.Kind == "registry.refused") >= 8);
    }

    [Fact]
    public async Task The_bytes_of_what_serves_are_logged_by_whichever_route_they_are_read()
    {
        await using var host = await RegistryHost.StartAsync();
        var run = (await host.VersionAsync("m")).Split('/')[1];
        await host.OkAsync("POST", "registered-models/alias", """{"name":"m","alias":"champion","version":"1"}""");

        await GetAsync(host, $"/get-artifact?run_id={run}&path=model/model.pkl", "ds");
        await GetAsync(host, "/model-versions/get-artifact?name=m&version=1&path=model.pkl", "ds");

        var begun = host.Database.Log.Entries.Count(e =>
            e is { Kind: "registry.artifact_read", Outcome: LogOutcome.Begun, Subject: "version:m/1" }
        );
        Assert.Equal(2, begun);
    }

    [Fact]
    public async Task The_text_of_a_prompt_is_a_file_of_its_version()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.OkAsync("POST", "registered-models/create", """{"name":"p"}""");
        await host.OkAsync(
            "POST",
            "model-versions/create",
            """
            {"name":"p","source":"dummy-source","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"},
             {"key":"mlflow.prompt.text","value":"Say {{word}}"}]}
            """
        );

        var text = await host.Client.GetStringAsync(
            Relative("/model-versions/get-artifact?name=p&version=1&path=prompt.txt"),
            TestContext.Current.CancellationToken
        );

        Assert.Equal("Say {{word}}", text);
    }

    [Fact]
    public async Task The_directories_of_a_logged_model_are_listed()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");
        var logged = await LoggedModelAsync(host, experiment);

        var root = await host.OkAsync("GET", $"logged-models/{logged}/artifacts/directories");
        var inside = await host.OkAsync(
            "GET",
            $"logged-models/{logged}/artifacts/directories?artifact_directory_path=a"
        );

        Assert.Equal($"mlflow-artifacts:/{experiment}/models/{logged}/artifacts", (string?)root["root_uri"]);
        Assert.Equal("""[{"path":"a","is_dir":true}]""", root["files"]!.ToJsonString());
        Assert.Equal("""[{"path":"a/b.txt","is_dir":false,"file_size":6}]""", inside["files"]!.ToJsonString());
    }

    [Fact]
    public async Task A_free_directory_is_deleted_with_all_below_it_and_that_is_logged()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, run) = await host.RunAsync("e");
        foreach (var name in new[] { "d/a", "d/s/b", "dd", "e/c" })
        {
            Assert.Equal(200, await host.PutAsync($"{experiment}/{run}/artifacts/{name}", name));
        }

        using var deleted = await host.ArtifactAsync("DELETE", $"{experiment}/{run}/artifacts/d");
        using var foreign = await host.ArtifactAsync("DELETE", $"{experiment}/{run}/artifacts/e", actor: "ds2");

        var left = await host.OkAsync("GET", $"artifacts/list?run_id={run}");
        Assert.Equal([200, 403], [(int)deleted.StatusCode, (int)foreign.StatusCode]);
        Assert.Equal(["dd", "e"], left["files"]!.AsArray().Select(file => (string)file!["path"]!));
        var entry = Assert.Single(host.Database.Log.Entries, e => e.Kind == "registry.artifacts_deleted");
        Assert.Equal(2, (int?)entry.Details["files"]);
    }

    [Theory]
    [InlineData("create")]
    [InlineData("complete")]
    [InlineData("abort")]
    public async Task Multipart_is_refused_like_the_upload_that_replaces_it(string step)
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        var free = path[..path.LastIndexOf('/')];

        Assert.Equal(501, await PostAsync(host, $"/api/2.0/mlflow-artifacts/mpu/{step}/{free}/x", "ds"));
        Assert.Equal(409, await PostAsync(host, $"/api/2.0/mlflow-artifacts/mpu/{step}/{path}/x", "ds"));
        Assert.Equal(403, await PostAsync(host, $"/api/2.0/mlflow-artifacts/mpu/{step}/{free}/x", "ds2"));
        Assert.Equal(404, await PostAsync(host, $"/api/2.0/mlflow-artifacts/mpu/{step}/{free}/x", "private-b"));
        Assert.Equal(400, await PostAsync(host, $"/api/2.0/mlflow-artifacts/mpu/{step}/{free}/%2e%2e/x", "ds"));
        Assert.Equal(404, await PostAsync(host, $"/api/2.0/mlflow-artifacts/mpu/other/{free}/x", "ds"));
    }

    [Fact]
    public async Task A_presigned_download_is_501_so_that_clients_download_here()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");

        Assert.Equal(501, await GetAsync(host, $"/api/2.0/mlflow-artifacts/presigned/{path}/model.pkl", "ds"));
    }

    [Fact]
    public async Task Nothing_is_registered_from_a_trace()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");
        var started = await host.OkAsync("POST", "traces", new { experiment_id = experiment, timestamp_ms = 1 });
        var id = (string)started["trace_info"]!["request_id"]!;
        await host.PutAsync($"{experiment}/traces/{id}/artifacts/model/MLmodel", "x");
        await host.OkAsync("POST", "registered-models/create", """{"name":"m"}""");

        var (status, answer) = await host.SendAsync(
            "POST",
            "model-versions/create",
            new { name = "m", source = $"mlflow-artifacts:/{experiment}/traces/{id}/artifacts/model" }
        );

        Assert.Equal((400, "registry.bad_source"), (status, (string?)answer["code"]));
    }

    private static async Task<string> LoggedModelAsync(RegistryHost host, string experiment, string actor = "ds")
    {
        var made = await host.OkAsync("POST", "logged-models", new { experiment_id = experiment, name = "l" }, actor);
        var id = (string)made["model"]!["info"]!["model_id"]!;
        Assert.Equal(200, await host.PutAsync($"{experiment}/models/{id}/artifacts/a/b.txt", "logged", actor));
        return id;
    }

    private static Task<int> GetAsync(RegistryHost host, string url, string actor) =>
        SendAsync(host, "GET", url, actor);

    private static Task<int> PostAsync(RegistryHost host, string url, string actor) =>
        SendAsync(host, "POST", url, actor);

    private static async Task<int> SendAsync(RegistryHost host, string method, string url, string actor)
    {
        var exact = new Uri(
            host.Client.BaseAddress!.ToString().TrimEnd('/') + url,
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }
        );
        using var message = new HttpRequestMessage(new HttpMethod(method), exact);
        message.Headers.Add("X-Actor", actor);
        using var answer = await host.Client.SendAsync(message, TestContext.Current.CancellationToken);
        return (int)answer.StatusCode;
    }

    private static Uri Relative(string url) => new(url, UriKind.Relative);
}
