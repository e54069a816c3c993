using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Gateway.Demo;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>A gateway with limits that a test can reach.</summary>
public sealed class TightGateway : IAsyncLifetime
{
    public LiveGateway Gateway { get; } =
        new()
        {
            Settings = new Dictionary<string, string?>
            {
                ["Governance:Limits:HeaderSeconds"] = "2",
                ["Governance:Limits:HandshakeSeconds"] = "2",
                ["Governance:Limits:GraceSeconds"] = "2",
                ["Governance:Limits:BytesPerSecond"] = "524288",
                ["Governance:Limits:IdleSeconds"] = "5",
                ["Governance:Limits:ConnectionsPerAddress"] = "150",
                ["Governance:Limits:PointsPerMinute"] = "400",
                ["Governance:Limits:AnonymousPointsPerMinute"] = "1000000",
                ["Governance:Identity:StrangersPerMinute"] = "30",
            },
        };

    public async ValueTask InitializeAsync()
    {
        await Gateway.InitializeAsync();
        foreach (var account in new[] { "dana", "sam", "rita", "remy", "paul" })
        {
            // Known from now on, whatever a test floods the gateway with.
            Assert.True((await Gateway.As(account).ApiGetAsync("/api/v1/whoami")).Ok);
        }
    }

    public ValueTask DisposeAsync() => Gateway.DisposeAsync();
}

/// <summary>
/// Malformed, smuggled and slow traffic as bytes: it is refused, it smuggles nothing, and others are answered meanwhile. The raw
/// cases of HTTP/1.1 are <c>tests/negative-kit/vectors/smuggling.json</c>.
/// </summary>
public sealed class WireTests(TightGateway tight) : IClassFixture<TightGateway>
{
    private static readonly (string, string)[] Good =
    [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/version"),
    ];

    private static readonly (string, string)[] Post =
    [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/api/2.0/mlflow/experiments/search"),
        ("content-type", "application/json"),
    ];

    private readonly LiveGateway _gateway = tight.Gateway;

