using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Logging;

namespace Governance.Audit.Engine;

/// <summary>The canonical form of an entry and the leaf it becomes.</summary>
internal static class EntryText
{
    public const int Version = 1;
    public const int SaltSize = 32;

    /// <summary>How the member of the details begins that holds what is personal, sealed.</summary>
    public const string Personal = "\"personal\":\"";

    public static string Canonical(Guid id, DateTimeOffset at, LogEntry entry) =>
        CanonicalJson.SerializeToString(
            new JsonObject
            {
                ["v"] = Version,
                ["id"] = id.ToString(),
                ["at"] = at.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
                ["kind"] = entry.Kind,
                ["actor"] = new JsonObject
                {
                    ["id"] = entry.Actor.Id,
                    ["kind"] = entry.Actor.Kind.ToString().ToLowerInvariant(),
                },
                ["subject"] = entry.Subject,
                ["outcome"] = Name(entry.Outcome),
                ["details"] = entry.Details.DeepClone(),
            }
        );

    public static string Name(LogOutcome outcome) =>
        outcome switch
        {
            LogOutcome.Done => "done",
            LogOutcome.Refused => "refused",
            LogOutcome.Begun => "begun",
            _ => throw new ArgumentOutOfRangeException(nameof(outcome)),
        };

    /// <summary>SHA-256(salt ‖ canonical): what is public of an entry. The salt keeps it from being guessed.</summary>
    public static byte[] LeafData(ReadOnlySpan<byte> salt, string canonical) =>
        SHA256.HashData([.. salt, .. Encoding.UTF8.GetBytes(canonical)]);

    /// <summary>RFC 6962 hash of that leaf.</summary>
    public static byte[] LeafHash(ReadOnlySpan<byte> salt, string canonical) =>
        MerkleTree.HashLeaf(LeafData(salt, canonical));
}
