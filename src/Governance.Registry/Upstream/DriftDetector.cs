using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Upstream;

/// <summary>
/// Finds what was changed behind the gateway: two searches give all models and versions of upstream, which are compared with the
/// rows here. What seems to differ is compared again in the model's turn, so that no change that is on its way counts.
/// </summary>
internal sealed class DriftDetector(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    UpstreamClient client,
    LaneLocks locks,
    ModelAdoption adoption
)
{
    // What a decision here can end: a holder is promoted or moved, what is gone upstream is deleted here too.
    private static readonly string[] Ending =
    [
        Drift.Name(DifferenceKind.Stage),
        Drift.Name(DifferenceKind.Alias),
        Drift.Name(DifferenceKind.VersionMissing),
        Drift.Name(DifferenceKind.ModelMissing),
    ];

    private const string Unread = "model:";

    // New findings of one model in one look.
    private const int MaxNews = 200;

    private const string Prompts = $"tags.`{RegisterVersion.IsPrompt}` = 'true'";

    /// <summary>What was here before upstream was read: of what came since, that reading says nothing.</summary>
    private sealed record Before(HashSet<Guid> Models, HashSet<int> Versions);

    /// <summary>Whether models were ever taken over: what is there before that was made by nobody's way around.</summary>
    public async Task<bool> IsFirstAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return !await db.Set<UpstreamProgressRow>().AnyAsync(row => row.Name == "models", cancellationToken);
    }

    /// <summary>
    /// Says that everything that was there at first was taken over, but for models that upstream itself fails to read: these were
    /// there at first all the same, whenever they can be read.
    /// </summary>
    public Task FirstIsDoneAsync(IEnumerable<string> unread, CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                session.Db.AddRange(
                    unread.Select(name => new UpstreamProgressRow
                    {
                        Name = Unread + name,
                        Value = "unread",
                        UpdatedMs = session.Now.ToUnixTimeMilliseconds(),
                    })
                );
                if (await session.Db.Set<UpstreamProgressRow>().FindAsync(["models"], token) is null)
                {
                    session.Db.Add(
                        new UpstreamProgressRow
                        {
                            Name = "models",
                            Value = "all",
                            UpdatedMs = session.Now.ToUnixTimeMilliseconds(),
                        }
                    );
                }

                return default(Unit);
            },
            cancellationToken
        );

    /// <summary>
    /// One look at everything; null when upstream said everything. What it said nothing of while it was there is added to
    /// <paramref name="unread"/>.
    /// </summary>
    public async Task<Failure?> SweepAsync(
        bool first,
        CancellationToken cancellationToken,
        ICollection<string>? unread = null
    )
    {
        var theirs = await ReadAsync(cancellationToken);
        if (!theirs.Ok)
        {
            return theirs.Failure;
        }

        Dictionary<string, MirroredModel> ours;
        ILookup<string, UpstreamDriftRow> open;
        HashSet<string> late;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            ours = (await MirroredModels.LoadAsync(db, null, cancellationToken)).Values.ToDictionary(model =>
                model.Name
            );
            open = (await db.Set<UpstreamDriftRow>().AsNoTracking().ToListAsync(cancellationToken)).ToLookup(row =>
                row.Model
            );
            var names = await db.Set<UpstreamProgressRow>()
                .Where(row => row.Name.StartsWith(Unread))
                .Select(row => row.Name)
                .ToListAsync(cancellationToken);
            late = [.. names.Select(row => row[Unread.Length..])];
        }

        Failure? left = null;
        foreach (var name in ours.Keys.Union(theirs.Value.Keys).Order(StringComparer.Ordinal))
        {
            var (here, there) = (ours.GetValueOrDefault(name), theirs.Value.GetValueOrDefault(name));
            var found = Differences.Of(here, there);
            var lines = open[name].ToLookup(Place);
            var news = found.Any(difference => !lines[Place(difference)].Any(row => Same(row, difference)));
            var ended = open[name]
                .Any(row =>
                    (IsHolding(row) || Drift.IsUnreadable(row)) && !found.Any(difference => SamePlace(row, difference))
                );
            if (!news && !ended)
            {
                continue;
            }

            // What was taken over at last is ours like anything else.
            var before = first || (here is null && late.Contains(name));
            if (await ConfirmAsync(name, before, cancellationToken) is { } failure)
            {
                // What cannot be said about one model must not hide the others; a server that is away says nothing of any.
                left = failure;
                if (!await client.IsAliveAsync(cancellationToken))
                {
                    unread?.Clear();
                    break;
                }

                unread?.Add(name);
            }
            else if (late.Contains(name))
            {
                await ReadAtLastAsync(name, cancellationToken);
            }
        }

        return left;
    }

    private Task ReadAtLastAsync(string name, CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (await session.Db.Set<UpstreamProgressRow>().FindAsync([Unread + name], token) is { } row)
                {
                    session.Db.Remove(row);
                }

                return default(Unit);
            },
            cancellationToken
        );

    /// <summary>Compares one model in its turn, takes over what is missing here and opens what differs.</summary>
    public async Task<Failure?> ConfirmAsync(string name, bool first, CancellationToken cancellationToken)
    {
        await using var turn = await locks.TakeAsync(await LaneAsync(name, cancellationToken), cancellationToken);
        var before = await BeforeAsync(name, cancellationToken);
        var read = await MirroredModels.ReadAsync(client, name, cancellationToken);
        if (read.Failure == UpstreamFailures.Unreadable)
        {
            return await UnreadableAsync(name, cancellationToken);
        }

        if (!read.Ok)
        {
            return read.Failure;
        }

        if (read.Value is { } theirs && await MissesAsync(name, theirs, cancellationToken))
        {
            var adopted = await adoption.AdoptAsync(
                name,
                theirs,
                async (session, number) =>
                {
                    if (await VersionStore.ModelAsync(session.Db, name, cancellationToken) is { } model)
                    {
                        before.Models.Add(model.Id);
                    }

                    await (
                        first
                            ? OpenAsync(session, name, theirs, before, first: true, cancellationToken)
                            : MadeAsync(session, name, number, theirs, before, cancellationToken)
                    );
                },
                cancellationToken
            );
            if (adopted is not null)
            {
                return adopted;
            }
        }

        var opened = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await OpenAsync(session, name, read.Value, before, first, token);
                return default(Unit);
            },
            cancellationToken
        );
        return opened.Failure;
    }

    private async Task<Before> BeforeAsync(string name, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var models = await ModelAdoption.NamedAsync(db, name, cancellationToken);
        var versions = await VersionStore
            .Active(db)
            .Where(join => join.Model.Name == name)
            .Select(join => join.Version.Number)
            .ToListAsync(cancellationToken);
        return new Before(models, [.. versions]);
    }

    // What nobody can compare puts in doubt what is protected, until it can be read again.
    private async Task<Failure?> UnreadableAsync(string name, CancellationToken cancellationToken)
    {
        var opened = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await Drift.OpenAsync(session, name, new(DifferenceKind.Unreadable, 0, "", "", null), token);
                return default(Unit);
            },
            cancellationToken
        );
        return opened.Failure;
    }

    private async Task<string> LaneAsync(string name, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await VersionStore.ModelAsync(db, name, cancellationToken) is { } model
            ? Lanes.OfModel(model.Id)
            : $"name:{name}";
    }

    // What a person made upstream is a finding; that it is shown here from now on makes it no less one.
    private static async Task MadeAsync(
        WriteSession session,
        string name,
        int number,
        MirroredModel theirs,
        Before before,
        CancellationToken cancellationToken
    )
    {
        var difference =
            number == 0
                ? new Difference(DifferenceKind.ModelMade, 0, "", null, "")
                : new Difference(DifferenceKind.VersionMade, number, "", null, theirs.Versions[number].Source);
        await Drift.OpenAsync(session, name, difference, cancellationToken);
        if (number > 0)
        {
            await OpenAsync(session, name, theirs, before, first: false, cancellationToken);
        }
    }

    private async Task<bool> MissesAsync(string name, MirroredModel theirs, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (await ModelAdoption.IsBusyAsync(db, name, cancellationToken))
        {
            return false;
        }

        if (await VersionStore.ModelAsync(db, name, cancellationToken) is not { } model)
        {
            return true;
        }

        var known = await db.Set<VersionRow>()
            .Where(version => version.ModelId == model.Id)
            .Select(version => version.Number)
            .ToListAsync(cancellationToken);
        return theirs.Versions.Keys.Except(known).Any();
    }

    /// <summary>Opens what differs, and closes what was so before the gateway and is governed now.</summary>
    private static async Task OpenAsync(
        WriteSession session,
        string name,
        MirroredModel? theirs,
        Before before,
        bool first,
        CancellationToken cancellationToken
    )
    {
        var db = session.Db;
        await db.SaveChangesAsync(cancellationToken);
        var model = await VersionStore.ModelAsync(db, name, cancellationToken);
        if (
            (model is not null && !before.Models.Contains(model.Id))
            || await ModelAdoption.IsBusyAsync(db, name, cancellationToken)
        )
        {
            return;
        }

        var ours = model is null
            ? null
            : (await MirroredModels.LoadAsync(db, [model.Id], cancellationToken)).GetValueOrDefault(model.Id);
        if (ours is null && theirs is null)
        {
            return;
        }

        var gone = await db.Set<VersionRow>()
            .Where(version => model != null && version.ModelId == model.Id && version.Deleted)
            .Select(version => version.Number)
            .ToListAsync(cancellationToken);
        var found = Differences
            .Of(ours, theirs)
            .Where(difference =>
                difference.Kind != DifferenceKind.VersionMissing || before.Versions.Contains(difference.Version)
            )
            .ToList();
        var lines = (
            await db.Set<UpstreamDriftRow>()
                .AsNoTracking()
                .Where(row => row.Model == name)
                .ToListAsync(cancellationToken)
        ).ToLookup(Place);
        // What was made there is a finding when it is taken over, and when it is what was deleted here. What quarantines comes
        // first, tags last, for there can be any number, and what is beyond the limit in the next look.
        foreach (
            var difference in found
                .Where(difference =>
                    difference.Kind != DifferenceKind.ModelMade
                    && (difference.Kind != DifferenceKind.VersionMade || gone.Contains(difference.Version))
                    && !lines[Place(difference)].Any(row => Same(row, difference))
                )
                .OrderByDescending(difference => difference.Quarantines)
                .ThenBy(difference => difference.Kind is DifferenceKind.VersionTag or DifferenceKind.ModelTag)
                .Take(MaxNews)
        )
        {
            await Drift.OpenAsync(session, name, difference, cancellationToken, quarantine: !first);
        }

        await db.SaveChangesAsync(cancellationToken);
        await CloseGovernedAsync(session, name, found, cancellationToken);
        await Drift.CloseReadableAsync(session, name, 0, cancellationToken);
    }

    // A holder from before the gateway that was promoted through it since; other findings wait for an administrator.
    private static async Task CloseGovernedAsync(
        WriteSession session,
        string name,
        IReadOnlyList<Difference> found,
        CancellationToken cancellationToken
    )
    {
        var open = await session
            .Db.Set<UpstreamDriftRow>()
            .Where(row => row.Model == name)
            .ToListAsync(cancellationToken);
        foreach (var row in open.Where(row => IsHolding(row) && !found.Any(difference => SamePlace(row, difference))))
        {
            var held = await VersionStore
                .Active(session.Db)
                .AnyAsync(
                    join =>
                        join.Model.Name == name
                        && join.Version.Quarantined
                        && (row.Version == 0 || join.Version.Number == row.Version),
                    cancellationToken
                );
            if (!held)
            {
                await Drift.CloseAsync(session, row, Actor.System, "governed", cancellationToken);
            }
        }
    }

    private static bool IsHolding(UpstreamDriftRow row) => Ending.Contains(row.Kind);

    private static (int, string, string) Place(UpstreamDriftRow row) => (row.Version, row.Kind, row.Key);

    private static (int, string, string) Place(Difference difference) =>
        (difference.Version, Drift.Name(difference.Kind), difference.Key);

    private static bool SamePlace(UpstreamDriftRow row, Difference difference) => Place(row) == Place(difference);

    private static bool Same(UpstreamDriftRow row, Difference difference) =>
        row.Found == Drift.Text(difference, difference.Found)
        && row.Expected == Drift.Text(difference, difference.Expected);

    private async Task<Result<Dictionary<string, MirroredModel>>> ReadAsync(CancellationToken cancellationToken)
    {
        var models = new List<RemoteModel>();
        var versions = new List<RemoteVersion>();
        foreach (var filter in new[] { "", Prompts })
        {
            var (modelPages, versionPages) = (
                client.Reader.PagesAsync(
                    token => client.Reader.ModelsAsync(filter, 1000, token, cancellationToken),
                    cancellationToken
                ),
                client.Reader.PagesAsync(
                    token => client.Reader.VersionsAsync(filter, 10_000, token, cancellationToken),
                    cancellationToken
                )
            );
            if (
                (
                    await AddAsync(modelPages, models, cancellationToken)
                    ?? await AddAsync(versionPages, versions, cancellationToken)
                ) is
                { } failure
            )
            {
                return failure;
            }
        }

        var of = versions.ToLookup(version => version.Model);
        return models
            .DistinctBy(model => model.Name)
            .ToDictionary(model => model.Name, model => MirroredModels.Of(model, of[model.Name]));
    }

    private static async Task<Failure?> AddAsync<T>(
        IAsyncEnumerable<Result<RemotePage<T>>> pages,
        List<T> all,
        CancellationToken cancellationToken
    )
    {
        await foreach (var page in pages.WithCancellation(cancellationToken))
        {
            if (!page.Ok)
            {
                return page.Failure;
            }

            // What cannot be read is missing, and what is missing is found.
            all.AddRange(page.Value.Items.Where(item => item.Value.Ok).Select(item => item.Value.Value));
        }

        return null;
    }
}
