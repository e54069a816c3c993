namespace Governance.Tests;

/// <summary>Compares text with a committed file; rewrites the file only with UPDATE_GOLDEN=1.</summary>
internal static class Golden
{
    /// <summary>The repository folder, found from where the tests run.</summary>
    public static string Repository { get; } = FindRepository();

    public static void Verify(string path, string actual)
    {
        var file = Path.Combine(Repository, path);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, actual);
        }

        Assert.True(File.Exists(file), $"{path} is missing: run with UPDATE_GOLDEN=1 and review it.");
        Assert.Equal(File.ReadAllText(file), actual);
    }

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Governance.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("Governance.sln is not above the tests.");
    }
}
