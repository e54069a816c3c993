using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Governance.Identity.Server;

namespace Governance.Identity.Access;

/// <summary>
/// Nonces of RFC 9449 §8 without memory: a keyed hash over the minute, so every gateway accepts those of the others. One is
/// good for two to three minutes; the replay store sees to single use.
/// </summary>
internal sealed class DpopNonces(ServerKeys keys, TimeProvider clock)
{
    private const int Kept = 2;

    public string Current() => Of(Minute());

    public bool Accepts(string? nonce)
    {
        var given = Encoding.UTF8.GetBytes(nonce ?? "");
        return Enumerable
            .Range(0, Kept + 1)
            .Any(age => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(Of(Minute() - age)), given));
    }

    private long Minute() => clock.GetUtcNow().ToUnixTimeSeconds() / 60;

    private string Of(long minute)
    {
        Span<byte> message = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(message, minute);
        return Base64Url.EncodeToString(HMACSHA256.HashData(keys.NonceKey, message).AsSpan(0, 18));
    }
}
