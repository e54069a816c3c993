using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Identity.Engine;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace Governance.Identity.Server;

/// <summary>
/// The issuer's keys: ECDSA P-256 for tokens, AES-256 for codes and refresh tokens, in generations that lie wrapped in the
/// database, so that every gateway on it signs with the same one and knows the next one before it is used.
/// </summary>
internal sealed class ServerKeys(
    IDbContextFactory<GovernanceDb> databases,
    Administration administration,
    IKeyWrap wrap,
    TimeProvider clock,
    IOptions<IdentityOptions> options
) : IDisposable
{
    private const string SigningPurpose = "oidc-signing";
    private const string EncryptionPurpose = "oidc-encryption";
    private static readonly Failure NoKey = Failure.NotFound("identity.no_issuer_key", "There is no such key.");
    private readonly Dictionary<string, Generation> _known = [];
    private readonly SemaphoreSlim _loading = new(1);
    private volatile IReadOnlyList<Generation> _inUse = [];

    /// <summary>One generation, unwrapped.</summary>
    internal sealed record Generation(KeyTime Time, ECDsaSecurityKey Signing, SymmetricSecurityKey Encryption)
    {
        /// <summary>Authenticates DPoP nonces.</summary>
        public byte[] NonceKey { get; } =
            HKDF.DeriveKey(HashAlgorithmName.SHA256, Encryption.Key, 32, info: "dpop-nonce"u8.ToArray());
    }

    /// <summary>Told when other keys are in use than before.</summary>
    public event EventHandler? Changed;

    /// <summary>Told after <see cref="Changed"/>, once nobody believes the former keys any more.</summary>
    public event EventHandler? Taken;

    /// <summary>Generations in use, the signing one first.</summary>
    public IReadOnlyList<Generation> InUse =>
        _inUse is { Count: > 0 } keys ? keys : throw new InvalidOperationException("The issuer's keys are not loaded.");

    public byte[] NonceKey => InUse[0].NonceKey;

    /// <summary>Whether tokens signed with this key count.</summary>
    public bool Counts(string id) => InUse.Any(key => key.Time.Id == id);

    private TimeSpan Kept =>
        TimeSpan.FromHours(options.Value.RefreshTokenHours) + TimeSpan.FromMinutes(options.Value.AccessTokenMinutes);

    /// <summary>Makes the first or the next generation when it is time, forgets what is over, and takes up what others made.</summary>
    public async Task KeepAsync(CancellationToken cancellationToken)
    {
        var rows = await RowsAsync(cancellationToken);
        var times = rows.ConvertAll(TimeOf);
        var now = clock.GetUtcNow();
        if (IsDue(times, now) || times.Exists(key => KeySchedule.IsOver(key, times, now, Kept)))
        {
            await ChangeAsync(Actor.System, always: false, cancellationToken);
        }

        await TakeUpAsync(cancellationToken);
    }

    /// <summary>Makes the next generation now; it signs after the configured lead. Returns its key id.</summary>
    public async Task<Result<string>> RotateAsync(Actor by, CancellationToken cancellationToken)
    {
        var made = await ChangeAsync(by, always: true, cancellationToken);
        await TakeUpAsync(CancellationToken.None);
        return made;
    }

    /// <summary>
    /// Takes a generation away that somebody else may have: at once here, within seconds on gateways beside. What it signed or
    /// encrypted ends: access tokens, codes, refresh tokens. Was it the signing one, a new one signs from now on.
    /// </summary>
    public async Task<Result<string>> RevokeAsync(Actor by, string id, CancellationToken cancellationToken)
    {
        var revoked = await administration.ChangeAsync<string>(
            by,
            $"issuer-key:{id}",
            async (session, token) =>
            {
                var rows = await session.Db.Set<IssuerKeyRow>().ToListAsync(token);
                if (rows.Find(row => row.Id == id) is not { } gone)
                {
                    return NoKey;
                }

                var signing = KeySchedule.InUse(rows.ConvertAll(TimeOf), session.Now, Kept)[0];
                session.Db.Remove(gone);
                await LogAsync(session, "identity.issuer_key_revoked", by, gone, token);
                if (signing.Id == id)
                {
                    var made = New(session.Now, session.Now);
                    session.Db.Add(made);
                    await LogAsync(session, "identity.issuer_key_added", by, made, token);
                }

                await session.Db.SaveChangesAsync(token);
                return id;
            },
            cancellationToken
        );
        await TakeUpAsync(CancellationToken.None);
        return revoked;
    }

    public void Dispose() => _loading.Dispose();

    private bool IsDue(IEnumerable<KeyTime> keys, DateTimeOffset now) =>
        KeySchedule.IsDue(keys, now, TimeSpan.FromDays(options.Value.SigningKeyDays));

    private Task<Result<string>> ChangeAsync(Actor by, bool always, CancellationToken cancellationToken) =>
        administration.ChangeAsync<string>(
            by,
            "",
            async (session, token) =>
            {
                var rows = await session.Db.Set<IssuerKeyRow>().ToListAsync(token);
                var times = rows.ConvertAll(TimeOf);
                foreach (var row in rows.Where(row => KeySchedule.IsOver(TimeOf(row), times, session.Now, Kept)))
                {
                    session.Db.Remove(row);
                    await LogAsync(session, "identity.issuer_key_removed", by, row, token);
                }

                if (!always && !IsDue(times, session.Now))
                {
                    await session.Db.SaveChangesAsync(token);
                    return "";
                }

                var lead = TimeSpan.FromMinutes(rows.Count == 0 ? 0 : options.Value.SigningKeyLeadMinutes);
                var made = New(session.Now, session.Now + lead);
                session.Db.Add(made);
                await session.Db.SaveChangesAsync(token);
                await LogAsync(session, "identity.issuer_key_added", by, made, token);
                return made.Id;
            },
            cancellationToken
        );

    private static Task LogAsync(
        WriteSession session,
        string kind,
        Actor by,
        IssuerKeyRow row,
        CancellationToken cancellationToken
    ) =>
        session.LogAsync(
            new LogEntry(kind, by, $"issuer-key:{row.Id}", LogOutcome.Done)
            {
                Details = new JsonObject { ["activeFrom"] = row.ActiveFrom.ToUnixTimeSeconds() },
            },
            cancellationToken
        );

    private IssuerKeyRow New(DateTimeOffset now, DateTimeOffset activeFrom)
    {
        using var signing = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var plain = signing.ExportPkcs8PrivateKey();
        var encryption = RandomNumberGenerator.GetBytes(32);
        var row = new IssuerKeyRow
        {
            Id = Base64UrlEncoder.Encode(SHA256.HashData(signing.ExportSubjectPublicKeyInfo())[..16]),
            Signing = wrap.Wrap(plain, SigningPurpose),
            Encryption = wrap.Wrap(encryption, EncryptionPurpose),
            ActiveFrom = activeFrom,
            CreatedAt = now,
        };
        CryptographicOperations.ZeroMemory(plain);
        CryptographicOperations.ZeroMemory(encryption);
        return row;
    }

    private async Task<List<IssuerKeyRow>> RowsAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<IssuerKeyRow>().AsNoTracking().ToListAsync(cancellationToken);
    }

    // Read once it is one's turn: whoever read before another's change must not take up after it what that one took away.
    private async Task TakeUpAsync(CancellationToken cancellationToken)
    {
        await _loading.WaitAsync(cancellationToken);
        try
        {
            var rows = await RowsAsync(cancellationToken);
            foreach (var row in rows.Where(row => !_known.ContainsKey(row.Id)))
            {
                _known[row.Id] = Unwrap(row);
            }

            foreach (var id in _known.Keys.Except(rows.Select(row => row.Id)).ToList())
            {
                _known.Remove(id);
            }

            var inUse = KeySchedule.InUse(rows.ConvertAll(TimeOf), clock.GetUtcNow(), Kept);
            if (inUse.Select(key => key.Id).SequenceEqual(_inUse.Select(key => key.Time.Id)))
            {
                return;
            }

            // What is over may still be verifying a request that began before: left to the garbage collector.
            _inUse = [.. inUse.Select(key => _known[key.Id])];
        }
        finally
        {
            _loading.Release();
        }

        Changed?.Invoke(this, EventArgs.Empty);
        Taken?.Invoke(this, EventArgs.Empty);
    }

    private Generation Unwrap(IssuerKeyRow row)
    {
        var plain = wrap.Unwrap(row.Signing, SigningPurpose);
#pragma warning disable CA2000 // lives as long as tokens of this generation
        var signing = ECDsa.Create();
#pragma warning restore CA2000
        signing.ImportPkcs8PrivateKey(plain, out _);
        CryptographicOperations.ZeroMemory(plain);
        return new Generation(
            TimeOf(row),
            new ECDsaSecurityKey(signing) { KeyId = row.Id },
            new SymmetricSecurityKey(wrap.Unwrap(row.Encryption, EncryptionPurpose))
        );
    }

    private static KeyTime TimeOf(IssuerKeyRow row) => new(row.Id, row.CreatedAt, row.ActiveFrom);
}
