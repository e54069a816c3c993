using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.SignIn;
using Governance.Kernel;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using OpenIddict.Abstractions;

namespace Governance.Identity.Sessions;

/// <summary>Begins and ends the session of the browser at hand.</summary>
internal sealed class BrowserSignIn(SessionStore sessions, DeviceCookie devices)
{
    /// <summary>A new session under a new id, whatever this browser had before; false when the proof stands no more.</summary>
    public async Task<bool> StartAsync(
        HttpContext context,
        PasswordShown person,
        IReadOnlyList<string> methods,
        CancellationToken cancellationToken
    )
    {
        var before = await context.AuthenticateAsync(IdentitySchemes.SignIn);
        var principal = await sessions.StartAsync(
            new Actor(ActorKind.Person, person.Id),
            person.Stands,
            methods,
            DeviceName.Of(context.Request.Headers.UserAgent),
            before.Principal?.GetClaim(SignInMethods.SessionId),
            new JsonObject { ["methods"] = string.Join(' ', methods) },
            cancellationToken
        );
        if (principal is null)
        {
            return false;
        }

        devices.Give(context, person.Name);
        await context.SignInAsync(IdentitySchemes.SignIn, principal);
        return true;
    }

    /// <summary>Puts the session that a change put in the place of another into the cookies of this browser.</summary>
    public static async Task<Result<string>> GoOnAsync(
        HttpContext context,
        string sessionId,
        Func<Task<Result<string>>> change
    )
    {
        // Read before the change: after it they count no more.
        var cookies = new List<(string Scheme, AuthenticateResult Cookie)>();
        foreach (var scheme in (string[])[IdentitySchemes.Session, IdentitySchemes.SignIn])
        {
            cookies.Add((scheme, await context.AuthenticateAsync(scheme)));
        }

        var next = await change();
        foreach (var (scheme, cookie) in cookies)
        {
            if (next.Ok && cookie.Principal?.GetClaim(SignInMethods.SessionId) == sessionId)
            {
                cookie.Principal.SetClaim(SignInMethods.SessionId, next.Value);
                await context.SignInAsync(scheme, cookie.Principal, cookie.Properties);
            }
        }

        return next;
    }

    public async Task EndAsync(HttpContext context, CancellationToken cancellationToken)
    {
        foreach (var scheme in (string[])[IdentitySchemes.Session, IdentitySchemes.SignIn])
        {
            var cookie = await context.AuthenticateAsync(scheme);
            if (cookie.Principal?.GetClaim(OpenIddictConstants.Claims.Subject) is { } subject)
            {
                await sessions.EndAsync(cookie.Principal.GetClaim(SignInMethods.SessionId), subject, cancellationToken);
            }

            await context.SignOutAsync(scheme);
        }
    }
}
