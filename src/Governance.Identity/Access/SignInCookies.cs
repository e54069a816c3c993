using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Http;

namespace Governance.Identity.Access;

/// <summary>The two cookies of a sign-in under way. By their prefix a browser takes them of this host alone, over TLS and for all paths.</summary>
internal static class SignInCookies
{
    public static void Harden(OpenIdConnectOptions client)
    {
        client.CorrelationCookie.Name = "__Host-governance-correlation.";
        client.NonceCookie.Name = "__Host-governance-nonce.";
        foreach (var cookie in (CookieBuilder[])[client.CorrelationCookie, client.NonceCookie])
        {
            cookie.Path = "/";
            cookie.SecurePolicy = CookieSecurePolicy.Always;
            cookie.SameSite = SameSiteMode.Lax;
        }
    }
}
