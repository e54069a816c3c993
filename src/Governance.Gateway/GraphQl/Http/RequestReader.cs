using System.Text.Json;
using Governance.Gateway.GraphQl.Guard;
using GraphQL;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Governance.Gateway.GraphQl.Http;

/// <summary>A request that is refused before its document is looked at.</summary>
internal sealed class RequestRefused(int status, string code, string message) : Exception(message)
{
    public int Status => status;

    public string Code => code;
}

/// <summary>Reads a GraphQL request from HTTP (GraphQL over HTTP, sections 5.3 and 5.4).</summary>
internal sealed class RequestReader(IGraphQLTextSerializer serializer)
{
    private static readonly JsonDocumentOptions Strict = new()
    {
        MaxDepth = DocumentLimits.JsonDepth,
        AllowDuplicateProperties = false,
    };

    public async Task<GraphQlRequest> ReadAsync(HttpContext context)
    {
        var request = context.Request;
        if (HttpMethods.IsGet(request.Method))
        {
            return FromQuery(request.Query);
        }

        if (!HttpMethods.IsPost(request.Method))
        {
            context.Response.Headers.Allow = "GET, POST";
            throw new RequestRefused(StatusCodes.Status405MethodNotAllowed, "METHOD_NOT_ALLOWED", "Use POST or GET.");
        }

        // Only JSON: what a form of another site can send is never read.
        if (
            !MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || !type.MediaType.Equals(MediaTypes.Json, StringComparison.OrdinalIgnoreCase)
            || !MediaTypes.IsUtf8(type)
        )
        {
            throw new RequestRefused(
                StatusCodes.Status415UnsupportedMediaType,
                "UNSUPPORTED_MEDIA_TYPE",
                "Send application/json in UTF-8."
            );
        }

        var body = await ReadBodyAsync(context);
        try
        {
            using var json = JsonDocument.Parse(body, Strict);
            return FromBody(json.RootElement);
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException) // half a surrogate pair
        {
            throw Bad("The body is not JSON, nests too deep or names a member twice.");
        }
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = DocumentLimits.BodyBytes;
        }

        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        try
        {
            while (await context.Request.Body.ReadAsync(buffer, context.RequestAborted) is > 0 and var count)
            {
                body.Write(buffer, 0, count);
                if (body.Length > DocumentLimits.BodyBytes)
                {
                    throw TooLarge();
                }
            }
        }
        catch (BadHttpRequestException error)
        {
            throw error.StatusCode == StatusCodes.Status413PayloadTooLarge
                ? TooLarge()
                : Bad("The body could not be read.");
        }

        return body.GetBuffer().AsMemory(0, (int)body.Length);
    }

    private GraphQlRequest FromQuery(IQueryCollection query)
    {
        foreach (var name in (string[])["query", "operationName", "variables", "extensions"])
        {
            if (query[name].Count > 1)
            {
                throw Bad($"{name} is given twice.");
            }
        }

        _ = Map(query["extensions"], "extensions");
        return new GraphQlRequest(
            Text(query["query"]) ?? throw Bad("query is missing."),
            Text(query["operationName"]),
            Map(query["variables"], "variables"),
            QueriesOnly: true
        );

        static string? Text(string? text) => string.IsNullOrEmpty(text) ? null : text;
    }

    private GraphQlRequest FromBody(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            throw Bad(body.ValueKind == JsonValueKind.Array ? "Batches are not served." : "The body is a JSON object.");
        }

        _ = Map(body, "extensions");
        return new GraphQlRequest(
            Text(body, "query") ?? throw Bad("query is missing."),
            Text(body, "operationName"),
            Map(body, "variables"),
            QueriesOnly: false
        );
    }

    private static string? Text(JsonElement body, string name) =>
        !body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Bad($"{name} must be a string.");

    private Inputs? Map(string? text, string name)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        try
        {
            using var json = JsonDocument.Parse(text, Strict);
            return Map(json.RootElement, json.RootElement.ValueKind, name);
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException) // half a surrogate pair
        {
            throw Bad($"{name} is not JSON, nests too deep or names a member twice.");
        }
    }

    private Inputs? Map(JsonElement body, string name) =>
        body.TryGetProperty(name, out var value) ? Map(value, value.ValueKind, name) : null;

    private Inputs? Map(JsonElement value, JsonValueKind kind, string name) =>
        kind switch
        {
            JsonValueKind.Null => null,
            JsonValueKind.Object => serializer.ReadNode<Inputs>(value),
            _ => throw Bad($"{name} must be a JSON object."),
        };

    private static RequestRefused Bad(string message) => new(StatusCodes.Status400BadRequest, "BAD_REQUEST", message);

    private static RequestRefused TooLarge() =>
        new(StatusCodes.Status413PayloadTooLarge, "BODY_TOO_LARGE", "The body is over 1,000,000 bytes.");
}
