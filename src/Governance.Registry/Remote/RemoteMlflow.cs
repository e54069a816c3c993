using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Outbound;
using Governance.Registry.Wire;

namespace Governance.Registry.Remote;

/// <summary>
/// Reads a foreign MLflow server, 2.x or 3.x: a fixed list of routes under one configured address, never an address out of an
/// answer. What it answers is data of a stranger: bounded in size, depth, count and time, typed, and never repeated in errors.
/// Every request only reads, so it is asked again when the server is busy or breaks off. Thread-safe.
/// </summary>
internal sealed class RemoteMlflow : IDisposable
{
    /// <summary>Most items of one page, whatever was asked for.</summary>
    private const int MaxItems = 100_000;
    private const string Mlflow = "api/2.0/mlflow/";
    private const string Proxy = "api/2.0/mlflow-artifacts/artifacts";

    private readonly RemoteOptions _options;
    private readonly TimeProvider _clock;
    private readonly SocketsHttpHandler _handler;
    private readonly HttpClient _client;
    private readonly string _root;

    public RemoteMlflow(RemoteOptions options, IHostAddresses hosts, TimeProvider clock)
    {
        (_options, _clock) = (options, clock);
        _handler = OutboundConnections.Handler(hosts, options.Policy().Allows, options.Authorities, options.Identity);
        _handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2);
        _handler.MaxConnectionsPerServer = options.Connections;
        _client = new HttpClient(_handler) { Timeout = Timeout.InfiniteTimeSpan };
        _root = options.Url.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/";
    }

    public Task<Result<RemotePage<RemoteExperiment>>> ExperimentsAsync(
        RemoteView view,
        int most,
        string? pageToken,
        CancellationToken cancellationToken
    ) =>
        PageAsync(
            PostSearch("experiments/search", most, pageToken, new JsonObject { ["view_type"] = View(view) }),
            "experiments",
            RemoteReading.Experiment,
            cancellationToken
        );

    public Task<Result<RemoteExperiment>> ExperimentAsync(string experimentId, CancellationToken cancellationToken) =>
        OneAsync(
            Get("experiments/get", ("experiment_id", experimentId)),
            "experiment",
            RemoteReading.Experiment,
            cancellationToken
        );

    public Task<Result<RemoteExperiment>> ExperimentNamedAsync(string name, CancellationToken cancellationToken) =>
        OneAsync(
            Get("experiments/get-by-name", ("experiment_name", name)),
            "experiment",
            RemoteReading.Experiment,
            cancellationToken
        );

    /// <summary>Runs of an experiment, oldest first, with tags, params, latest metrics, inputs and outputs.</summary>
    public Task<Result<RemotePage<RemoteRun>>> RunsAsync(
        string experimentId,
        RemoteView view,
        int most,
        string? pageToken,
        CancellationToken cancellationToken
    ) =>
        PageAsync(
            PostSearch(
                "runs/search",
                most,
                pageToken,
                new JsonObject
                {
                    ["experiment_ids"] = new JsonArray(experimentId),
                    ["run_view_type"] = View(view),
                    ["order_by"] = new JsonArray("attributes.start_time ASC"),
                }
            ),
            "runs",
            RemoteReading.Run,
            cancellationToken
        );

    public Task<Result<RemoteRun>> RunAsync(string runId, CancellationToken cancellationToken) =>
        OneAsync(Get("runs/get", ("run_id", runId)), "run", RemoteReading.Run, cancellationToken);

    /// <summary>All values of one metric of a run; some servers page them.</summary>
    public Task<Result<RemotePage<RemoteMetric>>> MetricHistoryAsync(
        string runId,
        string key,
        int most,
        string? pageToken,
        CancellationToken cancellationToken
    ) =>
        PageAsync(
            GetSearch("metrics/get-history", most, pageToken, ("run_id", runId), ("metric_key", key)),
            "metrics",
            RemoteReading.Metric,
            cancellationToken
        );

    /// <summary>Logged models of an experiment; <c>registry.remote_not_found</c> from a server before 3.0.</summary>
    public Task<Result<RemotePage<RemoteLoggedModel>>> LoggedModelsAsync(
        string experimentId,
        int most,
        string? pageToken,
        CancellationToken cancellationToken
    ) =>
        PageAsync(
            PostSearch(
                "logged-models/search",
                most,
                pageToken,
                new JsonObject { ["experiment_ids"] = new JsonArray(experimentId) }
            ),
            "models",
            RemoteReading.LoggedModel,
            cancellationToken
        );

    public Task<Result<RemoteLoggedModel>> LoggedModelAsync(string modelId, CancellationToken cancellationToken) =>
        OneAsync(
            Get($"logged-models/{Uri.EscapeDataString(modelId)}"),
            "model",
            RemoteReading.LoggedModel,
            cancellationToken
        );

    /// <summary>Registered models by a filter of MLflow's grammar. Servers leave prompts out unless the filter names their tag.</summary>
    public Task<Result<RemotePage<RemoteModel>>> ModelsAsync(
        string filter,
        int most,
        string? pageToken,
        CancellationToken cancellationToken
    ) =>
        PageAsync(
            GetSearch("registered-models/search", most, pageToken, Filter(filter)),
            "registered_models",
            RemoteReading.Model,
            cancellationToken
        );

    public Task<Result<RemoteModel>> ModelAsync(string name, CancellationToken cancellationToken) =>
        OneAsync(
            Get("registered-models/get", ("name", name)),
            "registered_model",
            RemoteReading.Model,
            cancellationToken
        );

    public Task<Result<RemotePage<RemoteVersion>>> VersionsAsync(
        string filter,
        int most,
        string? pageToken,
        CancellationToken cancellationToken
    ) =>
        PageAsync(
            GetSearch("model-versions/search", most, pageToken, Filter(filter)),
            "model_versions",
            RemoteReading.Version,
            cancellationToken
        );

    public Task<Result<RemoteVersion>> VersionAsync(string name, int number, CancellationToken cancellationToken) =>
        OneAsync(
            Get("model-versions/get", ("name", name), ("version", $"{number}")),
            "model_version",
            RemoteReading.Version,
            cancellationToken
        );

    /// <summary>The version that an alias names; servers answer 400 when there is none.</summary>
    public Task<Result<RemoteVersion>> AliasAsync(string name, string alias, CancellationToken cancellationToken) =>
        OneAsync(
            Get("registered-models/alias", ("name", name), ("alias", alias)),
            "model_version",
            RemoteReading.Version,
            cancellationToken
        );

    /// <summary>Where the server says that a version's files are, in its own words.</summary>
    public async Task<Result<string>> DownloadUriAsync(string name, int number, CancellationToken cancellationToken)
    {
        var answer = await AskAsync(
            Get("model-versions/get-download-uri", ("name", name), ("version", $"{number}")),
            cancellationToken
        );
        return answer.Ok ? RemoteReading.Guard(() => answer.Value.Required("artifact_uri", 10_000)) : answer.Failure;
    }

    /// <summary>
    /// Every page of a search, one after another, ending with the first failure. A token that comes twice, or more pages than the
    /// limit, is <c>registry.remote_endless</c>.
    /// </summary>
    public async IAsyncEnumerable<Result<RemotePage<T>>> PagesAsync<T>(
        Func<string?, Task<Result<RemotePage<T>>>> read,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        string? token = null;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            var page = await read(token);
            yield return page;
            if (!page.Ok)
            {
                yield break;
            }

            token = page.Value.Next;
            if (token is not null && (!seen.Add(token) || seen.Count >= _options.MaxPages))
            {
                yield return RemoteFailures.Endless;
                yield break;
            }
        } while (token is not null);
    }

    /// <summary>All files under a place, sorted by path. A path that no store here would take is <c>registry.remote_bad_answer</c>.</summary>
    public async Task<Result<IReadOnlyList<RemoteFile>>> FilesAsync(
        RemotePlace place,
        CancellationToken cancellationToken
    )
    {
        var files = new SortedDictionary<string, RemoteFile>(StringComparer.Ordinal);
        var directories = new HashSet<string>(StringComparer.Ordinal) { "" };
        var waiting = new Queue<ArtifactPath>([ArtifactPath.Root]);
        while (waiting.TryDequeue(out var directory))
        {
            var listed = await ListAsync(place, directory, cancellationToken);
            if (!listed.Ok)
            {
                // A run that never stored anything has no directory; some stores call that an absence.
                return listed.Failure == RemoteFailures.NotFound && directory.IsRoot
                    ? Array.Empty<RemoteFile>()
                    : listed.Failure;
            }

            foreach (var (path, isDirectory, size) in listed.Value)
            {
                if (!isDirectory)
                {
                    files[path.Value] = new RemoteFile(path, size);
                }
                else if (directories.Add(path.Value))
                {
                    waiting.Enqueue(path);
                }

                if (files.Count > _options.MaxFiles || directories.Count > _options.MaxPages)
                {
                    return RemoteFailures.Endless;
                }
            }
        }

        return files.Values.ToList();
    }

    /// <summary>What is directly in a place, by its path under it.</summary>
    public async Task<Result<IReadOnlyList<(ArtifactPath Path, bool IsDirectory, long? Size)>>> ChildrenAsync(
        RemotePlace place,
        CancellationToken cancellationToken
    )
    {
        var listed = await ListAsync(place, ArtifactPath.Root, cancellationToken);
        return listed.Ok ? listed.Value : listed.Failure;
    }

    /// <summary>
    /// Reads one file: hands its bytes to <paramref name="read"/> as they arrive, again from the start when the server breaks off.
    /// </summary>
    public Task<Result<T>> ReadAsync<T>(
        RemotePlace place,
        ArtifactPath path,
        Func<Stream, CancellationToken, Task<Result<T>>> read,
        CancellationToken cancellationToken
    )
    {
        var request = place switch
        {
            RemotePlace.Proxy proxy => new Request(HttpMethod.Get, $"{Proxy}/{Escaped(proxy.Path.Combine(path))}"),
            RemotePlace.OfRun run => new Request(
                HttpMethod.Get,
                "get-artifact" + Query([("run_id", run.RunId), ("run_uuid", run.RunId), ("path", path.Value)])
            ),
            RemotePlace.OfLoggedModel model => new Request(
                HttpMethod.Get,
                $"ajax-api/2.0/mlflow/logged-models/{Uri.EscapeDataString(model.ModelId)}/artifacts/files"
                    + Query([("artifact_file_path", path.Value)])
            ),
            _ => throw new InvalidOperationException("Unknown place."),
        };
        return RetryAsync(
            request,
            async (answer, begun) =>
            {
                await using var bytes = await answer.Content.ReadAsStreamAsync(cancellationToken);
                await using var paced = new PacedStream(bytes, _clock, begun, _options.Timeout, _options.LeastRate);
                var outcome = await read(paced, cancellationToken);
                return outcome;
            },
            cancellationToken
        );
    }

    public void Dispose()
    {
        _client.Dispose();
        _handler.Dispose();
    }

    private sealed record Request(HttpMethod Method, string Target, JsonObject? Body = null);

    private static Request Get(string route, params (string Name, string? Value)[] query) =>
        new(HttpMethod.Get, Mlflow + route + Query(query));

    private static Request GetSearch(
        string route,
        int most,
        string? pageToken,
        params (string Name, string? Value)[] query
    ) => Get(route, [.. query, ("max_results", $"{most}"), ("page_token", pageToken)]);

    private static Request PostSearch(string route, int most, string? pageToken, JsonObject body)
    {
        body["max_results"] = most;
        body.With("page_token", pageToken);
        return new Request(HttpMethod.Post, Mlflow + route, body);
    }

    private static (string, string?) Filter(string filter) => ("filter", filter.Length == 0 ? null : filter);

    private static string Query(IEnumerable<(string Name, string? Value)> query)
    {
        var parts = query
            .Where(part => part.Value is not null)
            .Select(part => $"{part.Name}={Uri.EscapeDataString(part.Value!)}")
            .ToList();
        return parts.Count == 0 ? "" : "?" + string.Join('&', parts);
    }

    private static string Escaped(ArtifactPath path) =>
        string.Join('/', path.Value.Split('/').Select(Uri.EscapeDataString));

    private static string View(RemoteView view) =>
        view switch
        {
            RemoteView.Active => "ACTIVE_ONLY",
            RemoteView.Deleted => "DELETED_ONLY",
            _ => "ALL",
        };

    private async Task<Result<RemotePage<T>>> PageAsync<T>(
        Request request,
        string list,
        Func<Args, (string Id, Func<T> Read)> item,
        CancellationToken cancellationToken
    )
    {
        var answer = await AskAsync(request, cancellationToken);
        return answer.Ok
            ? RemoteReading.Guard(() => RemoteReading.Page(answer.Value, list, MaxItems, item))
            : answer.Failure;
    }

    private async Task<Result<T>> OneAsync<T>(
        Request request,
        string member,
        Func<Args, (string Id, Func<T> Read)> item,
        CancellationToken cancellationToken
    )
    {
        var answer = await AskAsync(request, cancellationToken);
        if (!answer.Ok)
        {
            return answer.Failure;
        }

        var one = RemoteReading.Guard(() => RemoteReading.One(answer.Value, member, item));
        return one.Ok ? one.Value : one.Failure;
    }

    /// <summary>The direct children of a directory of a place, by their paths under the place.</summary>
    private async Task<Result<List<(ArtifactPath Path, bool IsDirectory, long? Size)>>> ListAsync(
        RemotePlace place,
        ArtifactPath directory,
        CancellationToken cancellationToken
    )
    {
        var children = new List<(ArtifactPath, bool, long?)>();
        var path = directory.IsRoot ? null : directory.Value;
        var pages = PagesAsync(
            token =>
                PageAsync(
                    place switch
                    {
                        RemotePlace.Proxy proxy => new Request(
                            HttpMethod.Get,
                            Proxy + Query([("path", proxy.Path.Combine(directory).Value)])
                        ),
                        RemotePlace.OfRun run => Get(
                            "artifacts/list",
                            ("run_id", run.RunId),
                            ("path", path),
                            ("page_token", token)
                        ),
                        RemotePlace.OfLoggedModel model => Get(
                            $"logged-models/{Uri.EscapeDataString(model.ModelId)}/artifacts/directories",
                            ("artifact_directory_path", path),
                            ("page_token", token)
                        ),
                        _ => throw new InvalidOperationException("Unknown place."),
                    },
                    "files",
                    RemoteReading.File,
                    cancellationToken
                ),
            cancellationToken
        );
        await foreach (var page in pages)
        {
            if (!page.Ok)
            {
                return page.Failure;
            }

            foreach (var item in page.Value.Items)
            {
                if (!item.Value.Ok)
                {
                    return item.Value.Failure;
                }

                var (text, isDirectory, size) = item.Value.Value;
                // The proxy says base names, the other routes whole paths.
                if (
                    !ArtifactPath.TryParse(text, out var child)
                    || child.IsRoot
                    || size < 0
                    || (place is RemotePlace.Proxy && child.Name != child.Value)
                )
                {
                    return RemoteFailures.BadAnswer("a file has a path or size that no store would take.");
                }

                var whole = place is RemotePlace.Proxy ? directory.Combine(child) : child;
                if (!IsChild(whole, directory))
                {
                    return RemoteFailures.BadAnswer("a file lies outside of the directory that was listed.");
                }

                // Each part may be a path and the whole too long or too deep.
                var stored = place is RemotePlace.Proxy { Path: var root } ? root.Combine(whole) : whole;
                if (!ArtifactPath.TryParse(stored.Value, out _))
                {
                    return RemoteFailures.BadAnswer("a file has a path that is too long or too deep.");
                }

                children.Add((whole, isDirectory, size));
                if (children.Count > _options.MaxFiles)
                {
                    return RemoteFailures.Endless;
                }
            }
        }

        return children;
    }

    private static bool IsChild(ArtifactPath path, ArtifactPath directory) =>
        path.IsWithin(directory)
        && path != directory
        && path.Value.AsSpan(directory.IsRoot ? 0 : directory.Value.Length + 1).IndexOf('/') < 0;

    private Task<Result<Args>> AskAsync(Request request, CancellationToken cancellationToken) =>
        RetryAsync(
            request,
            async (answer, begun) =>
            {
                using var buffer = new MemoryStream();
                await using var bytes = await answer.Content.ReadAsStreamAsync(cancellationToken);
                await using var paced = new PacedStream(bytes, _clock, begun, _options.Timeout, int.MaxValue);
                var chunk = new byte[32 << 10];
                int read;
                while ((read = await paced.ReadAsync(chunk, cancellationToken)) > 0)
                {
                    if (buffer.Length + read > _options.MaxJsonBytes)
                    {
                        return RemoteFailures.TooLarge;
                    }

                    buffer.Write(chunk, 0, read);
                }

                if (answer.Content.Headers.ContentType?.MediaType is not "application/json")
                {
                    return RemoteFailures.BadAnswer("it is not JSON.");
                }

                var parsed = Args.OfBody(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
                return parsed.Ok ? parsed : RemoteFailures.BadAnswer("it is no JSON object, or too deep.");
            },
            cancellationToken
        );

    private async Task<Result<T>> RetryAsync<T>(
        Request request,
        Func<HttpResponseMessage, long, Task<Result<T>>> read,
        CancellationToken cancellationToken
    )
    {
        for (var attempt = 1; ; attempt++)
        {
            var (outcome, again, wait) = await TryAsync(request, read, _options.DoubtsAbsence, cancellationToken);
            if (!again || attempt >= _options.Attempts)
            {
                return outcome;
            }

            var backoff = Math.Min(_options.Backoff.TotalSeconds * (1 << Math.Min(attempt - 1, 10)), 30);
            // Between half and all of it, so that many do not come back at once.
            var jittered = backoff * RandomNumberGenerator.GetInt32(500, 1001) / 1000;
            await Task.Delay(
                TimeSpan.FromSeconds(Math.Max(jittered, Math.Clamp(wait?.TotalSeconds ?? 0, 0, 60))),
                _clock,
                cancellationToken
            );
        }
    }

    // A proxy in the server's place says 404 too, in its own words, while the server is away: then nothing is known to be absent.
    private async Task<bool> IsAwayAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var (most, read) = (new byte[4096], 0);
        await using (var bytes = await answer.Content.ReadAsStreamAsync(cancellationToken))
        {
            read = await bytes.ReadAtLeastAsync(most, most.Length, throwOnEndOfStream: false, cancellationToken);
        }

        if (
            Args.OfBody(most.AsSpan(0, read)) is { Ok: true } said
            && RemoteReading.Guard(() => said.Value.Optional("error_code")) is { Ok: true, Value: not null }
        )
        {
            return false;
        }

        var alive = await TryAsync<Unit>(
            PostSearch("experiments/search", 1, null, []),
            (_, _) => Task.FromResult<Result<Unit>>(default(Unit)),
            doubts: false,
            cancellationToken
        );
        return !alive.Outcome.Ok;
    }

    /// <summary>One attempt: its outcome, whether another one may help, and how long the server asks to wait.</summary>
    private async Task<(Result<T> Outcome, bool Again, TimeSpan? Wait)> TryAsync<T>(
        Request request,
        Func<HttpResponseMessage, long, Task<Result<T>>> read,
        bool doubts,
        CancellationToken cancellationToken
    )
    {
        var credential = await _options.CredentialAsync(cancellationToken);
        if (!credential.Ok)
        {
            return (credential.Failure, false, null);
        }

        // The path was escaped part by part; nothing may resolve or decode it again on the way.
        var address = new Uri(
            _root + request.Target,
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }
        );
        using var message = new HttpRequestMessage(request.Method, address);
        message.Headers.Authorization = credential.Value;
        if (request.Body is { } body)
        {
            message.Content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes(body.ToJsonString()));
            message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        var begun = _clock.GetTimestamp();
        try
        {
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(_options.Timeout);
            using var answer = await _client.SendAsync(
                message,
                HttpCompletionOption.ResponseHeadersRead,
                limited.Token
            );
            return answer.StatusCode == HttpStatusCode.NotFound && doubts && await IsAwayAsync(answer, limited.Token)
                    ? (RemoteFailures.Unreachable, true, null)
                : Judge(answer) is { } refusal ? (refusal.Failure, refusal.Again, WaitOf(answer))
                : (await read(answer, begun), false, null);
        }
        catch (Exception broken) when (!cancellationToken.IsCancellationRequested && FailureOf(broken) is { } failure)
        {
            return (failure, failure == RemoteFailures.Unreachable, null);
        }
    }

    private static (Failure Failure, bool Again)? Judge(HttpResponseMessage answer) =>
        answer.StatusCode switch
        {
            HttpStatusCode.OK when answer.Content.Headers.ContentEncoding.Count > 0 => (
                RemoteFailures.BadAnswer("it is encoded, which was not asked for."),
                false
            ),
            HttpStatusCode.OK => null,
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => (RemoteFailures.Unauthorized, false),
            HttpStatusCode.NotFound => (RemoteFailures.NotFound, false),
            HttpStatusCode.RequestTimeout
            or HttpStatusCode.TooManyRequests
            or HttpStatusCode.BadGateway
            or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout => (RemoteFailures.Unreachable, true),
            >= HttpStatusCode.InternalServerError => (RemoteFailures.Broken, true),
            var other => (RemoteFailures.Refused((int)other), false),
        };

    private TimeSpan? WaitOf(HttpResponseMessage answer) =>
        answer.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - _clock.GetUtcNow(),
            _ => null,
        };

    /// <summary>What a broken exchange means; null for what is no fault of the server.</summary>
    private static Failure? FailureOf(Exception broken)
    {
        foreach (var cause in OutboundConnections.Chain(broken))
        {
            switch (cause)
            {
                case ForbiddenAddressException:
                    return RemoteFailures.Address;
                case AuthenticationException:
                    return RemoteFailures.Tls;
                case RemoteBrokeOffException or HttpRequestException or HttpIOException or OperationCanceledException:
                    continue;
            }
        }

        return
            broken is RemoteBrokeOffException or HttpRequestException or HttpIOException or OperationCanceledException
            ? RemoteFailures.Unreachable
            : null;
    }
}
