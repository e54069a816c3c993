using Governance.Platform.Blobs;

namespace Governance.Gateway.Hosting;

/// <summary>
/// Owns a data directory while the process lives: creates it for the owner alone, keeps a second gateway out, and keeps demo and
/// real data apart.
/// </summary>
internal sealed class DataDirectory : IDisposable
{
    private const string Marker = "demo.marker";
    private readonly FileStream _lock;

    private DataDirectory(FileStream held) => _lock = held;

    /// <summary>Opens the directory; throws <see cref="InvalidOperationException"/> with a sentence for the operator.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="demo">Whether this is the demo.</param>
    /// <param name="shared">Whether several gateways may use it: those on one PostgreSQL, never one on SQLite.</param>
    public static DataDirectory Open(string path, bool demo, bool shared)
    {
        var marked = File.Exists(Path.Combine(path, Marker));
        var used = Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any();
        if (demo && used && !marked)
        {
            throw new InvalidOperationException(
                $"{path} was not made by the demo; name another one with Governance__DataDirectory."
            );
        }

        if (!demo && marked)
        {
            throw new InvalidOperationException(
                $"{path} holds demo data with demo accounts; name another one with Governance__DataDirectory."
            );
        }

        DurableFile.KeepNewFilesPrivate();
        var held = Lock(path, shared && !demo);
        if (demo)
        {
            Clear(path);
            File.WriteAllText(
                Path.Combine(path, Marker),
                "Made by the demo, which empties this directory each time it starts.\n"
            );
        }
        else if (!shared)
        {
            DurableFile.RemoveUnfinished(Path.Combine(path, "keys"));
        }

        return new DataDirectory(held);
    }

    public void Dispose() => _lock.Dispose();

    private static FileStream Lock(string path, bool shared)
    {
        DurableFile.CreateDirectory(path);
        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            File.SetUnixFileMode(path, owner); // also a directory that was there before
        }

        try
        {
            return new FileStream(
                Path.Combine(path, "gateway.lock"),
                FileMode.OpenOrCreate,
                shared ? FileAccess.Read : FileAccess.ReadWrite,
                shared ? FileShare.Read : FileShare.None
            );
        }
        catch (IOException exception)
        {
            throw new InvalidOperationException($"Another gateway is running on {path}.", exception);
        }
    }

    private static void Clear(string path)
    {
        foreach (var directory in Directory.EnumerateDirectories(path))
        {
            Directory.Delete(directory, recursive: true);
        }

        foreach (var file in Directory.EnumerateFiles(path).Where(file => Path.GetFileName(file) != "gateway.lock"))
        {
            File.Delete(file);
        }
    }
}
