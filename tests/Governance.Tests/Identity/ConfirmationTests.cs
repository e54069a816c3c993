using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Identity.SignIn;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>Privileged changes of persons take two administrators.</summary>
public sealed class ConfirmationTests : IAsyncLifetime
{
    private const string Reviewer = """[{"role":"reviewer"}]""";
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_new_person_cannot_approve_until_another_administrator_confirms()
    {
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        var person = await InviteAsync(ada, "rita", Reviewer);
        await EnrolAsync(person);
        var rita = await _host.PersonTokenAsync("rita");

        var before = await _host.WhoAmIAsync(rita);
        var candidates = await CandidatesAsync();
        using var confirmed = await DecideAsync(bea, person, "confirm");
        var after = await _host.WhoAmIAsync(rita);

        Assert.True(before!["awaitsConfirmation"]!.GetValue<bool>());
        Assert.DoesNotContain("promotion:approve", Permissions(before));
        Assert.Empty(candidates);
        Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);
        Assert.False(after!["awaitsConfirmation"]!.GetValue<bool>());
        Assert.Contains("promotion:approve", Permissions(after));
        Assert.Equal([person["id"]!.GetValue<string>()], await CandidatesAsync());
        Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.confirmation_requested");
        Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.confirmed");
    }

    [Fact]
    public async Task Who_asked_cannot_confirm()
    {
        using var ada = await AdministratorAsync("ada");
        var person = await InviteAsync(ada, "rita", Reviewer);

        using var own = await DecideAsync(ada, person, "confirm");

        Assert.Equal((HttpStatusCode.Forbidden, "identity.own_confirmation"), (own.StatusCode, await CodeAsync(own)));
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.confirmation_refused");
    }

    [Fact]
    public async Task An_administrator_made_by_one_person_alone_confirms_nothing_and_enrols_nobody()
    {
        using var ada = await AdministratorAsync("ada");
        var puppet = await InviteAsync(ada, "puppet", """[{"role":"admin"}]""");
        await EnrolAsync(puppet);
        using var held = _host.Client(await _host.PersonTokenAsync("puppet"));
        var person = await InviteAsync(ada, "rita", Reviewer);

        using var confirmed = await DecideAsync(held, person, "confirm");
        using var enrolled = await held.PostAsJsonAsync(
            "/api/v1/persons",
            new
            {
                userName = "x",
                displayName = "X",
                grants = Array.Empty<object>(),
            }
        );

        Assert.Equal(HttpStatusCode.Forbidden, confirmed.StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, enrolled.StatusCode);
    }

    [Fact]
    public async Task Nobody_confirms_their_own_account()
    {
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        var beasId = (await bea.GetFromJsonAsync<JsonNode>("/api/v1/whoami"))!["id"]!.GetValue<string>();
        var reset = await ResetAsync(ada, beasId);
        await EnrolAsync(reset);
        using var again = _host.Client(await _host.PersonTokenAsync("bea"));

        using var own = await DecideAsync(again, reset, "confirm");

        Assert.Equal(HttpStatusCode.Forbidden, own.StatusCode);
    }

    [Fact]
    public async Task Services_neither_enrol_persons_nor_confirm()
    {
        using var ada = await AdministratorAsync("ada");
        var person = await InviteAsync(ada, "rita", Reviewer);
        using var keeper = _host.Client(await _host.ServiceTokenAsync("keeper", "admin"));

        using var confirmed = await DecideAsync(keeper, person, "confirm");
        using var enrolled = await keeper.PostAsJsonAsync(
            "/api/v1/persons",
            new
            {
                userName = "x",
                displayName = "X",
                grants = Array.Empty<object>(),
            }
        );

        Assert.Equal("identity.persons_only", await CodeAsync(confirmed));
        Assert.Equal("identity.persons_only", await CodeAsync(enrolled));
    }

    [Fact]
    public async Task A_rejected_person_is_shut_out()
    {
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        var person = await InviteAsync(ada, "rita", Reviewer);
        await EnrolAsync(person);
        var rita = await _host.PersonTokenAsync("rita");

        using var rejected = await DecideAsync(bea, person, "reject");

        Assert.Equal(HttpStatusCode.NoContent, rejected.StatusCode);
        Assert.Null(await _host.WhoAmIAsync(rita));
        using var twice = await DecideAsync(bea, person, "confirm");
        Assert.Equal(HttpStatusCode.NotFound, twice.StatusCode);
    }

    [Fact]
    public async Task What_was_set_before_a_rejection_opens_nothing_when_the_account_is_let_in_again()
    {
        var id = await _host.EnrolPersonAsync("rita", "reviewer");
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        using var carl = await AdministratorAsync("carl");
        var reset = await ResetAsync(ada, id);
        await EnrolAsync(reset);
        var tokens = await _host.PersonTokensAsync("rita");
        await using (var db = await Database())
        {
            db.Add(new PasskeyRow { Id = "key", SubjectId = id });
            db.Add(new RecoveryCodeRow { Hash = "hash", SubjectId = id });
            await db.SaveChangesAsync(TestContext.Current.CancellationToken);
            await db.Set<SubjectRow>()
                .Where(row => row.Id == id)
                .ExecuteUpdateAsync(
                    set => set.SetProperty(row => row.TotpKey, new byte[] { 1 }),
                    TestContext.Current.CancellationToken
                );
        }

        using var rejected = await DecideAsync(bea, reset, "reject");
        await LetInAsync(bea, carl, id);
        using var browser = _host.Client();
        using var signedIn = await IdentityHost.SignInAsync(browser, "rita", IdentityHost.Password);
        var (refreshed, _) = await _host.TokenAsync(
            new()
            {
                ["grant_type"] = "refresh_token",
                ["client_id"] = "governance-cli",
                ["refresh_token"] = tokens["refresh_token"]!.GetValue<string>(),
            }
        );

        Assert.Equal(HttpStatusCode.NoContent, rejected.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, signedIn.StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, refreshed);
        Assert.Null(await _host.WhoAmIAsync(tokens["access_token"]!.GetValue<string>()));
        await using (var db = await Database())
        {
            var row = await db.Set<SubjectRow>()
                .SingleAsync(row => row.Id == id, TestContext.Current.CancellationToken);
            Assert.Equal((true, null, null), (row.Enabled, row.PasswordHash, row.TotpKey));
            Assert.False(await db.Set<PasskeyRow>().AnyAsync(TestContext.Current.CancellationToken));
            Assert.False(await db.Set<RecoveryCodeRow>().AnyAsync(TestContext.Current.CancellationToken));
        }

        var fresh = await ResetAsync(bea, id);
        await EnrolAsync(fresh);
        using var confirmed = await DecideAsync(carl, fresh, "confirm");
        Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);
        Assert.Contains(
            "promotion:approve",
            Permissions((await _host.WhoAmIAsync(await _host.PersonTokenAsync("rita")))!)
        );
    }

    [Fact]
    public async Task A_code_that_was_open_at_a_rejection_opens_nothing_later()
    {
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        using var carl = await AdministratorAsync("carl");
        var person = await InviteAsync(ada, "rita", Reviewer);
        using var rejected = await DecideAsync(bea, person, "reject");
        await LetInAsync(bea, carl, person["id"]!.GetValue<string>());
        using var browser = _host.Client();

        using var late = await SetPasswordAsync(browser, person);

        Assert.Equal(HttpStatusCode.BadRequest, late.StatusCode);
    }

    [Fact]
    public async Task Who_had_a_change_of_an_account_rejected_does_not_confirm_that_it_is_let_in()
    {
        var id = await _host.EnrolPersonAsync("rita", "reviewer");
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        using var carl = await AdministratorAsync("carl");
        using var rejected = await DecideAsync(bea, await ResetAsync(ada, id), "reject");
        var enabled = await EnableAsync(bea, id);

        using var refused = await DecideAsync(ada, enabled, "confirm");
        using var confirmed = await DecideAsync(carl, enabled, "confirm");

        Assert.Equal(
            (HttpStatusCode.Forbidden, "identity.own_confirmation"),
            (refused.StatusCode, await CodeAsync(refused))
        );
        Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);
    }

    [Fact]
    public async Task Who_confirms_that_somebody_is_let_in_reads_what_they_are_granted()
    {
        var id = await _host.EnrolPersonAsync("rita", "reviewer", "viewer");
        using var ada = await AdministratorAsync("ada");
        using var shut = await ada.PostAsJsonAsync($"/api/v1/subjects/{id}/enabled", new { enabled = false });

        var enabled = await EnableAsync(ada, id);

        Assert.Equal(
            ["reviewer", "viewer"],
            enabled["details"]!["grants"]!.AsArray().Select(grant => grant!["role"]!.ToString()).Order()
        );
    }

    [Fact]
    public async Task A_person_is_confirmed_only_after_somebody_used_the_one_time_code()
    {
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        var person = await InviteAsync(ada, "rita", Reviewer);

        using var early = await DecideAsync(bea, person, "confirm");
        await EnrolAsync(person);
        using var then = await DecideAsync(bea, person, "confirm");

        Assert.Equal((HttpStatusCode.Conflict, "identity.enrolment_open"), (early.StatusCode, await CodeAsync(early)));
        Assert.Equal(HttpStatusCode.NoContent, then.StatusCode);
    }

    [Fact]
    public async Task Whoever_gains_by_an_expired_change_does_not_ask_for_it_again()
    {
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        var beasId = (await bea.GetFromJsonAsync<JsonNode>("/api/v1/whoami"))!["id"]!.GetValue<string>();
        using var asked = await ada.PostAsJsonAsync("/api/v1/grants", new { subject = beasId, role = "reviewer" });
        var grant = (await asked.Content.ReadFromJsonAsync<JsonNode>())!;
        await using (var db = await Database())
        {
            await db.Set<ConfirmationRow>()
                .ExecuteUpdateAsync(
                    set => set.SetProperty(row => row.ExpiresAt, DateTimeOffset.UnixEpoch),
                    TestContext.Current.CancellationToken
                );
        }

        using var renewed = await DecideAsync(bea, grant, "renew");

        Assert.Equal(
            (HttpStatusCode.Forbidden, "identity.own_confirmation"),
            (renewed.StatusCode, await CodeAsync(renewed))
        );
    }

    [Fact]
    public async Task A_held_person_reads_what_things_are_and_nothing_more()
    {
        using var ada = await AdministratorAsync("ada");
        var person = await InviteAsync(ada, "dora", """[{"role":"data-scientist"},{"role":"auditor"}]""");
        await EnrolAsync(person);

        var held = Permissions((await _host.WhoAmIAsync(await _host.PersonTokenAsync("dora")))!);

        Assert.Equal(
            [
                "self:read",
                "experiment:read",
                "model:read",
                "dataset:read",
                "evidence:read",
                "lineage:read",
                "promotion:read",
                "policy:read",
            ],
            held
        );
    }

    [Fact]
    public async Task A_confirmation_expires_and_can_be_asked_for_again()
    {
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        var person = await InviteAsync(ada, "rita", Reviewer);
        await EnrolAsync(person);
        await using (var db = await Database())
        {
            await db.Set<ConfirmationRow>()
                .ExecuteUpdateAsync(
                    set => set.SetProperty(row => row.ExpiresAt, DateTimeOffset.UnixEpoch),
                    TestContext.Current.CancellationToken
                );
        }

        using var late = await DecideAsync(bea, person, "confirm");
        using var renewed = await DecideAsync(ada, person, "renew");
        using var now = await DecideAsync(bea, person, "confirm");

        Assert.Equal("identity.confirmation_expired", await CodeAsync(late));
        Assert.Equal(HttpStatusCode.NoContent, renewed.StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, now.StatusCode);
    }

    [Fact]
    public async Task The_first_administrator_makes_exactly_one_more_alone()
    {
        using var first = await FirstAdministratorAsync();
        var notAdmin = await InviteAsync(first, "rita", Reviewer);
        var second = await InviteAsync(first, "second", """[{"role":"admin"}]""");
        var third = await InviteAsync(first, "third", """[{"role":"admin"}]""");
        await EnrolAsync(second);
        await EnrolAsync(third);
        using var colleague = _host.Client(await _host.PersonTokenAsync("second"));
        var fourth = await InviteAsync(colleague, "fourth", """[{"role":"admin"}]""");

        Assert.NotNull(notAdmin["confirmation"]);
        Assert.Null(second["confirmation"]);
        Assert.NotNull(third["confirmation"]);
        Assert.NotNull(fourth["confirmation"]);
        Assert.Equal(2, _host.Log.Entries.Count(entry => entry.Kind == "identity.bootstrap"));
        using var confirmed = await DecideAsync(colleague, third, "confirm");
        Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);
    }

    [Fact]
    public async Task The_second_administrator_gets_another_code_of_the_first_alone_until_they_came()
    {
        using var first = await FirstAdministratorAsync();
        var lost = await InviteAsync(first, "second", """[{"role":"admin"}]""");
        var id = lost["id"]!.GetValue<string>();

        var found = await ResetAsync(first, id);
        using var old = await SetPasswordAsync(_host.Client(), lost);
        await EnrolAsync(found);
        using var second = _host.Client(await _host.PersonTokenAsync("second"));
        using var lists = await second.GetAsync("/api/v1/confirmations");
        var later = await ResetAsync(first, id);
        var again = await ResetAsync(first, id);

        Assert.Null(found["confirmation"]);
        Assert.Equal(HttpStatusCode.BadRequest, old.StatusCode);
        Assert.Equal(HttpStatusCode.OK, lists.StatusCode);
        Assert.NotNull(later["confirmation"]);
        Assert.NotNull(again["confirmation"]);
        Assert.Equal(3, _host.Log.Entries.Count(entry => entry.Kind == "identity.bootstrap"));
    }

    [Fact]
    public async Task A_reset_takes_every_credential_and_holds_the_account()
    {
        await _host.EnrolPersonAsync("rita", "reviewer");
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        var rita = await _host.PersonTokenAsync("rita");
        var id = (await _host.WhoAmIAsync(rita))!["id"]!.GetValue<string>();

        var reset = await ResetAsync(ada, id);
        using var browser = _host.Client();
        using var old = await IdentityHost.SignInAsync(browser, "rita", IdentityHost.Password);
        await EnrolAsync(reset);
        var held = await _host.WhoAmIAsync(await _host.PersonTokenAsync("rita"));
        using var confirmed = await DecideAsync(bea, reset, "confirm");

        Assert.Equal(HttpStatusCode.BadRequest, old.StatusCode);
        Assert.DoesNotContain("promotion:approve", Permissions(held!));
        Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.credentials_reset");
    }

    [Fact]
    public async Task Asked_for_again_by_the_same_administrator_a_change_waits_once()
    {
        var id = await _host.EnrolPersonAsync("rita", "reviewer");
        using var ada = await AdministratorAsync("ada");
        using var bea = await AdministratorAsync("bea");
        var first = await ResetAsync(ada, id);
        var second = await ResetAsync(ada, id);
        var beas = await ResetAsync(bea, id);
        await EnrolAsync(beas);

        var waiting = (await ada.GetFromJsonAsync<JsonNode>("/api/v1/confirmations"))!["items"]!.AsArray();
        using var older = await DecideAsync(bea, first, "confirm");

        Assert.Equal(
            [second["confirmation"]!.ToString(), beas["confirmation"]!.ToString()],
            waiting.Select(item => item!["id"]!.ToString())
        );
        Assert.Equal(HttpStatusCode.NotFound, older.StatusCode);
        Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.confirmation_replaced");
    }

    [Fact]
    public async Task A_one_time_code_works_once_and_not_after_a_newer_one_or_its_time()
    {
        using var ada = await AdministratorAsync("ada");
        var first = await InviteAsync(ada, "rita", Reviewer);
        var second = await ResetAsync(ada, first["id"]!.GetValue<string>());
        using var browser = _host.Client();

        using var older = await SetPasswordAsync(browser, first);
        using var wrong = await SetPasswordAsync(
            browser,
            new JsonObject { ["code"] = "00000-00000-00000-00000-00000" }
        );
        using var newest = await SetPasswordAsync(browser, second);
        using var twice = await SetPasswordAsync(browser, second);
        var third = await ResetAsync(ada, first["id"]!.GetValue<string>());
        await using (var db = await Database())
        {
            await db.Set<EnrolmentRow>()
                .ExecuteUpdateAsync(
                    set => set.SetProperty(row => row.ExpiresAt, DateTimeOffset.UnixEpoch),
                    TestContext.Current.CancellationToken
                );
        }

        using var late = await SetPasswordAsync(browser, third);

        Assert.Equal(HttpStatusCode.Found, newest.StatusCode);
        Assert.All([older, wrong, twice, late], answer => Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode));
    }

    [Fact]
    public async Task Confirmations_are_listed_without_names()
    {
        using var ada = await AdministratorAsync("ada");
        await InviteAsync(ada, "rita", Reviewer);

        var list = await ada.GetStringAsync("/api/v1/confirmations");

        Assert.Contains("reviewer", list, StringComparison.Ordinal);
        Assert.DoesNotContain("rita", list, StringComparison.OrdinalIgnoreCase);
    }

    private async Task<HttpClient> AdministratorAsync(string name)
    {
        await _host.EnrolPersonAsync(name, "admin");
        return _host.Client(await _host.PersonTokenAsync(name));
    }

    private async Task<HttpClient> FirstAdministratorAsync()
    {
        var code = _host.Services.GetRequiredService<SetupCode>().Open();
        using var browser = _host.Client();
        using var made = await browser.PostAsync(
            "/setup",
            new FormUrlEncodedContent(
                new Dictionary<string, string>
                {
                    ["code"] = code,
                    ["user"] = "first",
                    ["name"] = "First",
                    ["password"] = IdentityHost.Password,
                    ["__RequestVerificationToken"] = IdentityHost.HiddenToken(await browser.GetStringAsync("/setup")),
                }
            )
        );
        Assert.Equal(HttpStatusCode.Found, made.StatusCode);
        return _host.Client(await _host.PersonTokenAsync("first"));
    }

    private static async Task<JsonNode> InviteAsync(HttpClient admin, string name, string grants)
    {
        using var answer = await admin.PostAsJsonAsync(
            "/api/v1/persons",
            new JsonObject
            {
                ["userName"] = name,
                ["displayName"] = $"{name} of the tests",
                ["grants"] = JsonNode.Parse(grants),
            }
        );
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    private static async Task<JsonNode> ResetAsync(HttpClient admin, string id)
    {
        using var answer = await admin.PostAsync($"/api/v1/persons/{id}/reset", null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    private async Task EnrolAsync(JsonNode invitation)
    {
        using var browser = _host.Client();
        using var answer = await SetPasswordAsync(browser, invitation);
        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
    }

    private static async Task<HttpResponseMessage> SetPasswordAsync(HttpClient browser, JsonNode invitation) =>
        await browser.PostAsync(
            "/enrol",
            new FormUrlEncodedContent(
                new Dictionary<string, string>
                {
                    ["code"] = invitation["code"]!.GetValue<string>().ToLowerInvariant(),
                    ["password"] = IdentityHost.Password,
                    ["__RequestVerificationToken"] = IdentityHost.HiddenToken(await browser.GetStringAsync("/enrol")),
                }
            )
        );

    /// <summary>Lets somebody in again; what waits for that.</summary>
    private static async Task<JsonNode> EnableAsync(HttpClient admin, string id)
    {
        using var opened = await admin.PostAsJsonAsync($"/api/v1/subjects/{id}/enabled", new { enabled = true });
        Assert.Equal(HttpStatusCode.NoContent, opened.StatusCode);
        var waiting = (await admin.GetFromJsonAsync<JsonNode>("/api/v1/confirmations"))!["items"]!.AsArray();
        var change = waiting.Single(item => item!["change"]!.ToString() == "enabled")!;
        change["confirmation"] = change["id"]!.DeepClone();
        return change;
    }

    private static async Task LetInAsync(HttpClient admin, HttpClient other, string id)
    {
        using var confirmed = await DecideAsync(other, await EnableAsync(admin, id), "confirm");
        Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);
    }

    private static async Task<HttpResponseMessage> DecideAsync(HttpClient admin, JsonNode invitation, string verb) =>
        await admin.PostAsync($"/api/v1/confirmations/{invitation["confirmation"]}/{verb}", null);

    private Task<IReadOnlyList<string>> CandidatesAsync() =>
        _host.Subjects.PersonsWithRoleAsync(
            "reviewer",
            AccessTarget.Model("fraud", null),
            TestContext.Current.CancellationToken
        );

    private Task<GovernanceDb> Database() =>
        _host
            .Services.GetRequiredService<IDbContextFactory<GovernanceDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);

    private static string[] Permissions(JsonNode whoAmI) =>
        [.. whoAmI["permissions"]!.AsArray().Select(name => name!.GetValue<string>())];

    private static async Task<string> CodeAsync(HttpResponseMessage response) =>
        (await response.Content.ReadFromJsonAsync<JsonNode>())!["code"]!.GetValue<string>();
}
