using System.Globalization;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Imports;

/// <summary>Brings experiments: names are kept, ids where they are free.</summary>
internal static class ImportExperiments
{
    private const int PageSize = 200;

    // Ids are given by counting on from the highest: a stranger's must leave room.
    private const long MaxId = 1_000_000_000;

    public static async Task StepAsync(ImportUnits units, CancellationToken cancellationToken)
    {
        var import = units.Import;
        var page = await ImportJob.PageAsync(
            token => units.Remote.ExperimentsAsync(RemoteView.Active, PageSize, token, cancellationToken),
            import.PageToken
        );
        var wanted = page
            .Items.Where(item => !item.Value.Ok || NamePattern.Matches(import.Experiments, item.Value.Value.Name))
            .ToList();
        var known = await units.KnownAsync(
            ImportKinds.Experiment,
            wanted.ConvertAll(item => item.Id),
            cancellationToken
        );
        var missing = wanted.Where(item => !known.ContainsKey(item.Id)).ToLookup(item => item.Id == "0");
        // The experiment 0 takes a free id: after those that keep theirs.
        var whole =
            await units.EachAsync(missing[false], BringAsync, cancellationToken)
            && await units.EachAsync(missing[true], BringAsync, cancellationToken);
        if (whole)
        {
            units.Count(ImportKinds.Experiment, wanted.Count, known.Values.Count(row => row.ImportId != import.Id));
            await units.MoveOnAsync(
                page.Next is not null ? ImportPhase.Experiments
                    : import.DryRun ? ImportPhase.Models
                    : ImportPhase.Runs,
                "",
                page.Next,
                cancellationToken
            );
        }

        async Task BringAsync(RemoteItem<RemoteExperiment> item, CancellationToken token)
        {
            var failure =
                item.Value.Failure
                ?? (
                    await units.WriteAsync((call, session) => WriteAsync(units, call, session, item.Value.Value), token)
                ).Failure;
            if (import.DryRun && failure is null)
            {
                failure = await CountAsync(units, item.Value.Value, token);
            }

            await units.SettleAsync(ImportKinds.Experiment, item.Id, failure, token);
        }
    }

    // What a dry run can say of runs and logged models is how many there are.
    private static async Task<Failure?> CountAsync(
        ImportUnits units,
        RemoteExperiment experiment,
        CancellationToken cancellationToken
    )
    {
        var runs = units.Remote.PagesAsync(
            token => units.Remote.RunsAsync(experiment.Id, RemoteView.Active, 1000, token, cancellationToken),
            cancellationToken
        );
        await foreach (var page in runs)
        {
            if (!page.Ok)
            {
                return page.Failure;
            }

            units.Count(ImportKinds.Run, page.Value.Items.Count, 0);
        }

        var models = units.Remote.PagesAsync(
            token => units.Remote.LoggedModelsAsync(experiment.Id, 50, token, cancellationToken),
            cancellationToken
        );
        await foreach (var page in models)
        {
            if (!page.Ok)
            {
                return page.Failure == RemoteFailures.NotFound ? null : page.Failure;
            }

            units.Count(ImportKinds.LoggedModel, page.Value.Items.Count, 0);
        }

        return null;
    }

    private static async Task<Result<Unit>> WriteAsync(
        ImportUnits units,
        Call call,
        WriteSession session,
        RemoteExperiment experiment
    )
    {
        var isDefault = experiment.Id == "0";
        // Everybody reads the experiment 0 here; what was in it elsewhere gets one of its own.
        var name = isDefault ? $"{experiment.Name} ({units.Import.Source})" : experiment.Name;
        if (RegistryNames.CheckName("experiment", name) is { } bad)
        {
            return bad;
        }

        var tags = ImportUnits.Labels(experiment.Tags);
        if (!tags.Ok)
        {
            return tags.Failure;
        }

        var experiments = session.Db.Set<ExperimentRow>();
        if (await experiments.AnyAsync(row => row.Name == name, call.Token))
        {
            return ImportFailures.Taken;
        }

        if (units.Import.DryRun)
        {
            return default(Unit);
        }

        var free =
            !isDefault
            && ArtifactAddress.TryExperiment(experiment.Id, out var id)
            && id is > 0 and <= MaxId
            && !await experiments.AnyAsync(row => row.Id == id, call.Token)
                ? id
                : await experiments.MaxAsync(row => row.Id, call.Token) + 1;
        var row = new ExperimentRow
        {
            Id = free,
            Name = name,
            OwnerId = units.Import.OwnerId,
            CreatedMs = ImportUnits.Past(experiment.CreatedMs, session.Now),
            UpdatedMs = ImportUnits.Past(experiment.UpdatedMs, session.Now),
        };
        experiments.Add(row);
        var mark = await units.MarkAsync(call, session, ImportKinds.Experiment, experiment.Id, ImportedState.Whole);
        (mark.LocalId, mark.Name, mark.ArtifactUri) = (
            LabelIds.Experiment(free),
            experiment.Name,
            experiment.ArtifactLocation
        );
        await Labels.SetAsync(session.Db, LabelScope.ExperimentTag, mark.LocalId, tags.Value, call.Token);
        await session.Db.SaveChangesAsync(call.Token);
        await call.LogAsync(
            session,
            "registry.experiment_imported",
            ExperimentRoutes.Subject(free),
            new()
            {
                ["import"] = units.Import.Id,
                ["source"] = units.Import.Source,
                ["source_id"] = RegistryNames.Quote(experiment.Id),
                ["name"] = name,
            }
        );
        return default(Unit);
    }

    /// <summary>The next experiment of this import by its id at the source, or null after the last.</summary>
    public static async Task<ImportedRow?> NextAsync(
        ImportUnits units,
        string after,
        CancellationToken cancellationToken
    )
    {
        await using var db = await units.Ports.Databases.CreateDbContextAsync(cancellationToken);
        var rows = db.Set<ImportedRow>()
            .AsNoTracking()
            .Where(row =>
                row.Source == units.Import.Source
                && row.Kind == ImportKinds.Experiment
                && string.Compare(row.RemoteId, after) > 0
            )
            .OrderBy(row => row.RemoteId)
            .AsAsyncEnumerable();
        await foreach (var row in rows.WithCancellation(cancellationToken))
        {
            if (NamePattern.Matches(units.Import.Experiments, row.Name))
            {
                return row;
            }
        }

        return null;
    }

    /// <summary>The experiment of this import at the place where it stands, or the next one.</summary>
    public static async Task<ImportedRow?> CurrentAsync(ImportUnits units, CancellationToken cancellationToken)
    {
        if (units.Import.At.Length > 0)
        {
            var known = await units.KnownAsync(ImportKinds.Experiment, [units.Import.At], cancellationToken);
            return known.GetValueOrDefault(units.Import.At);
        }

        return await NextAsync(units, "", cancellationToken);
    }

    public static long LocalId(ImportedRow experiment) =>
        long.Parse(experiment.LocalId, NumberStyles.None, CultureInfo.InvariantCulture);
}
