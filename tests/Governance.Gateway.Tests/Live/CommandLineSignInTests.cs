using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Governance.Gateway.Hosting;
using Governance.Kernel;

namespace Governance.Gateway.Tests.Live;

/// <summary><c>govern login</c> as a person uses it: the program itself, a browser beside it, a home of its own.</summary>
[Collection(GatewayTests.Name)]
public sealed class CommandLineSignInTests : IDisposable
{
    private readonly LiveGateway _gateway;
    private readonly string _home = Directory.CreateTempSubdirectory("govern-home-").FullName;
    private readonly Browser _browser;

    public CommandLineSignInTests(LiveGateway gateway)
    {
        _gateway = gateway;
        _browser = NewBrowser();
    }

    public void Dispose()
    {
        _browser.Dispose();
        Directory.Delete(_home, recursive: true);
    }

    [Fact]
    public async Task A_person_signs_in_through_the_browser_acts_and_signs_out()
    {
        var login = await LogInAsync("dana");

        Assert.Equal((0, ""), (login.ExitCode, login.Errors));
        Assert.EndsWith($"Signed in to {_gateway.Url}.\n", login.Output, StringComparison.Ordinal);
        Assert.Contains("go back to the command line", _browser.Page, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(TokenFile));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
            File.GetUnixFileMode(Path.GetDirectoryName(TokenFile)!)
        );
        var token = Saved("access_token");
        Assert.DoesNotContain(token, login.Output, StringComparison.Ordinal);
        var who = await GovernAsync("whoami");
        Assert.True(who.ExitCode == 0, who.Errors);
        Assert.StartsWith("PERSON ", who.Output.ToUpperInvariant(), StringComparison.Ordinal);
        Assert.Contains("data-scientist", who.Output, StringComparison.Ordinal);

        var logout = await GovernAsync("logout");

