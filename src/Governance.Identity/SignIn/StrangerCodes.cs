using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.SignIn;

/// <summary>
/// Wrong codes of authenticator apps that came from unknown browsers, counted for as long as the password stays: whoever has it
/// would else guess a code of six digits in a year or two, however slowly they are let try. A right code undoes none of them.
/// </summary>
internal static class StrangerCodes
{
    /// <summary>After so many, an unknown browser needs a passkey or a recovery code (NIST SP 800-63B §3.2.2).</summary>
    public const int Most = 100;

    /// <summary>How many came.</summary>
    public static Task<int> CountAsync(
        GovernanceDb db,
        string subjectId,
        string password,
        CancellationToken cancellationToken
    )
    {
        var id = IdOf(subjectId, password);
        return db.Set<AttemptRow>()
            .Where(row => row.Id == id)
            .Select(row => row.Count)
            .FirstOrDefaultAsync(cancellationToken);
    }

    /// <summary>Counts one more.</summary>
    public static async Task AddAsync(
        WriteSession session,
        string subjectId,
        string password,
        CancellationToken cancellationToken
    )
    {
        var id = IdOf(subjectId, password);
        var row =
            await session.Db.Set<AttemptRow>().FirstOrDefaultAsync(known => known.Id == id, cancellationToken)
            ?? session.Db.Add(new AttemptRow { Id = id }).Entity;
        (row.Count, row.ResetsAt) = (row.Count + 1, session.Now.AddYears(100)); // time does not reset it
        await session.Db.SaveChangesAsync(cancellationToken);
    }

    private static string IdOf(string subjectId, string password) => Digest.Of($"codes\n{subjectId}\n{password}").Hex;
}
