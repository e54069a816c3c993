using System.Buffers;
using System.Collections.Frozen;
using System.IO.Compression;
using Governance.Kernel;

namespace Governance.Identity.Engine;

/// <summary>What names, passwords and secrets must look like. Length and a list of common passwords, no composition rules (NIST SP 800-63B §3.1.1.2).</summary>
internal static class AccountRules
{
    public const int MinPassword = 15;
    public const int MaxPassword = 256;
    private const int MinSecret = 32;
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyz0123456789._@-"
    );
    private static readonly FrozenSet<string> Common = ReadCommon();

    /// <summary>The first rule that a name breaks, or null.</summary>
    public static Failure? CheckName(string name) =>
        name.Length is > 0 and <= 64 && !name.AsSpan().ContainsAnyExcept(NameCharacters)
            ? null
            : Failure.Invalid(
                "identity.bad_name",
                "A user name or client id has 1 to 64 characters of a-z, 0-9, dot, underscore, hyphen and @."
            );

    public static Failure? CheckDisplayName(string name) =>
        name.Trim().Length is > 0 and <= 128 && name.Length <= 128 && !name.Any(char.IsControl)
            ? null
            : Failure.Invalid(
                "identity.bad_display_name",
                "A display name has 1 to 128 characters and no control characters."
            );

    public static Failure? CheckPassword(Secret password)
    {
        var text = password.Reveal();
        var reason =
            text.EnumerateRunes().Count() < MinPassword
                ? $"A password needs at least {MinPassword} characters; several words make a good one."
            : text.Length > MaxPassword ? $"A password has at most {MaxPassword} characters."
            : IsCommon(text) ? "That password is among the most common ones; choose another."
            : null;
        return reason is null ? null : Failure.Invalid("identity.weak_password", reason);
    }

    public static Failure? CheckSecret(Secret secret) =>
        secret.Reveal().Length is >= MinSecret and <= MaxPassword
            ? null
            : Failure.Invalid("identity.weak_secret", "A client secret has 32 to 256 characters.");

    // Common passwords are short: what people do to reach a length is to repeat them, to join two, or to count on.
    private static bool IsCommon(string password)
    {
        var lower = password.ToLowerInvariant();
        return Common.Contains(lower)
            || Period(lower) <= 4
            || Common.Contains(lower.TrimEnd("0123456789!?.*#$@-_ ".ToCharArray()))
            || Enumerable
                .Range(1, lower.Length - 1)
                .Any(at => Common.Contains(lower[..at]) && Common.Contains(lower[at..]));
    }

    private static int Period(string text)
    {
        for (var period = 1; period <= 4; period++)
        {
            if (text.AsSpan(period).SequenceEqual(text.AsSpan(0, text.Length - period)))
            {
                return period;
            }
        }

        return int.MaxValue;
    }

    private static FrozenSet<string> ReadCommon()
    {
        using var stream =
            typeof(AccountRules).Assembly.GetManifestResourceStream("common-passwords.txt.gz")
            ?? throw new InvalidOperationException("The list of common passwords is not in the assembly.");
        using var plain = new GZipStream(stream, CompressionMode.Decompress);
        using var reader = new StreamReader(plain);
        return reader
            .ReadToEnd()
            .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .ToFrozenSet(StringComparer.Ordinal);
    }
}
