using System.Globalization;
using System.Text;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Platform.Blobs;

namespace Governance.Audit.Witnessing;

/// <summary>A checkpoint that was exported; null when the file is not one of this log.</summary>
internal sealed record ExportedCheckpoint(string File, Checkpoint? Checkpoint);

/// <summary>
/// Checkpoints in a directory, one file for each size, never overwritten. Kept where the database's administrator cannot write
/// (another host, a medium that is written once), they show at the next start that the log was set back or replaced.
/// </summary>
internal sealed class CheckpointFiles(AuditOptions options, LogKey key)
{
    private const int MaxLength = 64 << 10;
    private const string Extension = ".checkpoint";
    private readonly string _directory = options.CheckpointDirectory;

    /// <summary>The file with the largest size in its name; null without a directory or file.</summary>
    public ExportedCheckpoint? Newest()
    {
        if (_directory.Length == 0 || !Directory.Exists(_directory))
        {
            return null;
        }

        var newest = Directory
            .EnumerateFiles(_directory, $"*{Extension}")
            .Where(file => SizeOf(file) is not null)
            .MaxBy(file => SizeOf(file)!.Value);
        return newest is null ? null : new ExportedCheckpoint(Path.GetFileName(newest), Read(newest));
    }

    /// <summary>Durable when it returns.</summary>
    public void Write(long size, string note)
    {
        var path = Path.Combine(_directory, $"{size.ToString("D12", CultureInfo.InvariantCulture)}{Extension}");
        if (!File.Exists(path))
        {
            DurableFile.WriteSecret(path, Encoding.UTF8.GetBytes(note));
        }
    }

    private static long? SizeOf(string file) =>
        long.TryParse(
            Path.GetFileNameWithoutExtension(file),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out var size
        )
            ? size
            : null;

    private Checkpoint? Read(string file)
    {
        if (new FileInfo(file).Length > MaxLength)
        {
            return null;
        }

        var checkpoint = Checkpoint.Open(File.ReadAllText(file), key.Public);
        return checkpoint?.Size == SizeOf(file) ? checkpoint : null;
    }
}
