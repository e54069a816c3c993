namespace Governance.Gateway.Tests.Live;

/// <summary>The command line as a program of its own, told where a gateway is and whom to trust about it.</summary>
internal static class GovernProgram
{
    // The build puts it beside this program.
    public static string Path
    {
        get
        {
            var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(System.IO.Path.DirectorySeparatorChar));
            return System.IO.Path.Combine(own.Parent!.Parent!.FullName, "Governance.Cli", own.Name, "govern");
        }
    }

    /// <summary>Runs a verb with this home and this token of the environment; hands on what it says.</summary>
    public static Task<ChildProcess> RunAsync(
        LiveGateway gateway,
        string home,
        string? token,
        Func<string, Task>? said,
        params string[] args
    ) =>
        ChildProcess.RunAsync(
            Path,
            [.. args, "--server", gateway.Url, "--ca", gateway.AuthorityPath],
            TimeSpan.FromMinutes(1),
            environment: new Dictionary<string, string?> { ["XDG_CONFIG_HOME"] = home, ["GOVERN_TOKEN"] = token },
            said: said
        );
}
