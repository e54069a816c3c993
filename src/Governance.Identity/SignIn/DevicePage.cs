using System.Security.Claims;
using Governance.Identity.Access;
using Governance.Identity.Server;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;
using Permissions = Governance.Kernel.Permissions;

namespace Governance.Identity.SignIn;

/// <summary>
/// Where a person lets a device in that has no browser (RFC 8628 §3.3): enter the code that it shows, see what asks, decide.
/// The library looks the code up before these run; how many may be tried is counted here, per person and per address.
/// </summary>
internal static class DevicePage
{
    public const string Path = "/connect/verify";
    private const string DonePath = "/connect/verified";
    private const string Scheme = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;
    private const int MaxCode = 32;

    public static void Map(IEndpointRouteBuilder routes)
    {
        var pages = routes.MapGroup("").RequirePermission(Permissions.Public).ExcludeFromDescription();
        pages.MapGet(Path, ShowAsync);
        pages.MapPost(Path, DecideAsync).AddEndpointFilter<RouteHandlerBuilder, PageRefusals>();
        pages.MapGet(DonePath, Done);
    }

    private static async Task<IResult> ShowAsync(
        HttpContext context,
        IAntiforgery forgery,
        SubjectReader subjects,
        AttemptLimiter limiter,
        CancellationToken cancellationToken
    )
    {
        var code = context.Request.Query["user_code"] is [{ Length: > 0 and <= MaxCode } given] ? given : "";

        // Asked for by a command line that needs a recent sign-in, and which looks at its token for whether there was one.
        var anew = context.Request.Query.ContainsKey("fresh");
        if (anew || await TokenEndpoints.SignedInAsync(context, subjects, cancellationToken) is not { } person)
        {
            var back = code.Length == 0 ? Path : Path + QueryString.Create("user_code", code);
            return Results.Redirect("/signin" + QueryString.Create("returnUrl", back));
        }

        return code.Length == 0 ? Ask(context, forgery) : await ReviewAsync(context, forgery, limiter, person, code);
    }

    private static async Task<IResult> DecideAsync(
        HttpContext context,
        IAntiforgery forgery,
        SubjectReader subjects,
        AttemptLimiter limiter,
        IWriter writer,
        CancellationToken cancellationToken
    )
    {
        if (await TokenEndpoints.SignedInAsync(context, subjects, cancellationToken) is not { } person)
        {
            return Results.Redirect("/signin" + QueryString.Create("returnUrl", Path));
        }

        if (await SignInPages.ReadFormAsync(context, forgery) is not { } form)
        {
            return Ask(context, forgery, "The form had expired. Please try again.");
        }

        var code = SignInPages.Field(form, "user_code", MaxCode);
        var decision = SignInPages.Field(form, "decision", 8);
        if (decision is not ("allow" or "refuse"))
        {
            return await ReviewAsync(context, forgery, limiter, person, code);
        }

        if (!MayTry(limiter, person) || await RequestedAsync(context) is not { } asked)
        {
            return Unknown(context, forgery);
        }

        var id = person.GetClaim(Claims.Subject)!;
        var allowed = decision == "allow";
        await writer.LogAsync(
            new LogEntry(
                allowed ? "identity.device_allowed" : "identity.device_refused",
                new Actor(ActorKind.Person, id),
                $"subject:{id}",
                LogOutcome.Done
            ),
            CancellationToken.None
        );
        var done = new AuthenticationProperties { RedirectUri = DonePath };
        if (!allowed)
        {
            return Results.Forbid(done, [Scheme]);
        }

        var identity = TokenEndpoints.PersonIdentity(person, asked.GetScopes());
        return Results.SignIn(new ClaimsPrincipal(identity), done, Scheme);
    }

    private static async Task<IResult> ReviewAsync(
        HttpContext context,
        IAntiforgery forgery,
        AttemptLimiter limiter,
        ClaimsPrincipal person,
        string code
    )
    {
        if (!MayTry(limiter, person) || await RequestedAsync(context) is null)
        {
            return Unknown(context, forgery);
        }

        Html body = $"""
            <h1>Let this device in?</h1>
            <p>A command line asks to act as you until you sign it out.</p>
            <dl><dt>Code</dt><dd><code>{code}</code></dd></dl>
            <p>Go on only if you started <code>govern login</code> yourself just now and it shows this code. Nobody will ever ask you on the telephone or by mail to enter one.</p>
            <form method="post" action="{Path}">
            {SignInPages.Token(context, forgery)}
            <input type="hidden" name="user_code" value="{code}">
            <button type="submit" name="decision" value="allow">Let it in</button>
            <button type="submit" name="decision" value="refuse">Refuse</button>
            </form>
            """;
        return new HtmlPage("Let a device in", body);
    }

    private static HtmlPage Ask(HttpContext context, IAntiforgery forgery, string? problem = null)
    {
        Html body = $"""
            <h1>Sign in a device</h1>
            {SignInPages.Problem(problem)}
            <form method="post" action="{Path}">
            {SignInPages.Token(context, forgery)}
            <label for="code">Code that the device shows</label>
            <input id="code" name="user_code" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="{MaxCode}" aria-describedby="code-rule" required autofocus>
            <p id="code-rule" class="hint">Eight letters, with or without the hyphen.</p>
            <button type="submit">Continue</button>
            </form>
            """;
        return new HtmlPage("Sign in a device", body)
        {
            StatusCode = problem is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest,
        };
    }

    private static HtmlPage Unknown(HttpContext context, IAntiforgery forgery) =>
        Ask(
            context,
            forgery,
            "That code is not known, was used, or is too old. After several wrong codes wait a minute."
        );

    private static HtmlPage Done() =>
        new(
            "Done",
            $"""
            <h1>Done</h1>
            <p>You can close this page and go back to the device.</p>
            """
        );

    private static bool MayTry(AttemptLimiter limiter, ClaimsPrincipal person) =>
        limiter.AllowsDeviceCode(person.GetClaim(Claims.Subject)!);

    private static async Task<ClaimsPrincipal?> RequestedAsync(HttpContext context)
    {
        var result = await context.AuthenticateAsync(Scheme);
        return result.Succeeded && result.Principal.GetClaim(Claims.ClientId) is { Length: > 0 }
            ? result.Principal
            : null;
    }
}
