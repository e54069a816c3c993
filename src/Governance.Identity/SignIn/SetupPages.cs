using Governance.Identity.Access;
using Governance.Identity.Engine;
using Governance.Identity.Sessions;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Identity.SignIn;

/// <summary>The pages that make credentials out of one-time codes: the first administrator's, and everybody's own.</summary>
internal static class SetupPages
{
    public static void Map(IEndpointRouteBuilder pages)
    {
        pages.MapGet(
            "/setup",
            (HttpContext context, IAntiforgery forgery, SetupCode code) => Setup(context, forgery, code)
        );
        pages.MapPost("/setup", SetupAsync);
        pages.MapGet("/enrol", (HttpContext context, IAntiforgery forgery) => Enrol(context, forgery));
        pages.MapPost("/enrol", EnrolAsync);
    }

    /// <summary>A field for a new password, with its rule.</summary>
    public static Html NewPassword() =>
        $"""
            <label for="new-password">New password</label>
            <input id="new-password" name="password" type="password" autocomplete="new-password" minlength="{AccountRules.MinPassword}" maxlength="{AccountRules.MaxPassword}" aria-describedby="password-rule" required>
            <p id="password-rule" class="hint">At least {AccountRules.MinPassword} characters, any of them. Several words make a good one.</p>
            """;

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
            {SignInPages.Problem(problem)}
            <form method="post" action="/setup">
            {SignInPages.Token(context, forgery)}
            <label for="code">Set-up code</label>
            <input id="code" name="code" autocomplete="off" spellcheck="false" maxlength="64" required autofocus>
            <label for="user">User name</label>
            <input id="user" name="user" value="{userName}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" aria-describedby="user-rule" required>
            <p id="user-rule" class="hint">Lower-case letters, digits, dot, underscore, hyphen and @.</p>
            <label for="name">Display name</label>
            <input id="name" name="name" value="{displayName}" autocomplete="name" maxlength="128" required>
            {NewPassword()}
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
        if (!code.IsOpen || await SignInPages.ReadFormAsync(context, forgery) is not { } form)
        {
            return Setup(context, forgery, code, problem: SignInPages.Expired);
        }

        var user = SignInPages.Field(form, "user", 64).Trim();
        var name = SignInPages.Field(form, "name", 128);
        if (!code.Matches(SignInPages.Field(form, "code", 64)))
        {
            return Setup(context, forgery, code, user, name, "That is not the set-up code.");
        }

        var password = new Secret(SignInPages.Field(form, "password", AccountRules.MaxPassword));
        var added = await store.BootstrapAsync(user, name, password, cancellationToken);
        if (!added.Ok && added.Failure.Code != "identity.no_setup")
        {
            return Setup(context, forgery, code, user, name, added.Failure.Message);
        }

        code.Close();
        return added.Ok ? Results.LocalRedirect("/") : added.Failure.ToProblem();
    }

    private static HtmlPage Enrol(HttpContext context, IAntiforgery forgery, string code = "", string? problem = null)
    {
        Html body = $"""
            <h1>Set your password</h1>
            <p>An administrator gave you a one-time code. Nobody but you will know the password.</p>
            {SignInPages.Problem(problem)}
            <form method="post" action="/enrol">
            {SignInPages.Token(context, forgery)}
            <label for="code">One-time code</label>
            <input id="code" name="code" value="{code}" autocomplete="one-time-code" autocapitalize="characters" spellcheck="false" maxlength="64" required autofocus>
            {NewPassword()}
            <button type="submit">Set password</button>
            </form>
            """;
        return new HtmlPage("Set your password", body)
        {
            StatusCode = problem is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest,
        };
    }

    private static async Task<IResult> EnrolAsync(
        HttpContext context,
        IAntiforgery forgery,
        Enrolments enrolments,
        BrowserSignIn browser,
        CancellationToken cancellationToken
    )
    {
        if (await SignInPages.ReadFormAsync(context, forgery) is not { } form)
        {
            return Enrol(context, forgery, problem: SignInPages.Expired);
        }

        var code = SignInPages.Field(form, "code", 64);
        var password = new Secret(SignInPages.Field(form, "password", AccountRules.MaxPassword));
        var accepted = await enrolments.AcceptAsync(code, password, cancellationToken);
        if (!accepted.Ok)
        {
            return Enrol(context, forgery, code, accepted.Failure.Message);
        }

        var person = accepted.Value;
        return await browser.StartAsync(context, person, [SignInMethods.Password], cancellationToken)
            ? Results.LocalRedirect("/account")
            : Enrol(context, forgery, problem: SignInPages.Expired);
    }
}
