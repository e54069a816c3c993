using System.Net;
using System.Text.Json.Nodes;
using System.Web;

namespace Governance.Tests.Identity;

/// <summary>A device without a browser is let in by a person with one (RFC 8628).</summary>
public sealed class DeviceTests : IAsyncLifetime
{
    private const string Grant = "urn:ietf:params:oauth:grant-type:device_code";
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await IdentityHost.StartAsync();
        await _host.EnrolPersonAsync("maria", "viewer");
    }

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_device_waits_and_then_acts_as_the_person_who_let_it_in()
    {
        var device = await StartAsync();
        var (waiting, pending) = await PollAsync(device);
        using var browser = await BrowserAsync();

        var page = await DecideAsync(browser, device["user_code"]!.GetValue<string>(), "allow");
        var (status, tokens) = await PollAsync(device);
        var who = await _host.WhoAmIAsync(tokens["access_token"]!.GetValue<string>());
        var (again, _) = await PollAsync(device);

        Assert.Equal(HttpStatusCode.BadRequest, waiting);
        Assert.Equal("authorization_pending", pending["error"]!.GetValue<string>());
        Assert.Contains("<h1>Done</h1>", page, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("person", who!["kind"]!.GetValue<string>());
        Assert.NotNull(tokens["refresh_token"]);
        Assert.Equal(HttpStatusCode.BadRequest, again);
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.device_allowed");
    }

    [Fact]
    public async Task A_refused_device_learns_it()
    {
        var device = await StartAsync();
        using var browser = await BrowserAsync();

        await DecideAsync(browser, device["user_code"]!.GetValue<string>(), "refuse");
        var (status, body) = await PollAsync(device);

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("access_denied", body["error"]!.GetValue<string>());
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.device_refused");
    }

    [Fact]
    public async Task The_code_is_eight_letters_without_vowels_and_may_be_typed_carelessly()
    {
        var device = await StartAsync();
        var code = device["user_code"]!.GetValue<string>();
        using var browser = await BrowserAsync();

        var page = await browser.GetStringAsync(
            "/connect/verify?user_code=" + code.Replace("-", "", StringComparison.Ordinal)
        );

        Assert.Matches("^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$", code);
        Assert.Contains("Let it in", page, StringComparison.Ordinal);
        Assert.InRange(device["expires_in"]!.GetValue<int>(), 1, 600);
    }

    [Fact]
    public async Task Without_a_sign_in_the_page_leads_there_and_back()
    {
        using var browser = _host.Client();

        using var toPage = await browser.GetAsync("/connect/verify?user_code=BBBB-CCCC");
        using var signedIn = await IdentityHost.SignInAsync(
            browser,
            "maria",
            IdentityHost.Password,
            toPage.Headers.Location!.OriginalString
        );

        Assert.Equal(HttpStatusCode.Found, toPage.StatusCode);
        Assert.Equal("/connect/verify?user_code=BBBB-CCCC", signedIn.Headers.Location!.OriginalString);
    }

    [Fact]
    public async Task Guessing_codes_is_counted_per_person()
    {
        await using var host = await IdentityHost.StartAsync(options => options.SignInPerMinute = 9);
        await host.EnrolPersonAsync("maria");
        using var browser = host.Client();
        using var signedIn = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        var (_, device) = await host.PostFormAsync("/connect/device", new() { ["client_id"] = "governance-cli" });
        for (var i = 0; i < 3; i++)
        {
            await browser.GetAsync("/connect/verify?user_code=BBBB-BBBB");
        }

        // The right one, too late.
        var page = await (
            await browser.GetAsync($"/connect/verify?user_code={device["user_code"]}")
        ).Content.ReadAsStringAsync();

        Assert.DoesNotContain("Let it in", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_decision_without_the_token_of_the_form_is_none()
    {
        var device = await StartAsync();
        using var browser = await BrowserAsync();

        using var forged = await browser.PostAsync(
            "/connect/verify",
            new FormUrlEncodedContent(
                new Dictionary<string, string>
                {
                    ["user_code"] = device["user_code"]!.GetValue<string>(),
                    ["decision"] = "allow",
                }
            )
        );
        var (_, body) = await PollAsync(device);

        Assert.Equal(HttpStatusCode.BadRequest, forged.StatusCode);
        Assert.Equal("authorization_pending", body["error"]!.GetValue<string>());
    }

    private async Task<JsonNode> StartAsync()
    {
        var (status, body) = await _host.PostFormAsync(
            "/connect/device",
            new() { ["client_id"] = "governance-cli", ["scope"] = "openid offline_access" }
        );
        Assert.Equal(HttpStatusCode.OK, status);
        return body;
    }

    private Task<(HttpStatusCode Status, JsonNode Body)> PollAsync(JsonNode device) =>
        _host.TokenAsync(
            new()
            {
                ["grant_type"] = Grant,
                ["client_id"] = "governance-cli",
                ["device_code"] = device["device_code"]!.GetValue<string>(),
            }
        );

    private async Task<HttpClient> BrowserAsync()
    {
        var browser = _host.Client();
        using var signedIn = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        return browser;
    }

    private async Task<string> DecideAsync(HttpClient browser, string code, string decision)
    {
        var page = await browser.GetStringAsync($"/connect/verify?user_code={HttpUtility.UrlEncode(code)}");
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["user_code"] = code,
                ["decision"] = decision,
                ["__RequestVerificationToken"] = IdentityHost.HiddenToken(page),
            }
        );
        using var answer = await _host.FollowAsync(browser, await browser.PostAsync("/connect/verify", form));
        return await answer.Content.ReadAsStringAsync();
    }
}
