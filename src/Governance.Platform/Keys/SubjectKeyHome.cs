using System.Security.Cryptography;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Platform.Keys;

/// <summary>
/// Ties data directory and key store together: the store has a key that is nobody's, and the directory its SHA-256. In front of an
/// empty or foreign store erasures would be carried out, and put on record, where the keys are not.
/// </summary>
public sealed class SubjectKeyHome(
    ISubjectKeyStore store,
    PlatformOptions platform,
    IKeyWrap wrap,
    TimeProvider clock,
    IDbContextFactory<GovernanceDb> databases
)
{
    // No pseudonym.
    private const string Nobody = "(store)";

    /// <summary>
    /// Throws <see cref="SubjectKeyException"/>, code <c>keys.wrong_store</c>, unless the store is the one of this data directory, and
    /// <c>keys.same_database</c> when it lies in the gateway's own database.
    /// The first time it becomes that: the store is marked first, so that one that dies in between goes on here.
    /// </summary>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await CheckApartAsync(cancellationToken);
        var path = Path.Combine(platform.DataDirectory, "keys", "subject-store.key");
        var mark = await MarkAsync(first: !File.Exists(path), cancellationToken);
        var known = WrappedKeyFile.LoadOrCreate(path, "subject-store", wrap, clock, () => SHA256.HashData(mark)).Key;
        if (!CryptographicOperations.FixedTimeEquals(known, SHA256.HashData(mark)))
        {
            throw new SubjectKeyException(SubjectKeyException.WrongStore);
        }
    }

    private async Task CheckApartAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (store is PostgresSubjectKeys apart && db.IsShared())
        {
            var here = await db.Database.SqlQueryRaw<string>(PostgresSubjectKeys.Where).SingleAsync(cancellationToken);
            if (here == await apart.WhereAsync(cancellationToken))
            {
                throw new SubjectKeyException(SubjectKeyException.SameDatabase);
            }
        }
    }

    private async Task<byte[]> MarkAsync(bool first, CancellationToken cancellationToken)
    {
        try
        {
            var stored = first
                ? await store.CreateAsync(Nobody, cancellationToken)
                : await store.FindAsync(Nobody, cancellationToken);
            return stored?.Key ?? throw new SubjectKeyException(SubjectKeyException.WrongStore);
        }
        catch (CryptographicException exception)
        {
            // Under another key-encryption key.
            throw new SubjectKeyException(SubjectKeyException.WrongStore, exception);
        }
    }
}
