using System.Security.Cryptography;
using System.Text;

namespace Governance.Privacy.Engine;

/// <summary>Proves that a column is an unkeyed hash of another one: hashes the neighbour's values of the first rows and compares.</summary>
internal static class HashLink
{
    /// <summary>Rows kept in memory during the scan.</summary>
    public const int Rows = 200;

    /// <summary>The column and evidence, or null.</summary>
    public static (string Column, string Evidence)? Find(
        IReadOnlyList<string[]> rows,
        int column,
        IReadOnlyList<string> names
    )
    {
        if (!rows.Any(row => ShapeOf.Value(row[column]) is Shape.HexHash or Shape.Base64))
        {
            return null;
        }

        for (var other = 0; other < names.Count; other++)
        {
            if (other == column)
            {
                continue;
            }

            var hits = rows.Count(row => row[other].Length > 0 && Matches(row[column], row[other]));
            if (hits >= 3 && hits * 2 >= rows.Count)
            {
                return (names[other], $"unkeyed hash of column '{names[other]}' in {hits} of {rows.Count} rows tried");
            }
        }

        return null;
    }

    /// <summary>Whether a text is MD5, SHA-1 or SHA-256 of a value as written, in lower case or of its letters and digits only.</summary>
    public static bool Matches(string hash, string value) =>
        new[] { value, value.ToLowerInvariant(), string.Concat(value.Where(char.IsLetterOrDigit)) }
            .Distinct(StringComparer.Ordinal)
            .Any(form => Hashes(Encoding.UTF8.GetBytes(form)).Any(bytes => Equal(hash, bytes)));

    private static bool Equal(string hash, byte[] bytes) =>
        hash.Equals(Convert.ToHexString(bytes), StringComparison.OrdinalIgnoreCase)
        || hash == Convert.ToBase64String(bytes);

#pragma warning disable RS0030, CA5350, CA5351 // broken hashes are tried because tables hold them, not to protect anything
    private static IEnumerable<byte[]> Hashes(byte[] value) =>
        [SHA256.HashData(value), SHA1.HashData(value), MD5.HashData(value)];
#pragma warning restore RS0030, CA5350, CA5351
}
