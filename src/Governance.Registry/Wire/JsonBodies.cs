using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Governance.Registry.Wire;

/// <summary>Reads and writes whole JSON bodies.</summary>
internal static class JsonBodies
{
    public static async Task<Result<Args>> ReadAsync(HttpContext context, int maxBytes)
    {
        var request = context.Request;
        // Stock clients name the type on every POST, with a body or without; a form of a foreign page cannot.
        if (HttpMethods.IsPost(request.Method) && !IsJson(request.ContentType))
        {
            return BadContentType;
        }

        if (request.ContentLength > maxBytes)
        {
            return TooLarge(maxBytes);
        }

        // The server's own limit is lower; this one counts what is read.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = null;
        }

        using var buffer = new MemoryStream();
        var chunk = new byte[16 << 10];
        int read;
        while ((read = await request.Body.ReadAsync(chunk, context.RequestAborted)) > 0)
        {
            if (buffer.Length + read > maxBytes)
            {
                return TooLarge(maxBytes);
            }

            buffer.Write(chunk, 0, read);
        }

        if (buffer.Length > 0 && !IsJson(request.ContentType))
        {
            return BadContentType;
        }

        return Args.OfBody(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }

    private static readonly Failure BadContentType = Failure.Invalid(
        "registry.bad_content_type",
        "Bad Request. Content-Type must be one of ['application/json']."
    );

    private static bool IsJson(string? contentType) =>
        contentType is not null
        && contentType.Split(';')[0].Trim().Equals("application/json", StringComparison.OrdinalIgnoreCase);

    public static async Task WriteAsync(HttpContext context, JsonObject body)
    {
        context.Response.ContentType = "application/json";
        using var buffer = new MemoryStream();
        await using (var writer = new Utf8JsonWriter(buffer))
        {
            body.WriteTo(writer);
        }

        context.Response.ContentLength = buffer.Length;
        await context.Response.Body.WriteAsync(
            buffer.GetBuffer().AsMemory(0, (int)buffer.Length),
            context.RequestAborted
        );
    }

    /// <summary>Sets a member unless the value is null or an empty list: MLflow omits what is unset.</summary>
    public static JsonObject With(this JsonObject body, string name, JsonNode? value)
    {
        if (value is not null and not JsonArray { Count: 0 })
        {
            body[name] = value;
        }

        return body;
    }

    public static JsonArray ToJsonArray(this IEnumerable<JsonNode> items) => new([.. items]);

    public static Failure TooLarge(int maxBytes) =>
        new(FailureKind.TooLarge, "registry.body_too_large", $"The body is larger than {maxBytes} bytes.");
}
