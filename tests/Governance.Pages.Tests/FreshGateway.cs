using System.Security.Cryptography;
using System.Text.Json;
using Governance.Gateway.Hosting;
using Governance.Gateway.Tls;
using Governance.Identity.SignIn;
using Governance.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;

namespace Governance.Pages.Tests;

/// <summary>A gateway on its first start, with nobody in it, and a real Chromium that trusts its certificate and nothing else.</summary>
public sealed class FreshGateway : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("governance-pages-").FullName;
    private WebApplication? _app;
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public string Url { get; private set; } = "";

    /// <summary>Where screenshots go, to be looked at.</summary>
    public static string Pictures { get; } =
        Directory.CreateDirectory(Path.Combine(Paths.Base, "artifacts", "pages")).FullName;

    internal IServiceProvider Services => _app!.Services;

    internal SetupCode Setup => _app!.Services.GetRequiredService<SetupCode>();

    public async ValueTask InitializeAsync()
    {
        Url = $"https://localhost:{FreePort.Find()}";
        _app = await GatewayHost.BuildAsync(
            [],
            demo: false,
            new Dictionary<string, string?>
            {
                ["Governance:Urls"] = Url,
                ["Governance:PublicUrl"] = Url,
                ["Governance:DataDirectory"] = Path.Combine(_root, "data"),
                ["Governance:KeyFile"] = Path.Combine(_root, "gateway.kek"),
                ["Governance:PoliciesDirectory"] = Path.Combine(Paths.Base, "policies"),
                ["Governance:Identity:SignInPerMinute"] = "600",
                ["Governance:Identity:TokensPerMinute"] = "600",
                ["Governance:Identity:Issuers:0:Name"] = "peer",
                ["Governance:Identity:Issuers:0:DisplayName"] = "Peer of the tests",
                ["Governance:Identity:Issuers:0:Authority"] = "https://localhost:1",
                ["Governance:Identity:Issuers:0:ClientId"] = "governance",
                ["Logging:LogLevel:Default"] = "None",
                ["Logging:LogLevel:Microsoft"] = "None",
                ["Logging:LogLevel:OpenIddict"] = "None",
            }
        );
        await _app.StartAsync();
        // A browser that only ignores errors refuses passkeys; one that knows the key has no error to ignore.
        var server = _app.Services.GetRequiredService<ServerCertificates>().Server;
        var pin = Convert.ToBase64String(SHA256.HashData(server.PublicKey.ExportSubjectPublicKeyInfo()));
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions
            {
                ExecutablePath = "/usr/bin/chromium",
                Args =
                [
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    $"--ignore-certificate-errors-spki-list={pin}",
                ],
            }
        );
    }

    /// <summary>Posts a form to the gateway, as a command line does.</summary>
    public async Task<JsonElement> PostAsync(string path, params (string Name, string Value)[] fields)
    {
        // The gateway of this test on its port; nothing secret is sent.
        await using var context = await _playwright!.APIRequest.NewContextAsync(
            new APIRequestNewContextOptions { BaseURL = Url, IgnoreHTTPSErrors = true }
        );
        var form = context.CreateFormData();
        foreach (var (name, value) in fields)
        {
            form.Set(name, value);
        }

        var answer = await context.PostAsync(path, new APIRequestContextOptions { Form = form });
        return (await answer.JsonAsync())!.Value;
    }

    /// <summary>A new browser profile.</summary>
    public async Task<IPage> BrowseAsync(bool dark = false, bool script = true, int width = 900)
    {
        var context = await _browser!.NewContextAsync(
            new BrowserNewContextOptions
            {
                BaseURL = Url,
                ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light,
                JavaScriptEnabled = script,
                ViewportSize = new ViewportSize { Width = width, Height = 800 },
            }
        );
        context.SetDefaultTimeout(20_000);
        return await context.NewPageAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        Directory.Delete(_root, recursive: true);
    }
}
