using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Governance.Identity.SignIn;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

public sealed class PageTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_person_reaches_the_page_through_OpenID_Connect_and_signs_out()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();

        var page = await ReachHomeAsync(browser, "maria");
        var html = await page.Content.ReadAsStringAsync();
        using var signOut = await browser.PostAsync(
            "/signout",
            new FormUrlEncodedContent(
                new Dictionary<string, string> { ["__RequestVerificationToken"] = IdentityHost.HiddenToken(html) }
            )
        );
        using var after = await browser.GetAsync("/");

        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Contains("maria of the tests", html, StringComparison.Ordinal);
        Assert.Contains("promotion:approve", html, StringComparison.Ordinal);
        Assert.Contains("/graphql/ui", html, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, signOut.StatusCode);
        Assert.Equal(HttpStatusCode.Found, after.StatusCode);
        Assert.Contains("/connect/authorize", after.Headers.Location!.OriginalString, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cookies_are_host_bound_secure_and_hidden_from_scripts()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();

        using var form = await browser.GetAsync("/signin");
        using var signedIn = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        var cookies = form.Headers.GetValues("Set-Cookie").Concat(signedIn.Headers.GetValues("Set-Cookie")).ToList();

        Assert.NotEmpty(cookies);
        Assert.All(
            cookies,
            cookie =>
            {
                Assert.StartsWith("__Host-", cookie, StringComparison.Ordinal);
                Assert.Contains("; secure", cookie, StringComparison.OrdinalIgnoreCase);
                Assert.Contains("; httponly", cookie, StringComparison.OrdinalIgnoreCase);
                Assert.Contains("; samesite", cookie, StringComparison.OrdinalIgnoreCase);
            }
        );
    }

    [Fact]
    public async Task No_cookie_of_a_whole_sign_in_is_seen_by_scripts_plain_connections_or_pages_of_others()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        var cookies = new List<string>();
        var pages = new StringBuilder();

        var answer = await GoAsync(await browser.GetAsync("/"));
        answer = await IdentityHost.SignInAsync(
            browser,
            "maria",
            IdentityHost.Password,
            answer.RequestMessage!.RequestUri!.PathAndQuery
        );
        answer = await GoAsync(answer);

        Assert.Equal(("/", HttpStatusCode.OK), (answer.RequestMessage!.RequestUri!.PathAndQuery, answer.StatusCode));
        Assert.Equal(
            [
                "__Host-governance",
                "__Host-governance-correlation",
                "__Host-governance-device",
                "__Host-governance-form",
                "__Host-governance-nonce",
                "__Host-governance-sign-in",
            ],
            cookies
                .Select(cookie => cookie.Split('=')[0])
                .Select(name => name.Split('.')[0])
                .Distinct()
                .Order(StringComparer.Ordinal)
        );
        foreach (var cookie in cookies)
        {
            var parts = cookie.Split("; ");
            var value = parts[0].Split('=', 2)[1];
            Assert.Contains("secure", parts, StringComparer.OrdinalIgnoreCase);
            Assert.Contains("httponly", parts, StringComparer.OrdinalIgnoreCase);
            Assert.Contains(
                cookie.StartsWith("__Host-governance-form=", StringComparison.Ordinal)
                    ? "samesite=strict"
                    : "samesite=lax",
                parts,
                StringComparer.OrdinalIgnoreCase
            );
            Assert.DoesNotContain(parts, part => part.StartsWith("domain", StringComparison.OrdinalIgnoreCase));
            Assert.True(
                value.Length < 20 || !pages.ToString().Contains(value, StringComparison.Ordinal),
                $"{parts[0].Split('=')[0]} stands in a page"
            );
        }

        async Task<HttpResponseMessage> GoAsync(HttpResponseMessage response)
        {
            while (true)
            {
                cookies.AddRange(response.Headers.TryGetValues("Set-Cookie", out var set) ? set : []);
                pages.Append(await response.Content.ReadAsStringAsync());
                if (response.StatusCode != HttpStatusCode.Found)
                {
                    return response;
                }

                response = await browser.GetAsync(response.Headers.Location);
            }
        }
    }

    [Fact]
    public async Task Pages_allow_nothing_inline_and_no_framing()
    {
        using var browser = _host.Client();

        using var page = await browser.GetAsync("/signin?returnUrl=%22%3E%3Cscript%3E");
        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        var html = await page.Content.ReadAsStringAsync();

        Assert.StartsWith("default-src 'none'; style-src 'self'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "<script",
            html.Replace("<script src=\"/assets/passkeys.js\" defer></script>", "", StringComparison.Ordinal),
            StringComparison.OrdinalIgnoreCase
        );
        Assert.DoesNotContain("style=", html, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task What_a_person_typed_comes_back_encoded()
    {
        using var browser = _host.Client();

        using var answer = await IdentityHost.SignInAsync(browser, "\"><script>alert(1)</script>", "wrong wrong wrong");
        var html = await answer.Content.ReadAsStringAsync();

        Assert.DoesNotContain("<script>", html, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;", html, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://evil.example/")]
    [InlineData("//evil.example/")]
    [InlineData("/connect/authorize.evil")]
    [InlineData("javascript:alert(1)")]
    public async Task Signing_in_leads_back_to_this_server_only(string returnUrl)
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();

        using var answer = await IdentityHost.SignInAsync(
            browser,
            "maria",
            IdentityHost.Password,
            $"/signin?returnUrl={Uri.EscapeDataString(returnUrl)}"
        );

        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
        Assert.Equal("/", answer.Headers.Location!.OriginalString);
    }

    [Fact]
    public async Task A_form_without_its_anti_forgery_token_is_refused()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();

        using var answer = await browser.PostAsync(
            "/signin",
            new FormUrlEncodedContent(
                new Dictionary<string, string> { ["user"] = "maria", ["password"] = IdentityHost.Password }
            )
        );

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.DoesNotContain(_host.Log.Entries, entry => entry.Kind == "identity.signed_in");
    }

    [Fact]
    public async Task Unknown_user_and_wrong_password_look_the_same()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();

        using var wrong = await IdentityHost.SignInAsync(browser, "maria", "wrong wrong wrong");
        using var unknown = await IdentityHost.SignInAsync(browser, "nadia", "wrong wrong wrong");

        Assert.Equal(wrong.StatusCode, unknown.StatusCode);
        Assert.Equal(Alert(await wrong.Content.ReadAsStringAsync()), Alert(await unknown.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task Wrong_passwords_shut_out_the_address_that_they_came_from()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        for (var i = 0; i < 5; i++)
        {
            using var wrong = await IdentityHost.SignInAsync(browser, "maria", "wrong wrong wrong");
        }

        using var right = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        _host.Clock.Advance(TimeSpan.FromMinutes(16));
        using var later = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);

        Assert.Equal(HttpStatusCode.BadRequest, right.StatusCode);
        Assert.Equal(HttpStatusCode.Found, later.StatusCode);
        Assert.Equal(6, _host.Log.Entries.Count(entry => entry.Kind == "identity.sign_in_refused"));
    }

    [Fact]
    public async Task Strangers_do_not_lock_the_owner_out_of_a_browser_that_was_used_before()
    {
        await _host.EnrolPersonAsync("maria");
        using var owner = _host.Client();
        using var first = await IdentityHost.SignInAsync(owner, "maria", IdentityHost.Password);
        using var stranger = _host.Client();
        for (var i = 0; i < 8; i++)
        {
            using var wrong = await IdentityHost.SignInAsync(stranger, "maria", "wrong wrong wrong");
        }

        using var strange = await IdentityHost.SignInAsync(stranger, "maria", IdentityHost.Password);
        using var own = await IdentityHost.SignInAsync(owner, "maria", IdentityHost.Password);

        Assert.Equal(HttpStatusCode.BadRequest, strange.StatusCode);
        Assert.Equal(HttpStatusCode.Found, own.StatusCode);
    }

    [Fact]
    public async Task A_known_browser_is_limited_too_and_only_for_the_name_that_it_knows()
    {
        await _host.EnrolPersonAsync("maria");
        await _host.EnrolPersonAsync("nadia");
        using var browser = _host.Client();
        using var known = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        for (var i = 0; i < 5; i++)
        {
            using var wrong = await IdentityHost.SignInAsync(browser, "maria", "wrong wrong wrong");
            using var other = await IdentityHost.SignInAsync(browser, "nadia", "wrong wrong wrong");
        }

        using var maria = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        using var nadia = await IdentityHost.SignInAsync(_host.Client(), "nadia", IdentityHost.Password);

        Assert.Equal(HttpStatusCode.BadRequest, maria.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, nadia.StatusCode);
    }

    [Fact]
    public async Task Strangers_of_many_addresses_are_limited_together()
    {
        await _host.EnrolPersonAsync("maria");
        var signIn = _host.Services.GetRequiredService<PasswordSignIn>();
        for (var i = 0; i < 50; i++)
        {
            var stranger = new AttemptDirection("maria", $"192.0.2.{i}", null);
            Assert.Null(
                await signIn.CheckAsync(stranger, new("wrong wrong wrong"), TestContext.Current.CancellationToken)
            );
        }

        var right = new Governance.Kernel.Secret(IdentityHost.Password);
        var fresh = new AttemptDirection("maria", "198.51.100.1", null);
        Assert.Null(await signIn.CheckAsync(fresh, right, TestContext.Current.CancellationToken));
        Assert.NotNull(
            await signIn.CheckAsync(fresh with { Device = "d" }, right, TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public async Task Parallel_guesses_do_not_slip_past_the_limit()
    {
        await _host.EnrolPersonAsync("maria");
        var signIn = _host.Services.GetRequiredService<PasswordSignIn>();
        var direction = new AttemptDirection("maria", "192.0.2.1", null);

        await Task.WhenAll(
            Enumerable
                .Range(0, 12)
                .Select(_ =>
                    signIn.CheckAsync(direction, new("wrong wrong wrong"), TestContext.Current.CancellationToken)
                )
        );

        var right = new Governance.Kernel.Secret(IdentityHost.Password);
        Assert.Null(await signIn.CheckAsync(direction, right, TestContext.Current.CancellationToken));
        await using var db = _host.Services.GetRequiredService<IDbContextFactory<GovernanceDb>>().CreateDbContext();
        var counts = await db.Set<AttemptRow>()
            .Select(row => row.Count)
            .ToListAsync(TestContext.Current.CancellationToken);
        Assert.Equal([5, 5], counts);
    }

    [Fact]
    public async Task Names_that_do_not_exist_are_counted_like_those_that_do()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        foreach (var name in (string[])["maria", "nadia"])
        {
            for (var i = 0; i < 6; i++)
            {
                using var wrong = await IdentityHost.SignInAsync(browser, name, "wrong wrong wrong");
            }
        }

        await using var db = _host.Services.GetRequiredService<IDbContextFactory<GovernanceDb>>().CreateDbContext();
        var counts = await db.Set<AttemptRow>()
            .Select(row => row.Count)
            .ToListAsync(TestContext.Current.CancellationToken);
        Assert.Equal([5, 5, 5, 5], counts);
    }

    [Fact]
    public async Task The_sign_in_page_is_limited_per_address()
    {
        await using var host = await IdentityHost.StartAsync(options => options.SignInPerMinute = 2);
        using var browser = host.Client();
        await IdentityHost.SignInAsync(browser, "a", "b");
        await IdentityHost.SignInAsync(browser, "a", "b");

        using var third = await IdentityHost.SignInAsync(browser, "a", "b");

        Assert.Equal(HttpStatusCode.TooManyRequests, third.StatusCode);
        Assert.Equal("60", third.Headers.GetValues("Retry-After").Single());
    }

    [Fact]
    public async Task Visits_that_make_the_gateway_ask_itself_are_limited_per_address()
    {
        await using var host = await IdentityHost.StartAsync(options => options.SignInPerMinute = 2);
        using var browser = host.Client();
        var answers = new List<HttpStatusCode>();
        for (var i = 0; i < 9; i++)
        {
            using var answer = await browser.GetAsync("/");
            answers.Add(answer.StatusCode);
        }

        Assert.DoesNotContain(HttpStatusCode.TooManyRequests, answers.Take(8));
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[8]);
    }

    [Fact]
    public async Task Every_route_that_sends_a_browser_to_sign_in_is_limited()
    {
        await using var limited = await IdentityHost.StartAsync(options => options.SignInPerMinute = 1);
        var routes = limited
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.OfType<RouteEndpoint>()
            .Where(route => route.RoutePattern.Parameters.Count == 0)
            .Where(route => route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods.Contains("GET") == true)
            .Select(route => $"/{route.RoutePattern.RawText!.Trim('/')}")
            .Distinct()
            .ToList();
        var leading = new List<string>();
        foreach (var route in routes)
        {
            using var browser = _host.Client();
            using var answer = await browser.GetAsync(route);
            if (
                answer.Headers.Location?.OriginalString.Contains("/connect/authorize", StringComparison.Ordinal) == true
            )
            {
                leading.Add(route);
            }
        }

        using var stranger = limited.Client();
        var before = new List<HttpStatusCode>();
        for (var i = 0; i < 4; i++)
        {
            using var answer = await stranger.GetAsync("/reauthenticate");
            before.Add(answer.StatusCode);
        }

        Assert.All(before, status => Assert.Equal(HttpStatusCode.Found, status));
        Assert.Superset(new HashSet<string> { "/", "/account", "/reauthenticate" }, leading.ToHashSet());
        foreach (var route in leading)
        {
            using var answer = await stranger.GetAsync(route);
            Assert.Equal((route, HttpStatusCode.TooManyRequests), (route, answer.StatusCode));
        }
    }

    [Fact]
    public async Task What_the_pages_ask_the_issuer_for_counts_for_no_address()
    {
        await using var host = await IdentityHost.StartAsync(options => options.TokensPerMinute = 1);
        await host.EnrolPersonAsync("maria");
        for (var i = 0; i < 3; i++)
        {
            using var browser = host.Client();
            await host.HomeAsync(browser, "maria");
        }

        using var stranger = host.Client();
        stranger.DefaultRequestHeaders.Add("X-Governance-Own-Request", "CfDJ8 made up");
        var answers = new List<HttpStatusCode>();
        for (var i = 0; i < 2; i++)
        {
            using var form = new FormUrlEncodedContent([new("grant_type", "client_credentials")]);
            using var answer = await stranger.PostAsync("/connect/token", form);
            answers.Add(answer.StatusCode);
        }

        Assert.Equal([HttpStatusCode.BadRequest, HttpStatusCode.TooManyRequests], answers);
    }

    [Fact]
    public async Task Wrong_codes_expired_forms_and_refused_clients_are_on_record()
    {
        _host.Services.GetRequiredService<SetupCode>().Open();
        using var browser = _host.Client();
        using var wrong = await SetUpAsync(browser, "0123456789");
        using var empty = new FormUrlEncodedContent([]);
        using var expired = await browser.PostAsync("/setup", empty);
        var client = await _host.TokenAsync(IdentityHost.ClientCredentials("nobody", "wrong"));

        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        Assert.Equal(2, _host.Log.Entries.Count(entry => entry.Kind == "identity.form_refused"));
        Assert.Equal(HttpStatusCode.Unauthorized, client.Status);
        var refused = Assert.Single(_host.Log.Entries, entry => entry.Kind == "access.client_refused");
        Assert.Equal("invalid_client", $"{refused.Details["code"]}");
        Assert.Equal(Digest.Of("nobody").Hex, $"{refused.Details["clientSha256"]}");
    }

    [Fact]
    public async Task New_passwords_are_limited_like_sign_ins_since_each_costs_as_much()
    {
        await using var host = await IdentityHost.StartAsync(options => options.SignInPerMinute = 3);
        await host.EnrolPersonAsync("maria");
        using var browser = host.Client();
        await host.HomeAsync(browser, "maria");
        using var form = new FormUrlEncodedContent([]);
        var answers = new List<HttpStatusCode>();
        for (var i = 0; i < 3; i++)
        {
            using var answer = await browser.PostAsync("/account/password", form);
            answers.Add(answer.StatusCode);
        }

        Assert.DoesNotContain(HttpStatusCode.TooManyRequests, answers.Take(2));
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[2]);
    }

    [Fact]
    public async Task A_password_is_good_for_as_long_as_its_owner_keeps_it()
    {
        await _host.EnrolPersonAsync("maria");
        _host.Clock.Advance(TimeSpan.FromDays(800));
        using var browser = _host.Client();

        using var answer = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);

        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
        Assert.Equal("/", answer.Headers.Location!.OriginalString);
    }

    [Fact]
    public async Task Nobody_is_asked_for_a_hint_or_the_answer_to_a_question()
    {
        _host.Services.GetRequiredService<SetupCode>().Open();
        using var stranger = _host.Client();
        var fields = new List<string>();
        foreach (var page in (string[])["/signin", "/setup", "/enrol"])
        {
            fields.AddRange(Fields(await stranger.GetStringAsync(page)));
        }

        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        await ReachHomeAsync(browser, "maria");
        foreach (var page in (string[])["/account", "/account/app", "/account/passkey"])
        {
            fields.AddRange(Fields(await browser.GetStringAsync(page)));
        }

        Assert.Equal(
            ["__RequestVerificationToken", "answer", "code", "name", "password", "ticket", "user"],
            fields.Distinct().Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Set_up_makes_the_first_administrator_once()
    {
        var code = _host.Services.GetRequiredService<SetupCode>().Open();
        using var browser = _host.Client();

        using var wrong = await SetUpAsync(browser, "0123456789");
        using var right = await SetUpAsync(browser, code);
        using var again = await browser.GetAsync("/setup");
        var home = await ReachHomeAsync(browser, "root.admin");

        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        Assert.Equal(HttpStatusCode.Found, right.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
        Assert.Contains("identity:manage", await home.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.bootstrap");
    }

    [Fact]
    public async Task Set_up_is_closed_to_everybody_once_somebody_exists()
    {
        var code = _host.Services.GetRequiredService<SetupCode>().Open();
        using var browser = _host.Client();
        var html = await browser.GetStringAsync("/setup");
        await _host.EnrolPersonAsync("maria");

        using var late = await SetUpAsync(browser, code, html);

        Assert.Equal(HttpStatusCode.NotFound, late.StatusCode);
    }

    [Fact]
    public async Task The_demo_offers_no_set_up()
    {
        await using var host = await IdentityHost.StartAsync(options => options.Demo = true);
        using var browser = host.Client();

        Assert.Equal(HttpStatusCode.NotFound, (await browser.GetAsync("/setup")).StatusCode);
    }

    [Fact]
    public async Task Another_site_cannot_ride_on_the_session()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();
        await ReachHomeAsync(browser, "maria");

        Assert.Equal(HttpStatusCode.OK, await PostAsync(browser, "same-origin", null));
        Assert.Equal(HttpStatusCode.OK, await PostAsync(browser, null, _host.Url));
        Assert.Equal(HttpStatusCode.Unauthorized, await PostAsync(browser, "cross-site", _host.Url));
        Assert.Equal(HttpStatusCode.Unauthorized, await PostAsync(browser, null, "https://evil.example"));
        Assert.Equal(HttpStatusCode.Unauthorized, await PostAsync(browser, null, null));
    }

    [Fact]
    public async Task Bearer_only_routes_ignore_the_session()
    {
        await _host.EnrolPersonAsync("maria", "reviewer");
        using var browser = _host.Client();
        await ReachHomeAsync(browser, "maria");

        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.GetAsync("/probe/models/x")).StatusCode);
    }

    private static async Task<HttpStatusCode> PostAsync(HttpClient browser, string? site, string? origin)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/probe/session");
        if (site is not null)
        {
            request.Headers.Add("Sec-Fetch-Site", site);
        }

        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        using var response = await browser.SendAsync(request);
        return response.StatusCode;
    }

    private Task<HttpResponseMessage> ReachHomeAsync(HttpClient browser, string user) => _host.HomeAsync(browser, user);

    private static async Task<HttpResponseMessage> SetUpAsync(HttpClient browser, string code, string? html = null) =>
        await browser.PostAsync(
            "/setup",
            new FormUrlEncodedContent(
                new Dictionary<string, string>
                {
                    ["code"] = code,
                    ["user"] = "root.admin",
                    ["name"] = "First Admin",
                    ["password"] = IdentityHost.Password,
                    ["__RequestVerificationToken"] = IdentityHost.HiddenToken(
                        html ?? await browser.GetStringAsync("/setup")
                    ),
                }
            )
        );

    private static IEnumerable<string> Fields(string html) =>
        Regex
            .Matches(
                html,
                "<(?:input|textarea|select)[^>]* name=\"([^\"]*)\"",
                RegexOptions.None,
                TimeSpan.FromSeconds(1)
            )
            .Select(field => field.Groups[1].Value);

    private static string Alert(string html) => html.Split("role=\"alert\"")[1].Split("</p>")[0];
}
