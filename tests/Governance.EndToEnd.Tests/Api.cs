using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Governance.EndToEnd.Tests;

/// <summary>An answer of the gateway.</summary>
internal sealed record Answer(HttpStatusCode Status, JsonNode Body)
{
    public string Text(params ReadOnlySpan<string> path)
    {
        var node = Body;
        foreach (var name in path)
        {
            node = (node as JsonObject)?[name];
        }

        return node?.ToString() ?? "";
    }

    /// <summary>Itself when the status is the expected one; anything else ends the test.</summary>
    public Answer Expect(HttpStatusCode status = HttpStatusCode.OK) =>
        Status == status ? this
        : Status == HttpStatusCode.ServiceUnavailable
            // Neither acknowledged nor refused: as if the connection had ended.
            ? throw new HttpRequestException(Body.ToJsonString())
        : throw new InvalidOperationException($"Expected {status}, got {Status}: {Body.ToJsonString()}");
}

/// <summary>One person's view of the running gateway.</summary>
internal sealed class Api(People people, string name, CancellationToken cancellationToken)
{
    private const string Mlflow = "/api/2.0/mlflow/";
    private const string Artifacts = "/api/2.0/mlflow-artifacts/artifacts/";

    public async Task<Answer> PostAsync(string route, JsonObject body) =>
        (await SendAsync(HttpMethod.Post, Mlflow + route, JsonContent.Create(body))).Expect();

    public async Task<Answer> DeleteAsync(string route, JsonObject body) =>
        (await SendAsync(HttpMethod.Delete, Mlflow + route, JsonContent.Create(body))).Expect();

    public Task<Answer> TryPostAsync(string route, JsonObject body) =>
        SendAsync(HttpMethod.Post, Mlflow + route, JsonContent.Create(body));

    public Task<Answer> GetAsync(string route) => SendAsync(HttpMethod.Get, Mlflow + route, null);

    public Task<Answer> ApiGetAsync(string path) => SendAsync(HttpMethod.Get, path, null);

    public Task<Answer> ApiPostAsync(string path, JsonObject? body) =>
        SendAsync(HttpMethod.Post, path, body is null ? null : JsonContent.Create(body));

    public async Task<Answer> PutArtifactAsync(string path, byte[] bytes) =>
        (await SendAsync(HttpMethod.Put, Artifacts + path, Content(bytes, "application/octet-stream"))).Expect();

    public async Task<Answer> PutArtifactAsync(string path, HttpContent content) =>
        (await SendAsync(HttpMethod.Put, Artifacts + path, content)).Expect();

    public Task<Answer> UploadDatasetAsync(string dataset, byte[] bytes) =>
        UploadDatasetAsync(dataset, Content(bytes, "text/csv"));

    public Task<Answer> UploadDatasetAsync(string dataset, HttpContent content) =>
        SendAsync(HttpMethod.Post, $"/api/v1/datasets?name={dataset}&format=csv", content);

    /// <summary>The bytes at a path; null when the answer is not 200.</summary>
    public async Task<byte[]?> BytesAsync(string path)
    {
        using var client = people.Client(name);
        using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), cancellationToken);
        return answer.StatusCode == HttpStatusCode.OK
            ? await answer.Content.ReadAsByteArrayAsync(cancellationToken)
            : null;
    }

    public Task<byte[]?> ArtifactAsync(string path) => BytesAsync(Artifacts + path);

    /// <summary>The data of a GraphQL answer without errors.</summary>
    public async Task<JsonNode> GraphQlAsync(string query)
    {
        var content = JsonContent.Create(new JsonObject { ["query"] = query });
        var answer = await SendAsync(HttpMethod.Post, "/graphql", content);
        return answer.Body["errors"] is null && answer.Body["data"] is { } data
            ? data
            : throw new InvalidOperationException($"{query}: {answer.Body.ToJsonString()}");
    }

    private async Task<Answer> SendAsync(HttpMethod method, string path, HttpContent? content)
    {
        using var client = people.Client(name);
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        using var answer = await client.SendAsync(request, cancellationToken);
        var text = await answer.Content.ReadAsStringAsync(cancellationToken);
        return new Answer(answer.StatusCode, text.StartsWith('{') ? JsonNode.Parse(text)! : new JsonObject());
    }

    private static ByteArrayContent Content(byte[] bytes, string type)
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        return content;
    }
}
