using System.Formats.Tar;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Formats;

/// <summary>tar archives: names, links and members. Nothing is written anywhere.</summary>
internal sealed class TarFormat : IFormat
{
    private const int ChecksumOffset = 148;

    public bool Scan(ScanItem item, ScanRun run)
    {
        if (!item.StartsWith("ustar"u8, 257) && !HasChecksum(item.Head))
        {
            return false;
        }

        using var stream = item.Content.AsStream();
        using var reader = new TarReader(stream);
        while (reader.GetNextEntry(copyData: false) is { } entry)
        {
            run.Budget.TakeMember();
            var path = $"{item.Path}!{entry.Name}";
            MemberNames.Check(path, entry.Name, run.Findings);
            if (entry.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink)
            {
                run.Findings.Add(path, ScanClass.Malicious, "archive.link", $"link to {entry.LinkName}");
            }
            else if (entry.EntryType is TarEntryType.CharacterDevice or TarEntryType.BlockDevice or TarEntryType.Fifo)
            {
                run.Findings.Add(path, ScanClass.Malicious, "archive.device", $"{entry.EntryType}");
            }
            else if (entry.EntryType == TarEntryType.SparseFile)
            {
                run.Findings.Add(path, ScanClass.Unparsable, "archive.sparse", "sparse member");
            }

            if (entry.DataStream is { } data)
            {
                using var spool = Spool.Copy(
                    data,
                    run.Budget.Options.MaxMemoryBytes,
                    count => run.Budget.TakeExpanded(count)
                );
                run.Scan(new ScanItem(path, Content.Of(spool), item.Nesting + 1));
            }
        }

        return true;
    }

    // Archives from before "ustar" are known only by their header sum.
    private static bool HasChecksum(ReadOnlySpan<byte> head)
    {
        if (head.Length < 512 || head[0] == 0)
        {
            return false;
        }

        var sum = 8 * ' ';
        for (var i = 0; i < 512; i++)
        {
            sum += i is >= ChecksumOffset and < ChecksumOffset + 8 ? 0 : head[i];
        }

        var declared = 0;
        foreach (var digit in head.Slice(ChecksumOffset, 8).Trim(" \0"u8))
        {
            if (digit is < (byte)'0' or > (byte)'7')
            {
                return false;
            }

            declared = (declared << 3) + digit - '0';
        }

        return declared == sum;
    }
}

/// <summary>Names of archive members that would leave the folder they are unpacked to.</summary>
internal static class MemberNames
{
    public static void Check(string path, string name, Findings findings)
    {
        var unified = name.Replace('\\', '/');
        if (
            unified.StartsWith('/')
            || unified.Split('/').Contains("..")
            || (unified.Length > 1 && unified[1] == ':')
            || unified.Contains('\0', StringComparison.Ordinal)
        )
        {
            findings.Add(path, ScanClass.Malicious, "archive.path-escape", $"member named {name}");
        }
    }
}
