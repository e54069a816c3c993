using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Governance.Kernel;
using Governance.Registry;
using Governance.Registry.Contracts;
using Governance.Registry.Remote;
using Governance.Registry.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Governance.Tests.Registry;

public sealed class RemoteMlflowTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_that_a_server_keeps_is_read_as_it_was_written()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        var (experiment, run) = (path.Split('/')[0], path.Split('/')[1]);
        await host.OkAsync(
            "POST",
            "experiments/set-experiment-tag",
            new
            {
                experiment_id = experiment,
                key = "k",
                value = "v",
            }
        );
        for (var step = 0; step < 5; step++)
        {
            await host.OkAsync(
                "POST",
                "runs/log-metric",
                $$"""{"run_id":"{{run}}","key":"loss","value":{{5 - step}},"timestamp":{{step}},"step":{{step}}}"""
            );
        }

        await host.OkAsync(
            "POST",
            "runs/log-metric",
            $$"""{"run_id":"{{run}}","key":"bad","value":"NaN","timestamp":1,"step":0}"""
        );
        await host.OkAsync(
            "POST",
            "runs/log-parameter",
            new
            {
                run_id = run,
                key = "lr",
                value = "0.1",
            }
        );
        await host.OkAsync(
            "POST",
            "runs/log-inputs",
            """{"run_id":"RUN","datasets":[{"tags":[{"key":"mlflow.data.context","value":"training"}],"dataset":{"name":"d","digest":"1a2b","source_type":"local","source":"{}","schema":"{}"}}]}""".Replace(
                "RUN",
                run,
                StringComparison.Ordinal
            )
        );
        var logged = (string)
            (
                await host.OkAsync(
                    "POST",
                    "logged-models",
                    new
                    {
                        experiment_id = experiment,
                        name = "lm",
                        source_run_id = run,
                    }
                )
            )["model"]!["info"]!["model_id"]!;
        await host.OkAsync(
            "POST",
            "runs/outputs",
            $$"""{"run_id":"{{run}}","models":[{"model_id":"{{logged}}","step":7}] }"""
        );
        await host.OkAsync(
            "POST",
            "registered-models/alias",
            new
            {
                name = "m",
                alias = "champion",
                version = "1",
            }
        );
        await host.OkAsync(
            "POST",
            "model-versions/set-tag",
            new
            {
                name = "m",
                version = "1",
                key = "t",
                value = "u",
            }
        );
        using var remote = ForeignServer.Client(host.Client.BaseAddress!.ToString());

        var experiments = (await remote.ExperimentsAsync(RemoteView.All, 100, null, Token)).Value.Items;
        var runs = (await remote.RunsAsync(experiment, RemoteView.Active, 100, null, Token)).Value.Items;
        var read = runs.Single().Value.Value;
        var history = await AllAsync(remote, token => remote.MetricHistoryAsync(run, "loss", 2, token, Token));
        var nan = (await remote.MetricHistoryAsync(run, "bad", 10, null, Token)).Value.Items.Single().Value.Value;
        var loggedModel = (await remote.LoggedModelsAsync(experiment, 10, null, Token))
            .Value.Items.Single()
            .Value.Value;
        var model = (await remote.ModelsAsync("", 10, null, Token)).Value.Items.Single().Value.Value;
        var version = (await remote.VersionsAsync("name='m'", 10, null, Token)).Value.Items.Single().Value.Value;

        Assert.Equal([("k", "v")], experiments.Single(item => item.Id == experiment).Value.Value.Tags);
        Assert.Equal(run, read.Id);
        Assert.Equal(("RUNNING", $"mlflow-artifacts:/{experiment}/{run}/artifacts"), (read.Status, read.ArtifactUri));
        Assert.Equal([("lr", "0.1")], read.Params);
        Assert.Equal(["bad", "loss"], read.Metrics.Select(metric => metric.Key).Order());
        Assert.Equal(
            [("d", "1a2b", "training")],
            read.Inputs.Select(input => (input.Name, input.Digest, input.Tags.Single().Value))
        );
        Assert.Equal([(logged, 7L)], read.ModelOutputs);
        Assert.Equal([5.0, 4, 3, 2, 1], history.Select(metric => metric.Value));
        Assert.True(double.IsNaN(nan.Value));
        Assert.Equal((logged, run), (loggedModel.Id, loggedModel.SourceRunId));
        Assert.Equal([("champion", 1)], model.Aliases);
        Assert.Equal((1, run, "READY"), (version.Number, version.RunId, version.Status));
        Assert.Equal([("t", "u")], version.Tags);
        Assert.Equal(version.Source, (await remote.DownloadUriAsync("m", 1, Token)).Value);
        Assert.Equal(1, (await remote.AliasAsync("m", "champion", Token)).Value.Number);
        Assert.Equal("registry.remote_not_found", (await remote.VersionAsync("m", 9, Token)).Failure!.Code);
        Assert.Equal(run, (await remote.RunAsync(run, Token)).Value.Id);
        Assert.Equal(logged, (await remote.LoggedModelAsync(logged, Token)).Value.Id);
        Assert.Equal(experiment, (await remote.ExperimentAsync(experiment, Token)).Value.Id);
        Assert.Equal("m", (await remote.ModelAsync("m", Token)).Value.Name);
    }

    [Fact]
    public async Task Files_are_listed_to_the_last_directory_and_read_by_each_way_there_is()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, run) = await host.RunAsync("e");
        var root = $"{experiment}/{run}/artifacts";
        await host.PutAsync($"{root}/a.txt", "one");
        await host.PutAsync($"{root}/d/e/f%20g+%C3%BC.bin", "three");
        await host.PutAsync($"{root}/d/empty", "");
        using var remote = ForeignServer.Client(host.Client.BaseAddress!.ToString());
        Assert.True(ArtifactPath.TryParse(root, out var at));

        foreach (var place in new RemotePlace[] { new RemotePlace.Proxy(at), new RemotePlace.OfRun(run) })
        {
            var files = (await remote.FilesAsync(place, Token)).Value;
            var texts = new List<string>();
            foreach (var file in files)
            {
                texts.Add((await remote.ReadAsync(place, file.Path, TextAsync, Token)).Value);
            }

            Assert.Equal(
                [("a.txt", 3L), ("d/e/f g+ü.bin", 5L), ("d/empty", 0L)],
                files.Select(file => (file.Path.Value, file.Size!.Value))
            );
            Assert.Equal(["one", "three", ""], texts);
        }

        var nothing = await remote.FilesAsync(new RemotePlace.OfRun(new string('0', 32)), Token);
        Assert.Empty(nothing.Value);
    }

    [Theory]
    [InlineData(401, "registry.remote_unauthorized", 1)]
    [InlineData(403, "registry.remote_unauthorized", 1)]
    [InlineData(404, "registry.remote_not_found", 1)]
    [InlineData(400, "registry.remote_refused", 1)]
    [InlineData(302, "registry.remote_refused", 1)]
    [InlineData(429, "registry.remote_unreachable", 5)]
    [InlineData(503, "registry.remote_unreachable", 5)]
    [InlineData(500, "registry.remote_error", 5)]
    public async Task A_refusal_has_a_code_and_only_what_may_pass_is_asked_again(int status, string code, int asked)
    {
        await using var server = await ForeignServer.StartAsync(context =>
        {
            context.Response.Headers.Location = "/elsewhere";
            return ForeignServer.JsonAsync(context, """{"message":"secret of the server"}""", status);
        });
        using var remote = ForeignServer.Client(server.Url);

        var failure = (await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token)).Failure!;

        Assert.Equal(code, failure.Code);
        Assert.DoesNotContain("secret", failure.Message, StringComparison.Ordinal);
        Assert.Equal(asked, server.Asked.Count);
    }

    [Fact]
    public async Task A_busy_server_is_asked_again_until_it_answers()
    {
        var left = 3;
        await using var server = await ForeignServer.StartAsync(context =>
            left-- > 0
                ? ForeignServer.JsonAsync(context, "{}", left == 1 ? 500 : 429)
                : ForeignServer.JsonAsync(context, """{"experiments":[]}""")
        );
        using var remote = ForeignServer.Client(server.Url);

        Assert.Empty((await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token)).Value.Items);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{\"experiments\":{}}")]
    [InlineData("{\"experiments\":[7]}")]
    [InlineData("{\"experiments\":[],\"experiments\":[]}")]
    [InlineData("{\"experiments\":[],\"next_page_token\":7}")]
    [InlineData("deep")]
    public async Task An_answer_of_another_form_is_refused(string body)
    {
        var answer = body == "deep" ? new string('[', 100_000) : body;
        await using var server = await ForeignServer.StartAsync(context => ForeignServer.JsonAsync(context, answer));
        using var remote = ForeignServer.Client(server.Url);

        var failure = (await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token)).Failure!;

        Assert.Equal("registry.remote_bad_answer", failure.Code);
    }

    [Fact]
    public async Task One_unreadable_item_hides_no_other()
    {
        const string body = """
            {"experiments":[{"experiment_id":"1","name":7},{"experiment_id":"2","name":"good","unknown":{"x":1}},{"name":"no id"}]}
            """;
        await using var server = await ForeignServer.StartAsync(context => ForeignServer.JsonAsync(context, body));
        using var remote = ForeignServer.Client(server.Url);

        var items = (await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token)).Value.Items;

        Assert.Equal([("1", false), ("2", true), ("?", false)], items.Select(item => (item.Id, item.Value.Ok)));
    }

    [Fact]
    public async Task An_answer_without_end_and_a_list_without_end_stop()
    {
        var endless = new string(' ', 1 << 16);
        var page = 0;
        await using var server = await ForeignServer.StartAsync(async context =>
        {
            if (context.Request.Path.Value!.EndsWith("registered-models/search", StringComparison.Ordinal))
            {
                await ForeignServer.JsonAsync(context, """{"next_page_token":"again"}""");
                return;
            }

            if (context.Request.Path.Value.EndsWith("model-versions/search", StringComparison.Ordinal))
            {
                await ForeignServer.JsonAsync(context, $$"""{"next_page_token":"{{page++}}"}""");
                return;
            }

            context.Response.ContentType = "application/json";
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.WriteAsync(endless, context.RequestAborted);
            }
        });
        using var remote = ForeignServer.Client(
            server.Url,
            options => options with { MaxJsonBytes = 1 << 20, MaxPages = 50 }
        );

        var large = await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token);
        var same = await LastAsync(remote, token => remote.ModelsAsync("", 10, token, Token));
        var more = await LastAsync(remote, token => remote.VersionsAsync("", 10, token, Token));

        Assert.Equal("registry.remote_too_large", large.Failure!.Code);
        Assert.Equal("registry.remote_endless", same.Failure!.Code);
        Assert.Equal("registry.remote_endless", more.Failure!.Code);
        Assert.Equal(50, page);
    }

    [Fact]
    public async Task A_server_that_drips_or_falls_silent_is_left()
    {
        await using var server = await ForeignServer.StartAsync(async context =>
        {
            context.Response.ContentType = "application/json";
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.WriteAsync(" ", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await Task.Delay(20, context.RequestAborted);
            }
        });
        using var remote = ForeignServer.Client(
            server.Url,
            options => options with { Timeout = TimeSpan.FromMilliseconds(300), Attempts = 2 }
        );
        Assert.True(ArtifactPath.TryParse("a", out var path));

        var json = await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token);
        var bytes = await remote.ReadAsync(new RemotePlace.OfRun("r"), path, TextAsync, Token);

        Assert.Equal("registry.remote_unreachable", json.Failure!.Code);
        Assert.Equal("registry.remote_unreachable", bytes.Failure!.Code);
        Assert.Equal(4, server.Asked.Count);
    }

    [Fact]
    public async Task A_file_that_breaks_off_is_read_again_from_the_start()
    {
        var first = true;
        await using var server = await ForeignServer.StartAsync(async context =>
        {
            context.Response.ContentLength = 10;
            await context.Response.WriteAsync("01234");
            await context.Response.Body.FlushAsync();
            if (first)
            {
                first = false;
                context.Abort();
                return;
            }

            await context.Response.WriteAsync("56789");
        });
        using var remote = ForeignServer.Client(server.Url);
        Assert.True(ArtifactPath.TryParse("a", out var path));

        Assert.Equal("0123456789", (await remote.ReadAsync(new RemotePlace.OfRun("r"), path, TextAsync, Token)).Value);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../../b")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("a\\b")]
    [InlineData("a%2e%2e%2fb")]
    [InlineData("a\u0000b")]
    [InlineData("a/b")]
    public async Task A_path_trick_in_a_listing_is_refused(string name)
    {
        var body = new System.Text.Json.Nodes.JsonObject
        {
            ["files"] = new System.Text.Json.Nodes.JsonArray(
                new System.Text.Json.Nodes.JsonObject
                {
                    ["path"] = name,
                    ["is_dir"] = false,
                    ["file_size"] = 1,
                }
            ),
        }.ToJsonString();
        await using var server = await ForeignServer.StartAsync(context => ForeignServer.JsonAsync(context, body));
        using var remote = ForeignServer.Client(server.Url);
        Assert.True(ArtifactPath.TryParse("1/r/artifacts", out var root));

        var proxied = await remote.FilesAsync(new RemotePlace.Proxy(root), Token);
        var ofRun = await remote.FilesAsync(new RemotePlace.OfRun("r"), Token);

        Assert.Equal("registry.remote_bad_answer", proxied.Failure!.Code);
        Assert.Equal("registry.remote_bad_answer", ofRun.Failure!.Code);
    }

    [Fact]
    public async Task Directories_that_hold_themselves_end_at_a_limit()
    {
        await using var server = await ForeignServer.StartAsync(context =>
            ForeignServer.JsonAsync(context, """{"files":[{"path":"d","is_dir":true},{"path":"f","is_dir":false}]}""")
        );
        using var remote = ForeignServer.Client(server.Url);
        Assert.True(ArtifactPath.TryParse("1/r/artifacts", out var root));

        // A path has at most 32 segments, so even an endless tree is finite.
        var files = await remote.FilesAsync(new RemotePlace.Proxy(root), Token);

        Assert.False(files.Ok);
        Assert.InRange(server.Asked.Count, 2, 40);
    }

    [Fact]
    public async Task The_credential_comes_from_its_file_anew_each_time_and_from_a_variable()
    {
        var seen = new List<string>();
        await using var server = await ForeignServer.StartAsync(context =>
        {
            seen.Add(context.Request.Headers.Authorization.ToString());
            return ForeignServer.JsonAsync(context, "{}");
        });
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "bearer abc.def\n", Token);
        Environment.SetEnvironmentVariable("GOVERNANCE_TEST_CREDENTIAL", "basic me:pass:word");
        using var remote = ForeignServer.Client(server.Url, options => options with { CredentialFile = file });
        using var other = ForeignServer.Client(
            server.Url,
            options => options with { CredentialVariable = "GOVERNANCE_TEST_CREDENTIAL" }
        );

        await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token);
        await File.WriteAllTextAsync(file, "Bearer changed", Token);
        await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token);
        await other.ExperimentsAsync(RemoteView.Active, 10, null, Token);
        await File.WriteAllTextAsync(file, "no credential\nat all", Token);
        var bad = await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token);
        File.Delete(file);
        var gone = await remote.ExperimentsAsync(RemoteView.Active, 10, null, Token);

        Assert.Equal(["Bearer abc.def", "Bearer changed", "Basic " + Convert.ToBase64String("me:pass:word"u8)], seen);
        Assert.Equal("registry.remote_credential", bad.Failure!.Code);
        Assert.Equal("registry.remote_credential", gone.Failure!.Code);
    }

    [Fact]
    public async Task Tls_needs_a_trusted_authority_and_an_address_that_configuration_allows()
    {
        await using var server = await ForeignServer.StartAsync(
            context => ForeignServer.JsonAsync(context, "{}"),
            tls: true
        );
        var named = server.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal);
        using var trusting = ForeignServer.Client(server.Url, o => o with { Authorities = server.AuthorityPath });
        using var stranger = ForeignServer.Client(server.Url);
        using var inside = ForeignServer.Client(named, o => o with { Authorities = server.AuthorityPath });
        using var listed = ForeignServer.Client(
            named,
            o => o with { Authorities = server.AuthorityPath, Networks = [System.Net.IPNetwork.Parse("127.0.0.0/8")] }
        );

        Assert.True((await trusting.ExperimentsAsync(RemoteView.Active, 1, null, Token)).Ok);
        Assert.Equal(
            "registry.remote_tls",
            (await stranger.ExperimentsAsync(RemoteView.Active, 1, null, Token)).Failure!.Code
        );
        Assert.Equal(
            "registry.remote_address",
            (await inside.ExperimentsAsync(RemoteView.Active, 1, null, Token)).Failure!.Code
        );
        Assert.True((await listed.ExperimentsAsync(RemoteView.Active, 1, null, Token)).Ok);
        Assert.Equal(2, server.Asked.Count);
    }

    [Theory]
    [InlineData("one file")]
    [InlineData("two files")]
    [InlineData("closed key")]
    [InlineData("pkcs12")]
    public async Task A_server_that_asks_who_comes_is_shown_the_certificate_that_configuration_names(string form)
    {
        var (own, authority) = await LoopbackCertificate.MakeAsync();
        var directory = Directory.CreateTempSubdirectory();
        try
        {
            var options = new RemoteServer { ClientCertificate = File("own") };
            var key = own.GetECDsaPrivateKey()!;
            var (certificate, plain) = (own.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
            switch (form)
            {
                case "one file":
                    await Write("own", certificate + "\n" + plain);
                    break;
                case "two files":
                    await Write("own", certificate);
                    await Write("key", plain);
                    options.ClientKey = File("key");
                    break;
                case "closed key":
                    var closing = new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000);
                    await Write("own", certificate);
                    await Write("key", key.ExportEncryptedPkcs8PrivateKeyPem("open", closing));
                    await Write("password", "open\n");
                    (options.ClientKey, options.ClientPasswordFile) = (File("key"), File("password"));
                    break;
                default:
                    await System.IO.File.WriteAllBytesAsync(
                        File("own"),
                        own.Export(X509ContentType.Pkcs12, "open"),
                        Token
                    );
                    await Write("password", "open");
                    options.ClientPasswordFile = File("password");
                    break;
            }

            await using var server = await ForeignServer.StartAsync(
                context => ForeignServer.JsonAsync(context, "{}"),
                tls: true,
                client: shown => shown.Thumbprint == own.Thumbprint
            );
            (options.Url, options.Authorities) = (server.Url, server.AuthorityPath);
            Assert.Null(options.Wrong());
            using var known = ForeignServer.Client(
                server.Url,
                o => o with { Authorities = server.AuthorityPath, Identity = RemoteOptions.Of(options).Identity }
            );
            using var stranger = ForeignServer.Client(
                server.Url,
                o => o with { Authorities = server.AuthorityPath, Attempts = 1 }
            );

            Assert.True((await known.ExperimentsAsync(RemoteView.Active, 1, null, Token)).Ok);
            Assert.False((await stranger.ExperimentsAsync(RemoteView.Active, 1, null, Token)).Ok);
            Assert.Single(server.Asked);
            using var written = new UpstreamClient(
                Options.Create(Upstream(options)),
                new FakeNames("127.0.0.1"),
                TimeProvider.System
            );
            Assert.True(await written.IsAliveAsync(Token));

            await Write("own", "-----BEGIN CERTIFICATE-----\nbroken");
            Assert.Contains("ClientCertificate", options.Wrong(), StringComparison.Ordinal);
            (options.Url, options.AllowHttp) = ("http://localhost", true);
            Assert.Contains("plain http", options.Wrong(), StringComparison.Ordinal);
        }
        finally
        {
            own.Dispose();
            System.IO.File.Delete(authority);
            directory.Delete(recursive: true);
        }

        string File(string name) => Path.Combine(directory.FullName, name);
        Task Write(string name, string text) => System.IO.File.WriteAllTextAsync(File(name), text, Token);
    }

    private static RegistryOptions Upstream(RemoteServer server)
    {
        var options = new RegistryOptions();
        var there = options.Upstream.Server;
        (there.Url, there.Authorities) = (server.Url, server.Authorities);
        (there.ClientCertificate, there.ClientKey) = (server.ClientCertificate, server.ClientKey);
        there.ClientPasswordFile = server.ClientPasswordFile;
        return options;
    }

    [Theory]
    [InlineData("http://a.example")]
    [InlineData("ftp://a.example")]
    [InlineData("https://u:p@a.example")]
    [InlineData("https://a.example/?x=1")]
    [InlineData("a.example")]
    [InlineData("")]
    public void An_odd_address_is_no_configuration(string url) =>
        Assert.NotNull(new RemoteServer { Url = url }.Wrong());

    [Fact]
    public void Plain_http_is_taken_only_when_it_is_asked_for() =>
        Assert.Null(new RemoteServer { Url = "http://a.example/mlflow", AllowHttp = true }.Wrong());

    private static async Task<Result<string>> TextAsync(Stream stream, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream();
        await stream.CopyToAsync(buffer, cancellationToken);
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static async Task<List<T>> AllAsync<T>(RemoteMlflow remote, Func<string?, Task<Result<RemotePage<T>>>> read)
    {
        var all = new List<T>();
        await foreach (var page in remote.PagesAsync(read, Token))
        {
            all.AddRange(page.Value.Items.Select(item => item.Value.Value));
        }

        return all;
    }

    private static async Task<Result<RemotePage<T>>> LastAsync<T>(
        RemoteMlflow remote,
        Func<string?, Task<Result<RemotePage<T>>>> read
    )
    {
        Result<RemotePage<T>>? last = null;
        await foreach (var page in remote.PagesAsync(read, Token))
        {
            last = page;
        }

        return last!.Value;
    }
}
