using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Governance.Identity.Access;
using Governance.Identity.Account;
using Governance.Identity.Sessions;
using Governance.Identity.SignIn;
using Governance.Identity.Startup;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Governance.Tests.Identity;

/// <summary>A cookie or token is good for as long as the session behind it is.</summary>
public sealed class SessionTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_copied_cookie_dies_with_the_sign_out()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        using var thief = _host.Client(cookies: _host.CookiesOf(browser));
        using var before = await thief.GetAsync("/account");

        using var signedOut = await PostAsync(browser, "/signout", "/signout");
        using var after = await thief.GetAsync("/account");

        Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        Assert.Equal(HttpStatusCode.OK, signedOut.StatusCode);
        Assert.Equal(HttpStatusCode.Found, after.StatusCode);
        using var authorize = await thief.GetAsync(await _host.AuthorizeUrlAsync(IdentityHost.Proof().Challenge));
        Assert.StartsWith("/signin", authorize.Headers.Location!.OriginalString, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Signing_out_everywhere_ends_cookies_at_once_and_tokens_within_five_seconds()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        using var other = _host.Client();
        await _host.HomeAsync(other, "maria");
        var tokens = await _host.PersonTokensAsync("maria");
        var token = tokens["access_token"]!.GetValue<string>();
        Assert.NotNull(await _host.WhoAmIAsync(token));

        using var ended = await PostAsync(browser, "/account", "/account/sessions/end-all");
        using var cookie = await other.GetAsync("/account");
        await Task.Delay(TimeSpan.FromSeconds(4.5), TestContext.Current.CancellationToken);
        var refreshed = await _host.TokenAsync(
            new Dictionary<string, string>
            {
                ["grant_type"] = "refresh_token",
                ["client_id"] = "governance-cli",
                ["refresh_token"] = tokens["refresh_token"]!.GetValue<string>(),
            }
        );

        Assert.Equal(HttpStatusCode.OK, ended.StatusCode);
        Assert.Equal(HttpStatusCode.Found, cookie.StatusCode);
        Assert.Null(await _host.WhoAmIAsync(token));
        Assert.Equal(HttpStatusCode.BadRequest, refreshed.Status);
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.signed_out_everywhere");
    }

    [Fact]
    public async Task A_session_ends_after_its_hours_however_much_it_is_used()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        _host.Clock.Advance(TimeSpan.FromHours(7.9));
        using var before = await browser.GetAsync("/account");

        // A thief keeps the cookie beyond the time that the browser was told.
        using var thief = _host.Client(cookies: _host.CookiesOf(browser));
        _host.Clock.Advance(TimeSpan.FromHours(0.2));
        using var after = await thief.GetAsync("/account");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Found), (before.StatusCode, after.StatusCode));
    }

    [Fact]
    public async Task A_person_sees_the_own_sessions_and_ends_one()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        using var other = _host.Client();
        await _host.HomeAsync(other, "maria");
        var html = await browser.GetStringAsync("/account");
        var id = Regex.Match(html, "name=\"session\" value=\"([^\"]*)\"").Groups[1].Value;

        using var ended = await PostAsync(browser, "/account", "/account/sessions/end", ("session", id));
        using var gone = await other.GetAsync("/account");
        using var mine = await browser.GetAsync("/account");

        Assert.Equal(HttpStatusCode.Found, ended.StatusCode);
        Assert.Equal(HttpStatusCode.Found, gone.StatusCode);
        Assert.Equal(HttpStatusCode.OK, mine.StatusCode);
    }

    [Fact]
    public async Task Nobody_ends_the_session_of_somebody_else()
    {
        var maria = await _host.EnrolPersonAsync("maria");
        await _host.EnrolPersonAsync("mallory");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        using var mallory = _host.Client();
        await _host.HomeAsync(mallory, "mallory");
        await using var db = await Database();
        var session = await db.Set<SessionRow>()
            .Where(row => row.SubjectId == maria)
            .Select(row => row.Id)
            .SingleAsync(TestContext.Current.CancellationToken);

        using var tried = await PostAsync(mallory, "/account", "/account/sessions/end", ("session", session));

        using var still = await browser.GetAsync("/account");
        Assert.Equal(HttpStatusCode.OK, still.StatusCode);
    }

    [Fact]
    public async Task A_new_password_ends_every_other_session()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        using var thief = _host.Client();
        await _host.HomeAsync(thief, "maria");
        using var copy = _host.Client(cookies: _host.CookiesOf(browser));
        using var before = await copy.GetAsync("/account");

        using var changed = await PostAsync(
            browser,
            "/account",
            "/account/password",
            ("password", "nine dry herons whistle")
        );
        using var weak = await PostAsync(browser, "/account", "/account/password", ("password", "short"));
        using var gone = await thief.GetAsync("/account");
        using var copied = await copy.GetAsync("/account");
        using var signIn = await _host.FollowAsync(copy, await copy.GetAsync("/account"));
        using var mine = await browser.GetAsync("/account");
        using var code = await browser.GetAsync(await _host.AuthorizeUrlAsync(IdentityHost.Proof().Challenge));
        using var old = await IdentityHost.SignInAsync(_host.Client(), "maria", IdentityHost.Password);

        Assert.Equal(HttpStatusCode.Found, changed.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, weak.StatusCode);
        Assert.Equal(HttpStatusCode.Found, gone.StatusCode);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Found), (before.StatusCode, copied.StatusCode));
        Assert.Equal("/signin", signIn.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal(HttpStatusCode.OK, mine.StatusCode);
        Assert.Contains("Let this program in?", await code.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, old.StatusCode);
    }

    [Fact]
    public async Task An_old_sign_in_changes_nothing_until_it_is_repeated()
    {
        await _host.EnrolPersonAsync("ada", "admin");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "ada");
        using var fresh = await browser.GetAsync("/account/app");
        _host.Clock.Advance(TimeSpan.FromMinutes(16));

        using var stale = await browser.GetAsync("/account/app");
        using var challenge = await browser.GetAsync("/reauthenticate?returnUrl=/account");
        using var page = await _host.FollowAsync(browser, challenge);
        using var again = await IdentityHost.SignInAsync(
            browser,
            "ada",
            IdentityHost.Password,
            page.RequestMessage!.RequestUri!.PathAndQuery
        );
        using var account = await _host.FollowAsync(browser, again);
        using var afterwards = await browser.GetAsync("/account/app");

        Assert.Equal(HttpStatusCode.OK, fresh.StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, stale.StatusCode);
        Assert.Contains("/reauthenticate", await stale.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Contains("Confirm that it is you", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("/account", account.RequestMessage!.RequestUri!.PathAndQuery);
        Assert.Equal(HttpStatusCode.OK, afterwards.StatusCode);
    }

    [Fact]
    public async Task An_answer_to_an_old_token_says_how_fresh_it_has_to_be()
    {
        await using var host = await IdentityHost.StartAsync(options =>
        {
            options.AccessTokenMinutes = 120;
            options.RecentSignInMinutes = 1;
        });
        await host.EnrolPersonAsync("ada", "admin");
        var token = await host.PersonTokenAsync("ada");
        host.Clock.Advance(TimeSpan.FromMinutes(2));
        using var ada = host.Client(token);

        using var refused = await ada.PostAsJsonAsync(
            "/api/v1/persons",
            new
            {
                userName = "x",
                displayName = "X",
                grants = Array.Empty<object>(),
            }
        );

        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        var challenge = refused.Headers.WwwAuthenticate.ToString();
        Assert.Contains("error=\"insufficient_user_authentication\"", challenge, StringComparison.Ordinal);
        Assert.Contains("max_age=60", challenge, StringComparison.Ordinal);
        var problem = await refused.Content.ReadFromJsonAsync<JsonNode>();
        Assert.Equal("identity.reauthentication_needed", problem!["code"]!.GetValue<string>());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nobody_gets_a_session_by_a_password_that_was_taken_away_since_they_showed_it(bool reset)
    {
        using var ada = await _host.AdminAsync("ada");
        using var invited = await ada.PostAsJsonAsync(
            "/api/v1/persons",
            new
            {
                userName = "rita",
                displayName = "Rita",
                grants = Array.Empty<object>(),
            }
        );
        var invitation = (await invited.Content.ReadFromJsonAsync<JsonNode>())!;
        var id = invitation["id"]!.ToString();
        var shown = await _host
            .Services.GetRequiredService<Enrolments>()
            .AcceptAsync(
                invitation["code"]!.ToString(),
                new Secret(IdentityHost.Password),
                TestContext.Current.CancellationToken
            );
        if (reset)
        {
            using var done = await ada.PostAsync($"/api/v1/persons/{id}/reset", null);
            Assert.Equal(HttpStatusCode.OK, done.StatusCode);
        }

        await using var scope = _host.Services.CreateAsyncScope();
        var started = await _host
            .Services.GetRequiredService<BrowserSignIn>()
            .StartAsync(
                new DefaultHttpContext { RequestServices = scope.ServiceProvider },
                shown.Value,
                [SignInMethods.Password],
                TestContext.Current.CancellationToken
            );

        await using var db = await Database();
        Assert.Equal(!reset, started);
        Assert.Equal(
            reset ? 0 : 1,
            await db.Set<SessionRow>().CountAsync(row => row.SubjectId == id, TestContext.Current.CancellationToken)
        );
    }

    [Theory]
    [InlineData("app")]
    [InlineData("passkey")]
    public async Task A_password_alone_begins_no_session_once_there_is_a_second_factor(string factor)
    {
        var id = await _host.EnrolPersonAsync("maria");
        await using var db = await Database();
        var row = await db.Set<SubjectRow>().SingleAsync(row => row.Id == id, TestContext.Current.CancellationToken);
        var alone = Standings.OfPassword(id, row.PasswordHash);
        async Task<bool> AskAsync(Standing stands) => await stands(db, TestContext.Current.CancellationToken);

        var before = await AskAsync(alone);
        row.TotpKey = factor == "app" ? [1, 2, 3] : null;
        db.AddRange(factor == "app" ? [] : [new PasskeyRow { Id = "key", SubjectId = id }]);
        await db.SaveChangesAsync(TestContext.Current.CancellationToken);
        var after = await AskAsync(alone);
        var second = await AskAsync(Standings.OfSecondStep(id, row.PasswordHash, row.TotpKey));
        var otherApp = await AskAsync(Standings.OfSecondStep(id, row.PasswordHash, [3, 2, 1]));

        Assert.Equal([true, false, true, false], [before, after, second, otherApp]);
    }

    [Fact]
    public async Task Who_shows_the_password_while_a_second_factor_is_added_gets_no_session()
    {
        var id = await _host.EnrolPersonAsync("maria");
        await using var scope = _host.Services.CreateAsyncScope();
        var context = new DefaultHttpContext { RequestServices = scope.ServiceProvider };
        var shown = await _host
            .Services.GetRequiredService<PasswordSignIn>()
            .CheckAsync(
                new AttemptDirection("maria", "127.0.0.1", null),
                new Secret(IdentityHost.Password),
                TestContext.Current.CancellationToken
            );
        await using var db = await Database();
        db.Add(new PasskeyRow { Id = "key", SubjectId = id });
        await db.SaveChangesAsync(TestContext.Current.CancellationToken);

        var started = await _host
            .Services.GetRequiredService<BrowserSignIn>()
            .StartAsync(context, shown!, [SignInMethods.Password], TestContext.Current.CancellationToken);

        Assert.False(shown!.HasSecondFactor);
        Assert.False(started);
        Assert.Empty(await db.Set<SessionRow>().ToListAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_passkey_that_was_taken_away_or_whose_owner_is_shut_begins_no_session()
    {
        var id = await _host.EnrolPersonAsync("maria");
        var stands = Standings.OfPasskey(id, "key");
        await using var db = await Database();
        async Task<bool> AskAsync() => await stands(db, TestContext.Current.CancellationToken);

        var before = await AskAsync();
        db.Add(new PasskeyRow { Id = "key", SubjectId = id });
        await db.SaveChangesAsync(TestContext.Current.CancellationToken);
        var there = await AskAsync();
        await db.Set<SubjectRow>()
            .Where(row => row.Id == id)
            .ExecuteUpdateAsync(
                set => set.SetProperty(row => row.Enabled, false),
                TestContext.Current.CancellationToken
            );
        var shut = await AskAsync();

        Assert.Equal([false, true, false], [before, there, shut]);
    }

    [Fact]
    public async Task A_session_that_ended_meanwhile_sets_no_credential()
    {
        var id = await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        await using var db = await Database();
        var session = await db.Set<SessionRow>().SingleAsync(TestContext.Current.CancellationToken);
        using var ended = await PostAsync(browser, "/account", "/account/sessions/end-all");

        var credentials = _host.Services.GetRequiredService<Credentials>();
        var password = await credentials.ChangePasswordAsync(
            id,
            session.Id,
            new Secret("another seven dry otters juggle"),
            TestContext.Current.CancellationToken
        );
        var codes = await credentials.NewRecoveryCodesAsync(id, session.Id, TestContext.Current.CancellationToken);
        using var again = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);

        Assert.Equal(["identity.form_expired", "identity.form_expired"], [password.Failure!.Code, codes.Failure!.Code]);
        Assert.Equal(HttpStatusCode.Found, again.StatusCode);
    }

    [Fact]
    public async Task Old_rows_go()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        await IdentityHost.SignInAsync(browser, "nobody", "wrong wrong wrong");
        await _host.HomeAsync(browser, "maria");
        await using (var db = await Database())
        {
            await db.Set<SessionRow>()
                .ExecuteUpdateAsync(
                    set => set.SetProperty(row => row.ExpiresAt, DateTimeOffset.UnixEpoch),
                    TestContext.Current.CancellationToken
                );
            await db.Set<AttemptRow>()
                .ExecuteUpdateAsync(
                    set => set.SetProperty(row => row.ResetsAt, DateTimeOffset.UnixEpoch),
                    TestContext.Current.CancellationToken
                );
        }

        var pruner = _host.Services.GetServices<IHostedService>().OfType<SessionPruner>().Single();
        await pruner.PruneAsync(TestContext.Current.CancellationToken);

        await using var after = await Database();
        Assert.Equal(0, await after.Set<SessionRow>().CountAsync(TestContext.Current.CancellationToken));
        Assert.Equal(0, await after.Set<AttemptRow>().CountAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36", "Chrome on Linux")]
    [InlineData(
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36 Edg/156.0",
        "Edge on Windows"
    )]
    [InlineData("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone")]
    [InlineData("<script>alert(1)</script>", "another on another")]
    [InlineData(null, "another on another")]
    public void A_browser_is_named_by_our_words_only(string? userAgent, string name) =>
        Assert.Equal(name, DeviceName.Of(userAgent));

    private static async Task<HttpResponseMessage> PostAsync(
        HttpClient browser,
        string page,
        string path,
        params (string Name, string Value)[] fields
    ) =>
        await browser.PostAsync(
            path,
            new FormUrlEncodedContent([
                new("__RequestVerificationToken", IdentityHost.HiddenToken(await browser.GetStringAsync(page))),
                .. fields.Select(field => KeyValuePair.Create(field.Name, field.Value)),
            ])
        );

    private Task<GovernanceDb> Database() =>
        _host
            .Services.GetRequiredService<IDbContextFactory<GovernanceDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);
}