    public static TheoryData<string, byte[]> Frames
    {
        get
        {
            static byte[] Whole(params (string, string)[] headers) =>
                Http2Wire.Frame(
                    Http2Wire.Headers,
                    Http2Wire.EndHeaders | Http2Wire.EndStream,
                    1,
                    Http2Wire.Block(headers)
                );
            static byte[] Body((string, string)[] headers, string body) =>
                [
                    .. Http2Wire.Frame(Http2Wire.Headers, Http2Wire.EndHeaders, 1, Http2Wire.Block(headers)),
                    .. Http2Wire.Frame(Http2Wire.Data, Http2Wire.EndStream, 1, Encoding.ASCII.GetBytes(body)),
                ];
            static (string, string)[] But(string name, string value) =>
                [.. Good.Select(header => header.Item1 == name ? (name, value) : header)];
            static byte[] Many(int count, Func<int, byte[]> frame) =>
                [.. Enumerable.Range(0, count).SelectMany(index => frame(index))];
            return new TheoryData<string, byte[]>
            {
                { "no path", Whole([.. Good[..3]]) },
                { "no method", Whole([.. Good[1..]]) },
                { "path twice", Whole([.. Good, (":path", "/metrics")]) },
                { "pseudo header after another", Whole([.. Good[..3], ("accept", "*/*"), Good[3]]) },
                { "unknown pseudo header", Whole([.. Good, (":evil", "1")]) },
                { "status in a request", Whole([.. Good, (":status", "200")]) },
                { "capital letters", Whole([.. Good, ("X-Evil", "1")]) },
                { "connection", Whole([.. Good, ("connection", "keep-alive")]) },
                { "transfer-encoding", Whole([.. Good, ("transfer-encoding", "chunked")]) },
                { "keep-alive", Whole([.. Good, ("keep-alive", "1")]) },
                { "te other than trailers", Whole([.. Good, ("te", "gzip")]) },
                { "line break in a value", Whole([.. Good, ("x", "a\r\nhost: evil.example")]) },
                { "zero in a value", Whole([.. Good, ("x", "a\0b")]) },
                { "no name", Whole([.. Good, ("", "1")]) },
                { "line break in the method", Whole(But(":method", "GET / HTTP/1.1\r\nHost: evil")) },
                { "line break in the path", Whole(But(":path", "/version HTTP/1.1\r\nX: 1\r\n\r\n")) },
                { "path without a slash", Whole(But(":path", "version")) },
                { "absolute path", Whole(But(":path", "https://evil.example/version")) },
                { "scheme http", Whole(But(":scheme", "http")) },
                { "foreign authority", Whole(But(":authority", "evil.example")) },
                { "authority with user", Whole(But(":authority", "localhost@evil.example")) },
                { "empty authority", Whole(But(":authority", "")) },
                { "host unlike authority", Whole([.. But(":authority", "evil.example"), ("host", "localhost")]) },
                { "connect", Whole(But(":method", "CONNECT")) },
                { "body shorter than said", Body([.. Post, ("content-length", "10")], "{}") },
                { "body longer than said", Body([.. Post, ("content-length", "2")], "{}GET /version HTTP/1.1") },
                { "two lengths", Body([.. Post, ("content-length", "2"), ("content-length", "60")], "{}") },
                { "negative length", Body([.. Post, ("content-length", "-2")], "{}") },
                { "headers on stream 0", Http2Wire.Frame(Http2Wire.Headers, 5, 0, Http2Wire.Block(Good)) },
                { "an even stream", Http2Wire.Frame(Http2Wire.Headers, 5, 2, Http2Wire.Block(Good)) },
                { "data before headers", Http2Wire.Frame(Http2Wire.Data, 1, 1, [1, 2, 3]) },
                { "continuation of nothing", Http2Wire.Frame(Http2Wire.Continuation, 4, 1, Http2Wire.Block(Good)) },
                { "push from a client", Http2Wire.Frame(Http2Wire.PushPromise, 4, 1, [0, 0, 0, 2]) },
                { "frame over its limit", Http2Wire.Frame(Http2Wire.Data, 0, 1, new byte[200_000]) },
                { "window of nothing", Http2Wire.Frame(Http2Wire.WindowUpdate, 0, 0, [0, 0, 0, 0]) },
                {
                    "window overflow",
                    Many(3, _ => Http2Wire.Frame(Http2Wire.WindowUpdate, 0, 0, [0x7f, 0xff, 0xff, 0xff]))
                },
                { "index without an entry", Http2Wire.Frame(Http2Wire.Headers, 5, 1, [0xff, 0xff, 0x01]) },
                {
                    "endless integer",
                    Http2Wire.Frame(Http2Wire.Headers, 5, 1, [0xff, .. new byte[40].Select(_ => (byte)0xff)])
                },
                {
                    "headers without end",
                    [
                        .. Http2Wire.Frame(Http2Wire.Headers, 0, 1, Http2Wire.Block(Good)),
                        .. Many(3000, _ => Http2Wire.Frame(Http2Wire.Continuation, 0, 1, Http2Wire.Block(("x", "1")))),
                    ]
                },
                {
                    "headers over their limit",
                    [
                        .. Http2Wire.Frame(Http2Wire.Headers, 0, 1, Http2Wire.Block(Good)),
                        .. Many(
                            20,
                            index =>
                                Http2Wire.Frame(
                                    Http2Wire.Continuation,
                                    index == 19 ? Http2Wire.EndHeaders : (byte)0,
                                    1,
                                    Http2Wire.Block(($"x{index}", new string('a', 8000)))
                                )
                        ),
                    ]
                },
                {
                    "a table that grows from one line",
                    [
                        .. Http2Wire.Frame(
                            Http2Wire.Headers,
                            0,
                            1,
                            [
                                .. Http2Wire.Block(Good),
                                0x40,
                                1,
                                (byte)'x',
                                127,
                                0xc1,
                                0x16,
                                .. new byte[3000].Select(_ => (byte)'a'),
                            ]
                        ),
                        .. Http2Wire.Frame(
                            Http2Wire.Continuation,
                            Http2Wire.EndHeaders,
                            1,
                            [.. Enumerable.Repeat((byte)0xbe, 8000)]
                        ),
                    ]
                },
                {
                    "settings over their limit",
                    Http2Wire.Frame(Http2Wire.Settings, 0, 0, [0, 5, 0xff, 0xff, 0xff, 0xff])
                },
                { "settings on a stream", Http2Wire.Frame(Http2Wire.Settings, 0, 1, []) },
            };
        }
    }

