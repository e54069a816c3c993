using System.Net;
using System.Text;
using Governance.Identity;
using Governance.Identity.Contracts;
using Governance.Identity.Server;
using Governance.Identity.Services;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>Who administers is asked in the unit that changes something: the role may be lost while a request is being sent.</summary>
public sealed class AdministrationTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() =>
        _host = await IdentityHost.StartAsync(options =>
            options.Issuers.Add(
                new ExternalIssuer
                {
                    Name = "id",
                    Authority = "https://id.example",
                    Audience = "governance",
                }
            )
        );

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("invite")]
    [InlineData("reset")]
    [InlineData("enable")]
    [InlineData("link")]
    [InlineData("unlink")]
    [InlineData("add service")]
    [InlineData("change service")]
    [InlineData("replace secret")]
    [InlineData("rotate keys")]
    public async Task Who_is_shut_out_after_the_request_began_changes_nothing(string change)
    {
        var ada = await AdministratorAsync("ada");
        var bea = await AdministratorAsync("bea");
        var tired = ada with { AuthenticatedAt = _host.Clock.GetUtcNow().AddHours(-1) };
        var rita = await _host.EnrolPersonAsync("rita");
        var (robot, _) = await _host.EnrolServiceAsync("robot");
        var login = await Get<Logins>().LinkAsync(ada, rita, "https://id.example", "rita", Token);
        await Get<SubjectStore>().SetEnabledAsync(ada, bea.Id, false, Token);

        Task<Failure?> TryAsync(Actor by) => ChangeAsync(change, by, rita, robot, login.Value.Login);
        var shut = await TryAsync(bea);
        var late = await TryAsync(tired);
        var done = await TryAsync(ada);

        Assert.Equal(("identity.denied", "identity.reauthentication_needed"), (shut?.Code, late?.Code));
        Assert.Null(done);
        Assert.Equal(
            [(bea.Id, "identity.denied"), (ada.Id, "identity.reauthentication_needed")],
            _host
                .Log.Entries.Where(entry => entry.Kind == "identity.change_refused")
                .Select(entry => (entry.Actor.Id, entry.Details["code"]!.ToString()))
        );
    }

    [Theory]
    [InlineData("grant", null)]
    [InlineData("revoke", null)]
    [InlineData("add group", null)]
    [InlineData("add member", null)]
    [InlineData("remove member", null)]
    [InlineData("confirm", null)]
    [InlineData("reject", null)]
    [InlineData("renew", "identity.confirmation_open")]
    public async Task A_grant_a_place_and_a_confirmation_take_a_sign_in_that_is_recent_in_their_unit(
        string change,
        string? otherwise
    )
    {
        var ada = await AdministratorAsync("ada");
        var bea = await AdministratorAsync("bea");
        var tired = ada with { AuthenticatedAt = _host.Clock.GetUtcNow().AddHours(-1) };
        var rita = await _host.EnrolPersonAsync("rita");
        var given = await Get<IGrants>().GrantAsync(bea, rita, null, new("viewer", ObjectKind.None, ""), Token);
        var asked = await Get<IGrants>().GrantAsync(bea, rita, null, new("reviewer", ObjectKind.None, ""), Token);
        var group = await Get<IGroups>().CreateAsync(bea, "readers", null, Token);
        await Get<IGroups>().AddMemberAsync(ada, group.Value.Id, bea.Id, Token);

        Task<Failure?> TryAsync(Actor by) =>
            GrantingAsync(change, by, rita, bea.Id, given.Value, asked.Value, group.Value);
        var late = await TryAsync(tired);
        var done = await TryAsync(ada);

        Assert.Equal(("identity.reauthentication_needed", otherwise), (late?.Code, done?.Code));
        Assert.Single(
            _host.Log.Entries,
            entry =>
                entry.Outcome == LogOutcome.Refused
                && entry.Actor.Id == ada.Id
                && entry.Details["code"]!.ToString() == "identity.reauthentication_needed"
        );
    }

    [Theory]
    [InlineData(
        "/api/v1/persons",
        """{"userName":"nils","displayName":"Nils","grants":[]}""",
        "identity.change_refused"
    )]
    [InlineData("/api/v1/grants", """{"subject":"x","role":"viewer"}""", "identity.grant_refused")]
    [InlineData("/api/v1/groups", """{"name":"readers"}""", "identity.grant_refused")]
    public async Task A_request_that_ends_when_the_sign_in_is_no_longer_recent_tells_by_which_it_would_be_taken(
        string path,
        string text,
        string kind
    )
    {
        await _host.EnrolPersonAsync("ada", "admin");
        using var ada = _host.Client(await _host.PersonTokenAsync("ada"));
        using var body = new SlowBody(text, () => _host.Clock.Advance(TimeSpan.FromMinutes(16)));

        using var answer = await ada.PostAsync(path, body);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains("max_age=900", answer.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        Assert.Single(_host.Log.Entries, entry => entry.Kind == kind); // the gate had let it in
    }

    [Fact]
    public async Task Who_was_shut_out_on_another_gateway_a_moment_ago_reads_nothing_and_the_refusal_is_on_record()
    {
        var bea = await _host.EnrolPersonAsync("bea", "admin");
        using var client = _host.Client(await _host.PersonTokenAsync("bea"));
        using var known = await client.GetAsync("/api/v1/subjects");
        await ShutElsewhereAsync(bea);

        var answers = new List<HttpStatusCode>();
        foreach (
            var path in (string[])
                [
                    "/api/v1/subjects",
                    $"/api/v1/persons/{bea}/logins",
                    "/api/v1/issuer-keys",
                    "/api/v1/confirmations",
                    "/api/v1/groups",
                    $"/api/v1/services/{bea}",
                ]
        )
        {
            using var answer = await client.GetAsync(path);
            answers.Add(answer.StatusCode);
        }

        using var change = await client.PostAsync($"/api/v1/persons/{bea}/reset", null);

        Assert.Equal(HttpStatusCode.OK, known.StatusCode);
        Assert.Equal(Enumerable.Repeat(HttpStatusCode.Forbidden, 7), answers.Append(change.StatusCode));
        Assert.Equal(6, _host.Log.Entries.Count(entry => entry.Kind == "access.denied" && entry.Actor.Id == bea));
        Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.change_refused");
    }

    private async Task ShutElsewhereAsync(string person)
    {
        await using var db = await Get<IDbContextFactory<GovernanceDb>>().CreateDbContextAsync(Token);
        await db.Set<SubjectRow>()
            .Where(row => row.Id == person)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Enabled, false), Token);
    }

    private async Task<Failure?> GrantingAsync(
        string change,
        Actor by,
        string person,
        string member,
        GrantView given,
        GrantView asked,
        GroupView group
    ) =>
        change switch
        {
            "grant" => (
                await Get<IGrants>().GrantAsync(by, person, null, new("auditor", ObjectKind.Model, "a-*"), Token)
            ).Failure,
            "revoke" => (await Get<IGrants>().RevokeAsync(by, given.Grant.Id!.Value, Token)).Failure,
            "add group" => (await Get<IGroups>().CreateAsync(by, "writers", null, Token)).Failure,
            "add member" => (await Get<IGroups>().AddMemberAsync(by, group.Id, person, Token)).Failure,
            "remove member" => (await Get<IGroups>().RemoveMemberAsync(by, group.Id, member, Token)).Failure,
            "confirm" => (await Get<IConfirmations>().ConfirmAsync(by, asked.Confirmation!.Value, Token)).Failure,
            "reject" => (await Get<IConfirmations>().RejectAsync(by, asked.Confirmation!.Value, Token)).Failure,
            _ => (await Get<IConfirmations>().RenewAsync(by, asked.Confirmation!.Value, Token)).Failure,
        };

    private async Task<Failure?> ChangeAsync(string change, Actor by, string person, string service, Guid login) =>
        change switch
        {
            "invite" => (await Get<Enrolments>().InviteAsync(by, "nils", "Nils", [], Token)).Failure,
            "reset" => (await Get<Enrolments>().ResetAsync(by, person, Token)).Failure,
            "enable" => (await Get<SubjectStore>().SetEnabledAsync(by, person, true, Token)).Failure,
            "link" => (await Get<Logins>().LinkAsync(by, person, "https://id.example", "other", Token)).Failure,
            "unlink" => (await Get<Logins>().UnlinkAsync(by, person, login, Token)).Failure,
            "add service" => (await Get<ServiceStore>().AddAsync(by, "other", null, null, [], Token)).Failure,
            "change service" => (
                await Get<ServiceStore>().ChangeAsync(by, service, new("client_secret"), null, Token)
            ).Failure,
            "replace secret" => (await Get<ServiceStore>().ReplaceSecretAsync(by, service, 0, Token)).Failure,
            _ => (await Get<ServerKeys>().RotateAsync(by, Token)).Failure,
        };

    private async Task<Actor> AdministratorAsync(string name) =>
        new(ActorKind.Person, await _host.EnrolPersonAsync(name, "admin"))
        {
            AuthenticatedAt = _host.Clock.GetUtcNow(),
        };

    private T Get<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A body whose second half comes two seconds after the first.</summary>
    private sealed class SlowBody(string text, Action between) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes(text[..10]));
            await stream.FlushAsync();
            await Task.Delay(TimeSpan.FromSeconds(2));
            between();
            await stream.WriteAsync(Encoding.UTF8.GetBytes(text[10..]));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
