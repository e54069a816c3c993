using Governance.Gateway.Hosting;
using Governance.Gateway.Tls;
using Governance.Platform;

namespace Governance.Gateway.Demo;

/// <summary>Starts a gateway on loopback with demo accounts and plays the story through its public HTTPS interfaces.</summary>
internal static class DemoCommand
{
    public static async Task<int> RunAsync(string[] args)
    {
        var exit = args.Contains("--exit");
        var settings = args.Where(argument => argument != "--exit").ToArray();
        if (settings is [var word, ..] && !word.StartsWith('-'))
        {
            throw new InvalidOperationException($"'{word}' is not an option of demo. See --help.");
        }

        await using var app = await GatewayHost.BuildAsync(settings, demo: true);
        var options = app.Services.GetRequiredService<PlatformOptions>();
        if (
            !new Uri(options.PublicUrl).IsLoopback
            || !new Uri(
                app.Services.GetRequiredService<GatewayOptions>().Urls.Replace("*", "0.0.0.0", StringComparison.Ordinal)
            ).IsLoopback
        )
        {
            throw new InvalidOperationException(
                "The demo has accounts with known passwords and listens on loopback only."
            );
        }

        await app.StartAsync();
        var certificates = app.Services.GetRequiredService<ServerCertificates>();
        System.Console.WriteLine($"Governance demo at {options.PublicUrl}");
        System.Console.WriteLine($"Data directory: {options.DataDirectory} (made for the demo, emptied each time)");
        System.Console.WriteLine();
        using var accounts = await DemoAccounts.CreateAsync(app.Services, options, certificates);
        var story = new DemoStory(accounts, options, new DemoConsole());
        var ok = await story.PlayAsync(CancellationToken.None);
        System.Console.WriteLine();
        System.Console.WriteLine(ok ? "Every step held." : "At least one step did not hold.");
        if (!exit)
        {
            System.Console.WriteLine(
                $"""

                The gateway stays up until you press Ctrl+C.
                  Sign in:     {options.PublicUrl}/  (your browser must trust {certificates.CertificatePath})
                  Names:       {DemoAccounts.Names}
                  Password:    {DemoAccounts.Password}
                  Tokens:      {accounts.CredentialsPath}
                """
            );
            await app.WaitForShutdownAsync();
        }
        else
        {
            await app.StopAsync();
        }

        return ok ? 0 : 1;
    }
}

/// <summary>Prints steps and what proved them.</summary>
internal sealed class DemoConsole
{
    private int _step;

    public bool AllHeld { get; private set; } = true;

    public void Chapter(string text) => System.Console.WriteLine($"{++_step}. {text}");

    public static void Proof(string text) => System.Console.WriteLine($"   ok    {text}");

    /// <summary>Something to read that belongs to the line above.</summary>
    public static void Detail(string text) => System.Console.WriteLine($"           - {text}");

    public void Failed(string text)
    {
        AllHeld = false;
        System.Console.WriteLine($"   FAIL  {text}");
    }

    public void Check(bool held, string text)
    {
        if (held)
        {
            Proof(text);
        }
        else
        {
            Failed(text);
        }
    }
}
