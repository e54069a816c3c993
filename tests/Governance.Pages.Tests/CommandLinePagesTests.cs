using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Tests;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;

namespace Governance.Pages.Tests;

/// <summary>The pages that let a command line in, ask again who is there or say that it failed, in light and dark, by keyboard.</summary>
public sealed class CommandLinePagesTests(FreshGateway gateway) : IClassFixture<FreshGateway>
{
    private const string Password = "seven wet otters juggle";

    [Fact]
    public async Task A_program_and_a_device_are_let_in_without_a_mouse_in_light_and_dark()
    {
        await SetUpAsync();
        foreach (var dark in new[] { false, true })
        {
            var page = await gateway.BrowseAsync(dark, width: dark ? 380 : 900);
            var refused = new List<string>();
            page.Console += (_, message) =>
            {
                if (message.Text.Contains("Content Security Policy", StringComparison.Ordinal))
                {
                    refused.Add(message.Text);
                }
            };
            var theme = dark ? "dark" : "light";

            await ProviderAsync(page, theme);
            await ProgramAsync(page, theme);
            await DeviceAsync(page, theme);
            await AccountAsync(page, theme);
            await AgainAsync(page, theme);
            await FailureAsync(page, theme);

            Assert.Empty(refused);
            await page.Context.CloseAsync();
        }
    }

    private async Task SetUpAsync()
    {
        var page = await gateway.BrowseAsync();
        await page.GotoAsync("/setup");
        await page.GetByLabel("Set-up code").FillAsync(gateway.Setup.Open());
        await page.GetByLabel("User name").FillAsync("maria");
        await page.GetByLabel("Display name").FillAsync("Maria of the tests");
        await page.GetByLabel("New password").FillAsync(Password);
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForURLAsync("**/signin?**");
        await page.Context.CloseAsync();
        var maria = await gateway
            .Services.GetRequiredService<SubjectStore>()
            .ListAsync(1, null, TestContext.Current.CancellationToken);
        var linked = await gateway
            .Services.GetRequiredService<Logins>()
            .LinkAsync(
                Actor.System,
                maria.Items[0].Id,
                "https://localhost:1",
                "maria-at-peer",
                TestContext.Current.CancellationToken
            );
        Assert.True(linked.Ok);
    }

    private static async Task AccountAsync(IPage page, string theme)
    {
        await page.GotoAsync("/account");
        await Assertions
            .Expect(page.GetByRole(AriaRole.Region, new() { Name = "List of your logins at other providers" }))
            .ToContainTextAsync("maria-at-peer");
        await Axe.CheckAsync(page, $"account-login-{theme}");
    }

    private static async Task ProviderAsync(IPage page, string theme)
    {
        await page.GotoAsync("/signin");
        await Assertions
            .Expect(page.GetByRole(AriaRole.Link, new() { Name = "Sign in with Peer of the tests" }))
            .ToBeVisibleAsync();
        await Axe.CheckAsync(page, $"provider-{theme}");
    }

    // What listens is a server as the command line has one: the browser's policy has to let the form lead there.
    private async Task ProgramAsync(IPage page, string theme)
    {
        using var listener = new HttpListener();
        var redirect = $"http://127.0.0.1:{FreePort.Find()}/callback";
        listener.Prefixes.Add(redirect + "/");
        listener.Start();
        var address = await PushedAsync(redirect);
        await page.GotoAsync(address);
        await SignInAsync(page);
        await Assertions.Expect(Heading(page)).ToHaveTextAsync("Let this program in?");
        await Axe.CheckAsync(page, $"program-{theme}");
        var waiting = listener.GetContextAsync();
        await TabToAsync(page, "Let it in");
        await page.Keyboard.PressAsync("Enter");
        var answer = await waiting.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        answer.Response.ContentType = "text/plain";
        answer.Response.Close("Go back."u8.ToArray(), willBlock: true);
        await Assertions.Expect(page.Locator("body")).ToContainTextAsync("Go back.");

        Assert.NotNull(answer.Request.QueryString["code"]);

        // Somebody who is signed in is asked as well, and may refuse.
        await page.GotoAsync(await PushedAsync(redirect));
        await Assertions.Expect(Heading(page)).ToHaveTextAsync("Let this program in?");
        waiting = listener.GetContextAsync();
        await TabToAsync(page, "Refuse");
        await page.Keyboard.PressAsync("Enter");
        answer = await waiting.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        answer.Response.ContentType = "text/plain";
        answer.Response.Close("Go back."u8.ToArray(), willBlock: true);
        await Assertions.Expect(page.Locator("body")).ToContainTextAsync("Go back.");

        Assert.Equal("access_denied", answer.Request.QueryString["error"]);
        Assert.Null(answer.Request.QueryString["code"]);
    }

