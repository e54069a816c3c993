using Governance.Identity.Engine;
using Microsoft.Playwright;

namespace Governance.Pages.Tests;

/// <summary>What people meet, in a real browser: first run, enrolment, second factors, passkeys, sign-out.</summary>
public sealed class SignInPagesTests(FreshGateway gateway) : IClassFixture<FreshGateway>
{
    private const string Password = "seven wet otters juggle";

    [Fact]
    public async Task From_the_first_start_to_a_passkey_without_a_mouse_in_light_and_dark()
    {
        var page = await gateway.BrowseAsync();
        var refused = new List<string>();
        page.Console += (_, message) =>
        {
            if (message.Type == "error" && message.Text.Contains("Content Security Policy", StringComparison.Ordinal))
            {
                refused.Add(message.Text);
            }
        };

        await SetUpAsync(page);
        await SignInByKeyboardAsync(page);
        await AccountAsync(page);
        var codes = await AddPasskeyAsync(page);
        await SignOutAsync(page);
        await SignInWithPasskeyAsync(page);
        await AddAppAsync(page);
        await DarkAsync();
        await WithoutScriptAsync(codes);

        Assert.Empty(refused);
    }

    private async Task SetUpAsync(IPage page)
    {
        await page.GotoAsync("/setup");
        await Axe.CheckAsync(page, "setup-light");
        await page.Keyboard.TypeAsync("not the code");
        await TabAndTypeAsync(page, "maria");
        await TabAndTypeAsync(page, "Maria of the tests");
        await TabAndTypeAsync(page, Password);
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("That is not the set-up code.");
        await Axe.CheckAsync(page, "setup-error-light");

        // The field with the problem has the focus; what was typed is still there, but for secrets.
        await Assertions.Expect(page.GetByLabel("Set-up code")).ToBeFocusedAsync();
        await Assertions.Expect(page.GetByLabel("User name")).ToHaveValueAsync("maria");
        await page.Keyboard.TypeAsync(gateway.Setup.Open());
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Tab");
        await TabAndTypeAsync(page, Password);
        await page.Keyboard.PressAsync("Enter");
        await page.WaitForURLAsync("**/signin?**");
    }

