using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Formats;

/// <summary>
/// Zip archives, hence torch, npz and keras files (PKWARE APPNOTE 6.3). Members are found by the central directory and
/// compared with their local headers: readers differ in which one they believe.
/// </summary>
internal sealed class ZipFormat : IFormat
{
    private const int EndSize = 22;
    private const int MaxComment = 0xFFFF;
    private const int SymbolicLink = 0xA000;

    private sealed record Member(
        string Name,
        int Flags,
        int Method,
        uint Crc,
        long Packed,
        long Plain,
        long Header,
        int Mode
    );

    public bool Scan(ScanItem item, ScanRun run)
    {
        var end = FindEnd(item.Content);
        if (end is null)
        {
            if (item.StartsWith("PK\x03\x04"u8))
            {
                throw new MalformedException("zip without a central directory");
            }

            return false;
        }

        var members = ReadDirectory(item, run, end.Value);
        var hasPickle = members.Exists(member => member.Name.EndsWith("data.pkl", StringComparison.Ordinal));
        long covered = 0;
        foreach (var member in members.OrderBy(member => member.Header))
        {
            run.Budget.TakeMember();
            var path = $"{item.Path}!{member.Name}";
            run.Guard(
                path,
                () =>
                {
                    covered = ScanMember(item, member, hasPickle, path, covered, run);
                    return true;
                }
            );
        }

        foreach (var twice in members.GroupBy(member => member.Name).Where(group => group.Skip(1).Any()))
        {
            run.Findings.Add(
                $"{item.Path}!{twice.Key}",
                ScanClass.Suspicious,
                "zip.duplicate-name",
                "two members of one name"
            );
        }

        return true;
    }

    private static long? FindEnd(Content content)
    {
        if (content.Length < EndSize)
        {
            return null;
        }

        var from = Math.Max(0, content.Length - EndSize - MaxComment);
        var tail = content.Bytes(from, EndSize + MaxComment);
        for (var at = tail.Length - EndSize; at >= 0; at = tail.AsSpan(0, at + 3).LastIndexOf("PK\x05\x06"u8))
        {
            if (tail.AsSpan(at).StartsWith("PK\x05\x06"u8))
            {
                return from + at;
            }
        }

        return null;
    }

    private static List<Member> ReadDirectory(ScanItem item, ScanRun run, long endOffset)
    {
        var content = item.Content;
        var end = content.Bytes(endOffset, EndSize);
        long count = BinaryPrimitives.ReadUInt16LittleEndian(end.AsSpan(10));
        long size = BinaryPrimitives.ReadUInt32LittleEndian(end.AsSpan(12));
        long declaredStart = BinaryPrimitives.ReadUInt32LittleEndian(end.AsSpan(16));
        var directoryEnd = endOffset;
        if (endOffset + EndSize + BinaryPrimitives.ReadUInt16LittleEndian(end.AsSpan(20)) != content.Length)
        {
            run.Findings.Add(
                item.Path,
                ScanClass.Suspicious,
                "zip.end-mismatch",
                "the comment does not end with the file"
            );
        }

        var locator = content.Bytes(endOffset - 20, 20);
        if (endOffset >= 20 && locator.AsSpan().StartsWith("PK\x06\x07"u8))
        {
            directoryEnd = BinaryPrimitives.ReadInt64LittleEndian(locator.AsSpan(8));
            var end64 = content.Bytes(directoryEnd, 56);

            // Some readers follow the locator, others look right before it: both must mean the same record.
            if (directoryEnd != endOffset - 76 || end64.Length < 56 || !end64.AsSpan().StartsWith("PK\x06\x06"u8))
            {
                throw new MalformedException("zip64 end record");
            }

            count = BinaryPrimitives.ReadInt64LittleEndian(end64.AsSpan(32));
            size = BinaryPrimitives.ReadInt64LittleEndian(end64.AsSpan(40));
            declaredStart = BinaryPrimitives.ReadInt64LittleEndian(end64.AsSpan(48));
        }

        // Bytes put before the archive shift every offset; readers correct for it, so must this.
        var start = directoryEnd - size;
        var shift = start - declaredStart;
        if (start < 0 || size < 0 || shift < 0 || count < 0)
        {
            throw new MalformedException("zip directory outside the file");
        }

        if (shift != 0)
        {
            run.Findings.Add(item.Path, ScanClass.Suspicious, "zip.prefix-data", $"{shift} bytes before the archive");
        }

        if (count > run.Budget.Options.MaxMembers)
        {
            throw new BudgetExceededException("archive members");
        }

        var members = new List<Member>();
        var at = start;
        while (at < start + size)
        {
            if (members.Count > run.Budget.Options.MaxMembers)
            {
                throw new BudgetExceededException("archive members");
            }

            members.Add(ReadEntry(content, ref at, shift));
        }

        if (members.Count != count)
        {
            run.Findings.Add(
                item.Path,
                ScanClass.Suspicious,
                "zip.count-mismatch",
                $"{count} members declared, {members.Count} found"
            );
        }

        return members;
    }

