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
    public void What_a_dead_process_left_is_removed_and_nothing_else()
    {
        File.WriteAllText(Path.Combine(_root, "a.key"), "whole");
        File.WriteAllText(Path.Combine(_root, "b.key.25fbc5b2242c1df6.tmp"), "ha");

        DurableFile.RemoveUnfinished(_root);
        DurableFile.RemoveUnfinished(Path.Combine(_root, "absent"));

        Assert.Equal("a.key", Path.GetFileName(Assert.Single(Directory.EnumerateFiles(_root))));
    }

    [Fact]
    public void Directories_are_made_with_all_those_above()
    {
        var path = Path.Combine(_root, "a", "b", "c");

        DurableFile.CreateDirectory(path);
        DurableFile.CreateDirectory(path);

        Assert.True(Directory.Exists(path));
    }

    [Fact]
    public async Task Of_many_that_write_a_new_file_at_once_one_succeeds_and_its_content_stays()
    {
        const int writers = 4;
        using var together = new Barrier(writers);
        for (var round = 0; round < 500; round++)
        {
            var path = Path.Combine(_root, $"{round}.key");

            var first = await Task.WhenAll(
                Enumerable
                    .Range(0, writers)
                    .Select(writer =>
                        Task.Factory.StartNew(
                            () =>
                            {
                                together.SignalAndWait(TestContext.Current.CancellationToken);
                                return DurableFile.TryWriteNewSecret(path, [(byte)writer]);
                            },
                            TestContext.Current.CancellationToken,
                            TaskCreationOptions.LongRunning,
                            TaskScheduler.Default
                        )
                    )
            );

            var winner = Assert.Single(Enumerable.Range(0, writers), writer => first[writer]);
            Assert.Equal([(byte)winner], await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
        }

        Assert.Equal(500, Directory.GetFiles(_root).Length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(38)]
    [InlineData(95)]
    public void A_file_system_without_hard_links_is_named_in_a_sentence(int error) =>
        Assert.Contains("has no hard links", DurableFile.WhyNot("a.key", error), StringComparison.Ordinal);

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
