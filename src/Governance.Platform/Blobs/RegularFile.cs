using Microsoft.Win32.SafeHandles;

namespace Governance.Platform.Blobs;

/// <summary>Tells files from pipes, sockets and devices, which would keep a reader waiting for ever.</summary>
internal static class RegularFile
{
    // Linux: O_RDONLY, O_NONBLOCK (opening a pipe without writer returns at once), O_NOCTTY, O_CLOEXEC.
    private const int Flags = 0x800 | 0x100 | 0x80000;

    /// <summary>Whether a path is a file with bytes that can be sought in. Elsewhere than on Linux every existing file counts.</summary>
    public static bool Is(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return File.Exists(path);
        }

        using var handle = new SafeFileHandle(DurableFile.Open(path, Flags), ownsHandle: true);
        if (handle.IsInvalid)
        {
            return false;
        }

        using var stream = new FileStream(handle, FileAccess.Read, bufferSize: 0);
        return stream.CanSeek;
    }
}