    private static Member ReadEntry(Content content, ref long at, long shift)
    {
        var fixedPart = content.Bytes(at, 46);
        if (fixedPart.Length < 46 || !fixedPart.AsSpan().StartsWith("PK\x01\x02"u8))
        {
            throw new MalformedException("zip directory entry", at);
        }

        int Short(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(fixedPart.AsSpan(offset));
        uint Int(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(fixedPart.AsSpan(offset));
        var name = content.Bytes(at + 46, Short(28));
        var extra = content.Bytes(at + 46 + Short(28), Short(30));
        long plain = Int(24);
        long packed = Int(20);
        long header = Int(42);
        ReadZip64(extra, ref plain, ref packed, ref header);
        at += 46 + Short(28) + Short(30) + Short(32);
        return new Member(
            Encoding.UTF8.GetString(name),
            Short(8),
            Short(10),
            Int(16),
            packed,
            plain,
            header + shift,
            (int)(Int(38) >> 16)
        );
    }

    private static void ReadZip64(ReadOnlySpan<byte> extra, ref long plain, ref long packed, ref long header)
    {
        while (extra.Length >= 4)
        {
            var id = BinaryPrimitives.ReadUInt16LittleEndian(extra);
            var length = Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]), extra.Length - 4);
            var data = extra.Slice(4, length);
            if (id == 1)
            {
                Take(ref plain, ref data);
                Take(ref packed, ref data);
                Take(ref header, ref data);
            }

            extra = extra[(4 + length)..];
        }
    }

    private static void Take(ref long value, ref ReadOnlySpan<byte> data)
    {
        if (value == uint.MaxValue && data.Length >= 8)
        {
            value = BinaryPrimitives.ReadInt64LittleEndian(data);
            data = data[8..];
        }
    }

    private static long ScanMember(ScanItem item, Member member, bool hasPickle, string path, long covered, ScanRun run)
    {
        MemberNames.Check(path, member.Name, run.Findings);
        if ((member.Mode & 0xF000) == SymbolicLink)
        {
            run.Findings.Add(path, ScanClass.Malicious, "archive.link", "symbolic link");
        }

        var local = item.Content.Bytes(member.Header, 30);
        if (local.Length < 30 || !local.AsSpan().StartsWith("PK\x03\x04"u8) || member.Packed < 0 || member.Plain < 0)
        {
            throw new MalformedException("zip local header", member.Header);
        }

        var flags = BinaryPrimitives.ReadUInt16LittleEndian(local.AsSpan(6));
        var nameLength = BinaryPrimitives.ReadUInt16LittleEndian(local.AsSpan(26));
        var dataStart = member.Header + 30 + nameLength + BinaryPrimitives.ReadUInt16LittleEndian(local.AsSpan(28));
        CompareHeaders(item, member, local, nameLength, path, run);
        if (((member.Flags | flags) & 0x2041) != 0)
        {
            run.Findings.Add(path, ScanClass.Suspicious, "zip.flag-bits", "flagged as encrypted or masked");
        }

        if (member.Header < covered)
        {
            run.Findings.Add(path, ScanClass.Suspicious, "zip.overlap", "members share bytes");
        }
        else if (member.Header - covered > ((flags & 8) != 0 || covered > 0 ? 24 : 0))
        {
            run.Findings.Add(
                path,
                ScanClass.Suspicious,
                "zip.hidden-data",
                $"{member.Header - covered} bytes outside of members"
            );
            run.Scan(
                new ScanItem(
                    $"{item.Path}!gap@{covered}",
                    item.Content.Slice(covered, member.Header - covered),
                    item.Nesting + 1
                )
                {
                    IsRawData = true,
                }
            );
        }

        if (dataStart + member.Packed > item.Content.Length)
        {
            throw new MalformedException("zip member longer than the file", member.Header);
        }

        ScanData(item, member, hasPickle, item.Content.Slice(dataStart, member.Packed), path, run);
        return Math.Max(covered, dataStart + member.Packed);
    }

    private static void CompareHeaders(
        ScanItem item,
        Member member,
        byte[] local,
        int nameLength,
        string path,
        ScanRun run
    )
    {
        var name = Encoding.UTF8.GetString(item.Content.Bytes(member.Header + 30, nameLength));
        if (name != member.Name)
        {
            run.Findings.Add(path, ScanClass.Suspicious, "zip.name-mismatch", $"local header says {name}");
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(local.AsSpan(8)) != member.Method)
        {
            run.Findings.Add(path, ScanClass.Suspicious, "zip.method-mismatch", "two compression methods");
        }
    }

    private static void ScanData(ScanItem item, Member member, bool hasPickle, Content packed, string path, ScanRun run)
    {
        if (member.Method is not (0 or 8))
        {
            throw new MalformedException($"zip compression method {member.Method} is not opened");
        }

        if (member.Name.EndsWith('/') && member.Packed == 0)
        {
            return;
        }

        // What a wrong flag, size or checksum makes one reader skip, another reader loads: the data is scanned anyway.
        using var source = packed.AsStream();
        using var spool =
            member.Method == 8
                ? Expansion.Inflate(new DeflateStream(source, CompressionMode.Decompress), member.Packed, run.Budget)
                : null;
        var content = spool is null ? packed : Content.Of(spool);
        run.Scan(
            new ScanItem(path, content, item.Nesting + 1) { IsRawData = hasPickle && IsTorchStorage(member.Name) }
        );
        if (content.Length != member.Plain)
        {
            run.Findings.Add(
                path,
                ScanClass.Suspicious,
                "zip.size-mismatch",
                $"{member.Plain} bytes declared, {content.Length} found"
            );
        }

        if (Crc32.Of(content, run.Budget) != member.Crc)
        {
            run.Findings.Add(path, ScanClass.Suspicious, "zip.crc", "checksum does not match");
        }
    }

    private static bool IsTorchStorage(string name)
    {
        var parts = name.Split('/');
        return parts.Length >= 2
            && (
                (parts[^2] == "data" && parts[^1].Length > 0 && parts[^1].All(char.IsAsciiDigit))
                || parts[^1] is "byteorder" or "version" or ".format_version" or ".storage_alignment"
                || (parts[^2] == ".data" && parts[^1] == "serialization_id")
            );
    }
}

/// <summary>CRC-32 of ISO 3309 as zip uses it.</summary>
internal static class Crc32
{
    private static readonly uint[] Table =
    [
        .. Enumerable
            .Range(0, 256)
            .Select(start =>
                Enumerable.Range(0, 8).Aggregate((uint)start, (crc, _) => (crc >> 1) ^ ((crc & 1) * 0xEDB88320))
            ),
    ];

    public static uint Of(ReadOnlySpan<byte> bytes) => ~Update(uint.MaxValue, bytes);

    public static uint Of(Content content, ScanBudget budget)
    {
        var crc = uint.MaxValue;
        var block = new byte[128 << 10];
        int read;
        for (long at = 0; (read = content.Read(at, block)) > 0; at += read)
        {
            budget.CheckTime();
            crc = Update(crc, block.AsSpan(0, read));
        }

        return ~crc;
    }

    private static uint Update(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            crc = Table[(byte)(crc ^ b)] ^ (crc >> 8);
        }

        return crc;
    }
}
