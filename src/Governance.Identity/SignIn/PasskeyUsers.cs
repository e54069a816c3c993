using System.Buffers.Text;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.SignIn;

/// <summary>
/// What the framework's passkey verifier needs to know about persons, read from our rows. It only reads: changes are units of
/// the one writer, with their log entries (decision 0016).
/// </summary>
internal sealed class PasskeyUsers(IDbContextFactory<GovernanceDb> databases) : IUserPasskeyStore<SubjectRow>
{
    /// <summary>A credential id as the primary key of its row.</summary>
    public static string Key(byte[] credentialId) => Base64Url.EncodeToString(credentialId);

    public Task<string> GetUserIdAsync(SubjectRow user, CancellationToken cancellationToken) =>
        Task.FromResult(user.Id);

    public Task<string?> GetUserNameAsync(SubjectRow user, CancellationToken cancellationToken) =>
        Task.FromResult<string?>(user.Name);

    public async Task<SubjectRow?> FindByIdAsync(string userId, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<SubjectRow>()
            .AsNoTracking()
            .FirstOrDefaultAsync(
                row => row.Id == userId && row.Kind == ActorKind.Person && row.Enabled,
                cancellationToken
            );
    }

    public async Task<SubjectRow?> FindByPasskeyIdAsync(byte[] credentialId, CancellationToken cancellationToken)
    {
        var key = Key(credentialId);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var owner = await db.Set<PasskeyRow>()
            .Where(row => row.Id == key)
            .Select(row => row.SubjectId)
            .FirstOrDefaultAsync(cancellationToken);
        return owner is null ? null : await FindByIdAsync(owner, cancellationToken);
    }

    public async Task<UserPasskeyInfo?> FindPasskeyAsync(
        SubjectRow user,
        byte[] credentialId,
        CancellationToken cancellationToken
    )
    {
        var key = Key(credentialId);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<PasskeyRow>()
            .AsNoTracking()
            .FirstOrDefaultAsync(known => known.Id == key && known.SubjectId == user.Id, cancellationToken);
        return row is null ? null : Info(row);
    }

    public async Task<IList<UserPasskeyInfo>> GetPasskeysAsync(SubjectRow user, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await db.Set<PasskeyRow>()
            .AsNoTracking()
            .Where(row => row.SubjectId == user.Id)
            .ToListAsync(cancellationToken);
        return rows.ConvertAll(Info);
    }

    public void Dispose() { }

    public Task AddOrUpdatePasskeyAsync(
        SubjectRow user,
        UserPasskeyInfo passkey,
        CancellationToken cancellationToken
    ) => throw ReadOnly();

    public Task RemovePasskeyAsync(SubjectRow user, byte[] credentialId, CancellationToken cancellationToken) =>
        throw ReadOnly();

    public Task<IdentityResult> CreateAsync(SubjectRow user, CancellationToken cancellationToken) => throw ReadOnly();

    public Task<IdentityResult> UpdateAsync(SubjectRow user, CancellationToken cancellationToken) => throw ReadOnly();

    public Task<IdentityResult> DeleteAsync(SubjectRow user, CancellationToken cancellationToken) => throw ReadOnly();

    public Task SetUserNameAsync(SubjectRow user, string? userName, CancellationToken cancellationToken) =>
        throw ReadOnly();

    public Task<string?> GetNormalizedUserNameAsync(SubjectRow user, CancellationToken cancellationToken) =>
        Task.FromResult<string?>(user.Name);

    public Task SetNormalizedUserNameAsync(
        SubjectRow user,
        string? normalizedName,
        CancellationToken cancellationToken
    ) => throw ReadOnly();

    // Nobody is looked up by name here: a passkey names its owner.
    public Task<SubjectRow?> FindByNameAsync(string normalizedUserName, CancellationToken cancellationToken) =>
        Task.FromResult<SubjectRow?>(null);

    private static UserPasskeyInfo Info(PasskeyRow row) =>
        new(
            Base64Url.DecodeFromChars(row.Id),
            row.PublicKey,
            row.CreatedAt,
            (uint)row.SignCount,
            row.Transports.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            isUserVerified: true,
            row.BackupEligible,
            row.BackedUp,
            attestationObject: [],
            clientDataJson: []
        );

    private static NotSupportedException ReadOnly() => new("Persons change in units of the writer only.");
}
