using System.IO.Compression;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Formats;

/// <summary>gzip and zlib streams, as joblib writes them.</summary>
internal sealed class CompressedFormat : IFormat
{
    public bool Scan(ScanItem item, ScanRun run)
    {
        var isGzip = item.StartsWith([0x1f, 0x8b, 0x08]);
        var isZlib = item.Head is [0x78, 0x01 or 0x5e or 0x9c or 0xda, ..];
        if (!isGzip && !isZlib)
        {
            return false;
        }

        // Two bytes are a weak signature: raw data that does not inflate at all is not zlib.
        if (isZlib && !Inflates(item))
        {
            return false;
        }

        using var source = item.Content.AsStream();
        using Stream inflater = isGzip
            ? new GZipStream(source, CompressionMode.Decompress)
            : new ZLibStream(source, CompressionMode.Decompress);
        using var spool = Expansion.Inflate(inflater, item.Content.Length, run.Budget);
        run.Scan(new ScanItem($"{item.Path}!content", Content.Of(spool), item.Nesting + 1));
        return true;
    }

    private static bool Inflates(ScanItem item)
    {
        try
        {
            using var inflater = new ZLibStream(new MemoryStream(item.Head), CompressionMode.Decompress);
            return inflater.ReadByte() >= 0;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }
}

/// <summary>Decompression under the budgets of bytes and ratio.</summary>
internal static class Expansion
{
    private const long RatioFreeBytes = 16 << 20;

    /// <summary>Inflates into something seekable.</summary>
    public static Stream Inflate(Stream inflater, long compressed, ScanBudget budget)
    {
        long total = 0;
        return Spool.Copy(
            inflater,
            budget.Options.MaxMemoryBytes,
            count =>
            {
                budget.TakeExpanded(count);
                total += count;
                if (total > RatioFreeBytes && total / Math.Max(compressed, 1) > budget.Options.MaxRatio)
                {
                    throw new BudgetExceededException("compression ratio");
                }
            }
        );
    }
}

/// <summary>Containers that are not opened here, so nothing is known about what they hold.</summary>
internal sealed class OpaqueArchiveFormat : IFormat
{
    private static readonly (string Name, byte[] Signature)[] Known =
    [
        ("7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]),
        ("rar", [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]),
        ("bzip2", [0x42, 0x5a, 0x68]),
        ("xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]),
        ("lzma", [0x5d, 0x00, 0x00]),
        ("lz4", [0x04, 0x22, 0x4d, 0x18]),
        ("zstd", [0x28, 0xb5, 0x2f, 0xfd]),
        ("compress", [0x1f, 0x9d]),
        ("cab", [0x4d, 0x53, 0x43, 0x46]),
        ("lzip", [0x4c, 0x5a, 0x49, 0x50]),
        ("old joblib", [0x5a, 0x46, 0x30, 0x78]),
    ];

    public bool Scan(ScanItem item, ScanRun run)
    {
        foreach (var (name, signature) in Known)
        {
            if (item.StartsWith(signature) && !(item.IsRawData && signature.Length < 4))
            {
                run.Findings.Add(item.Path, ScanClass.Unparsable, "archive.opaque", $"{name} content is not opened");
                return true;
            }
        }

        return false;
    }
}
