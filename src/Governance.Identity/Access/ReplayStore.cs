using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Access;

/// <summary>
/// Remembers in the database what counts once, so that a captured proof or assertion is refused also after a restart and by
/// every gateway beside this one.
/// </summary>
internal sealed class ReplayStore(IWriter writer)
{
    /// <summary>True for the first caller with this id, after the commit; false for every other one until <paramref name="until"/>.</summary>
    public async Task<bool> UseOnceAsync(string kind, string id, DateTimeOffset until)
    {
        var hash = Digest.Of($"{kind}\n{id}").Hex;
        var seconds = until.ToUnixTimeSeconds() + 1;

        // Not ended by a caller who hangs up: whether the id counts as used must not depend on that.
        var used = await writer.WriteAsync<int>(
            async (session, token) =>
                await session.Db.Database.ExecuteSqlAsync(
                    $"""INSERT INTO identity_used_once ("Hash", "Until") VALUES ({hash}, {seconds}) ON CONFLICT DO NOTHING""",
                    token
                ),
            CancellationToken.None
        );
        return used.Value == 1;
    }

    /// <summary>Forgets what is too old to be accepted in any case.</summary>
    public Task ForgetAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var seconds = now.ToUnixTimeSeconds();
        return writer.WriteAsync<int>(
            async (session, token) =>
                await session.Db.Set<UsedOnceRow>().Where(row => row.Until < seconds).ExecuteDeleteAsync(token),
            cancellationToken
        );
    }
}