    [Theory]
    [MemberData(nameof(Frames), DisableDiscoveryEnumeration = true)]
    public async Task A_broken_http2_request_is_not_served_and_others_are(string name, byte[] bytes)
    {
        await using var wire = await Http2Wire.OpenAsync(_gateway, TestContext.Current.CancellationToken);
        try
        {
            await wire.SendAsync(bytes);
        }
        catch (IOException)
        {
            // Closed while we were still sending.
        }

        var frames = await wire.ReadAsync(TimeSpan.FromSeconds(5));

        // 0x88 is ":status: 200" in HPACK's static table.
        Assert.False(
            frames.Any(frame => frame.Type == Http2Wire.Headers && frame.Payload.Contains((byte)0x88)),
            $"{name} was served"
        );
        Assert.True(
            frames.Any(frame => frame.Type is Http2Wire.GoAway or Http2Wire.ResetStream or Http2Wire.Headers)
                || !frames.Any(frame => frame.Type == Http2Wire.Data),
            name
        );
        await AnsweredAsync();
    }

    [Fact]
    public async Task A_sound_http2_request_by_hand_is_served()
    {
        await using var wire = await Http2Wire.OpenAsync(_gateway, TestContext.Current.CancellationToken);
        await wire.SendAsync(Http2Wire.Frame(Http2Wire.Headers, 5, 1, Http2Wire.Block(Good)));

        var frames = await wire.ReadAsync(TimeSpan.FromSeconds(5));

        Assert.Contains(frames, frame => frame.Type == Http2Wire.Headers && frame.Payload.Contains((byte)0x88));
        Assert.Contains(
            frames,
            frame => Encoding.ASCII.GetString(frame.Payload).Contains("3.5.2", StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("rapid reset")]
    [InlineData("ping")]
    [InlineData("settings")]
    [InlineData("empty data")]
    public async Task A_flood_of_frames_keeps_nobody_else_waiting(string kind)
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(4));
        var floods = Enumerable.Range(0, 4).Select(_ => FloodAsync(kind, stop.Token)).ToList();
        var slowest = TimeSpan.Zero;
        while (!stop.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            await AnsweredAsync();
            var took = Stopwatch.GetElapsedTime(began);
            slowest = took > slowest ? took : slowest;
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        await Task.WhenAll(floods);
        Assert.True(slowest < TimeSpan.FromSeconds(3), $"{kind}: {slowest}");
    }

    [Theory]
    [InlineData("no handshake")]
    [InlineData("no request")]
    [InlineData("slow line")]
    [InlineData("slow headers")]
    [InlineData("slow body")]
    [InlineData("slow chunks")]
    [InlineData("slow reader")]
    public async Task Slow_clients_are_let_go_and_others_are_answered(string kind)
    {
        var path = kind == "slow reader" ? await BigFileAsync() : "";
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var slow = Enumerable
            .Range(0, kind == "slow reader" ? 8 : 40)
            .Select(_ => SlowAsync(kind, path, limit.Token))
            .ToList();
        var ended = Task.WhenAll(slow);
        while (!ended.IsCompleted && !limit.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            await AnsweredAsync();
            Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(3), kind);
            await Task.Delay(200, TestContext.Current.CancellationToken);
        }

        Assert.True(ended.IsCompletedSuccessfully, $"{kind}: some were not let go");
    }

    [Fact]
    public async Task One_address_holds_so_many_connections_and_no_more()
    {
        var held = new List<TcpClient>();
        var closed = 0;
        try
        {
            for (var count = 0; count < 200; count++)
            {
                var tcp = new TcpClient { ReceiveTimeout = 50 };
                held.Add(tcp);
                try
                {
                    await tcp.ConnectAsync(
                        IPAddress.Loopback,
                        new Uri(_gateway.Url).Port,
                        TestContext.Current.CancellationToken
                    );
                }
                catch (SocketException)
                {
                    continue; // closed before it was told that it is open
                }
            }

            closed = held.Count(tcp => !tcp.Connected || IsClosed(tcp));
        }
        finally
        {
            held.ForEach(tcp => tcp.Dispose());
        }

        Assert.InRange(closed, 50, 200);
        await Task.Delay(500, TestContext.Current.CancellationToken);
        await AnsweredAsync();
    }

