using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>DSSE v1.0.2 with ECDSA P-256, SHA-256 and DER signatures.</summary>
internal static class Dsse
{
    public const string PayloadType = "application/vnd.in-toto+json";

    /// <summary>Pre-authentication encoding: the type is signed with the payload, so neither can be read as the other.</summary>
    public static byte[] Pae(ReadOnlySpan<byte> payload) =>
        [.. Encoding.UTF8.GetBytes($"DSSEv1 {PayloadType.Length} {PayloadType} {payload.Length} "), .. payload];

    public static byte[] Sign(ECDsa key, ReadOnlySpan<byte> payload) => EcdsaP256.Sign(key, Pae(payload));

    public static bool Verify(ReadOnlySpan<byte> spki, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> signature) =>
        EcdsaP256.Verify(spki, Pae(payload), signature);

    /// <summary>Whether the bytes are a DER sequence of two integers and nothing else; a raw r ‖ s is not.</summary>
    public static bool IsDer(ReadOnlyMemory<byte> signature)
    {
        try
        {
            var reader = new AsnReader(signature, AsnEncodingRules.DER);
            var sequence = reader.ReadSequence();
            reader.ThrowIfNotEmpty();
            _ = sequence.ReadIntegerBytes();
            _ = sequence.ReadIntegerBytes();
            sequence.ThrowIfNotEmpty();
            return true;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }
}
