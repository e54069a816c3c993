using Governance.Identity.Access;
using Governance.Identity.Engine;
using Governance.Identity.Federation;
using Governance.Identity.Sessions;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using OpenIddict.Abstractions;
using Permissions = Governance.Kernel.Permissions;

namespace Governance.Identity.SignIn;

/// <summary>The pages where a person proves who they are. Plain forms, usable by keyboard alone; only passkeys need a script.</summary>
internal static class SignInPages
{
    private const int MaxForm = 16 * 1024;
    private static readonly byte[] Stylesheet = Read("governance.css");
    private static readonly byte[] Icon = Read("governance.svg");
    private static readonly byte[] Script = Read("passkeys.js");

    /// <summary>What a person reads whose form was too old or not ours.</summary>
    public const string Expired = "The form had expired. Please try again.";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var pages = routes.MapGroup("").RequirePermission(Permissions.Public).ExcludeFromDescription();
        pages.MapGet("/signin", SignInPageAsync);
        pages.MapPost("/signin", SignInAsync);
        pages.MapGet("/signin/external/{name}", ExternalPages.Begin);
        pages.MapGet("/signin/external/{name}/signout", ExternalPages.EndAsync);
        pages.MapGet("/signout", (HttpContext context, IAntiforgery forgery) => ShowSignOut(context, forgery));
        pages.MapPost("/signout", SignOutAsync);
        pages.MapPost("/signin/second", SecondAsync);
        pages.MapPost("/signin/passkey", PasskeyAsync);
        SetupPages.Map(pages.MapGroup("").AddEndpointFilter<RouteGroupBuilder, PageRefusals>());
        pages.MapGet(
            "/assets/governance.css",
            (HttpContext context) => Asset(context, Stylesheet, "text/css; charset=utf-8")
        );
        pages.MapGet("/assets/governance.svg", (HttpContext context) => Asset(context, Icon, "image/svg+xml"));
        pages.MapGet(
            PasskeyForm.Script,
            (HttpContext context) => Asset(context, Script, "text/javascript; charset=utf-8")
        );
    }

    private static IResult Asset(HttpContext context, byte[] bytes, string type)
    {
        context.Response.Headers.CacheControl = "public, max-age=300";
        return Results.Bytes(bytes, type);
    }

    private static Task<HtmlPage> SignInPageAsync(HttpContext context, IAntiforgery forgery, Passkeys passkeys) =>
        ShowSignInAsync(context, forgery, passkeys, "", null);

    private static async Task<HtmlPage> ShowSignInAsync(
        HttpContext context,
        IAntiforgery forgery,
        Passkeys passkeys,
        string userName,
        string? problem
    )
    {
        var again = (await context.AuthenticateAsync(IdentitySchemes.SignIn)).Succeeded;
        var query = QueryString.Create("returnUrl", ReturnUrl(context));
        Html who = $"<p>You are signed in. For what comes next, show once more who you are.</p>";
        Html body = $"""
            <h1>{(again ? "Confirm that it is you" : "Sign in")}</h1>
            {(again ? who : Html.Empty)}
            {Problem(problem)}
            <form method="post" action="/signin{query}">
            {Token(context, forgery)}
            <label for="user">User name</label>
            <input id="user" name="user" value="{userName}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required autofocus>
            <label for="password">Password</label>
            <input id="password" name="password" type="password" autocomplete="current-password" maxlength="256" required>
            <button type="submit">Sign in</button>
            </form>
            {ExternalPages.Links(context, again)}
            {PasskeyForm.Of(
                context,
                forgery,
                $"/signin/passkey{query}",
                create: false,
                await passkeys.AskAsync(context),
                "Sign in with a passkey",
                Html.Empty
            )}
            <p class="hint">You have a one-time code? <a href="/enrol">Set your password</a>. You lost your password, app or passkey? An administrator can give you a new code.</p>
            """;
        return new HtmlPage("Sign in", body)
        {
            StatusCode = problem is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest,
            Script = PasskeyForm.Script,
        };
    }

    private static async Task<IResult> SignInAsync(
        HttpContext context,
        IAntiforgery forgery,
        PasswordSignIn signIn,
        SecondStep second,
        Passkeys passkeys,
        DeviceCookie devices,
        BrowserSignIn browser,
        CancellationToken cancellationToken
    )
    {
        if (await ReadFormAsync(context, forgery) is not { } form)
        {
            return await ShowSignInAsync(context, forgery, passkeys, "", Expired);
        }

        var typed = Field(form, "user", 64);
        var direction = AttemptDirection.Of(context, devices, typed.Trim().ToLowerInvariant());
        var password = new Secret(Field(form, "password", AccountRules.MaxPassword));
        var person = await signIn.CheckAsync(direction, password, cancellationToken);
        if (person is null)
        {
            const string wrong =
                "User name or password is wrong. After several wrong tries you have to wait before another one counts.";
            return await ShowSignInAsync(context, forgery, passkeys, typed, wrong);
        }

        if (person.HasSecondFactor)
        {
            return await ShowSecondAsync(context, forgery, passkeys, second.Ticket(person), null);
        }

        return await browser.StartAsync(context, person, [SignInMethods.Password], cancellationToken)
            ? Results.LocalRedirect(ReturnUrl(context))
            : await ShowSignInAsync(context, forgery, passkeys, typed, Expired);
    }

    private static async Task<HtmlPage> ShowSecondAsync(
        HttpContext context,
        IAntiforgery forgery,
        Passkeys passkeys,
        string step,
        string? problem
    )
    {
        var query = QueryString.Create("returnUrl", ReturnUrl(context));
        Html body = $"""
            <h1>One more step</h1>
            {Problem(problem)}
            <form method="post" action="/signin/second{query}">
            {Token(context, forgery)}
            <input type="hidden" name="step" value="{step}">
            <label for="code">Code</label>
            <input id="code" name="code" autocomplete="one-time-code" autocapitalize="characters" spellcheck="false" maxlength="32" aria-describedby="code-rule" required autofocus>
            <p id="code-rule" class="hint">Six digits from your authenticator app, or one of your recovery codes.</p>
            <button type="submit">Continue</button>
            </form>
            {PasskeyForm.Of(
                context,
                forgery,
                $"/signin/passkey{query}",
                create: false,
                await passkeys.AskAsync(context),
                "Use a passkey",
                Html.Empty
            )}
            <p><a href="/signin{query}">Start again</a></p>
            """;
        return new HtmlPage("One more step", body)
        {
            StatusCode = problem is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest,
            Script = PasskeyForm.Script,
        };
    }

    private static async Task<IResult> SecondAsync(
        HttpContext context,
        IAntiforgery forgery,
        SecondStep second,
        Passkeys passkeys,
        DeviceCookie devices,
        BrowserSignIn browser,
        CancellationToken cancellationToken
    )
    {
        if (
            await ReadFormAsync(context, forgery) is not { } form
            || second.Read(Field(form, "step", 1024)) is not { } person
        )
        {
            return await ShowSignInAsync(context, forgery, passkeys, "", Expired);
        }

        var direction = AttemptDirection.Of(context, devices, person.Name);
        if (await second.CheckAsync(person, direction, Field(form, "code", 32), cancellationToken) is not { } shown)
        {
            const string wrong =
                "That code is wrong, was used, or came after too many wrong ones. If this goes on, use a recovery code, a passkey or a browser that you signed in with before.";
            return await ShowSecondAsync(context, forgery, passkeys, Field(form, "step", 1024), wrong);
        }

        string[] methods = [SignInMethods.Password, SignInMethods.OneTime, SignInMethods.Multiple];
        return await browser.StartAsync(context, shown, methods, cancellationToken)
            ? Results.LocalRedirect(ReturnUrl(context))
            : await ShowSignInAsync(context, forgery, passkeys, "", Expired);
    }

    private static async Task<IResult> PasskeyAsync(
        HttpContext context,
        IAntiforgery forgery,
        Passkeys passkeys,
        BrowserSignIn browser,
        CancellationToken cancellationToken
    )
    {
        if (await ReadFormAsync(context, forgery) is not { } form)
        {
            return await ShowSignInAsync(context, forgery, passkeys, "", Expired);
        }

        var person = await passkeys.CheckAsync(
            context,
            Field(form, "ticket", 4096),
            Field(form, "answer", MaxForm),
            cancellationToken
        );
        if (!person.Ok)
        {
            return await ShowSignInAsync(context, forgery, passkeys, "", person.Failure.Message);
        }

        string[] methods = [SignInMethods.Passkey, SignInMethods.Multiple];
        return await browser.StartAsync(context, person.Value, methods, cancellationToken)
            ? Results.LocalRedirect(ReturnUrl(context))
            : await ShowSignInAsync(context, forgery, passkeys, "", Expired);
    }

    private static HtmlPage ShowSignOut(HttpContext context, IAntiforgery forgery)
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

    private static async Task<IResult> SignOutAsync(
        HttpContext context,
        IAntiforgery forgery,
        BrowserSignIn browser,
        ExternalSignIn external,
        CancellationToken cancellationToken
    )
    {
        if (await ReadFormAsync(context, forgery) is null)
        {
            return ShowSignOut(context, forgery) with { StatusCode = StatusCodes.Status400BadRequest };
        }

        var cookie = await context.AuthenticateAsync(IdentitySchemes.SignIn);
        var provider = cookie.Principal?.GetClaim(SignInMethods.Provider);
        await browser.EndAsync(context, cancellationToken);
        if (await external.EndingAsync(provider, cancellationToken) is { } issuer)
        {
            // Not a redirect: a browser applies form-action to those, and the provider is elsewhere.
            var next = $"/signin/external/{issuer.Name}/signout";
            context.Response.Headers["Refresh"] = $"0;url={next}";
            return new HtmlPage(
                "Signed out",
                $"""
                <h1>You are signed out here</h1>
                <p>Now sign out at <a href="{next}">{ExternalPages.NameOf(issuer)}</a> too.</p>
                """
            );
        }

        return new HtmlPage(
            "Signed out",
            $"""
            <h1>You are signed out</h1>
            <p><a href="/">Sign in again</a></p>
            """
        );
    }

    // Only ever back into the authorization and device pages, so the parameter can't lead anywhere else.
    internal static string ReturnUrl(HttpContext context) =>
        context.Request.Query["returnUrl"] is [{ Length: <= 4096 } url]
        && (
            url.StartsWith("/connect/authorize?", StringComparison.Ordinal)
            || url == DevicePage.Path
            || url.StartsWith($"{DevicePage.Path}?", StringComparison.Ordinal)
        )
        && !url.Any(char.IsControl)
            ? url
            : "/";

    internal static async Task<IFormCollection?> ReadFormAsync(HttpContext context, IAntiforgery forgery)
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
    internal static string Field(IFormCollection form, string name, int max) =>
        form[name] is [{ } value] && value.Length <= max ? value : "";

    internal static Html Problem(string? problem) =>
        problem is null ? Html.Empty : $"""<p role="alert" class="problem">{problem}</p>""";

    internal static Html Token(HttpContext context, IAntiforgery forgery)
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
