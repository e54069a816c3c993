using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Web;
using Governance.Identity.Account;
using Governance.Identity.Engine;
using Governance.Identity.Storage;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>Authenticator app and recovery codes, through the real pages.</summary>
public sealed partial class SecondFactorTests : IAsyncLifetime
{
    private const string Other = "nine dry herons whistle";
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task An_app_is_asked_for_after_the_password_and_its_code_counts_once()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        var (key, _) = await AddAppAsync(browser);
        using var other = _host.Client();

        using var step = await IdentityHost.SignInAsync(other, "maria", IdentityHost.Password);
        var html = await step.Content.ReadAsStringAsync();
        var code = NextCode(key);
        using var wrong = await SecondAsync(other, html, "000000");
        using var right = await SecondAsync(other, html, code);
        using var third = _host.Client();
        using var again = await IdentityHost.SignInAsync(third, "maria", IdentityHost.Password);
        using var replay = await SecondAsync(third, await again.Content.ReadAsStringAsync(), code);

        Assert.Contains("One more step", html, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        Assert.Equal(HttpStatusCode.Found, right.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, replay.StatusCode);
    }

    [Fact]
    public async Task The_password_alone_opens_nothing_once_there_is_a_second_factor()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        await AddAppAsync(browser);
        using var thief = _host.Client();

        using var step = await IdentityHost.SignInAsync(thief, "maria", IdentityHost.Password);
        using var home = await thief.GetAsync("/account");

