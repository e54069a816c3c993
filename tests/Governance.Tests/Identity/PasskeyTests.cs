using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Web;
using Governance.Identity.Account;
using Governance.Identity.Storage;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>Passkeys through the real pages, with an authenticator that misbehaves in one way at a time.</summary>
public sealed class PasskeyTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_passkey_alone_signs_its_owner_in_with_two_factors()
    {
        using var passkey = new SoftAuthenticator { Origin = _host.Url };
        await EnrolAsync("maria", passkey);
        using var browser = _host.Client();

        using var answer = await SignInAsync(browser, passkey);

        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
        var entry = _host.Log.Entries.Last(one => one.Kind == "identity.signed_in");
        Assert.Equal("swk mfa", entry.Details["methods"]!.GetValue<string>());
        var (verifier, challenge) = IdentityHost.Proof();
        using var page = await browser.GetAsync(await _host.AuthorizeUrlAsync(challenge));
        using var code = await IdentityHost.DecideAsync(browser, page);
        var query = HttpUtility.ParseQueryString(code.Headers.Location!.Query);
        var (_, tokens) = await _host.TokenAsync(IdentityHost.CodeExchange(query["code"]!, verifier));
        var me = await _host.WhoAmIAsync(tokens["access_token"]!.GetValue<string>());
        Assert.Equal("person", me!["kind"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_second_factor_is_asked_for_once_there_is_a_passkey()
    {
        using var passkey = new SoftAuthenticator { Origin = _host.Url };
        await EnrolAsync("maria", passkey);
        using var browser = _host.Client();

        using var step = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);

        Assert.Contains("One more step", await step.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("another origin")]
    [InlineData("a frame of another site")]
    [InlineData("another relying party")]
    [InlineData("nobody verified")]
    [InlineData("a counter that stands still")]
    [InlineData("another owner")]
    [InlineData("a key that was never registered")]
    [InlineData("not an answer")]
    public async Task An_assertion_with_a_flaw_is_refused(string flaw)
    {
        using var passkey = new SoftAuthenticator { Origin = _host.Url };
        await EnrolAsync("maria", passkey);
        using var stranger = new SoftAuthenticator { Origin = _host.Url, UserHandle = passkey.UserHandle };
        using var browser = _host.Client();
        using var fine = await SignInAsync(_host.Client(), passkey);
        passkey.Counter++;

        switch (flaw)
        {
            case "another origin":
                passkey.Origin = "https://localhost.evil.example";
                break;
            case "a frame of another site":
                passkey.CrossOrigin = true;
                break;
            case "another relying party":
                passkey.RelyingParty = "evil.example";
                break;
            case "nobody verified":
                passkey.Verified = false;
                break;
            case "a counter that stands still":
                passkey.Counter--;
                break;
            case "another owner":
                passkey.UserHandle = "bm9ib2R5";
                break;
        }

        using var answer = flaw switch
        {
            "a key that was never registered" => await SignInAsync(browser, stranger),
            "not an answer" => await PostAsync(browser, "/signin", "/signin/passkey", _ => "{\"id\":[]}"),
            _ => await SignInAsync(browser, passkey),
        };

        Assert.Equal(HttpStatusCode.Found, fine.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.sign_in_refused");
    }

    [Fact]
    public async Task An_answer_counts_once_and_for_five_minutes()
    {
        using var passkey = new SoftAuthenticator { Origin = _host.Url, Counter = 0 };
        await EnrolAsync("maria", passkey);
        using var browser = _host.Client();
        var html = await browser.GetStringAsync("/signin");
        var answer = passkey.Get(Options(html));
        var late = passkey.Get(Options(html));

        using var first = await PostAsync(browser, html, "/signin/passkey", answer);
        using var replay = await PostAsync(browser, html, "/signin/passkey", answer);
        using var other = await PostAsync(browser, html, "/signin/passkey", late);
        var old = await browser.GetStringAsync("/signin");
        _host.Clock.Advance(TimeSpan.FromMinutes(6));
        using var tooLate = await PostAsync(browser, old, "/signin/passkey", passkey.Get(Options(old)));

        Assert.Equal(HttpStatusCode.Found, first.StatusCode);
        Assert.All([replay, other, tooLate], one => Assert.Equal(HttpStatusCode.BadRequest, one.StatusCode));
    }

    [Theory]
    [InlineData("another origin")]
    [InlineData("nobody verified")]
    [InlineData("another relying party")]
    public async Task A_new_passkey_with_a_flaw_is_refused(string flaw)
    {
        await _host.EnrolPersonAsync("maria");
        using var passkey = new SoftAuthenticator { Origin = _host.Url };
        passkey.Origin = flaw == "another origin" ? "https://evil.example" : passkey.Origin;
        passkey.Verified = flaw != "nobody verified";
        passkey.RelyingParty = flaw == "another relying party" ? "evil.example" : "localhost";
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "maria");

        using var added = await PostAsync(browser, "/account/passkey", "/account/passkey", passkey.Create);

        Assert.Equal(HttpStatusCode.BadRequest, added.StatusCode);
    }

    [Fact]
    public async Task A_challenge_made_for_one_person_adds_no_passkey_to_another()
    {
        await _host.EnrolPersonAsync("maria");
        await _host.EnrolPersonAsync("mallory");
        using var maria = _host.Client();
        await _host.HomeAsync(maria, "maria");
        using var mallory = _host.Client();
        await _host.HomeAsync(mallory, "mallory");
        using var passkey = new SoftAuthenticator { Origin = _host.Url };
        var marias = await maria.GetStringAsync("/account/passkey");
        var own = await mallory.GetStringAsync("/account/passkey");

        using var added = await mallory.PostAsync(
            "/account/passkey",
            Form(own, ("ticket", Ticket(marias)), ("answer", passkey.Create(Options(marias))))
        );

        Assert.Equal(HttpStatusCode.BadRequest, added.StatusCode);
    }

    [Fact]
    public async Task A_removed_passkey_signs_nobody_in()
    {
        using var passkey = new SoftAuthenticator { Origin = _host.Url };
        var browser = await EnrolAsync("maria", passkey);
        var html = await browser.GetStringAsync("/account");
        var key = Regex.Match(html, "name=\"key\" value=\"([^\"]*)\"").Groups[1].Value;

        using var removed = await browser.PostAsync("/account/passkey/remove", Form(html, ("key", key)));
        passkey.Counter++;
        using var answer = await SignInAsync(_host.Client(), passkey);

        Assert.Equal(HttpStatusCode.Found, removed.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_session_that_ended_meanwhile_removes_no_passkey(bool revoked)
    {
        using var passkey = new SoftAuthenticator { Origin = _host.Url };
        await EnrolAsync("maria", passkey);
        var credentials = _host.Services.GetRequiredService<Credentials>();
        await using var db = await _host
            .Services.GetRequiredService<IDbContextFactory<GovernanceDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);
        var key = await db.Set<PasskeyRow>().SingleAsync(TestContext.Current.CancellationToken);
        var session = await db.Set<SessionRow>()
            .FirstAsync(row => row.RevokedAt == null, TestContext.Current.CancellationToken);
        DateTimeOffset? now = _host.Clock.GetUtcNow();
        await db.Set<SessionRow>()
            .ExecuteUpdateAsync(
                set => set.SetProperty(row => row.RevokedAt, revoked ? now : null).SetProperty(row => row.EndedAt, now),
                TestContext.Current.CancellationToken
            );

        var removed = await credentials.RemovePasskeyAsync(
            key.SubjectId,
            session.Id,
            key.Id,
            TestContext.Current.CancellationToken
        );

        Assert.False(removed.Ok);
        Assert.Equal(1, await db.Set<PasskeyRow>().CountAsync(TestContext.Current.CancellationToken));
    }

    private async Task<HttpClient> EnrolAsync(string name, SoftAuthenticator passkey)
    {
        await _host.EnrolPersonAsync(name, "reviewer");
        var browser = _host.Client();
        await _host.HomeAsync(browser, name);
        using var added = await PostAsync(browser, "/account/passkey", "/account/passkey", passkey.Create);
        Assert.Equal(HttpStatusCode.OK, added.StatusCode);
        passkey.Counter = passkey.Counter == 0 ? 0 : passkey.Counter + 1;
        return browser;
    }

    private static Task<HttpResponseMessage> SignInAsync(HttpClient browser, SoftAuthenticator passkey) =>
        PostAsync(browser, "/signin", "/signin/passkey", passkey.Get);

    private static async Task<HttpResponseMessage> PostAsync(
        HttpClient browser,
        string page,
        string path,
        Func<JsonNode, string> answer
    )
    {
        var html = await browser.GetStringAsync(page);
        return await PostAsync(browser, html, path, answer(Options(html)));
    }

    private static Task<HttpResponseMessage> PostAsync(HttpClient browser, string html, string path, string answer) =>
        browser.PostAsync(path, Form(html, ("ticket", Ticket(html)), ("answer", answer), ("name", "test key")));

    private static FormUrlEncodedContent Form(string html, params (string Name, string Value)[] fields) =>
        new([
            new("__RequestVerificationToken", IdentityHost.HiddenToken(html)),
            .. fields.Select(field => KeyValuePair.Create(field.Name, field.Value)),
        ]);

    private static JsonNode Options(string html) =>
        JsonNode.Parse(HttpUtility.HtmlDecode(Regex.Match(html, "data-options=\"([^\"]*)\"").Groups[1].Value))!;

    private static string Ticket(string html) =>
        HttpUtility.HtmlDecode(Regex.Match(html, "name=\"ticket\" value=\"([^\"]*)\"").Groups[1].Value);
}
