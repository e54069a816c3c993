using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Governance.Identity.Engine;

/// <summary>Time-based one-time passwords (RFC 6238): six digits, 30 seconds, HMAC-SHA-1 because many apps know nothing else.</summary>
internal static class Totp
{
    /// <summary>Length of a key in bytes (RFC 4226 §4, R6).</summary>
    public const int KeyBytes = 20;
    private const int Period = 30;
    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    /// <summary>The time step of a moment.</summary>
    public static long StepOf(DateTimeOffset now) => now.ToUnixTimeSeconds() / Period;

    /// <summary>
    /// The step whose code this is: the one at hand or a neighbour, for clocks that differ, and newer than
    /// <paramref name="after"/>, so that no code counts twice. Null when there is none.
    /// </summary>
    public static long? Match(ReadOnlySpan<byte> key, string code, long step, long after)
    {
        long? match = null;
        for (var candidate = step - 1; candidate <= step + 1; candidate++)
        {
            var right = CryptographicOperations.FixedTimeEquals(
                Encoding.ASCII.GetBytes(Code(key, candidate)),
                Encoding.ASCII.GetBytes(code)
            );
            if (right && candidate > after)
            {
                match = candidate;
            }
        }

        return match;
    }

    /// <summary>The code of a step (RFC 4226 §5.3).</summary>
    public static string Code(ReadOnlySpan<byte> key, long step)
    {
        Span<byte> counter = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(counter, step);
        Span<byte> mac = stackalloc byte[HMACSHA1.HashSizeInBytes];
#pragma warning disable CA5350 // RFC 6238 §1.2: the MAC is sound although the hash is not, and apps know no other
        HMACSHA1.HashData(key, counter, mac);
#pragma warning restore CA5350
        var number = BinaryPrimitives.ReadInt32BigEndian(mac[(mac[^1] & 0xf)..]) & int.MaxValue;
        return (number % 1_000_000).ToString("D6", CultureInfo.InvariantCulture);
    }

    /// <summary>The key as people type it into an app (RFC 4648 §6, no padding).</summary>
    public static string Text(ReadOnlySpan<byte> key)
    {
        var text = new StringBuilder();
        int buffer = 0,
            bits = 0;
        foreach (var next in key)
        {
            buffer = ((buffer << 8) | next) & 0xffff;
            for (bits += 8; bits >= 5; bits -= 5)
            {
                text.Append(Base32[(buffer >> (bits - 5)) & 31]);
            }
        }

        return bits == 0 ? text.ToString() : text.Append(Base32[(buffer << (5 - bits)) & 31]).ToString();
    }
}