        Assert.Equal((0, $"Signed out of {_gateway.Url}.\n"), (logout.ExitCode, logout.Output));
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(TokenFile)!));
        await EndedAsync(token);
        var after = await GovernAsync("whoami");
        Assert.Equal(2, after.ExitCode);
        Assert.StartsWith("cli.no_token", after.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sign_out_ends_the_refresh_token_too()
    {
        await LogInAsync("dana");
        var file = TokenFile;
        var tokens = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        await GovernAsync("logout");

        // A copy of the file, as a thief has it.
        await File.WriteAllBytesAsync(file, tokens, TestContext.Current.CancellationToken);
        Age();
        var who = await GovernAsync("whoami");

        Assert.Equal(2, who.ExitCode);
        Assert.StartsWith("cli.signed_out", who.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_is_let_in_by_its_code()
    {
        var login = await LogInByDeviceAsync("allow");

        Assert.Equal((0, ""), (login.ExitCode, login.Errors));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(TokenFile));
        Assert.Equal(0, (await GovernAsync("whoami")).ExitCode);
    }

    [Fact]
    public async Task A_device_that_was_refused_keeps_nothing()
    {
        var login = await LogInByDeviceAsync("refuse");

        Assert.Equal(1, login.ExitCode);
        Assert.StartsWith("cli.sign_in_refused", login.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_home, "governance")));
    }

    [Fact]
    public async Task A_device_that_wants_a_fresh_sign_in_has_the_person_sign_in_anew()
    {
        await LogInAsync("dana");
        var asked = "";

        var login = await LogInByDeviceAsync(
            async page =>
            {
                await _browser.OpenAsync(page);
                asked = _browser.Page;
                await _browser.SignInAsync("dana");
            },
            "allow",
            "--fresh"
        );

        Assert.Equal((0, ""), (login.ExitCode, login.Errors));
        Assert.Contains("Confirm that it is you", asked, StringComparison.Ordinal);
        Assert.Equal(0, (await GovernAsync("whoami")).ExitCode);
    }

    [Fact]
    public async Task A_device_that_wants_a_fresh_sign_in_takes_none_from_before()
    {
        await LogInAsync("dana");
        await GovernAsync("logout");
        await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);

        var login = await LogInByDeviceAsync(
            page => _browser.OpenAsync(new Uri(page.GetLeftPart(UriPartial.Path))),
            "allow",
            "--fresh"
        );

        Assert.Equal(1, login.ExitCode);
        Assert.StartsWith("cli.sign_in_not_fresh", login.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(TokenFile));
    }

    [Fact]
    public async Task The_token_of_the_sign_in_is_printed_for_other_programs_and_renewed_before_it_ends()
    {
        var before = await GovernAsync("token");
        await LogInAsync("dana");

        var token = await GovernAsync("token");
        Age();
        var renewed = await GovernAsync("token");

        Assert.Equal(2, before.ExitCode);
        Assert.StartsWith("cli.no_token", before.Errors, StringComparison.Ordinal);
        Assert.Equal((0, ""), (token.ExitCode, token.Errors));
        Assert.NotEqual(token.Output, renewed.Output);
        using var client = _gateway.Anonymous();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", renewed.Output.Trim());
        using var answer = await client.GetAsync(
            new Uri("/api/v1/whoami", UriKind.Relative),
            TestContext.Current.CancellationToken
        );
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_token_that_ended_is_renewed_once_by_however_many_ask()
    {
        await LogInAsync("dana");
        var (access, refresh) = (Saved("access_token"), Saved("refresh_token"));
        Age();

        var runs = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => GovernAsync("whoami")));

        Assert.All(runs, run => Assert.True(run.ExitCode == 0, run.Errors));
        Assert.NotEqual(access, Saved("access_token"));
        Assert.NotEqual(refresh, Saved("refresh_token"));
        Assert.True(JsonNode.Parse(File.ReadAllText(TokenFile))!["expires_at"]!.GetValue<long>() > Now);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(TokenFile));

        // Renewed twice, the family would be dead by now.
        Age();
        Assert.Equal(0, (await GovernAsync("whoami")).ExitCode);
    }

    [Fact]
    public async Task Signing_out_everywhere_ends_the_command_line_as_well()
    {
        await _gateway.PersonAsync("cleo", new Identity.Contracts.RoleGrant("viewer", ObjectKind.None, ""));
        await LogInAsync("cleo");
        var token = Saved("access_token");
        await _browser.OpenAsync(new Uri($"{_gateway.Url}/account"));

        await _browser.SubmitAsync("/account/sessions/end-all");

        await EndedAsync(token);
        Age();
        var who = await GovernAsync("whoami");
        Assert.Equal(2, who.ExitCode);
        Assert.StartsWith("cli.signed_out", who.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(TokenFile));
    }

    [Fact]
    public async Task A_browser_that_is_signed_in_is_asked_again_only_for_a_fresh_sign_in()
    {
        await LogInAsync("dana");

        var known = await WithBrowserAsync(async _ => await BackAsync(await _browser.LetInAsync()), "login");
        var asked = "";
        var fresh = await WithBrowserAsync(
            async _ =>
            {
                asked = _browser.Page;
                await BackAsync(await _browser.SignInAsync("dana"));
            },
            "login",
            "--fresh"
        );

        Assert.Equal((0, 0), (known.ExitCode, fresh.ExitCode));
        Assert.Contains("Confirm that it is you", asked, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_person_who_refuses_the_program_stays_signed_out_of_it()
    {
        await LogInAsync("dana");
        var before = await File.ReadAllTextAsync(TokenFile, TestContext.Current.CancellationToken);

        var refused = await WithBrowserAsync(
            async _ => await BackAsync(await _browser.SubmitAsync("/connect/authorize", ("decision", "refuse"))),
            "login"
        );

        Assert.Equal(1, refused.ExitCode);
        Assert.StartsWith("cli.sign_in_refused", refused.Errors, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllTextAsync(TokenFile, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("state=x&code=x&iss=https://localhost/")]
    [InlineData("code=x")]
    public async Task An_answer_to_another_request_is_not_taken(string answer)
    {
        var login = await WithBrowserAsync(
            async _ =>
            {
                var back = await _browser.SignInAsync("dana");
                await BackAsync(new Uri($"{back.GetLeftPart(UriPartial.Path)}?{answer}"));
            },
            "login"
        );

        Assert.Equal(2, login.ExitCode);
        Assert.StartsWith("cli.foreign_answer", login.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(TokenFile));
    }

    [Fact]
    public async Task The_token_of_the_environment_goes_before_a_sign_in()
    {
        await LogInAsync("dana");

        var who = await GovernProgram.RunAsync(_gateway, _home, _gateway.TokenOf("ada"), null, "whoami");

        Assert.Contains("auditor", who.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("login", "--device")]
    [InlineData("logout", "--server")]
    public async Task Help_is_shown(string verb, string option)
    {
        var help = await ChildProcess.RunAsync(GovernProgram.Path, [verb, "--help"], TimeSpan.FromMinutes(1));

        Assert.Equal((0, ""), (help.ExitCode, help.Errors));
        Assert.Contains($"govern {verb}", help.Output, StringComparison.Ordinal);
        Assert.Contains(option, help.Output, StringComparison.Ordinal);
        Assert.Contains("Examples:", help.Output, StringComparison.Ordinal);
    }

    private static long Now => DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private string TokenFile =>
        Directory
            .EnumerateFiles(_home, "*.json", SearchOption.AllDirectories)
            .DefaultIfEmpty(Path.Combine(_home, "governance", "tokens", "none.json"))
            .Single();

    private string Saved(string name) => JsonNode.Parse(File.ReadAllText(TokenFile))![name]!.GetValue<string>();

    // As if the access token had ended.
    private void Age()
    {
        var json = JsonNode.Parse(File.ReadAllText(TokenFile))!;
        json["expires_at"] = Now - 1;
        File.WriteAllText(TokenFile, json.ToJsonString());
    }

    private Browser NewBrowser() =>
        new(Loopback.Trusting(X509CertificateLoader.LoadCertificateFromFile(_gateway.AuthorityPath)));

    private Task<ChildProcess> GovernAsync(params string[] args) => GovernAsync(null, args);

    private Task<ChildProcess> GovernAsync(Func<string, Task>? said, params string[] args) =>
        GovernProgram.RunAsync(_gateway, _home, null, said, args);

    private Task<ChildProcess> LogInAsync(string person) =>
        WithBrowserAsync(async _ => await BackAsync(await _browser.SignInAsync(person)), "login");

    // Opens the address that the program names, and goes on from where it leads.
    private Task<ChildProcess> WithBrowserAsync(Func<Uri, Task> then, params string[] args) =>
        GovernAsync(
            async line =>
            {
                if (line.StartsWith("Sign in at: ", StringComparison.Ordinal))
                {
                    await then(await _browser.OpenAsync(new Uri(line["Sign in at: ".Length..])));
                }
            },
            args
        );

    private Task<ChildProcess> LogInByDeviceAsync(string decision) =>
        LogInByDeviceAsync(
            async page =>
            {
                await _browser.OpenAsync(page);
                await _browser.SignInAsync("dana");
            },
            decision
        );

    private Task<ChildProcess> LogInByDeviceAsync(Func<Uri, Task> signIn, string decision, params string[] more) =>
        GovernAsync(
            async line =>
            {
                if (line.Split(' ') is ["Open", var page, .., var code])
                {
                    await signIn(new Uri(page));
                    await _browser.SubmitAsync("/connect/verify", ("user_code", code));
                    Assert.Contains(code, _browser.Page, StringComparison.Ordinal);
                    await _browser.SubmitAsync("/connect/verify", ("decision", decision));
                }
            },
            ["login", "--device", .. more]
        );

    // The program's own page, in the same browser.
    private async Task BackAsync(Uri address)
    {
        Assert.Equal("127.0.0.1", address.Host);
        await _browser.OpenAsync(address);
    }

    private async Task EndedAsync(string token)
    {
        using var client = new HttpClient(
            Loopback.Trusting(X509CertificateLoader.LoadCertificateFromFile(_gateway.AuthorityPath))
        );
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        for (var tries = 0; tries < 24; tries++)
        {
            using var answer = await client.GetAsync(
                new Uri($"{_gateway.Url}/api/v1/whoami"),
                TestContext.Current.CancellationToken
            );
            if (answer.StatusCode == HttpStatusCode.Unauthorized)
            {
                return;
            }

            await Task.Delay(250, TestContext.Current.CancellationToken);
        }

        Assert.Fail("The token still works after six seconds.");
    }
}
