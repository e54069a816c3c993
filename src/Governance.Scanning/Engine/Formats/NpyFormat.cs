using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Formats;

/// <summary>NumPy arrays: an array of objects is a pickle behind a header (NumPy enhancement proposal 1).</summary>
internal sealed partial class NpyFormat : IFormat
{
    private const int MaxHeader = 64 << 10;

    public bool Scan(ScanItem item, ScanRun run)
    {
        if (!item.StartsWith([0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y']))
        {
            return false;
        }

        if (item.Head.Length < 12 || item.Head[6] is < 1 or > 3)
        {
            throw new MalformedException("npy header");
        }

        var isFirst = item.Head[6] == 1;
        var start = isFirst ? 10 : 12;
        long length = isFirst
            ? BinaryPrimitives.ReadUInt16LittleEndian(item.Head.AsSpan(8))
            : BinaryPrimitives.ReadUInt32LittleEndian(item.Head.AsSpan(8));
        if (length > MaxHeader || start + length > item.Content.Length)
        {
            throw new MalformedException("npy header length");
        }

        var header = Encoding.UTF8.GetString(item.Content.Bytes(start, (int)length));
        var descr = Descr().Match(header);
        if (!descr.Success || header.Contains('\\', StringComparison.Ordinal))
        {
            throw new MalformedException("npy header without a plain type");
        }

        // "O" in any type code, also inside a structured type, means that the data is a pickle.
        if (ObjectCode().IsMatch(header))
        {
            if (start + length == item.Content.Length)
            {
                throw new MalformedException("npy without data");
            }

            PickleFormat.WalkAll(item, run.Findings, run, start + length);
        }
        else if (item.Content.Bytes(start + length, 2) is [0x80, >= 2 and <= 5])
        {
            var inner = new Findings();
            PickleFormat.WalkAll(item, inner, run, start + length);
            if (inner.Worst == ScanClass.Malicious)
            {
                run.Findings.AddAll(inner);
            }
        }

        return true;
    }

    [GeneratedRegex("['\"]descr['\"]\\s*:", RegexOptions.NonBacktracking)]
    private static partial Regex Descr();

    [GeneratedRegex("['\"][|<>=]?[0-9]*O[0-9]*['\"]|object", RegexOptions.NonBacktracking)]
    private static partial Regex ObjectCode();
}
