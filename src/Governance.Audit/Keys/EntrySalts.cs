using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Audit.Engine;
using Governance.Audit.Sequencing;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Platform.Logging;

namespace Governance.Audit.Keys;

/// <summary>What can be read of an entry's leaf.</summary>
/// <param name="LeafHash">RFC 6962 hash of the leaf that the entry is.</param>
/// <param name="Salt">32 bytes; null when it was erased.</param>
/// <param name="Erased">The erasure that took the salt; null while it is there.</param>
internal sealed record LeafReading(byte[] LeafHash, byte[]? Salt, SubjectErasure? Erased);

/// <summary>
/// Salts of leaves, and what is personal in entries, under the keys of those whom the entry is by and about. Destroying either
/// key makes the salt unreadable for good. Thread-safe.
/// </summary>
internal sealed class EntrySalts(SubjectKeys keys, PlatformOptions platform, IKeyWrap wrap, TimeProvider clock)
{
    private const string AboutSubject = "subject:";

    // Of the log, not of anybody: it binds texts to leaves, and reads nothing.
    private readonly byte[] _macKey = WrappedKeyFile
        .LoadOrCreate(
            Path.Combine(platform.DataDirectory, "keys", "entries.key"),
            "audit-entries-key",
            wrap,
            clock,
            () => RandomNumberGenerator.GetBytes(32)
        )
        .Key;

    /// <summary>
    /// The keys that an entry is sealed under: its actor's, made if there is none, and its subject's if that has one. None for the
    /// gateway, for nobody, for what receipts prove, and for who is erased.
    /// </summary>
    public async ValueTask<IReadOnlyList<SubjectCipher>> KeysOfAsync(
        LogEntry entry,
        CancellationToken cancellationToken
    )
    {
        if (entry.Keeps)
        {
            return [];
        }

        var actor =
            entry.Actor.Kind is ActorKind.Person or ActorKind.Service && entry.Actor.Id.Length > 0
                ? await keys.GetOrCreateAsync(entry.Actor.Id, cancellationToken)
                : null;
        var subject =
            SubjectOf(entry.Subject) is { } id && id != actor?.Subject
                ? await keys.FindAsync(id, cancellationToken)
                : null;
        return (actor is { Erased: null }, subject is { Erased: null }) switch
        {
            (true, true) => [actor!, subject!],
            (true, false) => [actor!],
            (false, true) => [subject!],
            _ => [],
        };
    }

    /// <summary>Puts what is personal into the details, sealed; leaves it out when its subject is erased.</summary>
    public async ValueTask<LogEntry> SealPersonalAsync(Guid id, LogEntry entry, CancellationToken cancellationToken)
    {
        if (entry.Personal is not { } personal)
        {
            return entry;
        }

        var subject =
            SubjectOf(entry.Subject)
            ?? throw new ArgumentException("Personal details belong to the subject of an entry.", nameof(entry));
        var key = await keys.GetOrCreateAsync(subject, cancellationToken);
        if (key.Seal(CanonicalJson.Serialize(personal), Context(id, personal: true)) is not { } box)
        {
            return entry;
        }

        var details = (JsonObject)entry.Details.DeepClone();
        details["personal"] = Convert.ToBase64String(box);
        return entry with { Details = details };
    }

    /// <summary>What is personal in an entry, in clear; null when there is nothing, or nothing any more.</summary>
    public async ValueTask<JsonObject?> OpenPersonalAsync(
        Guid id,
        string subject,
        JsonNode? sealedText,
        CancellationToken cancellationToken
    ) =>
        sealedText is JsonValue value
        && value.TryGetValue<string>(out var text)
        && StrictBase64.TryDecode(text) is { Length: >= SubjectCipher.Overhead } box
        && SubjectOf(subject) is { } about
        && await keys.FindAsync(about, cancellationToken) is { } key
        && key.Open(box, Context(id, personal: true)) is { } plain
            ? CanonicalJson.TryParse(plain) as JsonObject
            : null;

    /// <summary>The stored form of a salt: in clear when nobody's key is to seal it.</summary>
    public byte[] Seal(Guid id, IReadOnlyList<SubjectCipher> sealing, byte[] salt, string canonical)
    {
        var box = salt;
        var subjects = new List<string>(sealing.Count);
        foreach (var key in sealing)
        {
            // Else erased this very moment, by another gateway or beside this unit, as if before; the other's key still seals.
            if (key.Seal(box, Context(id, personal: false)) is { } layer)
            {
                box = layer;
                subjects.Add(key.Subject);
            }
        }

        return subjects.Count == 0
            ? salt
            : new SealedSalt(subjects, EntryText.LeafData(salt, canonical), box).Pack(_macKey, canonical);
    }

    /// <summary>The hash of the leaf of an entry, which needs nobody's key; null when text and salt do not belong together.</summary>
    public byte[]? LeafHash(byte[] stored, string canonical) =>
        stored.Length == EntryText.SaltSize ? EntryText.LeafHash(stored, canonical)
        : SealedSalt.Unpack(stored, _macKey, canonical) is { } packed ? MerkleTree.HashLeaf(packed.LeafData)
        : null;

    /// <summary>
    /// Reads the salt of an entry. Codes <c>audit.entry_altered</c>, <c>audit.subject_key_missing</c>.
    /// </summary>
    public async ValueTask<Result<LeafReading>> OpenAsync(
        Guid id,
        byte[] stored,
        string canonical,
        CancellationToken cancellationToken
    )
    {
        if (stored.Length == EntryText.SaltSize)
        {
            return new LeafReading(EntryText.LeafHash(stored, canonical), stored, null);
        }

        if (SealedSalt.Unpack(stored, _macKey, canonical) is not { } packed)
        {
            return LogFailures.EntryAltered;
        }

        var hash = MerkleTree.HashLeaf(packed.LeafData);
        var ciphers = new List<SubjectCipher>(packed.Subjects.Count);
        foreach (var subject in packed.Subjects)
        {
            if (await keys.FindAsync(subject, cancellationToken) is not { } key)
            {
                return LogFailures.SubjectKeyMissing;
            }

            ciphers.Add(key);
        }

        var box = packed.Box;
        for (var i = ciphers.Count - 1; i >= 0; i--)
        {
            try
            {
                if (ciphers[i].Open(box, Context(id, personal: false)) is not { } layer)
                {
                    return new LeafReading(hash, null, ciphers[i].Erased);
                }

                box = layer;
            }
            catch (CryptographicException)
            {
                // Its seal holds, so these bytes are the gateway's: the key is another one than the one that sealed them.
                return LogFailures.SubjectKeyMissing;
            }
        }

        return CryptographicOperations.FixedTimeEquals(EntryText.LeafData(box, canonical), packed.LeafData)
            ? new LeafReading(hash, box, null)
            : LogFailures.EntryAltered;
    }

    /// <summary>Of whom an entry is, when its subject is a person or service; else null.</summary>
    public static string? SubjectOf(string urn) =>
        urn.StartsWith(AboutSubject, StringComparison.Ordinal)
        && urn.Length - AboutSubject.Length is > 0 and <= SealedSalt.MaxSubjectLength
            ? urn[AboutSubject.Length..]
            : null;

    private static byte[] Context(Guid id, bool personal) =>
        [(byte)(personal ? 1 : 0), .. id.ToByteArray(bigEndian: true)];
}
