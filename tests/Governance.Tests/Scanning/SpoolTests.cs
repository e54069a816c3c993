using Governance.Scanning.Engine;

namespace Governance.Tests.Scanning;

public sealed class SpoolTests
{
    [Fact]
    public void A_spooled_file_has_no_name_that_a_killed_process_could_leave_behind()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows removes the file when the process ends.");
        var bytes = new byte[1000];
        new Random(1).NextBytes(bytes);

        using var spooled = Spool.Copy(new MemoryStream(bytes), maxMemory: 100, _ => { });

        var file = Assert.IsType<FileStream>(spooled);
        Assert.False(File.Exists(file.Name));
        var back = new byte[bytes.Length];
        spooled.ReadExactly(back);
        Assert.Equal(bytes, back);
    }
}
