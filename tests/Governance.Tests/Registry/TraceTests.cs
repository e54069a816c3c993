using System.Text.Json.Nodes;
using Governance.Registry;
using Governance.Registry.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Registry;

public sealed class TraceTests
{
    private const string Id = "tr-d6c521cd829c70a5c8c1d3c79c4cf1b7";

    [Fact]
    public async Task A_2x_client_starts_uploads_ends_searches_and_downloads_a_trace()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");

        var started = (
            await host.OkAsync(
                "POST",
                "traces",
                $$"""
                {"experiment_id":"{{experiment}}","timestamp_ms":1700000000000,
                 "request_metadata":[{"key":"mlflow.trace_schema.version","value":"2"}],
                 "tags":[{"key":"mlflow.traceName","value":"root"},{"key":"mlflow.artifactLocation","value":"https://evil"}]}
                """
            )
        )["trace_info"]!;
        var id = (string)started["request_id"]!;
        Assert.Equal(200, await host.PutAsync($"{experiment}/traces/{id}/artifacts/traces.json", """{"spans":[]}"""));
        var ended = (
            await host.OkAsync(
                "PATCH",
                $"traces/{id}",
                $$"""{"request_id":"{{id}}","timestamp_ms":1700000000039,"status":"OK"}"""
            )
        )["trace_info"]!;
        var found = await host.OkAsync(
            "GET",
            $"traces?experiment_ids={experiment}&max_results=100&filter={Uri.EscapeDataString("attributes.status = 'OK' AND tags.`mlflow.traceName` = 'root'")}"
        );
        using var spans = await host.ArtifactAsync("GET", $"{experiment}/traces/{id}/artifacts/traces.json");

