using System.Security.Cryptography;
using Governance.Kernel;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;

namespace Governance.Identity.SignIn;

/// <summary>
/// Tells a browser that a person signed in with before from those of strangers, so that wrong passwords of strangers don't
/// lock the owner out (OWASP, "Device cookies"). It proves nothing else and opens nothing.
/// </summary>
internal sealed class DeviceCookie(IDataProtectionProvider protection)
{
    private const string Name = "__Host-governance-device";
    private readonly IDataProtector _protector = protection.CreateProtector("governance.device");

    /// <summary>The random name of this browser, when this user name signed in from it before.</summary>
    public string? Read(HttpContext context, string userName)
    {
        if (context.Request.Cookies[Name] is not { Length: <= 512 } cookie)
        {
            return null;
        }

        try
        {
            return
                _protector.Unprotect(cookie).Split(' ') is [var owner, var device] && owner == Digest.Of(userName).Hex
                ? device
                : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    public void Give(HttpContext context, string userName)
    {
        var device = Read(context, userName) ?? RandomNumberGenerator.GetHexString(32, lowercase: true);
        context.Response.Cookies.Append(
            Name,
            _protector.Protect($"{Digest.Of(userName).Hex} {device}"),
            new CookieOptions
            {
                Path = "/",
                HttpOnly = true,
                Secure = true,
                SameSite = SameSiteMode.Lax,
                MaxAge = TimeSpan.FromDays(365),
            }
        );
    }
}
