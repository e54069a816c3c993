using System.Runtime.CompilerServices;

namespace Governance.Gateway.Tests;

/// <summary>Compares a text with a committed file; rewritten only with <c>UPDATE_GOLDEN=1</c>, never on CI.</summary>
internal static class GoldenFile
{
    public static void Matches(string name, string actual, [CallerFilePath] string caller = "")
    {
        var path = Path.Combine(Directory(caller), name);
        if (
            Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1"
            && Environment.GetEnvironmentVariable("CI") is null
        )
        {
            File.WriteAllText(path, actual);
        }

        Assert.True(File.Exists(path), $"{name} is missing; run once with UPDATE_GOLDEN=1.");
        Assert.Equal(File.ReadAllText(path), actual, ignoreLineEndingDifferences: true);
    }

    // Deterministic builds map source paths to /_/, so the repository is found upwards from the test binary.
    private static string Directory(string caller)
    {
        var repository = new DirectoryInfo(AppContext.BaseDirectory);
        while (repository is not null && !File.Exists(Path.Combine(repository.FullName, "Governance.sln")))
        {
            repository = repository.Parent;
        }

        var project = caller.Replace('\\', '/').Split("/tests/")[^1].Split('/')[0];
        return Path.Combine(
            repository?.FullName ?? throw new InvalidOperationException("Run from the repository."),
            "tests",
            project,
            "Golden"
        );
    }
}
