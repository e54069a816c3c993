using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Governance.Platform.Blobs;

/// <summary>Files that are either completely there or not there at all, also after power loss.</summary>
public static partial class DurableFile
{
    private const int AlreadyThere = 17; // EEXIST

    // EPERM, ENOSYS, ENOTSUP; the last two also as macOS numbers them.
    private static readonly int[] NoLinks = [1, 38, 95, 78, 45];

    /// <summary>
    /// Writes a small file for the owner alone (mode 0600): temporary file, fsync, rename, fsync of the directory. What an
    /// interrupted write left beside the path is removed first.
    /// </summary>
    public static void WriteSecret(string path, ReadOnlySpan<byte> content)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        CreateDirectory(directory);
        var temporary = $"{path}.tmp";
        File.Delete(temporary);
        Write(temporary, content);
        File.Move(temporary, path, overwrite: true);
        SyncDirectory(directory);
    }

    /// <summary>
    /// The same, unless there is a file already: of several processes that try at once one succeeds. False for the others; the
    /// file of the one who did is durable for them, too.
    /// </summary>
    public static bool TryWriteNewSecret(string path, ReadOnlySpan<byte> content)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        CreateDirectory(directory);
        var temporary = $"{path}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}.tmp";
        Write(temporary, content);
        try
        {
            // Also for those who lost: the file of the one who won may not be durable yet.
            var first = TryGiveName(temporary, path);
            SyncDirectory(directory);
            return first;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>
    /// Overwrites a file with random bytes, deletes it, and makes both durable; nothing when it is not there. A file system that
    /// writes elsewhere (copy on write, flash) may keep the old bytes until it reuses them.
    /// </summary>
    public static void Destroy(string path)
    {
        if (!File.Exists(path))
        {
            return;
        }

        using (var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
        {
            file.Write(RandomNumberGenerator.GetBytes((int)file.Length));
            file.Flush(flushToDisk: true);
        }

        File.Delete(path);
        SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Removes what interrupted writes left in a directory. Nobody else may be writing there.</summary>
    public static void RemoveUnfinished(string directory)
    {
        if (Directory.Exists(directory))
        {
            foreach (var left in Directory.EnumerateFiles(directory, "*.tmp"))
            {
                File.Delete(left);
            }
        }
    }

    // By link(2), which is refused when the name is taken: File.Move looks first, and then replaces what came in between.
    private static bool TryGiveName(string temporary, string path)
    {
        if (OperatingSystem.IsWindows())
        {
            try
            {
                File.Move(temporary, path, overwrite: false);
                return true;
            }
            catch (IOException) when (File.Exists(path))
            {
                return false;
            }
        }

        if (Link(temporary, path) == 0)
        {
            return true;
        }

        var error = Marshal.GetLastPInvokeError();
        return error == AlreadyThere ? false : throw new IOException(WhyNot(path, error));
    }

    internal static string WhyNot(string path, int error) =>
        NoLinks.Contains(error)
            ? $"Cannot make {path}: its file system has no hard links, and without them two gateways could make it at once. Put it on one that has (errno {error})."
            : $"Cannot make {path} (errno {error}).";

    private static void Write(string path, ReadOnlySpan<byte> content)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.None,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var file = new FileStream(path, options);
        file.Write(content);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Creates a directory, and those above it, so that they are still there after power loss.</summary>
    public static void CreateDirectory(string directory)
    {
        if (Directory.Exists(directory))
        {
            return;
        }

        var above = Path.GetDirectoryName(Path.GetFullPath(directory))!;
        CreateDirectory(above);
        Directory.CreateDirectory(directory);
        SyncDirectory(above);
    }

    /// <summary>From now on this process makes files and directories for their owner alone (umask 077). Windows inherits instead.</summary>
    public static void KeepNewFilesPrivate()
    {
        if (!OperatingSystem.IsWindows())
        {
            _ = SetFileModeMask(0x3F);
        }
    }

    /// <summary>Makes renames in a directory durable. Windows has no such call and needs none.</summary>
    public static void SyncDirectory(string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var handle = Open(directory, 0);
        if (handle < 0)
        {
            throw new IOException(
                $"Cannot open a directory to make it durable (errno {Marshal.GetLastPInvokeError()})."
            );
        }

        try
        {
            if (FileSync(handle) != 0)
            {
                throw new IOException($"Cannot make a directory durable (errno {Marshal.GetLastPInvokeError()}).");
            }
        }
        finally
        {
            _ = Close(handle);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Link(string existing, string path);

    [LibraryImport("libc", EntryPoint = "umask")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial uint SetFileModeMask(uint mask);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int FileSync(int handle);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int handle);
}
