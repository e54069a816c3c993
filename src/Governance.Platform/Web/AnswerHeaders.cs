using Microsoft.AspNetCore.Http;

namespace Governance.Platform.Web;

/// <summary>Headers that every answer carries unless its route says something narrower.</summary>
public static class AnswerHeaders
{
    /// <summary>Nothing may load, frame, post or keep what comes back. Pages, artifacts and public log files set their own.</summary>
    public const string ContentSecurityPolicy =
        "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

    /// <summary>Sets them; also again after an error cleared the answer.</summary>
    public static void Set(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var headers = context.Response.Headers;
        headers.CacheControl = "no-cache, no-store"; // the first too: where forms are guarded, the framework warns at each page that lacks it
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()";

        // Browsers apply it per host name: on localhost it would break every other local service.
        if (!string.Equals(context.Request.Host.Host, "localhost", StringComparison.OrdinalIgnoreCase))
        {
            headers.StrictTransportSecurity = "max-age=31536000";
        }
    }
}
