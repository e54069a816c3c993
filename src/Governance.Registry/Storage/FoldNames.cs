using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;

namespace Governance.Registry.Storage;

/// <summary>
/// At start: folds the names that a migration left unfolded, since databases fold fewer letters than
/// <see cref="Engine.RegistryNames.Key"/>. Goes on where it stopped; later starts find nothing.
/// </summary>
internal sealed class FoldNames(IDbContextFactory<GovernanceDb> databases, IWriter writer) : IHostedService
{
    private const int Together = 500;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        while (await AnyAsync(cancellationToken))
        {
            await writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    var rows = await Unfolded(session.Db).OrderBy(row => row.Name).Take(Together).ToListAsync(token);
                    rows.ForEach(row => row.Fold());
                    return default(Unit);
                },
                cancellationToken
            );
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<bool> AnyAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await Unfolded(db).AnyAsync(cancellationToken);
    }

    private static IQueryable<ModelNameRow> Unfolded(GovernanceDb db) =>
        db.Set<ModelNameRow>().Where(row => row.FoldedName == "" && row.Name != "");
}
