using System.Security.Cryptography;
using System.Text;

namespace Governance.Identity.Subjects;

/// <summary>Codes that a person copies from one screen to another: letters and digits that can't be mistaken for each other.</summary>
internal static class OneTimeCode
{
    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford's base 32
    private const int Group = 5;

    /// <summary>A random code of groups of 25 bits each, with hyphens between.</summary>
    public static string New(int groups) =>
        string.Join(
            '-',
            RandomNumberGenerator
                .GetItems<char>(Alphabet, groups * Group)
                .Chunk(Group)
                .Select(chars => new string(chars))
        );

    /// <summary>SHA-256 in hex of what was typed, however it was spaced and cased, in the scope that it was made for.</summary>
    public static string Hash(string scope, string code)
    {
        var typed = code.ToUpperInvariant().Replace('O', '0').Replace('I', '1').Replace('L', '1');
        var plain = string.Concat(typed.Where(character => Alphabet.Contains(character, StringComparison.Ordinal)));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{scope}\n{plain}")));
    }
}
