using System.Diagnostics;
using Governance.Platform.Blobs;

namespace Governance.Tests.Platform;

public sealed class FolderArtifactsTests
{
    [Theory]
    [InlineData("")]
    [InlineData("pipe")]
    public async Task A_pipe_is_refused_at_once_whether_named_or_found_in_a_folder(string named)
    {
        var folder = Directory.CreateTempSubdirectory("folder-artifacts-").FullName;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "a.txt"), "a", TestContext.Current.CancellationToken);
            using (var made = Process.Start("mkfifo", [Path.Combine(folder, "pipe")]))
            {
                await made.WaitForExitAsync(TestContext.Current.CancellationToken);
            }

            var opened = await FolderArtifacts
                .OpenAsync(Path.Combine(folder, named), new HashSet<string>(), TestContext.Current.CancellationToken)
                .WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);

            Assert.False(opened.Ok);
            Assert.Equal("folder.not_a_file", opened.Failure.Code);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
