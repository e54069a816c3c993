using Governance.Scanning.Contracts;
using Governance.Scanning.Engine.Formats;

namespace Governance.Scanning.Engine;

/// <summary>Something to scan: a file or a member of an archive.</summary>
/// <param name="Path">Where it is, members after <c>!</c>.</param>
/// <param name="Content">Its bytes.</param>
/// <param name="Nesting">Archives around it.</param>
internal sealed record ScanItem(string Path, Content Content, int Nesting)
{
    /// <summary>The first bytes, enough for every signature.</summary>
    public byte[] Head { get; } = Content.Head(1024);

    /// <summary>The last segment of the path, lower case.</summary>
    public string Name { get; } = Path[(Path.LastIndexOfAny(['/', '!']) + 1)..].ToLowerInvariant();

    /// <summary>Bytes of a kind that carry no format of their own, such as the storages of a torch archive.</summary>
    public bool IsRawData { get; init; }

    /// <summary>Whether the name ends so.</summary>
    public bool HasExtension(params ReadOnlySpan<string> extensions)
    {
        foreach (var extension in extensions)
        {
            if (Name.EndsWith(extension, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether the content starts so.</summary>
    public bool StartsWith(ReadOnlySpan<byte> signature, int offset = 0) =>
        Head.Length >= offset + signature.Length && Head.AsSpan(offset).StartsWith(signature);
}

/// <summary>One file format. Every format looks at every item, since a file can be several things at once.</summary>
internal interface IFormat
{
    /// <summary>Scans the item and returns true, or returns false because it is not of this format.</summary>
    bool Scan(ScanItem item, ScanRun run);
}

/// <summary>One scan: the formats, the budget and what was found.</summary>
internal sealed class ScanRun(ScanBudget budget)
{
    // One line per format; the order does not matter.
    private static readonly IFormat[] Formats =
    [
        new PickleFormat(),
        new ZipFormat(),
        new TarFormat(),
        new CompressedFormat(),
        new OpaqueArchiveFormat(),
        new NpyFormat(),
        new NativeCodeFormat(),
        new SourceCodeFormat(),
        new YamlFormat(),
        new RequirementsFormat(),
        new JsonFormat(),
        new TemplateFormat(),
        new Hdf5Format(),
        new GgufFormat(),
        new SafetensorsFormat(),
        new SavedModelFormat(),
        new PlainDataFormat(),
    ];

    /// <summary>What may still be spent.</summary>
    public ScanBudget Budget => budget;

    /// <summary>What was found.</summary>
    public Findings Findings { get; } = new();

    /// <summary>Scans one item and everything inside it; hostile content ends in findings, never in an exception.</summary>
    public void Scan(ScanItem item)
    {
        if (item.Nesting > budget.Options.MaxNesting)
        {
            Findings.Add(
                item.Path,
                ScanClass.Unparsable,
                "archive.nested-too-deep",
                "more archives inside archives than allowed"
            );
            return;
        }

        var recognised = item.IsRawData || item.Content.Length == 0;
        foreach (var format in Formats)
        {
            recognised |= Guard(item.Path, () => format.Scan(item, this));
        }

        if (!recognised)
        {
            Findings.Add(item.Path, ScanClass.Suspicious, "format.unknown", "no rule knows this kind of file");
        }
    }

    /// <summary>Runs a part of a scan; a failure becomes a finding and counts as recognised.</summary>
    public bool Guard(string path, Func<bool> scan)
    {
        try
        {
            budget.CheckTime();
            return scan();
        }
        catch (BudgetExceededException exceeded)
        {
            Findings.Add(path, ScanClass.TimedOut, "scan.over-budget", $"over the budget of {exceeded.Message}");
        }
        catch (MalformedException malformed)
        {
            Findings.Add(path, ScanClass.Unparsable, "format.malformed", malformed.Message, malformed.Offset);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // Parsers of the platform throw many types on hostile bytes; each means "not read to its end".
            Findings.Add(path, ScanClass.Unparsable, "format.malformed", $"not readable ({error.GetType().Name})");
        }

        return true;
    }
}
