using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;

namespace Governance.Platform.Database;

/// <summary>A role that one gateway at a time has, until a moment that it keeps moving on.</summary>
internal sealed class LeaseRow
{
    public string Name { get; set; } = "";

    /// <summary>Random id of a gateway process.</summary>
    public string Holder { get; set; } = "";

    public DateTimeOffset Until { get; set; }
}

/// <summary>Roles of this gateway among those on one database. Taken inside a unit, so a unit without the role changes nothing.</summary>
public sealed class Leases
{
    /// <summary>How long a role stays with a gateway that no longer says anything.</summary>
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(3);

    private readonly string _holder = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>Takes or keeps a role; false while another gateway has it. The only gateway of a SQLite database has every role.</summary>
    public async Task<bool> TakeAsync(WriteSession session, string name, CancellationToken cancellationToken)
    {
        if (!session.Db.IsShared())
        {
            return true;
        }

        var leases = session.Db.Set<LeaseRow>();
        var lease = await leases.FindAsync([name], cancellationToken);
        if (lease is null)
        {
            lease = leases.Add(new LeaseRow { Name = name }).Entity;
        }
        else if (lease.Holder != _holder && lease.Until > session.Now)
        {
            return false;
        }

        (lease.Holder, lease.Until) = (_holder, session.Now + Duration);
        return true;
    }

    /// <summary>Whether another gateway has the role now; a look without a lock.</summary>
    public async Task<bool> IsElsewhereAsync(
        GovernanceDb db,
        string name,
        DateTimeOffset now,
        CancellationToken cancellationToken
    ) =>
        db.IsShared()
        && await db.Set<LeaseRow>()
            .AnyAsync(lease => lease.Name == name && lease.Holder != _holder && lease.Until > now, cancellationToken);
}
