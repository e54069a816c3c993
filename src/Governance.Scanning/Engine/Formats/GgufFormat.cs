using System.Buffers.Binary;
using System.Text;

namespace Governance.Scanning.Engine.Formats;

/// <summary>GGUF metadata: the chat template is a program that the loader runs.</summary>
internal sealed class GgufFormat : IFormat
{
    private const int MaxEntries = 100_000;
    private const long MaxText = 64 << 20;
    private static readonly int[] Sizes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

    public bool Scan(ScanItem item, ScanRun run)
    {
        if (!item.StartsWith("GGUF"u8))
        {
            return false;
        }

        var cursor = new Cursor(item.Content, 16);
        var entries = cursor.Number(8);
        if (entries > MaxEntries)
        {
            throw new MalformedException("GGUF entry count");
        }

        for (long i = 0; i < entries; i++)
        {
            run.Budget.CheckTime();
            var key = cursor.Text(MaxDocument(run));
            var type = cursor.Number(4);
            if (type == 8 && key.Contains("template", StringComparison.Ordinal))
            {
                TemplateRules.Judge(item.Path, cursor.Text(MaxDocument(run)), run.Findings);
            }
            else
            {
                Skip(cursor, type, run, 0);
            }
        }

        return true;
    }

    private static long MaxDocument(ScanRun run) => run.Budget.Options.MaxDocumentBytes;

    private static void Skip(Cursor cursor, long type, ScanRun run, int depth)
    {
        switch (type)
        {
            case 8:
                cursor.Skip(Bounded(cursor.Number(8), MaxText));
                break;
            case 9 when depth < 4:
                var inner = cursor.Number(4);
                var count = cursor.Number(8);
                if (inner is >= 0 and < 8 or >= 10 and <= 12)
                {
                    cursor.Skip(Bounded(count, MaxText) * Sizes[inner]);
                    break;
                }

                for (long i = 0; i < count; i++)
                {
                    if ((i & 0xFFF) == 0)
                    {
                        run.Budget.CheckTime();
                    }

                    Skip(cursor, inner, run, depth + 1);
                }

                break;
            case >= 0 and < 8 or >= 10 and <= 12:
                cursor.Skip(Sizes[type]);
                break;
            default:
                throw new MalformedException("GGUF value type");
        }
    }

    private static long Bounded(long value, long limit) =>
        value <= limit ? value : throw new MalformedException("GGUF length");

    private sealed class Cursor(Content content, long position)
    {
        private readonly Pickle.PickleInput _input = new(content, position);

        public long Number(int bytes) => _input.Unsigned(bytes);

        public void Skip(long count) => _input.Skip(count);

        public string Text(long limit)
        {
            var length = Bounded(_input.Unsigned(8), limit);
            var start = _input.Position;
            _input.Skip(length);
            return Encoding.UTF8.GetString(content.Bytes(start, (int)length));
        }
    }
}

/// <summary>safetensors: a JSON header with the place of each tensor.</summary>
internal sealed class SafetensorsFormat : IFormat
{
    private const long MaxHeader = 100_000_000;

    public bool Scan(ScanItem item, ScanRun run)
    {
        if (!item.HasExtension(".safetensors"))
        {
            return false;
        }

        var length = item.Head.Length >= 8 ? BinaryPrimitives.ReadInt64LittleEndian(item.Head) : -1;
        if (length < 2 || length > Math.Min(MaxHeader, item.Content.Length - 8))
        {
            throw new MalformedException("safetensors header length");
        }

        using var header = System.Text.Json.JsonDocument.Parse(item.Content.Bytes(8, (int)length));
        long end = 0;
        var data = item.Content.Length - 8 - length;
        var tensors = header
            .RootElement.EnumerateObject()
            .Where(member => member.Name != "__metadata__")
            .Select(member => member.Value.GetProperty("data_offsets"))
            .Select(offsets => (From: offsets[0].GetInt64(), To: offsets[1].GetInt64()))
            .OrderBy(range => range);
        foreach (var (from, to) in tensors)
        {
            if (from != end || to < from || to > data)
            {
                throw new MalformedException("safetensors tensors overlap or leave gaps");
            }

            end = to;
        }

        return end == data ? true : throw new MalformedException("safetensors data after the last tensor");
    }
}
