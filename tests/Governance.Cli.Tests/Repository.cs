namespace Governance.Cli.Tests;

/// <summary>Files of the repository, found upwards from the test binary.</summary>
internal static class Repository
{
    public static string At(string relative)
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Governance.sln")))
        {
            directory = directory.Parent;
        }

        return Path.Combine(
            directory?.FullName ?? throw new InvalidOperationException("Run from the repository."),
            relative
        );
    }

    public static string Read(string relative) => File.ReadAllText(At(relative));
}