    private static async Task SignInByKeyboardAsync(IPage page)
    {
        await Axe.CheckAsync(page, "signin-light");
        await page.Keyboard.TypeAsync("maria");
        await TabAndTypeAsync(page, "wrong wrong wrong");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert).First).ToContainTextAsync("wrong");
        await Axe.CheckAsync(page, "signin-error-light");
        await TabAndTypeAsync(page, Password);
        await page.Keyboard.PressAsync("Enter");
        await Assertions
            .Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 }))
            .ToContainTextAsync("Hello, Maria");
        await Axe.CheckAsync(page, "home-light");
    }

    private static async Task AccountAsync(IPage page)
    {
        var link = page.GetByRole(AriaRole.Link, new() { Name = "Your account" });
        await link.FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Your account");
        await Axe.CheckAsync(page, "account-light");
    }

    private static async Task<IReadOnlyList<string>> AddPasskeyAsync(IPage page)
    {
        var devtools = await page.Context.NewCDPSessionAsync(page);
        await devtools.SendAsync("WebAuthn.enable");
        await devtools.SendAsync(
            "WebAuthn.addVirtualAuthenticator",
            new Dictionary<string, object>
            {
                ["options"] = new Dictionary<string, object>
                {
                    ["protocol"] = "ctap2",
                    ["transport"] = "internal",
                    ["hasResidentKey"] = true,
                    ["hasUserVerification"] = true,
                    ["isUserVerified"] = true,
                    ["automaticPresenceSimulation"] = true,
                },
            }
        );
        await PressAsync(page, AriaRole.Link, "Add a passkey");
        await Assertions.Expect(page.GetByLabel("Name of this passkey")).ToBeVisibleAsync();
        await Axe.CheckAsync(page, "passkey-light");
        await PressAsync(page, AriaRole.Button, "Add this passkey");
        await Assertions
            .Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 }))
            .ToHaveTextAsync("Your recovery codes");
        await Axe.CheckAsync(page, "recovery-light");
        var codes = await page.Locator(".codes code").AllInnerTextsAsync();
        Assert.Equal(10, codes.Count);
        await PressAsync(page, AriaRole.Link, "I kept them");
        await Axe.CheckAsync(page, "account-passkey-light");
        return codes;
    }

    private static async Task SignOutAsync(IPage page)
    {
        await page.GotoAsync("/signout");
        await Axe.CheckAsync(page, "signout-light");
        await PressAsync(page, AriaRole.Button, "Sign out");
        await Assertions
            .Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 }))
            .ToHaveTextAsync("You are signed out");
        await Axe.CheckAsync(page, "signedout-light");
        await PressAsync(page, AriaRole.Link, "Sign in again");
    }

    private static async Task SignInWithPasskeyAsync(IPage page)
    {
        await PressAsync(page, AriaRole.Button, "Sign in with a passkey");
        await Assertions
            .Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 }))
            .ToContainTextAsync("Hello, Maria");
        await page.GotoAsync("/account");
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("passkey");
    }

    private static async Task AddAppAsync(IPage page)
    {
        await PressAsync(page, AriaRole.Link, "Set up an app");
        await Axe.CheckAsync(page, "app-light");
        var text = (await page.Locator(".key").InnerTextAsync()).Replace(" ", "", StringComparison.Ordinal);
        await page.Keyboard.TypeAsync("000000");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("not the code");
        Assert.Equal(text, (await page.Locator(".key").InnerTextAsync()).Replace(" ", "", StringComparison.Ordinal));
        await page.Keyboard.TypeAsync(Totp.Code(Decode(text), Totp.StepOf(DateTimeOffset.UtcNow)));
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Button, new() { Name = "Remove the app" })).ToBeVisibleAsync();
    }

    // Colours differ, so contrast is checked again; on a narrow screen, where columns fold.
    private async Task DarkAsync()
    {
        var page = await gateway.BrowseAsync(dark: true, width: 380);
        await page.GotoAsync("/enrol");
        await Axe.CheckAsync(page, "enrol-dark");
        await page.Keyboard.TypeAsync("no such code");
        await TabAndTypeAsync(page, Password);
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("wrong, was used or has expired");
        await Axe.CheckAsync(page, "enrol-error-dark");
        await page.GotoAsync("/");
        await Axe.CheckAsync(page, "signin-dark");
        await page.Keyboard.TypeAsync("maria");
        await TabAndTypeAsync(page, Password);
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("One more step");
        await Axe.CheckAsync(page, "second-dark");
        await page.Context.CloseAsync();
    }

    private async Task WithoutScriptAsync(IReadOnlyList<string> codes)
    {
        var page = await gateway.BrowseAsync(script: false);
        await page.GotoAsync("/");
        await Assertions
            .Expect(page.GetByRole(AriaRole.Button, new() { Name = "Sign in with a passkey" }))
            .ToBeHiddenAsync();
        await page.GetByLabel("User name").FillAsync("maria");
        await page.GetByLabel("Password").FillAsync(Password);
        await page.Keyboard.PressAsync("Enter");
        await page.GetByLabel("Code").FillAsync(codes[0]);
        await page.Keyboard.PressAsync("Enter");
        await Assertions
            .Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1 }))
            .ToContainTextAsync("Hello, Maria");
        await page.GotoAsync("/account/passkey");
        await Assertions.Expect(page.Locator("noscript")).ToHaveCountAsync(1);
        await page.Context.CloseAsync();
    }

    private static async Task TabAndTypeAsync(IPage page, string text)
    {
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync(text);
    }

    // As somebody without a mouse does it: the thing can have the focus, shows that it has, and the Enter key works.
    private static async Task PressAsync(IPage page, AriaRole role, string name)
    {
        var thing = page.GetByRole(role, new() { Name = name, Exact = true });
        await Assertions.Expect(thing).ToBeVisibleAsync();
        await thing.FocusAsync();
        await page.Keyboard.PressAsync("Enter");
    }

    private static byte[] Decode(string text)
    {
        var bits = string.Concat(
            text.Select(c => Convert.ToString("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".IndexOf(c), 2).PadLeft(5, '0'))
        );
        return [.. bits.Chunk(8).Where(part => part.Length == 8).Select(part => Convert.ToByte(new string(part), 2))];
    }
}
