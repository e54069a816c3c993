using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Governance.Gateway.Demo;

/// <summary>An answer of the gateway.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">JSON body, or an empty object.</param>
internal sealed record Answer(HttpStatusCode Status, JsonNode Body)
{
    public bool Ok => Status == HttpStatusCode.OK;

    /// <summary>The text member at a path, or empty.</summary>
    public string Text(params ReadOnlySpan<string> path)
    {
        JsonNode? node = Body;
        foreach (var name in path)
        {
            node = (node as JsonObject)?[name];
        }

        return node?.ToString() ?? "";
    }
}

/// <summary>One account's view of the gateway: MLflow routes as a stock client calls them, GraphQL, and our own API.</summary>
internal sealed class DemoClient(HttpClient http)
{
    private const string Mlflow = "/api/2.0/mlflow/";

    public Task<Answer> PostAsync(string route, JsonObject body) =>
        SendAsync(HttpMethod.Post, Mlflow + route, JsonContent.Create(body));

    public Task<Answer> PatchAsync(string route, JsonObject body) =>
        SendAsync(HttpMethod.Patch, Mlflow + route, JsonContent.Create(body));

    public Task<Answer> GetAsync(string route) => SendAsync(HttpMethod.Get, Mlflow + route, null);

    public Task<Answer> ApiGetAsync(string path) => SendAsync(HttpMethod.Get, path, null);

    public Task<Answer> ApiPostAsync(string path, JsonObject body) =>
        SendAsync(HttpMethod.Post, path, JsonContent.Create(body));

    public async Task<byte[]> BytesAsync(string path)
    {
        using var answer = await http.GetAsync(new Uri(path, UriKind.Relative));
        return await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
    }

    public Task<Answer> UploadAsync(HttpMethod method, string path, byte[] bytes, string contentType)
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        return SendAsync(method, path, content);
    }

    public Task<Answer> PutArtifactAsync(string path, byte[] bytes) =>
        UploadAsync(HttpMethod.Put, $"/api/2.0/mlflow-artifacts/artifacts/{path}", bytes, "application/octet-stream");

    public async Task<JsonNode> GraphQlAsync(string query, JsonObject? variables = null)
    {
        var answer = await SendAsync(
            HttpMethod.Post,
            "/graphql",
            JsonContent.Create(new JsonObject { ["query"] = query, ["variables"] = variables })
        );
        return answer.Body;
    }

    private async Task<Answer> SendAsync(HttpMethod method, string path, HttpContent? content)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        using var answer = await http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return new Answer(answer.StatusCode, TryParse(text) ?? new JsonObject());
    }

    private static JsonNode? TryParse(string text)
    {
        try
        {
            return text.Length == 0 ? null : JsonNode.Parse(text);
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }
}
