using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Identity.Federation;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>Linking a login at an external issuer to a person takes two administrators.</summary>
public sealed class LoginTests : IAsyncLifetime
{
    private const string Issuer = "https://login.example/tenant";
    private IdentityHost _host = null!;
    private string _rita = "";
    private HttpClient _ada = null!;
    private HttpClient _bea = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await IdentityHost.StartAsync(options =>
            options.Issuers.Add(
                new ExternalIssuer
                {
                    Name = "login",
                    Authority = Issuer,
                    Audience = "governance",
                }
            )
        );
        _rita = await _host.EnrolPersonAsync("rita", "reviewer");
        await _host.EnrolPersonAsync("ada", "admin");
        await _host.EnrolPersonAsync("bea", "admin");
        _ada = _host.Client(await _host.PersonTokenAsync("ada"));
        _bea = _host.Client(await _host.PersonTokenAsync("bea"));
    }

    public async ValueTask DisposeAsync()
    {
        _ada.Dispose();
        _bea.Dispose();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task A_login_is_nobodys_until_another_administrator_confirms()
    {
        using var linked = await LinkAsync(_ada, Issuer, "42");
        var link = (await linked.Content.ReadFromJsonAsync<JsonNode>())!;
        var before = await FindAsync("42");
        using var own = await DecideAsync(_ada, link, "confirm");
        using var confirmed = await DecideAsync(_bea, link, "confirm");

        Assert.Equal(HttpStatusCode.Created, linked.StatusCode);
        Assert.Null(before);
        Assert.Equal(HttpStatusCode.Forbidden, own.StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);
        Assert.Equal(_rita, await FindAsync("42"));
        Assert.Null(await FindAsync("42 "));
        Assert.Null(await Services().FindAsync(Issuer + "/", "42", TestContext.Current.CancellationToken));
        Assert.DoesNotContain(
            _host.Log.Entries,
            entry => entry.Details.ToJsonString().Contains("\"42\"", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_person_sees_at_the_account_which_logins_are_theirs_and_which_wait_to_be()
    {
        using var browser = _host.Client();
        await _host.HomeAsync(browser, "rita");
        var none = await browser.GetStringAsync("/account");
        using var first = await LinkAsync(_ada, Issuer, "42<");
        using var confirmed = await DecideAsync(_bea, (await first.Content.ReadFromJsonAsync<JsonNode>())!, "confirm");
        using var second = await LinkAsync(_ada, Issuer, "43");
        using var others = _host.Client();
        await _host.HomeAsync(others, "ada");

        var mine = await browser.GetStringAsync("/account");
        var theirs = await others.GetStringAsync("/account");

        var today = _host.Clock.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd");
        Assert.DoesNotContain(Issuer, none, StringComparison.Ordinal);
        Assert.Contains($"<td>{Issuer}</td><td>42&lt;</td><td>{today}</td>", mine, StringComparison.Ordinal);
        Assert.Contains(
            $"<td>{Issuer}</td><td>43</td><td>waits for an administrator</td>",
            mine,
            StringComparison.Ordinal
        );
        Assert.DoesNotContain(Issuer, theirs, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_confirms_a_login_can_tell_which_it_is()
    {
        using var linked = await LinkAsync(_ada, Issuer, "42");
        var link = (await linked.Content.ReadFromJsonAsync<JsonNode>())!;

        var waiting = await _bea.GetFromJsonAsync<JsonNode>("/api/v1/confirmations");
        var logins = await _bea.GetFromJsonAsync<JsonNode>($"/api/v1/persons/{_rita}/logins");

        var details = Assert.Single(waiting!["items"]!.AsArray())!["details"]!;
        Assert.Equal((Issuer, link["id"]!.ToString()), (details["issuer"]!.ToString(), details["login"]!.ToString()));
        Assert.Equal(
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Issuer}\n42"))),
            details["digest"]!.ToString()
        );
        var login = Assert.Single(logins!["items"]!.AsArray())!;
        Assert.Equal((details["login"]!.ToString(), "42"), (login["id"]!.ToString(), login["subject"]!.ToString()));
    }

    [Fact]
    public async Task A_rejected_or_removed_login_is_gone()
    {
        using var first = await LinkAsync(_ada, Issuer, "1");
        using var second = await LinkAsync(_ada, Issuer, "2");
        var two = (await second.Content.ReadFromJsonAsync<JsonNode>())!;
        using var rejected = await DecideAsync(_bea, (await first.Content.ReadFromJsonAsync<JsonNode>())!, "reject");
        using var confirmed = await DecideAsync(_bea, two, "confirm");

        using var removed = await _ada.DeleteAsync($"/api/v1/persons/{_rita}/logins/{two["id"]}");
        var left = await _ada.GetFromJsonAsync<JsonNode>($"/api/v1/persons/{_rita}/logins");

        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        Assert.Empty(left!["items"]!.AsArray());
        Assert.Null(await FindAsync("2"));
        await using var db = await DatabaseAsync();
        var stranger = await db.Set<SubjectRow>()
            .SingleAsync(row => row.Name.StartsWith(ExternalSubjects.Prefix), TestContext.Current.CancellationToken);
        Assert.Equal(_host.Services.GetRequiredService<LoginNames>().Of(Issuer, "2"), stranger.Id);
        Assert.False(stranger.Enabled);
    }

    [Fact]
    public async Task A_login_that_was_unlinked_since_it_was_shown_begins_no_session()
    {
        using var linked = await LinkAsync(_ada, Issuer, "42");
        var link = (await linked.Content.ReadFromJsonAsync<JsonNode>())!;
        var stands = Standings.OfLogin(_rita, Issuer, "42");
        var waiting = await StandsAsync(stands);
        using var confirmed = await DecideAsync(_bea, link, "confirm");
        var linkedNow = await StandsAsync(stands);

        using var removed = await _ada.DeleteAsync($"/api/v1/persons/{_rita}/logins/{link["id"]}");
        var after = await StandsAsync(stands);

        Assert.Equal([false, true, false], [waiting, linkedNow, after]);
    }

    [Fact]
    public async Task Nobody_takes_their_own_login_away()
    {
        var me = (await _ada.GetFromJsonAsync<JsonNode>("/api/v1/whoami"))!["id"]!.ToString();
        using var linked = await _bea.PostAsJsonAsync(
            $"/api/v1/persons/{me}/logins",
            new { issuer = Issuer, subject = "42" }
        );
        var link = (await linked.Content.ReadFromJsonAsync<JsonNode>())!;

        using var own = await _ada.DeleteAsync($"/api/v1/persons/{me}/logins/{link["id"]}");
        using var others = await _bea.DeleteAsync($"/api/v1/persons/{me}/logins/{link["id"]}");

        Assert.Equal(HttpStatusCode.Forbidden, own.StatusCode);
        Assert.Equal("identity.own_login", (await own.Content.ReadFromJsonAsync<JsonNode>())!["code"]!.ToString());
        Assert.Equal(HttpStatusCode.NoContent, others.StatusCode);
    }

    [Fact]
    public async Task What_a_login_did_stays_its_persons_after_it_was_unlinked_and_linked_to_another()
    {
        var stranger = _host.Services.GetRequiredService<LoginNames>().Of(Issuer, "42");
        var sven = await _host.EnrolPersonAsync("sven");
        using var waiting = await LinkAsync(_ada, Issuer, "42");
        var first = (await waiting.Content.ReadFromJsonAsync<JsonNode>())!;
        using var confirmed = await DecideAsync(_bea, first, "confirm");
        using var removed = await _ada.DeleteAsync($"/api/v1/persons/{_rita}/logins/{first["id"]}");
        using var twice = await _ada.DeleteAsync($"/api/v1/persons/{_rita}/logins/{first["id"]}");
        var unlinked = await Services().WithOwnersAsync([stranger], TestContext.Current.CancellationToken);

        using var linked = await LinkAsync(_ada, Issuer, "42", sven);
        using var other = await DecideAsync(_bea, (await linked.Content.ReadFromJsonAsync<JsonNode>())!, "confirm");
        var both = await Services().WithOwnersAsync([stranger], TestContext.Current.CancellationToken);

        Assert.Equal([HttpStatusCode.NoContent, HttpStatusCode.NotFound], [removed.StatusCode, twice.StatusCode]);
        Assert.Equal([stranger, _rita], unlinked);
        Assert.Equal(HttpStatusCode.NoContent, other.StatusCode);
        Assert.Equal(sven, await FindAsync("42"));
        Assert.Equal(new[] { stranger, _rita, sven }.Order(), both.Order());
    }

    private async Task<bool> StandsAsync(Standing stands)
    {
        await using var db = await DatabaseAsync();
        return await stands(db, TestContext.Current.CancellationToken);
    }

    private Task<GovernanceDb> DatabaseAsync() =>
        _host
            .Services.GetRequiredService<IDbContextFactory<GovernanceDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);

    [Fact]
    public async Task A_login_belongs_to_one_person_only()
    {
        using var first = await LinkAsync(_ada, Issuer, "1");

        using var again = await LinkAsync(_bea, Issuer, "1");

        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
    }

    [Fact]
    public async Task A_person_who_is_shut_out_is_so_by_every_login()
    {
        using var linked = await LinkAsync(_ada, Issuer, "42");
        using var confirmed = await DecideAsync(_bea, (await linked.Content.ReadFromJsonAsync<JsonNode>())!, "confirm");

        using var disabled = await _ada.PostAsJsonAsync($"/api/v1/subjects/{_rita}/enabled", new { enabled = false });

        Assert.Null(await FindAsync("42"));
    }

    [Theory]
    [InlineData("http://login.example", "1")]
    [InlineData("https://login.example?x=1", "1")]
    [InlineData("not an address", "1")]
    [InlineData("https://login.example/Tenant", "1")]
    [InlineData("https://elsewhere.example", "1")]
    [InlineData(Issuer, "")]
    [InlineData(Issuer, "a\nb")]
    public async Task What_is_no_login_is_refused(string issuer, string subject)
    {
        using var refused = await LinkAsync(_ada, issuer, subject);

        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
    }

    private Task<HttpResponseMessage> LinkAsync(
        HttpClient admin,
        string issuer,
        string subject,
        string? person = null
    ) => admin.PostAsJsonAsync($"/api/v1/persons/{person ?? _rita}/logins", new { issuer, subject });

    private static Task<HttpResponseMessage> DecideAsync(HttpClient admin, JsonNode link, string verb) =>
        admin.PostAsync($"/api/v1/confirmations/{link["confirmation"]}/{verb}", null);

    private Logins Services() => _host.Services.GetRequiredService<Logins>();

    private async Task<string?> FindAsync(string subject) =>
        await Services().FindAsync(Issuer, subject, TestContext.Current.CancellationToken) is { Enabled: true } owner
            ? owner.Id
            : null;
}
