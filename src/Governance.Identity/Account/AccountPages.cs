using System.Globalization;
using Governance.Identity.Access;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Identity.Sessions;
using Governance.Identity.SignIn;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;
using Permissions = Governance.Kernel.Permissions;

namespace Governance.Identity.Account;

/// <summary>The pages where a person looks after the own sign-in: passkeys, authenticator app, recovery codes, password, logins elsewhere, sessions.</summary>
internal static class AccountPages
{
    private const string Home = "/account";
    private static readonly Failure NoSession = Failure.Denied(
        "identity.persons_only",
        "Only an enrolled person who signed in may do this."
    );

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes
            .MapGet("/reauthenticate", ReauthenticateAsync)
            .RequirePermission(Permissions.Public)
            .ExcludeFromDescription();
        var pages = routes.MapGroup(Home).RequirePermission(Permissions.Self).AsPage().ExcludeFromDescription();
        pages.AddEndpointFilter<RouteGroupBuilder, PageRefusals>();
        pages.MapGet("", AccountAsync);
        pages.MapPost("/password", PasswordAsync);
        pages.MapGet("/app", AppAsync);
        pages.MapPost("/app", AddAppAsync);
        pages.MapPost("/app/remove", RemoveAppAsync);
        pages.MapGet("/passkey", PasskeyAsync);
        pages.MapPost("/passkey", AddPasskeyAsync);
        pages.MapPost("/passkey/remove", RemovePasskeyAsync);
        pages.MapPost("/recovery", RecoveryAsync);
        pages.MapPost("/sessions/end", EndSessionAsync);
        pages.MapPost("/sessions/end-all", EndSessionsAsync);
    }

    /// <summary>Who is at the page, and in which session.</summary>
    private sealed record Me(string Id, string SessionId);

    private static async Task<Me?> MeAsync(HttpContext context)
    {
        var cookie = await context.AuthenticateAsync(IdentitySchemes.Session);
        return
            context.GetActor().IsPerson
            && cookie.Principal?.GetClaim(Claims.Subject) is { } id
            && cookie.Principal.GetClaim(SignInMethods.SessionId) is { } session
            ? new Me(id, session)
            : null;
    }

    // Through the protocol, like the first time: a new session with a new cookie, and a token's auth_time that is true.
    private static Task ReauthenticateAsync(
        HttpContext context,
        AttemptLimiter limiter,
        IWriter writer,
        AddressNames addresses,
        string? returnUrl
    ) =>
        limiter.AllowsChallenge(context)
            ? context.ChallengeAsync(
                IdentitySchemes.OpenIdConnect,
                new OpenIdConnectChallengeProperties
                {
                    Prompt = PromptValues.Login,
                    RedirectUri = returnUrl is Home or "/graphql/ui" ? returnUrl : "/",
                }
            )
            : AttemptGate.TurnAwayAsync(context, writer, addresses);

    private static async Task<IResult> AccountAsync(
        HttpContext context,
        IAntiforgery forgery,
        Credentials credentials,
        SessionStore sessions,
        TimeProvider clock,
        CancellationToken cancellationToken
    ) =>
        await MeAsync(context) is { } me
            ? await ShowAsync(context, forgery, credentials, sessions, clock, me, null, cancellationToken)
            : NoSession.ToProblem();

    private static async Task<HtmlPage> ShowAsync(
        HttpContext context,
        IAntiforgery forgery,
        Credentials credentials,
        SessionStore sessions,
        TimeProvider clock,
        Me me,
        string? problem,
        CancellationToken cancellationToken
    )
    {
        var (person, passkeys, recovery, logins) = await credentials.ReadAsync(me.Id, cancellationToken);
        var guessed = await credentials.StrangerCodesAsync(person, cancellationToken);
        var open = await sessions.ListAsync(me.Id, clock.GetUtcNow(), cancellationToken);
        var token = SignInPages.Token(context, forgery);
        var second = person.TotpKey is not null || passkeys.Count > 0;
        Html advice = $"""<p class="note">A password alone can be stolen. Add an authenticator app or a passkey.</p>""";
        Html body = $"""
            <h1>Your account</h1>
            {SignInPages.Problem(problem)}
            {(second ? Html.Empty : advice)}
            <section aria-labelledby="passkeys">
            <h2 id="passkeys">Passkeys</h2>
            {Passkeys(token, passkeys)}
            <p><a class="button" href="/account/passkey">Add a passkey</a></p>
            </section>
            <section aria-labelledby="app">
            <h2 id="app">Authenticator app</h2>
            {App(token, person)}
            {(guessed > 0 ? Guessed(guessed) : Html.Empty)}
            </section>
            <section aria-labelledby="recovery">
            <h2 id="recovery">Recovery codes</h2>
            <p>{Recovery(recovery)}</p>
            <form method="post" action="/account/recovery">{token}<button type="submit" class="second">Make new recovery codes</button></form>
            </section>
            <section aria-labelledby="password">
            <h2 id="password">Password</h2>
            <form method="post" action="/account/password">
            {token}
            {SetupPages.NewPassword()}
            <button type="submit" class="second">Change password</button>
            </form>
            </section>
            <section aria-labelledby="providers">
            <h2 id="providers">Other providers</h2>
            {Logins(logins)}
            </section>
            <section aria-labelledby="sessions">
            <h2 id="sessions">Where you are signed in</h2>
            {Sessions(token, open, me)}
            <form method="post" action="/account/sessions/end-all">{token}<button type="submit" class="second">Sign out everywhere</button></form>
            <p class="hint">Ends every session and every token that came of one, within five seconds.</p>
            </section>
            """;
        return new HtmlPage("Your account", body)
        {
            StatusCode = problem is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest,
        };
    }

    private static Html Passkeys(Html token, IReadOnlyList<PasskeyRow> passkeys)
    {
        if (passkeys.Count == 0)
        {
            return $"<p>None yet. A passkey signs you in by fingerprint, face, PIN or security key, and cannot be phished.</p>";
        }

        var rows = passkeys.Select(key =>
            (Html)
                $"""
                    <tr><td>{key.Name}</td><td>{Day(key.CreatedAt)}</td><td>{(
                        key.UsedAt is { } used ? Day(used) : "never"
                    )}</td><td><form method="post" action="/account/passkey/remove">{token}<input type="hidden" name="key" value="{key.Id}"><button type="submit" class="small" aria-label="Remove {key.Name}">Remove</button></form></td></tr>

                    """
        );
        return Table("List of your passkeys", ["Name", "Added", "Last used", "Change"], rows);
    }

    private static Html App(Html token, SubjectRow person)
    {
        Html present = $"""
            <p>Set up.</p>
            <form method="post" action="/account/app/remove">{token}<button type="submit" class="second">Remove the app</button></form>
            """;
        Html absent = $"""
            <p>None yet. An app on your phone shows a new code of six digits every 30 seconds.</p>
            <p><a class="button" href="/account/app">Set up an app</a></p>
            """;
        return person.TotpKey is null ? absent : present;
    }

    private static Html Guessed(int codes) =>
        $"""
            <p class="note">Wrong codes from browsers that you never used, each after your password: {codes}. Was it not you? Then somebody knows your password: change it. {(
                codes < StrangerCodes.Most
                    ? $"After {StrangerCodes.Most} a new browser needs a passkey or a recovery code."
                    : "A new browser needs a passkey or a recovery code until you do."
            )}</p>
            """;

    private static string Recovery(int left) =>
        left switch
        {
            0 => "You have none. They get you in when your app and your passkeys are lost.",
            1 => "One is left. It gets you in when your app and your passkeys are lost.",
            _ => string.Create(
                CultureInfo.InvariantCulture,
                $"{left} are left. Each gets you in once when your app and your passkeys are lost."
            ),
        };

    private static Html Logins(IReadOnlyList<LoginRow> logins)
    {
        if (logins.Count == 0)
        {
            return $"<p>None. Administrators link logins at other providers to people.</p>";
        }

        var rows = logins.Select(login =>
            (Html)
                $"""
                    <tr><td>{login.Issuer}</td><td>{login.ExternalId}</td><td>{(
                        login.ConfirmedAt is { } at ? Day(at) : "waits for an administrator"
                    )}</td></tr>

                    """
        );
        return $"""
            {Table("List of your logins at other providers", ["Issuer", "Login", "Yours since"], rows)}
            <p class="hint">Is one not yours? Tell an administrator, who can take it away: whoever has it can sign in as you.</p>
            """;
    }

    private static Html Sessions(Html token, IReadOnlyList<SessionRow> open, Me me)
    {
        var rows = open.Select(session =>
        {
            Html end =
                $"""<form method="post" action="/account/sessions/end">{token}<input type="hidden" name="session" value="{session.Id}"><button type="submit" class="small" aria-label="End the session of {session.Device} since {Moment(session.AuthenticatedAt)}">End</button></form>""";
            Html own = $"this one";
            return (Html)
                $"""
                    <tr><td>{session.Device}</td><td>{Moment(session.AuthenticatedAt)}</td><td>{How(
                        session.Methods
                    )}</td><td>{(session.Id == me.SessionId ? own : end)}</td></tr>

                    """;
        });
        return Table("List of your sessions", ["Browser", "Since (UTC)", "By", "Change"], rows);
    }

    private static string How(string methods) =>
        methods.Contains(SignInMethods.Passkey, StringComparison.Ordinal) ? "passkey"
        : methods.Contains(SignInMethods.OneTime, StringComparison.Ordinal) ? "password and code"
        : methods.Contains(SignInMethods.External, StringComparison.Ordinal) ? "another provider"
        : "password";

    private static Html Table(string label, string[] heads, IEnumerable<Html> rows)
    {
        var cells = heads.Select(head => (Html)$"""<th scope="col">{head}</th>""");
        return $"""
            <div class="scroll" tabindex="0" role="region" aria-label="{label}">
            <table>
            <thead><tr>{cells}</tr></thead>
            <tbody>
            {rows}
            </tbody>
            </table>
            </div>
            """;
    }

    private static string Day(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static string Moment(DateTimeOffset at) =>
        at.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    private static Task<IResult> PasswordAsync(
        HttpContext context,
        IAntiforgery forgery,
        StepUp stepUp,
        Credentials credentials,
        SessionStore sessions,
        TimeProvider clock,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            context,
            forgery,
            stepUp,
            async (me, form) =>
            {
                var password = new Secret(SignInPages.Field(form, "password", AccountRules.MaxPassword));
                var changed = await BrowserSignIn.GoOnAsync(
                    context,
                    me.SessionId,
                    () => credentials.ChangePasswordAsync(me.Id, me.SessionId, password, cancellationToken)
                );
                return changed.Ok
                    ? Results.LocalRedirect(Home)
                    : await ShowAsync(
                        context,
                        forgery,
                        credentials,
                        sessions,
                        clock,
                        me,
                        changed.Failure.Message,
                        cancellationToken
                    );
            }
        );

    private static async Task<IResult> AppAsync(
        HttpContext context,
        IAntiforgery forgery,
        StepUp stepUp,
        Credentials credentials,
        TimeProvider clock
    )
    {
        if (await MeAsync(context) is not { } me)
        {
            return NoSession.ToProblem();
        }

        if (!stepUp.IsRecent(context.GetActor()))
        {
            return Stale();
        }

        var (text, ticket) = credentials.NewAppKey(me.Id, clock.GetUtcNow());
        return ShowApp(context, forgery, text, ticket, null);
    }

    private static HtmlPage ShowApp(
        HttpContext context,
        IAntiforgery forgery,
        string text,
        string ticket,
        string? problem
    )
    {
        var spaced = string.Join(' ', text.Chunk(4).Select(part => new string(part)));
        var link = $"otpauth://totp/Governance?secret={text}&issuer=Governance";
        Html body = $"""
            <h1>Set up an authenticator app</h1>
            {SignInPages.Problem(problem)}
            <ol>
            <li><p>Add an account in the app: choose to enter a key, and type this one. On the device with the app you can <a href="{link}">open it there</a>.</p>
            <p><code class="key">{spaced}</code></p></li>
            <li><p>Type the code that the app shows.</p>
            <form method="post" action="/account/app">
            {SignInPages.Token(context, forgery)}
            <input type="hidden" name="ticket" value="{ticket}">
            <label for="code">Code</label>
            <input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="16" required autofocus>
            <button type="submit">Use this app</button>
            </form></li>
            </ol>
            <p><a href="/account">Back without changing anything</a></p>
            """;
        return new HtmlPage("Set up an authenticator app", body)
        {
            StatusCode = problem is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest,
        };
    }

    private static Task<IResult> AddAppAsync(
        HttpContext context,
        IAntiforgery forgery,
        StepUp stepUp,
        Credentials credentials,
        TimeProvider clock,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            context,
            forgery,
            stepUp,
            async (me, form) =>
            {
                var ticket = SignInPages.Field(form, "ticket", 1024);
                var code = SignInPages.Field(form, "code", 16);
                var now = clock.GetUtcNow();
                var added = await credentials.AddAppAsync(me.Id, me.SessionId, ticket, code, now, cancellationToken);
                return added.Ok ? AfterAdding(added.Value)
                    : credentials.AppKeyText(me.Id, ticket, now) is { } text
                        ? ShowApp(context, forgery, text, ticket, added.Failure.Message)
                    : Results.LocalRedirect("/account/app");
            }
        );

    private static Task<IResult> RemoveAppAsync(
        HttpContext context,
        IAntiforgery forgery,
        StepUp stepUp,
        Credentials credentials,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            context,
            forgery,
            stepUp,
            async (me, _) =>
            {
                await credentials.RemoveAppAsync(me.Id, me.SessionId, cancellationToken);
                return Results.LocalRedirect(Home);
            }
        );

    private static async Task<IResult> PasskeyAsync(
        HttpContext context,
        IAntiforgery forgery,
        StepUp stepUp,
        Credentials credentials,
        Passkeys passkeys,
        CancellationToken cancellationToken
    )
    {
        if (await MeAsync(context) is not { } me)
        {
            return NoSession.ToProblem();
        }

        if (!stepUp.IsRecent(context.GetActor()))
        {
            return Stale();
        }

        var person = (await credentials.ReadAsync(me.Id, cancellationToken)).Person;
        Html name = $"""
            <label for="name">Name of this passkey</label>
            <input id="name" name="name" value="{DeviceName.Of(
                context.Request.Headers.UserAgent
            )}" maxlength="64" autocomplete="off" required autofocus>
            """;
        Html body = $"""
            <h1>Add a passkey</h1>
            <p>Your browser asks for fingerprint, face, PIN or security key. What it keeps works for this gateway only.</p>
            {PasskeyForm.Of(
                context,
                forgery,
                "/account/passkey",
                create: true,
                await passkeys.AskForNewAsync(context, person),
                "Add this passkey",
                name
            )}
            <noscript><p class="note">Passkeys need JavaScript, which is switched off in this browser.</p></noscript>
            <p><a href="/account">Back without changing anything</a></p>
            """;
        return new HtmlPage("Add a passkey", body) { Script = PasskeyForm.Script };
    }

    private static Task<IResult> AddPasskeyAsync(
        HttpContext context,
        IAntiforgery forgery,
        StepUp stepUp,
        Credentials credentials,
        SessionStore sessions,
        TimeProvider clock,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            context,
            forgery,
            stepUp,
            async (me, form) =>
            {
                var added = await credentials.AddPasskeyAsync(
                    context,
                    me.Id,
                    me.SessionId,
                    SignInPages.Field(form, "name", 64),
                    SignInPages.Field(form, "ticket", 4096),
                    SignInPages.Field(form, "answer", 12 * 1024),
                    cancellationToken
                );
                return added.Ok
                    ? AfterAdding(added.Value)
                    : await ShowAsync(
                        context,
                        forgery,
                        credentials,
                        sessions,
                        clock,
                        me,
                        added.Failure.Message,
                        cancellationToken
                    );
            }
        );

    private static Task<IResult> RemovePasskeyAsync(
        HttpContext context,
        IAntiforgery forgery,
        StepUp stepUp,
        Credentials credentials,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            context,
            forgery,
            stepUp,
            async (me, form) =>
            {
                var key = SignInPages.Field(form, "key", 1400);
                await credentials.RemovePasskeyAsync(me.Id, me.SessionId, key, cancellationToken);
                return Results.LocalRedirect(Home);
            }
        );

    private static Task<IResult> RecoveryAsync(
        HttpContext context,
        IAntiforgery forgery,
        StepUp stepUp,
        Credentials credentials,
        SessionStore sessions,
        TimeProvider clock,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            context,
            forgery,
            stepUp,
            async (me, _) =>
            {
                var made = await credentials.NewRecoveryCodesAsync(me.Id, me.SessionId, cancellationToken);
                return made.Ok
                    ? ShowCodes(made.Value)
                    : await ShowAsync(
                        context,
                        forgery,
                        credentials,
                        sessions,
                        clock,
                        me,
                        made.Failure.Message,
                        cancellationToken
                    );
            }
        );

    private static Task<IResult> EndSessionAsync(
        HttpContext context,
        IAntiforgery forgery,
        SessionStore sessions,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            context,
            forgery,
            null,
            async (me, form) =>
            {
                await sessions.RevokeAsync(me.Id, SignInPages.Field(form, "session", 32), cancellationToken);
                return Results.LocalRedirect(Home);
            }
        );

    private static Task<IResult> EndSessionsAsync(
        HttpContext context,
        IAntiforgery forgery,
        SessionStore sessions,
        BrowserSignIn browser,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            context,
            forgery,
            null,
            async (me, _) =>
            {
                await browser.EndAsync(context, cancellationToken);
                await sessions.RevokeAllAsync(me.Id, cancellationToken);
                return new HtmlPage(
                    "Signed out everywhere",
                    $"""
                    <h1>You are signed out everywhere</h1>
                    <p><a href="/">Sign in again</a></p>
                    """
                );
            }
        );

    // Ending sessions is never too late; everything else asks for a recent sign-in.
    private static async Task<IResult> ChangeAsync(
        HttpContext context,
        IAntiforgery forgery,
        StepUp? stepUp,
        Func<Me, IFormCollection, Task<IResult>> change
    ) =>
        await MeAsync(context) is not { } me ? NoSession.ToProblem()
        : await SignInPages.ReadFormAsync(context, forgery) is not { } form ? Results.LocalRedirect(Home)
        : stepUp?.IsRecent(context.GetActor()) == false ? Stale()
        : await change(me, form);

    private static IResult AfterAdding(IReadOnlyList<string> codes) =>
        codes.Count == 0 ? Results.LocalRedirect(Home) : ShowCodes(codes);

    private static HtmlPage ShowCodes(IReadOnlyList<string> codes) =>
        new(
            "Recovery codes",
            $"""
            <h1>Your recovery codes</h1>
            <p>Each gets you in once, after your password, when your app and your passkeys are lost. Keep them where you keep important papers: this page does not come back.</p>
            <ul class="codes">
            {codes.Select(code => (Html)$"<li><code>{code}</code></li>\n")}
            </ul>
            <p><a class="button" href="/account">I kept them</a></p>
            """
        );

    private static HtmlPage Stale() =>
        new(
            "Confirm that it is you",
            $"""
            <h1>Confirm that it is you</h1>
            <p>You signed in a while ago. Sign in once more, then change your account.</p>
            <p><a class="button" href="/reauthenticate?returnUrl=/account">Sign in again</a></p>
            """
        )
        {
            StatusCode = StatusCodes.Status403Forbidden,
        };
}
