using Governance.Platform.Blobs;

namespace Governance.Tests.Platform;

public sealed class DurableFileTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("governance-test-").FullName;

    [Fact]
    public void What_an_interrupted_write_left_goes_with_the_next_one()
    {
        var path = Path.Combine(_root, "keys", "a.key");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText($"{path}.tmp", "half a key that is longer than the whole one");

        DurableFile.WriteSecret(path, "whole"u8);

        Assert.Equal("whole", File.ReadAllText(path));
        Assert.Equal([path], Directory.EnumerateFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void Directories_are_made_with_all_those_above()
    {
        var path = Path.Combine(_root, "a", "b", "c");

        DurableFile.CreateDirectory(path);
        DurableFile.CreateDirectory(path);

        Assert.True(Directory.Exists(path));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
