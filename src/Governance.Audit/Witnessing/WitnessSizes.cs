using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Governance.Platform.Blobs;

namespace Governance.Audit.Witnessing;

/// <summary>The largest size cosigned of each log, in a file beside the key: one line each, and a digest of them at the end.</summary>
internal sealed class WitnessSizes
{
    private const int MaxLength = 1 << 20;
    private readonly string _path;
    private SortedDictionary<string, long>? _sizes;

    public WitnessSizes(string keyFile)
    {
        _path = PathOf(keyFile);
        _sizes = Read(_path);
    }

    public static void Create(string keyFile)
    {
        if (!File.Exists(PathOf(keyFile)))
        {
            DurableFile.WriteSecret(PathOf(keyFile), Encoding.UTF8.GetBytes(Text([])));
        }
    }

    /// <summary>False when the file is missing or not as it was written.</summary>
    public bool IsWhole => _sizes is not null;

    /// <summary>0 for a log that is not in it.</summary>
    public long Of(string log) => _sizes?.GetValueOrDefault(log) ?? 0;

    /// <summary>Durable when it returns.</summary>
    public void Set(string log, long size)
    {
        var next = new SortedDictionary<string, long>(_sizes ?? [], StringComparer.Ordinal) { [log] = size };
        DurableFile.WriteSecret(_path, Encoding.UTF8.GetBytes(Text(next)));
        _sizes = next;
    }

    private static string PathOf(string keyFile) => $"{keyFile}.sizes";

    private static string Text(SortedDictionary<string, long> sizes)
    {
        var lines = string.Concat(
            sizes.Select(size => string.Create(CultureInfo.InvariantCulture, $"{size.Key} {size.Value}\n"))
        );
        return $"{lines}{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(lines)))}\n";
    }

    private static SortedDictionary<string, long>? Read(string path)
    {
        if (!File.Exists(path) || new FileInfo(path).Length > MaxLength)
        {
            return null;
        }

        var text = File.ReadAllText(path);
        var sizes = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var parts in text.Split('\n').Select(line => line.Split(' ')).Where(parts => parts.Length == 2))
        {
            if (!long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size))
            {
                return null;
            }

            sizes[parts[0]] = size;
        }

        return Text(sizes) == text ? sizes : null;
    }
}
