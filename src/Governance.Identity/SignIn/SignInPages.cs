using System.Globalization;
using System.Security.Claims;
using Governance.Identity.Access;
using Governance.Identity.Engine;
using Governance.Identity.Federation;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using static OpenIddict.Abstractions.OpenIddictConstants;
using Permissions = Governance.Kernel.Permissions;

namespace Governance.Identity.SignIn;

/// <summary>The pages where a person proves who they are. Plain forms: no script, nothing inline, usable by keyboard alone.</summary>
internal static class SignInPages
{
    private const int MaxForm = 16 * 1024;

    // A browser applies form-action to the redirects that follow; a command-line client waits on a loopback port.
    private const string Loopback = "http://127.0.0.1:*";
    private static readonly byte[] Stylesheet = Read("governance.css");
    private static readonly byte[] Icon = Read("governance.svg");

    public static void Map(IEndpointRouteBuilder routes)
    {
        var pages = routes.MapGroup("").RequirePermission(Permissions.Public).ExcludeFromDescription();
        pages.MapGet("/signin", (HttpContext context, IAntiforgery forgery) => SignIn(context, forgery));
        pages.MapPost("/signin", SignInAsync);
        pages.MapGet("/signin/external/{name}", ExternalPages.Begin);
        pages.MapGet("/signout", (HttpContext context, IAntiforgery forgery) => SignOut(context, forgery));
        pages.MapPost("/signout", SignOutAsync);
        pages.MapGet(
            "/setup",
            (HttpContext context, IAntiforgery forgery, SetupCode code) => Setup(context, forgery, code)
        );
        pages.MapPost("/setup", SetupAsync);
        pages.MapGet(
            "/assets/governance.css",
            (HttpContext context) => Asset(context, Stylesheet, "text/css; charset=utf-8")
        );
        pages.MapGet("/assets/governance.svg", (HttpContext context) => Asset(context, Icon, "image/svg+xml"));
    }

    private static IResult Asset(HttpContext context, byte[] bytes, string type)
    {
        context.Response.Headers.CacheControl = "public, max-age=300";
        return Results.Bytes(bytes, type);
    }

    private static HtmlPage SignIn(
        HttpContext context,
        IAntiforgery forgery,
        string userName = "",
        string? problem = null
    )
    {
        Html body = $"""
            <h1>Sign in</h1>
            {Problem(problem)}
            <form method="post" action="/signin{QueryString.Create("returnUrl", ReturnUrl(context))}">
            {Token(context, forgery)}
            <label for="user">User name</label>
            <input id="user" name="user" value="{userName}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required autofocus>
            <label for="password">Password</label>
            <input id="password" name="password" type="password" autocomplete="current-password" maxlength="256" required>
            <button type="submit">Sign in</button>
            </form>
            {ExternalPages.Links(context)}
            """;
        return new HtmlPage("Sign in", body)
        {
            StatusCode = problem is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest,
            FormAction = Loopback,
        };
    }

    private static async Task<IResult> SignInAsync(
        HttpContext context,
        IAntiforgery forgery,
        PasswordSignIn signIn,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        if (await ReadFormAsync(context, forgery) is not { } form)
        {
            return SignIn(context, forgery, "", "The form had expired. Please try again.");
        }

        var userName = Field(form, "user", 64);
        var id = await signIn.CheckAsync(userName, new Secret(Field(form, "password", 256)), cancellationToken);
        if (id is null)
        {
            const string wrong =
                "User name or password is wrong. After several wrong tries an account is locked for a while.";
            return SignIn(context, forgery, userName, wrong);
        }

        var now = clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var identity = new ClaimsIdentity(
            [new Claim(Claims.Subject, id), new Claim(Claims.AuthenticationTime, now)],
            IdentitySchemes.SignIn
        );
        await context.SignInAsync(IdentitySchemes.SignIn, new ClaimsPrincipal(identity));
        return Results.LocalRedirect(ReturnUrl(context));
    }

    private static HtmlPage SignOut(HttpContext context, IAntiforgery forgery)
    {
        Html body = $"""
            <h1>Sign out</h1>
            <form method="post" action="/signout">
            {Token(context, forgery)}
            <button type="submit">Sign out</button>
            </form>
            """;
        return new HtmlPage("Sign out", body);
    }

