using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Outbound;
using Governance.Registry.Remote;
using Governance.Registry.Wire;
using Microsoft.Extensions.Options;

namespace Governance.Registry.Upstream;

/// <summary>
/// Writes to the server behind the gateway: the routes of <see cref="UpstreamRoute"/> and its artifact proxy, in requests made
/// here from typed values. Nothing of a client's request is forwarded, no header of it and no credential; no redirect is followed.
/// One attempt: whoever asks decides whether to ask again. Thread-safe.
/// </summary>
internal sealed class UpstreamClient : IDisposable
{
    private const string Artifacts = "api/2.0/mlflow-artifacts/artifacts/";
    private readonly RemoteOptions _remote;
    private readonly TimeSpan _timeout;
    private readonly string _root = "";

    public UpstreamClient(IOptions<RegistryOptions> options, IHostAddresses hosts, TimeProvider clock)
    {
        var settings = options.Value.Upstream;
        _timeout = TimeSpan.FromSeconds(settings.TimeoutSeconds);
        _remote = settings.IsOn
            ? RemoteOptions.Of(settings.Server) with
            {
                Timeout = _timeout,
                Attempts = 1,
                DoubtsAbsence = true,
                Connections = 64,
            }
            : new RemoteOptions(new Uri("https://localhost"));
        _root = _remote.Url.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/";
        var handler = OutboundConnections.Handler(
            hosts,
            _remote.Policy().Allows,
            _remote.Authorities,
            _remote.Identity
        );
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2);
        handler.MaxConnectionsPerServer = _remote.Connections;
        handler.ActivityHeadersPropagator = null;
        Invoker = new HttpMessageInvoker(handler);
        Reader = new RemoteMlflow(_remote, hosts, clock);
    }

    /// <summary>What it cannot write with: reads of whole objects and lists.</summary>
    public RemoteMlflow Reader { get; }

    public HttpMessageInvoker Invoker { get; }

    /// <summary>Sends one request; <see cref="UpstreamFailures.Pending"/> when another attempt may succeed.</summary>
    public Task<Result<Args>> SendAsync(UpstreamRoute route, JsonObject body, CancellationToken cancellationToken) =>
        SendAsync(route.Method, route.Path, Json(body), cancellationToken);

    /// <summary>Whether it answers a plain question.</summary>
    public async Task<bool> IsAliveAsync(CancellationToken cancellationToken)
    {
        var route = UpstreamRoute.SearchExperiments;
        return (await AskAsync(route.Method, route.Path, Json(new() { ["max_results"] = 1 }), cancellationToken))
            is { Answer.Ok: true };
    }

    /// <summary>Streams a stored file to its place upstream.</summary>
    public Task<Result<Args>> PutArtifactAsync(
        string container,
        string path,
        Stream bytes,
        long size,
        CancellationToken cancellationToken
    )
    {
        var content = new StreamContent(bytes);
        content.Headers.ContentLength = size;
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        return SendAsync(HttpMethod.Put, Artifacts + Escaped($"{container}/{path}"), content, cancellationToken);
    }

    public Task<Result<Args>> DeleteArtifactAsync(string container, string path, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, Artifacts + Escaped($"{container}/{path}"), null, cancellationToken);

    /// <summary>The address of a file, built from its parts and from nothing else.</summary>
    public Uri ArtifactUri(string container, string path) => Address(Artifacts + Escaped($"{container}/{path}"));

    public Task<Result<AuthenticationHeaderValue?>> CredentialAsync(CancellationToken cancellationToken) =>
        _remote.CredentialAsync(cancellationToken);

    public void Dispose()
    {
        Reader.Dispose();
        Invoker.Dispose();
    }

    // Parts were checked one by one: nothing may resolve or decode them again on the way.
    private Uri Address(string target) =>
        new(_root + target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });

    private static string Escaped(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));

    private static ByteArrayContent Json(JsonObject body)
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body.ToJsonString()));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }

    // A proxy in the server's place says 404 too, while the server is away: a refusal that is not in MLflow's words counts as the
    // server's only when the server is there.
    private async Task<Result<Args>> SendAsync(
        HttpMethod method,
        string target,
        HttpContent? content,
        CancellationToken cancellationToken
    )
    {
        var (answer, bare) = await AskAsync(method, target, content, cancellationToken);
        return bare && answer.Failure == UpstreamFailures.Refused && !await IsAliveAsync(cancellationToken)
            ? UpstreamFailures.Pending
            : answer;
    }

    private async Task<(Result<Args> Answer, bool Bare)> AskAsync(
        HttpMethod method,
        string target,
        HttpContent? content,
        CancellationToken cancellationToken
    )
    {
        using var message = new HttpRequestMessage(method, Address(target)) { Content = content };
        message.Headers.UserAgent.Add(new ProductInfoHeaderValue("governance-gateway", "1"));
        try
        {
            var credential = await _remote.CredentialAsync(cancellationToken);
            if (!credential.Ok)
            {
                return (UpstreamFailures.Pending, true);
            }

            message.Headers.Authorization = credential.Value;
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            // A long upload goes on as long as it moves; what is short has one time for all.
            limited.CancelAfter(content is StreamContent ? TimeSpan.FromHours(1) : _timeout);
            using var answer = await Invoker.SendAsync(message, limited.Token);
            var body = await BodyAsync(answer, limited.Token);
            return (Judge(answer.StatusCode, body), Said(body) is null);
        }
        catch (Exception broken)
            when (broken is HttpRequestException or IOException or OperationCanceledException
                && !cancellationToken.IsCancellationRequested
            )
        {
            return (UpstreamFailures.Pending, true);
        }
    }

    private async Task<Result<Args>> BodyAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        await using var bytes = await answer.Content.ReadAsStreamAsync(cancellationToken);
        using var buffer = new MemoryStream();
        var chunk = new byte[16 << 10];
        int read;
        while ((read = await bytes.ReadAsync(chunk, cancellationToken)) > 0)
        {
            if (buffer.Length + read > _remote.MaxJsonBytes)
            {
                return UpstreamFailures.Refused;
            }

            buffer.Write(chunk, 0, read);
        }

        return Args.OfBody(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }

    // A wrong credential, a redirect or a broken server is for the operator to mend: the change waits. Only what MLflow itself
    // says about what was asked is its last word.
    private static Result<Args> Judge(HttpStatusCode status, Result<Args> body)
    {
        if (status is HttpStatusCode.OK)
        {
            return body.Ok ? body : UpstreamFailures.Pending;
        }

        return status switch
        {
            HttpStatusCode.BadRequest when Said(body) == "RESOURCE_ALREADY_EXISTS" => UpstreamFailures.Exists,
            HttpStatusCode.BadRequest
            or HttpStatusCode.NotFound
            or HttpStatusCode.MethodNotAllowed
            or HttpStatusCode.Conflict
            or HttpStatusCode.RequestEntityTooLarge
            or HttpStatusCode.NotImplemented => UpstreamFailures.Refused,
            _ => UpstreamFailures.Pending,
        };
    }

    private static string? Said(Result<Args> body) =>
        body.Ok && RemoteReading.Guard(() => body.Value.Optional("error_code")) is { Ok: true } said
            ? said.Value
            : null;
}
