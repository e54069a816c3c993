using Microsoft.AspNetCore.Http;

namespace Governance.Gateway.GraphQl.Http;

/// <summary>The page at <c>/graphql/ui</c>: three embedded files, nothing from elsewhere, no inline script.</summary>
internal static class IdePage
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static IResult Serve(HttpContext context, string file, string contentType)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers.CacheControl = "no-store";
        headers["Referrer-Policy"] = "no-referrer";
        var stream =
            typeof(IdePage).Assembly.GetManifestResourceStream($"Governance.Gateway.GraphQl.{file}")
            ?? throw new InvalidOperationException($"{file} is not embedded.");
        return Results.Stream(stream, $"{contentType}; charset=utf-8");
    }
}
