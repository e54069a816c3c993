using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.SignIn;

/// <summary>
/// From where a name is tried. A browser that the person used before is counted by itself. Strangers are counted by their
/// address, and all together with a higher limit, so that many addresses don't make many guesses.
/// </summary>
/// <param name="Name">User name, in lower case, whether it exists or not.</param>
/// <param name="Address">Client address, or its network.</param>
/// <param name="Device">Random name of a known browser, or null.</param>
internal sealed record AttemptDirection(string Name, string Address, string? Device)
{
    private const int StrangersTogether = 10;

    public static AttemptDirection Of(HttpContext context, DeviceCookie devices, string name) =>
        new(name, ClientAddress.BucketOf(context.Connection.RemoteIpAddress), devices.Read(context, name));

    /// <summary>
    /// Counts one attempt, before anybody looks whether it is right; false when there were too many. A name that does not
    /// exist is counted too, and costs the same.
    /// </summary>
    public async Task<bool> TakeAsync(
        WriteSession session,
        string factor,
        IdentityOptions options,
        CancellationToken cancellationToken
    )
    {
        var limits = Limits(factor, options.LockoutAttempts);
        var known = await RowsAsync(session, limits, cancellationToken);
        var rows = limits.Select(limit => (Row: known.GetValueOrDefault(limit.Id), limit.Id, limit.Limit)).ToList();
        if (rows.Any(one => one.Row is { } row && row.ResetsAt > session.Now && row.Count >= one.Limit))
        {
            return false;
        }

        foreach (var (found, id, _) in rows)
        {
            var row = found ?? session.Db.Add(new AttemptRow { Id = id }).Entity;
            if (row.ResetsAt <= session.Now)
            {
                row.Count = 0;
                row.ResetsAt = session.Now.AddMinutes(options.LockoutMinutes);
            }

            row.Count++;
        }

        await session.Db.SaveChangesAsync(cancellationToken);
        return true;
    }

    /// <summary>The attempt was right: it does not count against anybody.</summary>
    public async Task ForgetAsync(WriteSession session, string factor, CancellationToken cancellationToken)
    {
        foreach (var row in (await RowsAsync(session, Limits(factor, 1), cancellationToken)).Values)
        {
            row.Count = row.Id == Id(factor, "strangers") ? Math.Max(0, row.Count - 1) : 0;
        }

        await session.Db.SaveChangesAsync(cancellationToken);
    }

    private static Task<Dictionary<string, AttemptRow>> RowsAsync(
        WriteSession session,
        (string Id, int Limit)[] limits,
        CancellationToken cancellationToken
    )
    {
        var ids = limits.Select(limit => limit.Id).ToList();
        return session
            .Db.Set<AttemptRow>()
            .Where(row => ids.Contains(row.Id))
            .ToDictionaryAsync(row => row.Id, cancellationToken);
    }

    private (string Id, int Limit)[] Limits(string factor, int limit) =>
        Device is not null
            ? [(Id(factor, $"device {Device}"), limit)]
            : [(Id(factor, $"address {Address}"), limit), (Id(factor, "strangers"), limit * StrangersTogether)];

    private string Id(string factor, string direction) => Digest.Of($"{factor}\n{Name}\n{direction}").Hex;
}