    private async Task<string> PushedAsync(string redirect)
    {
        var challenge = Base64Url.EncodeToString(
            SHA256.HashData(Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(64)))
        );
        var pushed = await gateway.PostAsync(
            "/connect/par",
            ("client_id", "governance-cli"),
            ("response_type", "code"),
            ("scope", "openid"),
            ("redirect_uri", redirect),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256")
        );
        var reference = Uri.EscapeDataString(pushed.GetProperty("request_uri").GetString()!);
        return $"/connect/authorize?client_id=governance-cli&request_uri={reference}";
    }

    private async Task DeviceAsync(IPage page, string theme)
    {
        var device = await gateway.PostAsync("/connect/device", ("client_id", "governance-cli"));
        await page.GotoAsync("/connect/verify");
        await Axe.CheckAsync(page, $"device-{theme}");
        await page.Keyboard.TypeAsync("no such code");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("not known");
        await Axe.CheckAsync(page, $"device-error-{theme}");
        await page.GetByLabel("Code that the device shows").FocusAsync();
        await page.Keyboard.TypeAsync(device.GetProperty("user_code").GetString()!);
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(Heading(page)).ToHaveTextAsync("Let this device in?");
        await Axe.CheckAsync(page, $"device-review-{theme}");
        await TabToAsync(page, "Let it in");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(Heading(page)).ToHaveTextAsync("Done");
        await Axe.CheckAsync(page, $"device-done-{theme}");
    }

    private static async Task AgainAsync(IPage page, string theme)
    {
        await page.GotoAsync("/reauthenticate?returnUrl=/account");
        await Assertions.Expect(Heading(page)).ToHaveTextAsync("Confirm that it is you");
        await Axe.CheckAsync(page, $"again-{theme}");
        await SignInAsync(page);
        await Assertions.Expect(Heading(page)).ToHaveTextAsync("Your account");
        await Axe.CheckAsync(page, $"account-{theme}");
    }

    private static async Task FailureAsync(IPage page, string theme)
    {
        foreach (var (path, name) in new[] { ("/signin-oidc", "own"), ("/signin/external/peer/callback", "provider") })
        {
            await page.GotoAsync(path);
            await Assertions.Expect(Heading(page)).ToHaveTextAsync("Signing in did not complete");
            await Axe.CheckAsync(page, $"failed-{name}-{theme}");
        }
    }

    private static async Task SignInAsync(IPage page)
    {
        await page.Keyboard.TypeAsync("maria");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync(Password);
        await page.Keyboard.PressAsync("Enter");
    }

    private static ILocator Heading(IPage page) => page.GetByRole(AriaRole.Heading, new() { Level = 1 });

    private static async Task TabToAsync(IPage page, string button)
    {
        var wanted = page.GetByRole(AriaRole.Button, new() { Name = button, Exact = true });
        for (var i = 0; i < 20 && !await wanted.EvaluateAsync<bool>("it => it === document.activeElement"); i++)
        {
            await page.Keyboard.PressAsync("Tab");
        }

        await Assertions.Expect(wanted).ToBeFocusedAsync();
    }
}
