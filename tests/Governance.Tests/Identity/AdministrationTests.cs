using System.Net;
using System.Text;
using Governance.Identity.Server;
using Governance.Identity.Services;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>Who administers is asked in the unit that changes something: the role may be lost while a request is being sent.</summary>
public sealed class AdministrationTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

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

    [Fact]
    public async Task A_request_that_ends_when_the_sign_in_is_no_longer_recent_tells_by_which_it_would_be_taken()
    {
        await _host.EnrolPersonAsync("ada", "admin");
        using var ada = _host.Client(await _host.PersonTokenAsync("ada"));
        using var body = new SlowBody(
            """{"userName":"nils","displayName":"Nils","grants":[]}""",
            () => _host.Clock.Advance(TimeSpan.FromMinutes(16))
        );

        using var answer = await ada.PostAsync("/api/v1/persons", body);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains("max_age=900", answer.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.change_refused"); // the gate had let it in
    }

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