    private static async Task<IResult> SignOutAsync(HttpContext context, IAntiforgery forgery)
    {
        if (await ReadFormAsync(context, forgery) is null)
        {
            return SignOut(context, forgery) with { StatusCode = StatusCodes.Status400BadRequest };
        }

        await context.SignOutAsync(IdentitySchemes.Session);
        await context.SignOutAsync(IdentitySchemes.SignIn);
        return new HtmlPage(
            "Signed out",
            $"""
            <h1>You are signed out</h1>
            <p><a href="/">Sign in again</a></p>
            """
        );
    }

    private static IResult Setup(
        HttpContext context,
        IAntiforgery forgery,
        SetupCode code,
        string userName = "",
        string displayName = "",
        string? problem = null
    )
    {
        if (!code.IsOpen)
        {
            return Failure.NotFound("route.unknown", "There is nothing here.").ToProblem();
        }

        Html body = $"""
            <h1>Create the first administrator</h1>
            <p>The gateway printed a one-time code on its console when it started. This page closes once it was used.</p>
            {Problem(problem)}
            <form method="post" action="/setup">
            {Token(context, forgery)}
            <label for="code">Set-up code</label>
            <input id="code" name="code" autocomplete="off" spellcheck="false" maxlength="64" required autofocus>
            <label for="user">User name</label>
            <input id="user" name="user" value="{userName}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" aria-describedby="user-rule" required>
            <p id="user-rule" class="hint">Lower-case letters, digits, dot, underscore, hyphen and @.</p>
            <label for="name">Display name</label>
            <input id="name" name="name" value="{displayName}" autocomplete="name" maxlength="128" required>
            <label for="password">Password</label>
            <input id="password" name="password" type="password" autocomplete="new-password" minlength="{AccountRules.MinPassword}" maxlength="{AccountRules.MaxPassword}" aria-describedby="password-rule" required>
            <p id="password-rule" class="hint">At least {AccountRules.MinPassword} characters. Several words make a good one.</p>
            <button type="submit">Create</button>
            </form>
            """;
        return new HtmlPage("Set up", body)
        {
            StatusCode = problem is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest,
        };
    }

    private static async Task<IResult> SetupAsync(
        HttpContext context,
        IAntiforgery forgery,
        SetupCode code,
        SubjectStore store,
        CancellationToken cancellationToken
    )
    {
        if (!code.IsOpen || await ReadFormAsync(context, forgery) is not { } form)
        {
            return Setup(context, forgery, code, problem: "The form had expired. Please try again.");
        }

        var user = Field(form, "user", 64).Trim();
        var name = Field(form, "name", 128);
        if (!code.Matches(Field(form, "code", 64)))
        {
            return Setup(context, forgery, code, user, name, "That is not the set-up code.");
        }

        var added = await store.BootstrapAsync(user, name, new Secret(Field(form, "password", 256)), cancellationToken);
        if (!added.Ok && added.Failure.Code != "identity.no_setup")
        {
            return Setup(context, forgery, code, user, name, added.Failure.Message);
        }

        code.Close();
        return added.Ok ? Results.LocalRedirect("/") : added.Failure.ToProblem();
    }

    // Only ever back into the authorization endpoint, so the parameter can't lead anywhere else.
    private static string ReturnUrl(HttpContext context) =>
        context.Request.Query["returnUrl"] is [{ Length: <= 4096 } url]
        && url.StartsWith("/connect/authorize?", StringComparison.Ordinal)
        && !url.Any(char.IsControl)
            ? url
            : "/";

    private static async Task<IFormCollection?> ReadFormAsync(HttpContext context, IAntiforgery forgery)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = MaxForm;
        }

        try
        {
            return await forgery.IsRequestValidAsync(context)
                ? await context.Request.ReadFormAsync(context.RequestAborted)
                : null;
        }
        catch (Exception malformed) when (malformed is InvalidDataException or BadHttpRequestException)
        {
            return null;
        }
    }

    // An over-long value is cut to one that can't be right.
    private static string Field(IFormCollection form, string name, int max) =>
        form[name] is [{ } value] && value.Length <= max ? value : "";

    private static Html Problem(string? problem) =>
        problem is null ? Html.Empty : $"""<p role="alert" class="problem">{problem}</p>""";

    private static Html Token(HttpContext context, IAntiforgery forgery)
    {
        var tokens = forgery.GetAndStoreTokens(context);
        return $"""<input type="hidden" name="{tokens.FormFieldName}" value="{tokens.RequestToken}">""";
    }

    private static byte[] Read(string name)
    {
        using var stream =
            typeof(SignInPages).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not in the assembly.");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
