using Governance.Scanning.Contracts;
using Governance.Scanning.Engine.Pickle;

namespace Governance.Scanning.Engine.Formats;

/// <summary>Pickles, whatever the file is called: one or several in a row, with nothing after the last.</summary>
internal sealed class PickleFormat : IFormat
{
    private const int LegacyTorchPickles = 5;

    public bool Scan(ScanItem item, ScanRun run)
    {
        if (item.Content.Length == 0)
        {
            return false;
        }

        // A zip, an array or a compressed file may carry the extension of a pickle; its own format reads it.
        var named = item.HasExtension(".pkl", ".pickle", ".joblib", ".dill", ".pck", ".sav");
        if (item.Head is [0x80, <= 5, ..])
        {
            // Raw numbers may start like a pickle; then only what they would import counts.
            var found = item.IsRawData ? new Findings() : run.Findings;
            WalkAll(item, found, run);
            if (item.IsRawData && found.Worst == ScanClass.Malicious)
            {
                run.Findings.AddAll(found);
            }

            return true;
        }

        return Tentative(item, run) || (named && !HasOtherSignature(item) && NotAPickle(item, run));
    }

    // Protocols 0 and 1 have no signature. What walks to its end is a pickle; what breaks off after reaching for
    // something dangerous is one that was broken on purpose.
    private static bool Tentative(ScanItem item, ScanRun run)
    {
        var inner = new Findings();
        var walker = new PickleWalker(item.Content, 0, item.Path, inner, run.Budget, item.Nesting);
        try
        {
            walker.Walk();
        }
        catch (MalformedException malformed)
        {
            if (inner.Worst != ScanClass.Malicious)
            {
                return false;
            }

            run.Findings.AddAll(inner);
            run.Findings.Add(item.Path, ScanClass.Unparsable, "pickle.malformed", malformed.Message, malformed.Offset);
            return true;
        }

        if (!walker.SawImport && inner.Worst == ScanClass.Clean && walker.Position != item.Content.Length)
        {
            return false;
        }

        WalkAll(item, run.Findings, run);
        return true;
    }

    private static bool NotAPickle(ScanItem item, ScanRun run)
    {
        run.Findings.Add(item.Path, ScanClass.Unparsable, "pickle.malformed", "named like a pickle and is none");
        return true;
    }

    private static bool HasOtherSignature(ScanItem item) =>
        item.StartsWith("PK"u8)
        || item.StartsWith([0x1f, 0x8b])
        || item.StartsWith([0x78])
        || item.StartsWith("\x93NUMPY"u8[1..])
        || item.StartsWith([0x93, (byte)'N'])
        || item.StartsWith("BZh"u8)
        || item.StartsWith([0xfd, (byte)'7'])
        || item.StartsWith([0x04, 0x22, 0x4d, 0x18])
        || item.StartsWith([0x28, 0xb5, 0x2f, 0xfd])
        || item.StartsWith([0x5d, 0x00, 0x00])
        || item.StartsWith("7z"u8)
        || item.StartsWith("Rar!"u8);

    /// <summary>Walks every pickle of an item, from an offset to the end.</summary>
    public static void WalkAll(ScanItem item, Findings findings, ScanRun run, long start = 0)
    {
        var position = start;
        var isLegacyTorch = false;
        for (var count = 0; position < item.Content.Length; count++)
        {
            if (isLegacyTorch && count == LegacyTorchPickles)
            {
                return;
            }

            run.Budget.TakeOpcodes(16);
            var walker = new PickleWalker(item.Content, position, item.Path, findings, run.Budget, item.Nesting);
            try
            {
                var value = walker.Walk();
                isLegacyTorch |= count == 0 && ReferenceEquals(value, PickleWalker.LegacyTorch);
                position = walker.Position;
            }
            catch (MalformedException malformed)
            {
                var (rule, detail) =
                    count == 0
                        ? ("pickle.malformed", malformed.Message)
                        : ("pickle.trailing-data", $"data after STOP is no pickle: {malformed.Message}");
                findings.Add(item.Path, ScanClass.Unparsable, rule, detail, malformed.Offset);
                return;
            }
        }
    }
}