        Assert.Equal(("IN_PROGRESS", 0), ((string?)started["status"], (int)started["execution_time_ms"]!));
        Assert.Equal(("OK", 39), ((string?)ended["status"], (int)ended["execution_time_ms"]!));
        Assert.Equal(ended.ToJsonString(), Assert.Single(found["traces"]!.AsArray())!.ToJsonString());
        Assert.Equal(
            $"mlflow-artifacts:/{experiment}/traces/{id}/artifacts",
            ended["tags"]!.AsArray().Single(tag => (string?)tag!["key"] == "mlflow.artifactLocation")![
                "value"
            ]!.ToString()
        );
        Assert.Equal(200, (int)spans.StatusCode);
    }

    [Fact]
    public async Task A_3x_client_logs_reads_searches_tags_and_deletes_a_trace()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");

        var logged = (await PutAsync(host, experiment)).Body["trace"]!["trace_info"]!;
        await host.OkAsync("PATCH", $"../../3.0/mlflow/traces/{Id}/tags", """{"key":"a","value":"b"}""");
        var read = await host.OkAsync("GET", $"../../3.0/mlflow/traces/{Id}");
        var found = await host.OkAsync(
            "POST",
            "../../3.0/mlflow/traces/search",
            $$"""
            {"locations":[{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"{{experiment}}"} } ],
             "filter":"trace.status = 'OK' AND metadata.`mlflow.user` = 'root' AND tag.a = 'b'","order_by":["timestamp_ms DESC"]}
            """
        );
        await host.OkAsync("DELETE", $"../../3.0/mlflow/traces/{Id}/tags", """{"key":"a"}""");
        var deleted = await host.OkAsync(
            "POST",
            "../../3.0/mlflow/traces/delete-traces",
            $$"""{"experiment_id":"{{experiment}}","request_ids":["{{Id}}"]}"""
        );

        Assert.Equal("2026-11-22T15:27:24.193Z", (string?)logged["request_time"]);
        Assert.Equal("0.250s", (string?)logged["execution_duration"]);
        Assert.Equal("b", (string?)read["trace"]!["trace_info"]!["tags"]!["a"]);
        Assert.Equal(Id, (string?)Assert.Single(found["traces"]!.AsArray())!["trace_id"]);
        Assert.Equal(1, (int?)deleted["traces_deleted"]);
        Assert.Equal(404, (await host.SendAsync("GET", $"../../3.0/mlflow/traces/{Id}")).Status);
        await using var db = host.Database.Read();
        Assert.Empty(db.Set<LabelRow>().Where(label => label.ObjectId == Id));
    }

    [Fact]
    public async Task Feedback_and_expectations_are_logged_overridden_changed_and_deleted_with_their_trace()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");
        await PutAsync(host, experiment);

        var first = await AssessAsync(
            host,
            """
            {"assessment_name":"correct","source":{"source_type":"HUMAN","source_id":"jane"},"feedback":{"value":true},
             "create_time":"2026-01-01T00:00:00Z","rationale":"secret reason","metadata":{"a":"1"},"valid":true}
            """
        );
        var expected = await AssessAsync(
            host,
            """{"assessment_name":"answer","source":{"source_type":"CODE"},"expectation":{"value":["a",2,null]}}"""
        );
        var second = await AssessAsync(
            host,
            $$"""
            {"assessment_name":"correct","source":{"source_type":"LLM_JUDGE"},"overrides":"{{first["assessment_id"]}}",
             "feedback":{"error":{"error_code":"E","error_message":"secret reason"} } }
            """
        );
        var overridden = await OneAsync(host, "GET", first);
        var changed = await OneAsync(
            host,
            "PATCH",
            first,
            """
            {"assessment":{"assessment_name":"right","feedback":{"value":0.5},"metadata":{"b":"2"},"rationale":"not named"},
             "update_mask":"assessmentName,feedback,metadata"}
            """
        );
        var read = await host.OkAsync("GET", $"../../3.0/mlflow/traces/{Id}");
        var log = string.Join('\n', host.Database.Log.Entries.Select(e => $"{e.Subject} {e.Details.ToJsonString()}"));
        await host.OkAsync("DELETE", $"{Path(second)}", "{}");
        await host.OkAsync("DELETE", $"{Path(second)}", "{}");
        var valid = await OneAsync(host, "GET", first);
        await host.OkAsync(
            "POST",
            "traces/delete-traces",
            $$"""{"experiment_id":"{{experiment}}","request_ids":["{{Id}}"]}"""
        );

        Assert.StartsWith("a-", (string)first["assessment_id"]!, StringComparison.Ordinal);
        Assert.Equal((Id, true), ((string?)first["trace_id"], (bool)first["valid"]!));
        Assert.Equal("""{"value":["a",2,null]}""", expected["expectation"]!.ToJsonString());
        Assert.False((bool)overridden["valid"]!);
        Assert.Equal(
            """{"assessment_name":"right","value":0.5,"metadata":{"a":"1","b":"2"},"rationale":"secret reason"}""",
            new JsonObject
            {
                ["assessment_name"] = changed["assessment_name"]!.DeepClone(),
                ["value"] = changed["feedback"]!["value"]!.DeepClone(),
                ["metadata"] = changed["metadata"]!.DeepClone(),
                ["rationale"] = changed["rationale"]!.DeepClone(),
            }.ToJsonString()
        );
        Assert.Equal(
            ["right", "answer", "correct"],
            read["trace"]!["trace_info"]!["assessments"]!.AsArray().Select(one => (string)one!["assessment_name"]!)
        );
        Assert.True((bool)valid["valid"]!);
        Assert.Contains((string)first["assessment_id"]!, log, StringComparison.Ordinal);
        Assert.DoesNotContain("secret reason", log, StringComparison.Ordinal);
        await using var db = host.Database.Read();
        Assert.Empty(db.Set<AssessmentRow>());

        static string Path(JsonNode assessment) =>
            $"../../3.0/mlflow/traces/{Id}/assessments/{assessment["assessment_id"]}";

        static async Task<JsonNode> OneAsync(RegistryHost host, string method, JsonNode of, string? body = null) =>
            (await host.OkAsync(method, Path(of), body))["assessment"]!;
    }

    [Fact]
    public async Task An_assessment_that_several_override_counts_again_when_none_of_them_is_left()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");
        await PutAsync(host, experiment);
        var first = await AssessAsync(
            host,
            """{"assessment_name":"x","source":{"source_type":"HUMAN"},"feedback":{"value":1}}"""
        );
        var (one, other) = (await OverrideAsync(), await OverrideAsync());

        await host.OkAsync("DELETE", Path(one), "{}");
        var between = await host.OkAsync("GET", Path(first));
        await host.OkAsync("DELETE", Path(other), "{}");
        var after = await host.OkAsync("GET", Path(first));

        Assert.Equal((false, true), ((bool)between["assessment"]!["valid"]!, (bool)after["assessment"]!["valid"]!));

        Task<JsonNode> OverrideAsync() =>
            AssessAsync(
                host,
                $$"""
                {"assessment_name":"x","source":{"source_type":"HUMAN"},"feedback":{"value":2},"overrides":"{{first[
                    "assessment_id"
                ]}}"}
                """
            );

        static string Path(JsonNode assessment) =>
            $"../../3.0/mlflow/traces/{Id}/assessments/{assessment["assessment_id"]}";
    }

    [Fact]
    public async Task Changes_do_not_make_an_assessment_grow_without_end()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e", "private-a");
        await PutAsync(host, experiment, "private-a");
        const string one = """{"assessment_name":"x","source":{"source_type":"HUMAN"},"feedback":{"value":1}}""";
        var made = await AssessAsync(host, one, "private-a");

        Assert.Equal(200, await AddAsync("a"));
        Assert.Equal(200, await AddAsync("a"));
        Assert.Equal(400, await AddAsync("b"));

        async Task<int> AddAsync(string prefix)
        {
            var text = new string('m', 10_000);
            var metadata = string.Join(',', Enumerable.Range(0, 19).Select(i => $"\"{prefix}{i}\":\"{text}\""));
            var answer = await host.SendAsync(
                "PATCH",
                $"../../3.0/mlflow/traces/{Id}/assessments/{made["assessment_id"]}",
                $$$"""{"assessment":{"metadata":{{{{metadata}}}}},"update_mask":"metadata"}""",
                "private-a"
            );
            return answer.Status;
        }
    }

    [Fact]
    public async Task Who_may_not_write_a_trace_assesses_nothing_and_who_may_not_see_it_learns_nothing()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e", "private-a");
        await PutAsync(host, experiment, "private-a");
        const string one = """{"assessment_name":"x","source":{"source_type":"HUMAN"},"feedback":{"value":1}}""";
        var made = await AssessAsync(host, one, "private-a");
        var path = $"../../3.0/mlflow/traces/{Id}/assessments/{made["assessment_id"]}";

        foreach (var (actor, read, write) in new[] { ("private-b", 404, 404), ("viewer-x", 200, 403) })
        {
            Assert.Equal(read, (await host.SendAsync("GET", path, actor: actor)).Status);
            Assert.Equal(write, (await host.SendAsync("DELETE", path, "{}", actor)).Status);
            Assert.Equal(
                write,
                (
                    await host.SendAsync(
                        "POST",
                        $"../../3.0/mlflow/traces/{Id}/assessments",
                        $$"""{"assessment":{{one}}}""",
                        actor
                    )
                ).Status
            );
        }
    }

    [Theory]
    [InlineData("""{"source":{"source_type":"HUMAN"},"feedback":{"value":1}}""")]
    [InlineData("""{"assessment_name":"x","feedback":{"value":1}}""")]
    [InlineData("""{"assessment_name":"x","source":{"source_type":"MACHINE"},"feedback":{"value":1}}""")]
    [InlineData("""{"assessment_name":"x","source":{"source_type":"HUMAN"}}""")]
    [InlineData("""{"assessment_name":"x","source":{"source_type":"HUMAN"},"feedback":{}}""")]
    [InlineData(
        """{"assessment_name":"x","source":{"source_type":"HUMAN"},"feedback":{"value":1},"expectation":{"value":1}}"""
    )]
    [InlineData("""{"assessment_name":"x","source":{"source_type":"HUMAN"},"feedback":{"value":{"a":1,"a":2}}}""")]
    public async Task A_malformed_assessment_is_400(string assessment)
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");
        await PutAsync(host, experiment);

        var (status, _) = await host.SendAsync(
            "POST",
            $"../../3.0/mlflow/traces/{Id}/assessments",
            $$"""{"assessment":{{assessment}}}"""
        );

        Assert.Equal(400, status);
    }

    [Fact]
    public async Task What_a_trace_says_stands_in_no_log_entry()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");

        await PutAsync(host, experiment);

        var log = string.Join('\n', host.Database.Log.Entries.Select(e => $"{e.Subject} {e.Details.ToJsonString()}"));
        Assert.Contains(Id, log, StringComparison.Ordinal);
        Assert.DoesNotContain("secret question", log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Traces_of_an_experiment_are_its_owners()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e", "private-a");
        Assert.Equal(200, (await PutAsync(host, experiment, "private-a")).Status);
        await host.PutAsync($"{experiment}/traces/{Id}/artifacts/traces.json", "{}", "private-a");

        var stranger = await host.OkAsync("GET", $"traces?experiment_ids={experiment}", actor: "private-b");
        using var spans = await host.ArtifactAsync(
            "GET",
            $"{experiment}/traces/{Id}/artifacts/traces.json",
            actor: "private-b"
        );

        Assert.Equal("{}", stranger.ToJsonString());
        Assert.Equal(404, (int)spans.StatusCode);
        Assert.Equal(404, (await PutAsync(host, experiment, "private-b")).Status);
        Assert.Equal(403, (await PutAsync(host, experiment, "viewer-x")).Status);
        Assert.Equal(404, (await host.SendAsync("PATCH", $"traces/{Id}", new { status = "OK" }, "private-b")).Status);
        Assert.Equal(
            403,
            (
                await host.SendAsync(
                    "POST",
                    "traces/delete-traces",
                    new { experiment_id = experiment, max_timestamp_millis = 9_999_999_999_999 },
                    "viewer-x"
                )
            ).Status
        );
    }

    [Fact]
    public async Task An_id_that_another_trace_has_is_refused()
    {
        await using var host = await RegistryHost.StartAsync();
        var (first, _) = await host.RunAsync("first");
        var (second, _) = await host.RunAsync("second");
        await PutAsync(host, first);

        Assert.Equal(200, (await PutAsync(host, first)).Status);
        Assert.Equal(400, (await PutAsync(host, second)).Status);
    }

    [Theory]
    [InlineData("trace_id", "tr-1")]
    [InlineData("trace_id", "../x")]
    [InlineData("request_time", "yesterday")]
    [InlineData("execution_duration", "-1s")]
    [InlineData("execution_duration", "soon")]
    [InlineData("state", "FINE")]
    public async Task A_malformed_trace_is_400(string member, string value)
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");

        Assert.Equal(400, (await PutAsync(host, experiment, change: info => info[member] = value)).Status);
    }

    [Fact]
    public async Task The_oldest_traces_go_when_there_are_too_many_and_their_files_with_them()
    {
        await using var host = await RegistryHost.StartAsync(services =>
            services.Configure<RegistryOptions>(options => options.MaxTracesPerExperiment = 100)
        );
        var (experiment, _) = await host.RunAsync("e");
        var first = await StartAsync(host, experiment);
        await host.PutAsync($"{experiment}/traces/{first}/artifacts/traces.json", "{}");
        for (var i = 0; i < 100; i++)
        {
            await StartAsync(host, experiment);
        }

        var page = await host.OkAsync("GET", $"traces?experiment_ids={experiment}&max_results=500");
        using var spans = await host.ArtifactAsync("GET", $"{experiment}/traces/{first}/artifacts/traces.json");

        Assert.Equal(100, page["traces"]!.AsArray().Count);
        Assert.Equal(404, (int)spans.StatusCode);
        Assert.Equal(404, (await host.SendAsync("GET", $"traces/{first}/info")).Status);
        Assert.Contains(host.Database.Log.Entries, e => e.Kind == "registry.traces_expired");
    }

    [Fact]
    public async Task Spans_by_otlp_are_kept_as_a_file_of_their_trace_and_go_with_it()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");
        var request = Request(Span("d6c521cd829c70a5c8c1d3c79c4cf1b7", "secret question"));

        var first = await ExportAsync(host, experiment, request);
        var again = await ExportAsync(host, experiment, request);
        var zipped = await ExportAsync(host, experiment, Gzip(request), encoding: "gzip");
        var begun = (await host.OkAsync("GET", $"../../3.0/mlflow/traces/{Id}"))["trace"]!["trace_info"]!;
        using var listed = await host.Client.GetAsync(
            new Uri(
                $"/api/2.0/mlflow-artifacts/artifacts?path={experiment}/traces/{Id}/artifacts/otlp",
                UriKind.Relative
            ),
            TestContext.Current.CancellationToken
        );
        var files = JsonNode.Parse(await listed.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
        var name = (string)Assert.Single(files["files"]!.AsArray())!["path"]!;
        using var kept = await host.ArtifactAsync("GET", $"{experiment}/traces/{Id}/artifacts/otlp/{name}");

        Assert.Equal([200, 200, 200], [first, again, zipped]);
        Assert.Equal(request, await kept.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        Assert.Equal(("OK", "1.500s"), ((string?)begun["state"], (string?)begun["execution_duration"]));
        Assert.DoesNotContain(
            host.Database.Log.Entries,
            e => e.Details.ToJsonString().Contains("secret", StringComparison.Ordinal)
        );
        await host.OkAsync(
            "POST",
            "traces/delete-traces",
            new { experiment_id = experiment, request_ids = new[] { Id } }
        );
        await using var db = host.Database.Read();
        Assert.Empty(db.Set<ArtifactRow>());
    }

    public static TheoryData<string, string, string, string?, int> BadExports =>
        new()
        {
            { "@e", "0A", "application/x-protobuf", null, 400 },
            { "@e", "", "application/x-protobuf", null, 400 },
            { "@e", "0AFFFFFFFF7F", "application/x-protobuf", null, 400 },
            { "@e", "FFFFFFFFFFFFFFFFFFFFFF", "application/x-protobuf", null, 400 },
            { "@e", "0A0412021200", "application/x-protobuf", null, 400 },
            { "@e", "0B", "application/x-protobuf", null, 400 },
            { "@e", "00", "application/x-protobuf", null, 400 },
            { "@e", "7B7D", "application/json", null, 400 },
            { "@e", "1F8B00", "application/x-protobuf", "gzip", 400 },
            { "@e", "00", "application/x-protobuf", "br", 400 },
            { "999", "00", "application/x-protobuf", null, 404 },
            { "", "00", "application/x-protobuf", null, 400 },
        };

    [Theory]
    [MemberData(nameof(BadExports))]
    public async Task An_export_that_is_malformed_or_not_allowed_is_refused(
        string experiment,
        string hex,
        string type,
        string? encoding,
        int expected
    )
    {
        await using var host = await RegistryHost.StartAsync();
        var (own, _) = await host.RunAsync("e");

        var status = await ExportAsync(
            host,
            experiment.Replace("@e", own, StringComparison.Ordinal),
            Convert.FromHexString(hex),
            type,
            encoding
        );

        Assert.Equal(expected, status);
    }

    [Fact]
    public async Task An_export_is_bounded_in_size_unpacked_and_in_spans_and_needs_the_right_to_write()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");
        var bomb = Gzip(new byte[64 << 20]);
        var span = Span("d6c521cd829c70a5c8c1d3c79c4cf1b7", "x");
        var many = Request([.. Enumerable.Repeat(span, 10_001)]);

        Assert.Equal(413, await ExportAsync(host, experiment, bomb, encoding: "gzip"));
        Assert.Equal(413, await ExportAsync(host, experiment, new byte[5 << 20]));
        Assert.Equal(400, await ExportAsync(host, experiment, many));
        Assert.Equal(403, await ExportAsync(host, experiment, Request(span), actor: "ds2"));
        Assert.Equal(404, await ExportAsync(host, experiment, Request(span), actor: "private-b"));
    }

    private static byte[] Span(string trace, string name) =>
        [
            .. Field(1, Convert.FromHexString(trace)),
            .. Field(2, [1, 2, 3, 4, 5, 6, 7, 8]),
            .. Field(5, System.Text.Encoding.UTF8.GetBytes(name)),
            0x39,
            .. BitConverter.GetBytes(1_700_000_000_000_000_000UL),
            0x41,
            .. BitConverter.GetBytes(1_700_000_001_500_000_000UL),
            .. Field(15, [0x18, 0x01]),
        ];

    private static byte[] Request(params byte[][] spans) =>
        Field(1, Field(2, [.. spans.SelectMany(span => Field(2, span))]));

    private static byte[] Field(int number, byte[] content)
    {
        var length = new List<byte>();
        var left = content.Length;
        for (; left >= 0x80; left >>= 7)
        {
            length.Add((byte)(left | 0x80));
        }

        return [(byte)((number << 3) | 2), .. length, (byte)left, .. content];
    }

    private static byte[] Gzip(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }

    private static async Task<int> ExportAsync(
        RegistryHost host,
        string experiment,
        byte[] body,
        string type = "application/x-protobuf",
        string? encoding = null,
        string actor = "ds"
    )
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/traces");
        message.Content = new ByteArrayContent(body);
        message.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        message.Headers.Add("X-Actor", actor);
        if (experiment.Length > 0)
        {
            message.Headers.Add("x-mlflow-experiment-id", experiment);
        }

        if (encoding is not null)
        {
            message.Content.Headers.ContentEncoding.Add(encoding);
        }

        using var answer = await host.Client.SendAsync(message, TestContext.Current.CancellationToken);
        return (int)answer.StatusCode;
    }

    private static async Task<JsonNode> AssessAsync(RegistryHost host, string assessment, string actor = "ds")
    {
        var made = await host.OkAsync(
            "POST",
            $"../../3.0/mlflow/traces/{Id}/assessments",
            $$"""{"assessment":{{assessment}}}""",
            actor
        );
        return made["assessment"]!;
    }

    private static async Task<string> StartAsync(RegistryHost host, string experiment)
    {
        var started = await host.OkAsync("POST", "traces", new { experiment_id = experiment, timestamp_ms = 1 });
        return (string)started["trace_info"]!["request_id"]!;
    }

    private static Task<(int Status, JsonNode Body)> PutAsync(
        RegistryHost host,
        string experiment,
        string actor = "ds",
        Action<JsonObject>? change = null
    )
    {
        var info = new JsonObject
        {
            ["trace_id"] = Id,
            ["trace_location"] = new JsonObject
            {
                ["type"] = "MLFLOW_EXPERIMENT",
                ["mlflow_experiment"] = new JsonObject { ["experiment_id"] = experiment },
            },
            ["request_time"] = "2026-11-22T15:27:24.193Z",
            ["execution_duration"] = "0.25s",
            ["state"] = "OK",
            ["trace_metadata"] = new JsonObject
            {
                ["mlflow.user"] = "root",
                ["mlflow.traceInputs"] = "secret question",
            },
            ["tags"] = new JsonObject { ["mlflow.traceName"] = "secret question" },
            ["request_preview"] = "secret question",
        };
        change?.Invoke(info);
        var body = new JsonObject { ["trace"] = new JsonObject { ["trace_info"] = info } };
        return host.SendAsync("POST", "../../3.0/mlflow/traces", body.ToJsonString(), actor);
    }
}
