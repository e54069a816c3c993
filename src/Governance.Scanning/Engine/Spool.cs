namespace Governance.Scanning.Engine;

/// <summary>Makes forward-only bytes seekable: in memory when small, else in a temporary file that vanishes on close.</summary>
internal static class Spool
{
    private const int BlockSize = 128 << 10;

    /// <summary>Copies a stream, charging each block to the budget.</summary>
    public static Stream Copy(Stream source, int maxMemory, Action<long> charge)
    {
        Stream target = new MemoryStream();
        try
        {
            var block = new byte[BlockSize];
            int read;
            while ((read = source.Read(block)) > 0)
            {
                charge(read);
                target = Grow(target, read, maxMemory);
                target.Write(block, 0, read);
            }

            target.Position = 0;
            return target;
        }
        catch
        {
            target.Dispose();
            throw;
        }
    }

    /// <summary>As <see cref="Copy"/>, for a source that waits.</summary>
    public static async Task<Stream> CopyAsync(
        Stream source,
        int maxMemory,
        Action<long> charge,
        CancellationToken cancellationToken
    )
    {
        Stream target = new MemoryStream();
        try
        {
            var block = new byte[BlockSize];
            int read;
            while ((read = await source.ReadAsync(block, cancellationToken)) > 0)
            {
                charge(read);
                target = Grow(target, read, maxMemory);
                await target.WriteAsync(block.AsMemory(0, read), cancellationToken);
            }

            target.Position = 0;
            return target;
        }
        catch
        {
            await target.DisposeAsync();
            throw;
        }
    }

    private static Stream Grow(Stream target, int more, int maxMemory)
    {
        if (target is not MemoryStream memory || memory.Length + more <= maxMemory)
        {
            return target;
        }

        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            Options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        // CreateNew with a random name: a file or link planted there by somebody else makes this fail, not follow.
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var file = new FileStream(path, options);
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(path); // it lives on without a name, and not even a killed process leaves it behind
        }

        memory.WriteTo(file);
        memory.Dispose();
        return file;
    }
}
