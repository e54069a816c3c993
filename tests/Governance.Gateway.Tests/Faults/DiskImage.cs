namespace Governance.Gateway.Tests.Faults;

/// <summary>
/// The files of a tape as they are after some steps: what the kernel holds (<see cref="Kept"/>), and what is sure to be on the disk,
/// which is what was synced. Between the two lie the steps that a loss of power may undo, each alone, or half of one.
/// </summary>
internal sealed class DiskImage
{
    private const int Sector = 512;
    private readonly Dictionary<string, Content> _files = new(StringComparer.Ordinal);

    /// <summary>Does one step.</summary>
    public void Apply(DiskStep step)
    {
        if (step.Kind == DiskStepKind.Delete)
        {
            _files.Remove(step.Path);
            return;
        }

        if (!_files.TryGetValue(step.Path, out var file))
        {
            _files.Add(step.Path, file = new Content());
        }

        if (step.Kind == DiskStepKind.Sync)
        {
            file.Pending.ForEach(file.Synced.Apply);
            file.Pending.Clear();
            return;
        }

        file.Kept.Apply(step);
        file.Pending.Add(step);
    }

    /// <summary>The process died: the kernel writes all of it.</summary>
    public Dictionary<string, byte[]> Killed() => Each(file => file.Kept.ToArray());

    /// <summary>The power failed, and nothing that was not synced had reached the disk.</summary>
    public Dictionary<string, byte[]> Lost() => Each(file => file.Synced.ToArray());

    /// <summary>The power failed, and any of what was not synced had reached the disk, or some of its sectors.</summary>
    public Dictionary<string, byte[]> Torn(Random random) =>
        Each(file =>
        {
            var torn = new Bytes(file.Synced.ToArray());
            foreach (var step in file.Pending)
            {
                switch (random.Next(3))
                {
                    case 0:
                        torn.Apply(step);
                        break;
                    case 1 when step.Bytes is { Length: > Sector } bytes:
                        var from = random.Next(bytes.Length / Sector) * Sector;
                        var length = Math.Min(bytes.Length - from, (1 + random.Next(bytes.Length / Sector)) * Sector);
                        torn.Apply(step with { Offset = step.Offset + from, Bytes = bytes[from..(from + length)] });
                        break;
                    default:
                        break;
                }
            }

            return torn.ToArray();
        });

    private Dictionary<string, byte[]> Each(Func<Content, byte[]> of) =>
        _files.ToDictionary(file => file.Key, file => of(file.Value), StringComparer.Ordinal);

    private sealed class Content
    {
        public Bytes Kept { get; } = new([]);

        public Bytes Synced { get; } = new([]);

        public List<DiskStep> Pending { get; } = [];
    }

    private sealed class Bytes(byte[] start)
    {
        private byte[] _bytes = start;
        private int _length = start.Length;

        public byte[] ToArray() => _bytes[.._length];

        public void Apply(DiskStep step)
        {
            if (step.Kind == DiskStepKind.Truncate)
            {
                Grow((int)step.Offset);
                _bytes.AsSpan((int)step.Offset, _length - (int)step.Offset).Clear();
                _length = (int)step.Offset;
                return;
            }

            Grow((int)step.Offset + step.Bytes!.Length);
            step.Bytes.CopyTo(_bytes.AsSpan((int)step.Offset));
        }

        private void Grow(int length)
        {
            if (length > _bytes.Length)
            {
                Array.Resize(ref _bytes, Math.Max(length, _bytes.Length * 2));
            }

            _length = Math.Max(_length, length);
        }
    }

    /// <summary>Copies what lies below a directory of a gateway, by name; never its lock.</summary>
    public static void CopyFiles(string from, string to, Func<string, bool> which)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var name = Path.GetFileName(file);
            if (name != "gateway.lock" && which(name))
            {
                var copy = Path.Combine(to, Path.GetRelativePath(from, file));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(file, copy);
            }
        }
    }
}
