using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Formats;

/// <summary>Programs and libraries, which no model format needs.</summary>
internal sealed class NativeCodeFormat : IFormat
{
    private static readonly (string Name, byte[] Signature)[] Known =
    [
        ("ELF program or library", [0x7f, 0x45, 0x4c, 0x46]),
        ("Mach-O program or library", [0xfe, 0xed, 0xfa, 0xce]),
        ("Mach-O program or library", [0xfe, 0xed, 0xfa, 0xcf]),
        ("Mach-O program or library", [0xce, 0xfa, 0xed, 0xfe]),
        ("Mach-O program or library", [0xcf, 0xfa, 0xed, 0xfe]),
        ("Java class or universal Mach-O", [0xca, 0xfe, 0xba, 0xbe]),
        ("WebAssembly module", [0x00, 0x61, 0x73, 0x6d]),
    ];

    public bool Scan(ScanItem item, ScanRun run)
    {
        var name = Array.Find(Known, known => item.StartsWith(known.Signature)).Name;
        name ??= IsPortableExecutable(item) ? "Windows program or library" : null;
        name ??= item.StartsWith("#!"u8) && !item.IsRawData ? "script" : null;
        name ??= item.HasExtension(
            ".sh",
            ".bash",
            ".bat",
            ".cmd",
            ".ps1",
            ".vbs",
            ".js",
            ".exe",
            ".dll",
            ".so",
            ".dylib",
            ".jar",
            ".pyd"
        )
            ? "program or script by name"
            : null;
        if (name is null)
        {
            return false;
        }

        run.Findings.Add(item.Path, ScanClass.Suspicious, "code.native", name);
        return true;
    }

    private static bool IsPortableExecutable(ScanItem item)
    {
        if (!item.StartsWith("MZ"u8) || item.Head.Length < 64)
        {
            return false;
        }

        var header = BitConverter.ToInt32(item.Head, 60);
        return header > 0 && item.Content.Bytes(header, 4) is [(byte)'P', (byte)'E', 0, 0];
    }
}

/// <summary>Python code, which a model may bring on purpose.</summary>
internal sealed class SourceCodeFormat : IFormat
{
    public bool Scan(ScanItem item, ScanRun run)
    {
        var isSource = item.HasExtension(".py", ".pyc", ".pyo", ".pyx", ".pyw", ".ipynb", ".whl", ".egg");
        if (
            isSource
            || item.Path.StartsWith("code/", StringComparison.OrdinalIgnoreCase)
            || item.Path.Contains("/code/", StringComparison.OrdinalIgnoreCase)
            || item.Path.Contains("!code/", StringComparison.OrdinalIgnoreCase)
        )
        {
            run.Findings.Add(
                item.Path,
                ScanClass.ContainsCode,
                "code.python",
                isSource ? "Python code" : "file of a code folder"
            );
        }

        return isSource;
    }
}