    [Fact]
    public async Task A_caller_over_its_points_waits_while_others_are_served_and_it_is_on_record()
    {
        var sam = _gateway.Http("sam");
        using var first = await sam.GetAsync(
            new Uri("/api/v1/whoami", UriKind.Relative),
            TestContext.Current.CancellationToken
        );
        var me = JsonNode.Parse(await first.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))![
            "id"
        ]!.ToString();
        HttpResponseMessage? refused = null;
        for (var count = 0; count < 500 && refused is null; count++)
        {
            var answer = await sam.GetAsync(
                new Uri("/api/2.0/mlflow/experiments/get?experiment_id=0", UriKind.Relative),
                TestContext.Current.CancellationToken
            );
            refused = answer.StatusCode == HttpStatusCode.TooManyRequests ? answer : null;
        }

        Assert.NotNull(refused);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        var body = JsonNode.Parse(await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
        Assert.Equal("REQUEST_LIMIT_EXCEEDED", body["error_code"]!.ToString());
        Assert.True((await _gateway.As("rita").ApiGetAsync("/api/v1/whoami")).Ok);
        var entries = await _gateway
            .Services.GetRequiredService<IAuditLog>()
            .QueryAsync(
                new AuditQuery { ActorId = me, KindPrefix = "access.rate_limited" },
                TestContext.Current.CancellationToken
            );
        Assert.NotEmpty(entries.Items);
    }

    [Theory]
    [InlineData("remy", false)]
    [InlineData("paul", true)]
    public async Task Asking_for_what_is_not_there_costs_as_much_as_holding_the_answer(string account, bool graphQl)
    {
        var client = _gateway.As(account);
        var absent = 0;
        for (; absent < 100; absent++)
        {
            var status = graphQl
                ? (await client.ApiPostAsync("/graphql", new() { ["query"] = "{model(name:\"absent\"){name}}" })).Status
                : (await client.GetAsync("registered-models/get?name=absent")).Status;
            if (status == HttpStatusCode.TooManyRequests)
            {
                break;
            }

            Assert.Equal(graphQl ? HttpStatusCode.OK : HttpStatusCode.NotFound, status);
        }

        // 400 points and some that come back meanwhile, at 21 or 22 each; the last few are not paid in full.
        Assert.InRange(absent, 15, 60);
    }

    [Fact]
    public async Task Tokens_of_strangers_from_a_flooding_address_are_no_longer_read_and_known_ones_are()
    {
        var dana = _gateway.As("dana");
        Assert.True((await dana.ApiGetAsync("/api/v1/whoami")).Ok);
        var statuses = new List<HttpStatusCode>();
        for (var count = 0; count < 60; count++)
        {
            using var stranger = _gateway.Anonymous();
            stranger.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"Bearer x.{count}.y");
            using var answer = await stranger.GetAsync(
                new Uri("/api/v1/whoami", UriKind.Relative),
                TestContext.Current.CancellationToken
            );
            statuses.Add(answer.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, statuses[0]);
        Assert.Equal(HttpStatusCode.TooManyRequests, statuses[^1]);
        Assert.True((await dana.ApiGetAsync("/api/v1/whoami")).Ok);
        var entries = await _gateway
            .Services.GetRequiredService<IAuditLog>()
            .QueryAsync(new AuditQuery { KindPrefix = "access.", First = 200 }, TestContext.Current.CancellationToken);
        Assert.Contains(entries.Items, entry => entry.Kind == "access.unauthenticated");
        Assert.Contains(entries.Items, entry => entry.Kind == "access.rate_limited");
        Assert.DoesNotContain(entries.Items, entry => entry.Canonical.Contains("127.0.0.1", StringComparison.Ordinal));
    }

