using System.Security.Cryptography;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Keys;

/// <summary>
/// Ties data directory and key store together: the store has a key that is nobody's, and the directory its SHA-256. In front of an
/// empty or foreign store erasures would be carried out, and put on record, where the keys are not.
/// </summary>
public sealed partial class SubjectKeyHome(
    ISubjectKeyStore store,
    PlatformOptions platform,
    IKeyWrap wrap,
    TimeProvider clock,
    IDbContextFactory<GovernanceDb> databases,
    ILogAppender log,
    ILogger<SubjectKeyHome> logger
)
{
    /// <summary>Whose key marks a store. No pseudonym.</summary>
    internal const string Nobody = "(store)";

    private readonly string _path = Path.Combine(platform.DataDirectory, "keys", "subject-store.key");

    /// <summary>
    /// At start: throws <see cref="SubjectKeyException"/>, code <c>keys.wrong_store</c>, unless the store is the one of this data
    /// directory, and <c>keys.same_database</c> when it lies in the gateway's own database.
    /// The first time it becomes that, unless the database knows of keys and the store of none of them. The store is marked first,
    /// so that one that dies in between goes on here.
    /// </summary>
    /// <param name="erased">Pseudonyms of those whom the database says were erased.</param>
    /// <param name="cancellationToken">The gateway stops.</param>
    public async Task OpenAsync(IReadOnlyList<string> erased, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await CheckApartAsync(db, cancellationToken);
        var first = !File.Exists(_path);
        if (first)
        {
            await CheckKnownAsync([.. erased, .. await log.LastSealedAsync(db, cancellationToken)], cancellationToken);
        }

        var mark = await MarkAsync(first, cancellationToken);
        Compare(mark, () => SHA256.HashData(mark));
    }

    /// <summary>Throws <see cref="SubjectKeyException"/>, code <c>keys.wrong_store</c>, unless the store is the one that was opened.</summary>
    public async Task CheckAsync(CancellationToken cancellationToken) =>
        Compare(
            await MarkAsync(first: false, cancellationToken),
            () => throw new SubjectKeyException(SubjectKeyException.WrongStore)
        );

    private async Task CheckApartAsync(GovernanceDb db, CancellationToken cancellationToken)
    {
        if (store is not PostgresSubjectKeys apart || !db.IsShared())
        {
            return;
        }

        var here = await db.Database.SqlQueryRaw<string>(PostgresSubjectKeys.Where).SingleAsync(cancellationToken);
        var there = await apart.WhereAsync(cancellationToken);
        if (here == there)
        {
            throw new SubjectKeyException(SubjectKeyException.SameDatabase);
        }

        if (here[..here.IndexOf('/')] == there[..there.IndexOf('/')])
        {
            SameServer(logger);
        }
    }

    // The file may be lost or of before; whoever was erased, or is in the log, left something in the own store.
    private async Task CheckKnownAsync(IReadOnlyList<string> known, CancellationToken cancellationToken)
    {
        foreach (var subject in known)
        {
            if (await AskAsync(() => store.FindAsync(subject, cancellationToken)) is { } found)
            {
                CryptographicOperations.ZeroMemory(found.Key);
                return;
            }
        }

        if (known.Count > 0)
        {
            throw new SubjectKeyException(SubjectKeyException.WrongStore);
        }
    }

    private async Task<byte[]> MarkAsync(bool first, CancellationToken cancellationToken) =>
        (
            await AskAsync(async () =>
                first
                    ? await store.CreateAsync(Nobody, cancellationToken)
                    : await store.FindAsync(Nobody, cancellationToken)
            )
        )?.Key
        ?? throw new SubjectKeyException(SubjectKeyException.WrongStore);

    private void Compare(byte[] mark, Func<byte[]> first)
    {
        var known = WrappedKeyFile.LoadOrCreate(_path, "subject-store", wrap, clock, first).Key;
        if (!CryptographicOperations.FixedTimeEquals(known, SHA256.HashData(mark)))
        {
            throw new SubjectKeyException(SubjectKeyException.WrongStore);
        }
    }

    private static async Task<StoredSubjectKey?> AskAsync(Func<Task<StoredSubjectKey?>> ask)
    {
        try
        {
            return await ask();
        }
        catch (CryptographicException exception)
        {
            // Under another key-encryption key.
            throw new SubjectKeyException(SubjectKeyException.WrongStore, exception);
        }
    }

    [LoggerMessage(
        1033,
        LogLevel.Warning,
        "The keys of subjects lie on the server of the main database: physical backups of it hold both, and bring destroyed keys back"
    )]
    private static partial void SameServer(ILogger logger);
}
