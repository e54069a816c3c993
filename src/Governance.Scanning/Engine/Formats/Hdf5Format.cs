using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Formats;

/// <summary>HDF5 files of Keras: the configuration is JSON text inside, searched for layers that carry code.</summary>
internal sealed class Hdf5Format : IFormat
{
    public bool Scan(ScanItem item, ScanRun run)
    {
        if (!item.StartsWith([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]))
        {
            return false;
        }

        ByteSearch.Any(
            item,
            run,
            ["\"Lambda\"", "__lambda__", "TorchModuleWrapper"],
            (found, offset) =>
                run.Findings.Add(
                    item.Path,
                    ScanClass.Malicious,
                    "keras.lambda",
                    $"layer {found.Trim('"')} carries code",
                    offset
                )
        );
        return true;
    }
}

/// <summary>TensorFlow graphs: operations that read, write or run something outside of the graph.</summary>
internal sealed class SavedModelFormat : IFormat
{
    public bool Scan(ScanItem item, ScanRun run)
    {
        if (!item.HasExtension(".pb", ".onnx", ".tflite"))
        {
            return false;
        }

        ByteSearch.Any(
            item,
            run,
            item.HasExtension(".onnx")
                ? ["../", "..\\", "file://"]
                : ["ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PrintV2"],
            (found, offset) => run.Findings.Add(item.Path, ScanClass.Suspicious, "graph.reaches-outside", found, offset)
        );
        return true;
    }
}

/// <summary>Searches content for a few ASCII texts.</summary>
internal static class ByteSearch
{
    private const int Block = 256 << 10;
    private const int Overlap = 64;

    public static void Any(ScanItem item, ScanRun run, string[] needles, Action<string, long> found)
    {
        var encoded = Array.ConvertAll(needles, System.Text.Encoding.ASCII.GetBytes);
        var block = new byte[Block];
        int read;
        for (long at = 0; (read = item.Content.Read(at, block)) > 0; at += Block - Overlap)
        {
            run.Budget.CheckTime();
            for (var i = 0; i < encoded.Length; i++)
            {
                var index = block.AsSpan(0, read).IndexOf(encoded[i]);
                if (index >= 0)
                {
                    found(needles[i], at + index);
                }
            }
        }
    }
}