        Assert.Equal(HttpStatusCode.OK, step.StatusCode);
        Assert.False(
            step.Headers.TryGetValues("Set-Cookie", out var cookies) && cookies.Any(c => c.Contains("sign-in"))
        );
        Assert.Equal(HttpStatusCode.Found, home.StatusCode);
    }

    [Fact]
    public async Task A_recovery_code_works_once_and_new_ones_replace_the_old()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        var (_, codes) = await AddAppAsync(browser);
        Assert.Equal(10, codes.Distinct().Count());
        Assert.All(codes, code => Assert.Matches("^([0-9A-HJKMNP-TV-Z]{5}-){4}[0-9A-HJKMNP-TV-Z]{5}$", code));

        Assert.Equal(HttpStatusCode.Found, await RecoverAsync(codes[0].ToLowerInvariant()));
        Assert.Equal(HttpStatusCode.BadRequest, await RecoverAsync(codes[0]));
        Assert.Equal(HttpStatusCode.Found, await RecoverAsync(codes[1]));
        using var fresh = await PostAsync(browser, "/account", "/account/recovery");
        Assert.Equal(HttpStatusCode.OK, fresh.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, await RecoverAsync(codes[2]));
        Assert.Equal(2, _host.Log.Entries.Count(entry => entry.Kind == "identity.recovery_code_used"));
        Assert.DoesNotContain(codes[3], await StoredAsync(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_key_of_an_app_is_not_stored_in_clear()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");

        var (key, _) = await AddAppAsync(browser);

        await using var db = await Database();
        var row = await db.Set<SubjectRow>().SingleAsync(TestContext.Current.CancellationToken);
        Assert.NotNull(row.TotpKey);
        Assert.Equal(-1, row.TotpKey.AsSpan().IndexOf(key));
    }

    [Fact]
    public async Task After_a_hundred_wrong_codes_a_stranger_needs_more_than_a_code_until_the_password_is_another()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        var (key, codes) = await AddAppAsync(browser);
        using var thief = _host.Client();
        for (var i = 0; i < 100; i++)
        {
            if (i % 5 == 0)
            {
                _host.Clock.Advance(TimeSpan.FromMinutes(16)); // as slowly as the other limits let them
            }

            using var step = await IdentityHost.SignInAsync(thief, "maria", IdentityHost.Password);
            using var wrong = await SecondAsync(thief, await step.Content.ReadAsStringAsync(), "000000");
        }

        _host.Clock.Advance(TimeSpan.FromMinutes(16));
        Assert.Equal(HttpStatusCode.BadRequest, await WithCodeAsync(_host.Client(), NextCode(key)));
        Assert.Equal(HttpStatusCode.Found, await WithCodeAsync(_host.Client(), codes[0]));
        Assert.Equal(HttpStatusCode.Found, await WithCodeAsync(browser, NextCode(key)));
        _host.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(HttpStatusCode.BadRequest, await WithCodeAsync(_host.Client(), NextCode(key)));
        var account = await browser.GetStringAsync("/account");
        Assert.Contains("each after your password: 100.", account, StringComparison.Ordinal);

        using var changed = await PostAsync(browser, "/account", "/account/password", ("password", Other));
        Assert.Equal(HttpStatusCode.Found, changed.StatusCode);
        _host.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(HttpStatusCode.Found, await WithCodeAsync(_host.Client(), NextCode(key), Other));
    }

    [Fact]
    public async Task The_form_of_a_new_app_counts_for_a_quarter_of_an_hour()
    {
        await using var host = await IdentityHost.StartAsync(options => options.RecentSignInMinutes = 60);
        await host.EnrolPersonAsync("maria");
        using var browser = host.Client();
        await host.HomeAsync(browser, "maria");
        var html = await browser.GetStringAsync("/account/app");
        var key = Decode(KeyText().Match(html).Groups[1].Value.Replace(" ", "", StringComparison.Ordinal));
        host.Clock.Advance(TimeSpan.FromMinutes(16));

        using var late = await PostAsync(
            browser,
            html,
            "/account/app",
            ("ticket", Hidden(html, "ticket")),
            ("code", Totp.Code(key, Totp.StepOf(host.Clock.GetUtcNow())))
        );

        Assert.Equal("/account/app", late.Headers.Location!.OriginalString);
        Assert.DoesNotContain(host.Log.Entries, entry => entry.Kind == "identity.factor_added");
    }

    [Fact]
    public async Task A_session_changes_the_credentials_of_its_own_person_while_it_lasts()
    {
        var maria = await _host.EnrolPersonAsync("maria");
        var paul = await _host.EnrolPersonAsync("paul");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        await using var db = await Database();
        var session = (await db.Set<SessionRow>().SingleAsync(TestContext.Current.CancellationToken)).Id;
        var credentials = _host.Services.GetRequiredService<Credentials>();

        var own = await credentials.NewRecoveryCodesAsync(maria, session, TestContext.Current.CancellationToken);
        var other = await credentials.NewRecoveryCodesAsync(paul, session, TestContext.Current.CancellationToken);
        _host.Clock.Advance(TimeSpan.FromDays(2));
        var late = await credentials.NewRecoveryCodesAsync(maria, session, TestContext.Current.CancellationToken);

        Assert.Equal((true, false, false), (own.Ok, other.Ok, late.Ok));
    }

    [Fact]
    public async Task Wrong_codes_are_limited_like_passwords()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        var (key, _) = await AddAppAsync(browser);
        using var thief = _host.Client();
        using var step = await IdentityHost.SignInAsync(thief, "maria", IdentityHost.Password);
        var html = await step.Content.ReadAsStringAsync();
        for (var i = 0; i < 5; i++)
        {
            using var wrong = await SecondAsync(thief, html, "000000");
        }

        using var late = await SecondAsync(thief, html, NextCode(key));

        Assert.Equal(HttpStatusCode.BadRequest, late.StatusCode);
    }

    [Fact]
    public async Task The_second_step_counts_for_the_password_that_was_shown_only()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");
        var (key, _) = await AddAppAsync(browser);
        using var thief = _host.Client();
        using var step = await IdentityHost.SignInAsync(thief, "maria", IdentityHost.Password);
        using var changed = await PostAsync(
            browser,
            "/account",
            "/account/password",
            ("password", "nine dry herons whistle")
        );

        using var late = await SecondAsync(thief, await step.Content.ReadAsStringAsync(), NextCode(key));
        using var again = await IdentityHost.SignInAsync(thief, "maria", "nine dry herons whistle");
        using var right = await SecondAsync(thief, await again.Content.ReadAsStringAsync(), NextCode(key));

        Assert.Equal(HttpStatusCode.Found, changed.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, late.StatusCode);
        Assert.Equal(HttpStatusCode.Found, right.StatusCode);
    }

    [Fact]
    public async Task Tokens_say_that_there_were_two_factors()
    {
        await using var strict = await IdentityHost.StartAsync(options => options.RequireSecondFactor = true);
        await strict.EnrolPersonAsync("ada", "admin");
        using var weak = strict.Client(await strict.PersonTokenAsync("ada"));

        using var refused = await weak.PostAsJsonAsync(
            "/api/v1/persons",
            new
            {
                userName = "x",
                displayName = "X",
                grants = Array.Empty<object>(),
            }
        );

        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        var problem = await refused.Content.ReadFromJsonAsync<JsonNode>();
        Assert.Equal("identity.second_factor_needed", problem!["code"]!.GetValue<string>());
    }

    private async Task<HttpStatusCode> RecoverAsync(string code)
    {
        using var browser = _host.Client();
        using var step = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        using var answer = await SecondAsync(browser, await step.Content.ReadAsStringAsync(), code);
        return answer.StatusCode;
    }

    private static async Task<HttpResponseMessage> SecondAsync(
        HttpClient browser,
        string html,
        string code,
        string action = "/signin/second"
    ) =>
        await browser.PostAsync(
            HttpUtility.HtmlDecode(action),
            new FormUrlEncodedContent(
                new Dictionary<string, string>
                {
                    ["step"] = Hidden(html, "step"),
                    ["code"] = code,
                    ["__RequestVerificationToken"] = IdentityHost.HiddenToken(html),
                }
            )
        );

    private static async Task<(byte[] Key, IReadOnlyList<string> Codes)> AddAppAsync(HttpClient browser)
    {
        // The code of the last step, so that a test may use the present one: not while a step ends.
        var left = TimeSpan.FromSeconds(30 - (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() % 30_000 / 1000.0));
        if (left < TimeSpan.FromSeconds(5))
        {
            await Task.Delay(left, TestContext.Current.CancellationToken);
        }

        var html = await browser.GetStringAsync("/account/app");
        var key = Decode(KeyText().Match(html).Groups[1].Value.Replace(" ", "", StringComparison.Ordinal));
        using var answer = await PostAsync(
            browser,
            html,
            "/account/app",
            ("ticket", Hidden(html, "ticket")),
            ("code", Totp.Code(key, Totp.StepOf(DateTimeOffset.UtcNow) - 1))
        );
        var text = await answer.Content.ReadAsStringAsync();
        return (key, [.. RecoveryCode().Matches(text).Select(match => match.Groups[1].Value)]);
    }

    private static async Task<HttpResponseMessage> PostAsync(
        HttpClient browser,
        string page,
        string path,
        params (string Name, string Value)[] fields
    ) =>
        await browser.PostAsync(
            path,
            new FormUrlEncodedContent([
                new(
                    "__RequestVerificationToken",
                    IdentityHost.HiddenToken(page.StartsWith('/') ? await browser.GetStringAsync(page) : page)
                ),
                .. fields.Select(field => KeyValuePair.Create(field.Name, field.Value)),
            ])
        );

    // The step at hand was not used by adding the app, which used the one before it.
    private string NextCode(byte[] key) => Totp.Code(key, Totp.StepOf(_host.Clock.GetUtcNow()));

    private async Task<HttpStatusCode> WithCodeAsync(HttpClient browser, string code, string? password = null)
    {
        using var page = await _host.FollowAsync(browser, await browser.GetAsync("/reauthenticate?returnUrl=/account"));
        using var step = await IdentityHost.SignInAsync(
            browser,
            "maria",
            password ?? IdentityHost.Password,
            page.RequestMessage!.RequestUri!.PathAndQuery
        );
        var html = await step.Content.ReadAsStringAsync();
        using var answer = await SecondAsync(browser, html, code, FormAction().Match(html).Groups[1].Value);
        using var end = await _host.FollowAsync(browser, answer);
        return answer.StatusCode;
    }

    private static byte[] Decode(string text)
    {
        var bits = string.Concat(
            text.Select(c => Convert.ToString("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".IndexOf(c), 2).PadLeft(5, '0'))
        );
        return [.. bits.Chunk(8).Where(part => part.Length == 8).Select(part => Convert.ToByte(new string(part), 2))];
    }

    private static string Hidden(string html, string name) =>
        HttpUtility.HtmlDecode(Regex.Match(html, $"name=\"{name}\" value=\"([^\"]*)\"").Groups[1].Value);

    private async Task<string> StoredAsync()
    {
        await using var db = await Database();
        var rows = await db.Set<RecoveryCodeRow>().ToListAsync(TestContext.Current.CancellationToken);
        return string.Join('\n', rows.Select(row => row.Hash));
    }

    private Task<GovernanceDb> Database() =>
        _host
            .Services.GetRequiredService<IDbContextFactory<GovernanceDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);

    [GeneratedRegex("action=\"(/signin/second[^\"]*)\"")]
    private static partial Regex FormAction();

    [GeneratedRegex("<code class=\"key\">([^<]*)</code>")]
    private static partial Regex KeyText();

    [GeneratedRegex("<li><code>([^<]*)</code>")]
    private static partial Regex RecoveryCode();
}