    private static bool IsClosed(TcpClient tcp)
    {
        try
        {
            return tcp.GetStream().Read(new byte[1]) == 0;
        }
        catch (IOException ended)
        {
            return ended.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset };
        }
    }

    private async Task AnsweredAsync()
    {
        using var client = new HttpClient(
            Hosting.Loopback.Trusting(_gateway.Services.GetRequiredService<Tls.ServerCertificates>().Authority)
        );
        using var answer = await client.GetAsync(
            new Uri(_gateway.Url + "/version"),
            TestContext.Current.CancellationToken
        );
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    private async Task FloodAsync(string kind, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await using var wire = await Http2Wire.OpenAsync(_gateway, cancellationToken);
                for (var stream = 1; stream < 200_000 && !cancellationToken.IsCancellationRequested; stream += 2)
                {
                    await wire.SendAsync(
                        kind switch
                        {
                            "rapid reset" =>
                            [
                                .. Http2Wire.Frame(Http2Wire.Headers, 5, stream, Http2Wire.Block(Good)),
                                .. Http2Wire.Frame(Http2Wire.ResetStream, 0, stream, [0, 0, 0, 8]),
                            ],
                            "ping" => Http2Wire.Frame(Http2Wire.Ping, 0, 0, new byte[8]),
                            "settings" => Http2Wire.Frame(Http2Wire.Settings, 0, 0, []),
                            _ =>
                            [
                                .. stream == 1 ? Http2Wire.Frame(Http2Wire.Headers, 4, 1, Http2Wire.Block(Post)) : [],
                                .. Http2Wire.Frame(Http2Wire.Data, 0, 1, []),
                            ],
                        }
                    );
                }
            }
            catch (Exception ended) when (ended is IOException or OperationCanceledException or SocketException)
            {
                // Let go of; come again, as an attacker would.
            }
        }
    }

    private async Task SlowAsync(string kind, string path, CancellationToken cancellationToken)
    {
        try
        {
            if (kind == "no handshake")
            {
                using var tcp = new TcpClient();
                await tcp.ConnectAsync(IPAddress.Loopback, new Uri(_gateway.Url).Port, cancellationToken);
                Assert.Equal(0, await tcp.GetStream().ReadAsync(new byte[1], cancellationToken));
                return;
            }

            // With a small buffer of its own the reader holds up what the server sends.
            var room = kind == "slow reader" ? 8192 : 0;
            await using var tls = await _gateway.ConnectAsync(SslApplicationProtocol.Http11, cancellationToken, room);
            var (first, slowly) = kind switch
            {
                "no request" => ("", ""),
                "slow line" => ("", "GET /version?" + new string('x', 500)),
                "slow headers" => ("GET /version HTTP/1.1\r\nHost: localhost\r\n", "X: " + new string('x', 500)),
                "slow body" => (
                    $"POST /connect/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 500\r\n\r\n",
                    new string('x', 499)
                ),
                "slow chunks" => (
                    "POST /connect/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n",
                    new string('x', 499)
                ),
                _ => (
                    $"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {_gateway.TokenOf("dana")}\r\n\r\n",
                    ""
                ),
            };
            await tls.WriteAsync(Encoding.ASCII.GetBytes(first), cancellationToken);
            if (kind == "slow reader")
            {
                await Task.Delay(TimeSpan.FromSeconds(12), cancellationToken);
                await DrainAsync(tls, cancellationToken);
                return;
            }

            foreach (var character in slowly)
            {
                await tls.WriteAsync(new[] { (byte)character }, cancellationToken);
                await Task.Delay(400, cancellationToken);
            }

            await DrainAsync(tls, cancellationToken);
        }
        catch (IOException)
        {
            // Let go of.
        }
    }

    private static async Task DrainAsync(SslStream tls, CancellationToken cancellationToken)
    {
        var total = 0L;
        var buffer = new byte[65_536];
        while (await tls.ReadAsync(buffer, cancellationToken) is > 0 and var read)
        {
            total += read;
        }

        Assert.True(total < BigFile, "The slow reader got all of it.");
    }

    private const int BigFile = 12 << 20;

    private async Task<string> BigFileAsync()
    {
        var dana = _gateway.As("dana");
        var experiment = await dana.PostAsync("experiments/create", new JsonObject { ["name"] = "slow-reader" });
        var run = await dana.PostAsync(
            "runs/create",
            new JsonObject { ["experiment_id"] = experiment.Text("experiment_id"), ["start_time"] = 1 }
        );
        var folder = run.Text("run", "info", "artifact_uri")
            .Replace("mlflow-artifacts:/", "", StringComparison.Ordinal);
        var bytes = new byte[BigFile];
        new Random(1).NextBytes(bytes);
        var put = await dana.PutArtifactAsync($"{folder.TrimStart('/')}/big.bin", bytes);
        Assert.True(put.Ok, put.Body.ToJsonString());
        return $"/api/2.0/mlflow-artifacts/artifacts/{folder.TrimStart('/')}/big.bin";
    }
}
