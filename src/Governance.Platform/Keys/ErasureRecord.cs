using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;

namespace Governance.Platform.Keys;

/// <summary>
/// An erasure as key stores keep it, wrapped: who can write to the store alone cannot have somebody erased. Inside: entry (16 bytes) ‖
/// time (milliseconds, 8) ‖ subject (UTF-8).
/// </summary>
internal static class ErasureRecord
{
    private const int Header = 16 + sizeof(long);
    private const string Purpose = "subject-erasure";

    public static byte[] Seal(SubjectErasure erasure, IKeyWrap wrap)
    {
        byte[] content =
        [
            .. erasure.EntryId.ToByteArray(bigEndian: true),
            .. new byte[sizeof(long)],
            .. Encoding.UTF8.GetBytes(erasure.Subject),
        ];
        BinaryPrimitives.WriteInt64BigEndian(content.AsSpan(16), erasure.At.ToUnixTimeMilliseconds());
        return wrap.Wrap(content, Purpose);
    }

    /// <summary>Code <c>keys.erasure_forged</c>. The caller compares whose it is with where it stands.</summary>
    public static Result<SubjectErasure> Open(ReadOnlySpan<byte> record, IKeyWrap wrap)
    {
        byte[] content;
        try
        {
            content = wrap.Unwrap(record, Purpose);
        }
        catch (CryptographicException)
        {
            return SubjectKeyException.ErasureForged;
        }

        return new SubjectErasure(
            Encoding.UTF8.GetString(content.AsSpan(Header)),
            new Guid(content.AsSpan(0, 16), bigEndian: true),
            DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64BigEndian(content.AsSpan(16)))
        );
    }
}
