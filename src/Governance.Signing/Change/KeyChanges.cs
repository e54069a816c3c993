using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Governance.Signing.Contracts;
using Governance.Signing.Keys;
using Governance.Signing.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Governance.Signing.Change;

/// <summary>
/// Replaces and revokes keys. A new key is durable before anything names it, published before it signs, and the old one counts a
/// while longer, so that no gateway signs with a key that another one does not know yet, or that counts no more.
/// </summary>
internal sealed partial class KeyChanges(
    KeyRing ring,
    KeyCatalogue catalogue,
    GatewaySigner signer,
    Authorities authorities,
    ISignatureLog signatures,
    IEnumerable<IRevocationWatch> watches,
    IWriter writer,
    SigningOptions options,
    ILogger<KeyChanges> logger
)
{
    private const int Batch = 500;
    private const int MaxReason = 500;

    // Longer than a gateway needs to learn of the new key, clocks that differ included.
    private static readonly TimeSpan Overlap = TimeSpan.FromMinutes(1);
    private static readonly Failure Unknown = Failure.NotFound("keys.unknown", "There is no such key.");

    public async Task<Result<KnownKey>> RotateAsync(Actor by, string name, CancellationToken cancellationToken)
    {
        if (!KeyCatalogue.Names.Contains(name))
        {
            return await RefuseAsync(by, name, "signing.key_rotated", Unknown);
        }

        if (Make(name) is not { } file)
        {
            return await RefuseAsync(by, name, "signing.key_rotated", KeyUnavailableException.Failure);
        }

        var rotated = await writer.WriteAsync<KeyGeneration>(
            async (session, token) =>
            {
                var active = session.Now.AddSeconds(options.RotationLeadSeconds);
                var added = await ring.AddAsync(session, name, file, active, active + Overlap, token);
                if (!added.Ok)
                {
                    return added.Failure;
                }

                await session.LogAsync(
                    new LogEntry("signing.key_rotated", by, $"key:{name}", LogOutcome.Done)
                    {
                        Details = new JsonObject { ["activeFrom"] = Time(active), ["number"] = added.Value.Number },
                    },
                    token
                );
                return added.Value;
            },
            cancellationToken
        );
        return rotated.Ok
            ? catalogue.All.Single(key => key.Generation.Name == name && key.Generation.Number == rotated.Value.Number)
            : await RefuseAsync(by, name, "signing.key_rotated", rotated.Failure);
    }

    /// <summary>Returns how many signatures do not count any more.</summary>
    public async Task<Result<int>> RevokeAsync(
        Actor by,
        string keyId,
        DateTimeOffset from,
        string reason,
        CancellationToken cancellationToken
    )
    {
        if (catalogue.All.FirstOrDefault(known => known.Id == keyId) is not { } key)
        {
            return (await RefuseAsync(by, "", "signing.key_revoked", Unknown)).Failure!;
        }

        var name = key.Generation.Name;
        if (reason.Trim().Length is 0 or > MaxReason)
        {
            var unsaid = Failure.Invalid("keys.no_reason", $"Say why, in at most {MaxReason} characters.");
            return (await RefuseAsync(by, name, "signing.key_revoked", unsaid)).Failure!;
        }

        // Made before the unit, which does no file I/O; one that turns out not to be needed is a file that nothing names.
        if (Make(name) is not { } replacement)
        {
            return (await RefuseAsync(by, name, "signing.key_revoked", KeyUnavailableException.Failure)).Failure!;
        }

        var revoked = await writer.WriteAsync<int>(
            async (session, token) =>
            {
                if (from > session.Now)
                {
                    return Failure.Invalid("keys.bad_time", "A key is revoked from now or from a time that is past.");
                }

                var done = await ring.RevokeAsync(session, name, key.Generation.Number, from, replacement, token);
                if (!done.Ok)
                {
                    return done.Failure;
                }

                var affected = await AffectedAsync(session, keyId, done.Value.RevokedFrom!.Value, token);
                await session.LogAsync(
                    new LogEntry("signing.key_revoked", by, $"key:{name}", LogOutcome.Done)
                    {
                        Details = new JsonObject
                        {
                            ["from"] = Time(done.Value.RevokedFrom!.Value),
                            ["key"] = keyId,
                            ["number"] = key.Generation.Number,
                            ["reason"] = reason,
                            ["signatures"] = affected,
                        },
                    },
                    token
                );
                return affected;
            },
            cancellationToken
        );
        return revoked.Ok ? revoked : (await RefuseAsync(by, name, "signing.key_revoked", revoked.Failure)).Failure!;
    }

    private async Task<int> AffectedAsync(
        WriteSession session,
        string keyId,
        DateTimeOffset from,
        CancellationToken cancellationToken
    )
    {
        var bundles = await session
            .Db.Set<SignatureUseRow>()
            .Where(use => use.KeyId == keyId && use.At >= from)
            .Select(use => use.Bundle)
            .Distinct()
            .ToListAsync(cancellationToken);
        foreach (var batch in bundles.Chunk(Batch))
        {
            foreach (var watch in watches)
            {
                await watch.OnRevokedAsync(session, batch, cancellationToken);
            }
        }

        return bundles.Count;
    }

    /// <summary>The file of a new key; null when its place cannot make one.</summary>
    private string? Make(string name)
    {
        // Of two gateways that replace a key at once, each has a file of its own and one unit wins.
        var file = $"{name}.{RandomNumberGenerator.GetHexString(32, lowercase: true)}";
        try
        {
            Make(name, file);
            return file;
        }
        catch (KeyUnavailableException exception)
        {
            NotMade(logger, name, exception.Message);
            return null;
        }
    }

    private void Make(string name, string file)
    {
        switch (name)
        {
            case GatewaySigner.Name:
                signer.Make(file);
                break;
            case KeyCatalogue.SignatureLogName:
                signatures.MakeKey(file);
                break;
            default:
                authorities.Make(name, file);
                break;
        }
    }

    private async Task<Result<KnownKey>> RefuseAsync(Actor by, string name, string kind, Failure failure)
    {
        await writer.LogAsync(
            new LogEntry(kind, by, $"key:{name}", LogOutcome.Refused)
            {
                Details = new JsonObject { ["code"] = failure.Code },
            },
            CancellationToken.None
        );
        return failure;
    }

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    [LoggerMessage(2010, LogLevel.Error, "No new key {Name}: {Reason}")]
    private static partial void NotMade(ILogger logger, string name, string reason);
}
