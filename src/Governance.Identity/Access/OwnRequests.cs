using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;

namespace Governance.Identity.Access;

/// <summary>
/// Tells what the pages ask the issuer for on behalf of a browser from what others ask: those requests all come from the gateway's own
/// address, and were counted when the browser came. Every gateway that shares the keys of the pages knows them.
/// </summary>
internal sealed class OwnRequests(IDataProtectionProvider protection)
{
    private const string Header = "X-Governance-Own-Request";
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    private readonly ITimeLimitedDataProtector _protector = protection
        .CreateProtector("Governance.OwnRequests")
        .ToTimeLimitedDataProtector();

    /// <summary>Whether a request is one of these.</summary>
    public bool Includes(HttpContext context)
    {
        if (context.Request.Headers[Header] is not [{ Length: < 1024 } mark])
        {
            return false;
        }

        try
        {
            return _protector.Unprotect(mark) == Header;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    /// <summary>A handler that marks what it sends by <paramref name="inner"/>.</summary>
    public HttpMessageHandler Marking(HttpMessageHandler inner) => new Marker(_protector) { InnerHandler = inner };

    private sealed class Marker(ITimeLimitedDataProtector protector) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request,
            CancellationToken cancellationToken
        )
        {
            request.Headers.Add(Header, protector.Protect(Header, Lifetime));
            return base.SendAsync(request, cancellationToken);
        }
    }
}
