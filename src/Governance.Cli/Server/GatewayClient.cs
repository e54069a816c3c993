using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Cli.Server;

/// <summary>The gateway's public interfaces. A refusal ends the verb with the server's own code and sentence.</summary>
internal sealed class GatewayClient : IDisposable
{
    private const int MaxAnswer = 64 << 20;
    private readonly HttpClient _http;

    public GatewayClient(Uri address, HttpMessageHandler handler, string? token)
    {
        _http = new HttpClient(new ClearErrors(handler, address))
        {
            BaseAddress = address,
            Timeout = TimeSpan.FromMinutes(10),
            MaxResponseContentBufferSize = MaxAnswer,
        };
        if (token is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    /// <summary>Asks GraphQL and gives back <c>data</c>.</summary>
    public async Task<JsonObject> AskAsync(string document, JsonObject variables, CancellationToken cancellationToken)
    {
        var answer = await PostAsync(
            "/graphql",
            new JsonObject { ["query"] = document, ["variables"] = variables },
            cancellationToken
        );
        if (answer["errors"] is JsonArray { Count: > 0 } errors)
        {
            throw new Stop(Exit.Refused, OfGraphQl(errors));
        }

        return answer["data"] as JsonObject ?? throw NotUnderstood();
    }

    public Task<JsonObject> PostAsync(string path, JsonObject body, CancellationToken cancellationToken) =>
        PostAsync(path, Json(body), cancellationToken);

    public async Task<JsonObject> PostAsync(string path, HttpContent content, CancellationToken cancellationToken) =>
        CanonicalJson.TryParse(await SendAsync(HttpMethod.Post, path, content, cancellationToken) ?? []) as JsonObject
        ?? throw NotUnderstood();

    public async Task<JsonObject> PutAsync(string path, JsonObject body, CancellationToken cancellationToken) =>
        CanonicalJson.TryParse(await SendAsync(HttpMethod.Put, path, Json(body), cancellationToken) ?? []) as JsonObject
        ?? throw NotUnderstood();

    /// <summary>Posts an object or nothing but the address, and wants no answer.</summary>
    public Task DoAsync(string path, JsonObject? body, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, path, body is null ? null : Json(body), cancellationToken);

    /// <summary>Deletes what has this address.</summary>
    public Task DeleteAsync(string path, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, path, null, cancellationToken);

    public async Task<byte[]> GetAsync(string path, CancellationToken cancellationToken) =>
        await FindAsync(path, cancellationToken)
        ?? throw new Stop(
            Exit.Refused,
            Failure.NotFound("server.not_found", "The server knows nothing under that name.")
        );

    /// <summary>A JSON object.</summary>
    public async Task<JsonObject> ReadAsync(string path, CancellationToken cancellationToken) =>
        CanonicalJson.TryParse(await GetAsync(path, cancellationToken)) as JsonObject ?? throw NotUnderstood();

    /// <summary>Null when there is nothing under that path.</summary>
    public Task<byte[]?> FindAsync(string path, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, path, null, cancellationToken);

    public void Dispose() => _http.Dispose();

    private static StringContent Json(JsonObject body) => new(body.ToJsonString(), Encoding.UTF8, "application/json");

    private async Task<byte[]?> SendAsync(
        HttpMethod method,
        string path,
        HttpContent? content,
        CancellationToken cancellationToken
    )
    {
        try
        {
            using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
            using var answer = await _http.SendAsync(request, cancellationToken);
            var body = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
            return answer.IsSuccessStatusCode ? body
                : method == HttpMethod.Get && answer.StatusCode == HttpStatusCode.NotFound ? null
                : throw Refusal(answer.StatusCode, body);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new Stop(Exit.Unusable, Failure.Invalid("server.timed_out", "The server did not answer in time."));
        }
    }

    private static Stop Refusal(HttpStatusCode status, byte[] body)
    {
        var exitCode = (int)status >= 500 ? Exit.Unusable : Exit.Refused;
        var problem = CanonicalJson.TryParse(body) as JsonObject;
        if (problem?["errors"] is JsonArray { Count: > 0 } errors)
        {
            return new Stop(exitCode, OfGraphQl(errors));
        }

        var failure = Failure.Invalid(
            TextOf(problem?["code"]) ?? $"server.status_{(int)status}",
            TextOf(problem?["detail"])
                ?? TextOf(problem?["title"])
                ?? TextOf(problem?["message"])
                ?? $"The server answered {(int)status}."
        );
        return new Stop(exitCode, failure with { Reasons = Texts(problem?["reasons"]) });
    }

    private static Failure OfGraphQl(JsonArray errors)
    {
        var error = errors[0] as JsonObject;
        var extensions = error?["extensions"] as JsonObject;
        return Failure.Invalid(
            TextOf(extensions?["code"]) ?? "server.error",
            TextOf(error?["message"]) ?? "The server refused without a reason."
        ) with
        {
            Reasons = Texts(extensions?["reasons"]),
        };
    }

    private static Stop NotUnderstood() =>
        new(Exit.Unusable, Failure.Invalid("server.bad_answer", "The server's answer is not what a gateway answers."));

    private static string[] Texts(JsonNode? node) =>
        node is JsonArray items ? [.. items.Select(TextOf).OfType<string>()] : [];

    private static string? TextOf(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
