using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Engine;
using Governance.Registry.LoggedModels;
using Governance.Registry.Remote;
using Governance.Registry.Runs;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Imports;

/// <summary>Brings logged models of 3.x servers under their own ids, so that <c>models:/m-…</c> means the same here.</summary>
internal static class ImportLoggedModels
{
    private const int PageSize = 50;
    private const string Ready = "LOGGED_MODEL_READY";
    private static readonly string[] Statuses = [Ready, "LOGGED_MODEL_PENDING", "LOGGED_MODEL_UPLOAD_FAILED"];

    public static async Task StepAsync(ImportUnits units, CancellationToken cancellationToken)
    {
        var import = units.Import;
        if (await ImportExperiments.CurrentAsync(units, cancellationToken) is not { } experiment)
        {
            await units.MoveOnAsync(ImportPhase.Models, "", null, cancellationToken);
            return;
        }

        var page = await ImportJob.PageAsync(
            token => units.Remote.LoggedModelsAsync(experiment.RemoteId, PageSize, token, cancellationToken),
            import.PageToken,
            // Servers before 3.0 have none.
            absent: true
        );
        var known = await units.KnownAsync(
            ImportKinds.LoggedModel,
            page.Items.Select(item => item.Id).ToList(),
            cancellationToken
        );
        var whole = await units.EachAsync(
            page.Items.Where(item =>
                !known.TryGetValue(item.Id, out var row)
                || row.State == ImportedState.Partial
                || (row.State == ImportedState.Open && row.ImportId != import.Id)
            ),
            async (item, token) =>
            {
                var failure =
                    item.Value.Failure
                    ?? await BringAsync(units, experiment, item.Value.Value, known.GetValueOrDefault(item.Id), token);
                await units.SettleAsync(ImportKinds.LoggedModel, item.Id, failure, token);
            },
            cancellationToken
        );
        if (!whole)
        {
            return;
        }

        var next = page.Next is null
            ? await ImportExperiments.NextAsync(units, experiment.RemoteId, cancellationToken)
            : experiment;
        units.Count(
            ImportKinds.LoggedModel,
            page.Items.Count,
            known.Values.Count(row => row.ImportId != import.Id && row.State == ImportedState.Whole)
        );
        await units.MoveOnAsync(
            next is null ? ImportPhase.Models : ImportPhase.LoggedModels,
            next?.RemoteId ?? "",
            page.Next,
            cancellationToken
        );
    }

    private static async Task<Failure?> BringAsync(
        ImportUnits units,
        ImportedRow experiment,
        RemoteLoggedModel model,
        ImportedRow? known,
        CancellationToken cancellationToken
    )
    {
        if (!ArtifactAddress.IsLoggedModelId(model.Id) || model.ExperimentId != experiment.RemoteId)
        {
            return ImportFailures.BadId;
        }

        await using (var db = await units.Ports.Databases.CreateDbContextAsync(cancellationToken))
        {
            if (
                known is null
                && await db.Set<LoggedModelRow>().AnyAsync(row => row.ModelId == model.Id, cancellationToken)
            )
            {
                return ImportFailures.Taken;
            }
        }

        var container = ArtifactAddress.OfLoggedModel(ImportExperiments.LocalId(experiment), model.Id);
        var fetched = await ImportFiles.FetchAsync(
            units,
            ImportFiles.PlaceOf(model.ArtifactUri, new RemotePlace.OfLoggedModel(model.Id)),
            container,
            (call, session) => units.MarkAsync(call, session, ImportKinds.LoggedModel, model.Id, ImportedState.Partial),
            cancellationToken
        );
        if (!fetched.Ok)
        {
            return fetched.Failure;
        }

        var written = await units.WriteAsync(
            (call, session) => WriteAsync(units, call, session, experiment, model, fetched.Value, container),
            cancellationToken
        );
        return written.Failure;
    }

    private static async Task<Result<Unit>> WriteAsync(
        ImportUnits units,
        Call call,
        WriteSession session,
        ImportedRow experiment,
        RemoteLoggedModel model,
        FetchedFiles files,
        string container
    )
    {
        var db = session.Db;
        var (tags, parameters) = (ImportUnits.Labels(model.Tags), ImportUnits.Labels(model.Params));
        if (!tags.Ok || !parameters.Ok)
        {
            return tags.Failure ?? parameters.Failure!;
        }

        var mark = await db.Set<ImportedRow>()
            .FindAsync([units.Import.Source, ImportKinds.LoggedModel, model.Id], call.Token);
        var row = await db.Set<LoggedModelRow>().FindAsync([model.Id], call.Token);
        if (row is not null && mark?.LocalId != model.Id)
        {
            return ImportFailures.Taken;
        }

        // A model that says of which run it came is believed only about a run that came with it.
        var source = model.SourceRunId is { } runId ? await RunAsync(units, call, db, runId) : null;
        if (model.SourceRunId is not null && source is null)
        {
            return ImportFailures.Incomplete;
        }

        if (await ImportFiles.AttachAsync(call, session, container, files.Waiting) is { } lost)
        {
            return lost;
        }

        if (row is null)
        {
            row = new LoggedModelRow
            {
                ModelId = model.Id,
                ExperimentId = ImportExperiments.LocalId(experiment),
                OwnerId = units.Import.OwnerId,
                SourceRunId = source?.RunId,
            };
            db.Add(row);
        }

        row.Name = model.Name.Length is > 0 and <= 250 ? model.Name : model.Id;
        row.ModelType = model.ModelType.Length <= 250 ? model.ModelType : "";
        row.Status = Statuses.Contains(model.Status) ? model.Status : "LOGGED_MODEL_UPLOAD_FAILED";
        row.CreatedMs = ImportUnits.Past(model.CreatedMs, session.Now);
        row.UpdatedMs = ImportUnits.Past(model.UpdatedMs, session.Now);
        var imported = (ImportUnits.TagPrefix + "source", units.Import.Source);
        await Labels.SetAsync(db, LabelScope.LoggedModelTag, model.Id, tags.Value.Append(imported), call.Token);
        await Labels.SetAsync(db, LabelScope.LoggedModelParam, model.Id, parameters.Value, call.Token);
        await AddMetricsAsync(units, call, db, model);
        mark = await units.MarkAsync(
            call,
            session,
            ImportKinds.LoggedModel,
            model.Id,
            row.Status == "LOGGED_MODEL_PENDING" ? ImportedState.Open : ImportedState.Whole
        );
        (mark.LocalId, mark.ArtifactUri) = (model.Id, model.ArtifactUri);
        (mark.Files, mark.Bytes) = (files.Files, files.Bytes);
        await db.SaveChangesAsync(call.Token);
        var entry = await call.LogAsync(
            session,
            "registry.logged_model_imported",
            Urn.LoggedModel(model.Id),
            new()
            {
                ["import"] = units.Import.Id,
                ["source"] = units.Import.Source,
                ["experiment"] = LabelIds.Experiment(row.ExperimentId),
                ["run"] = source?.RunId,
                ["files"] = files.Files,
                ["bytes"] = files.Bytes,
            }
        );
        if (source is not null)
        {
            var edge = new GraphEdge(
                LogInputs.RunNode(source),
                LoggedModelRoutes.Node(row),
                GraphVerb.Generated,
                GraphGrade.Declared
            );
            await session.LinkAsync(edge, entry, call.Token);
        }

        return default(Unit);
    }

    // Some servers say of which logged model a value is with the model only, not with the run's values.
    private static async Task AddMetricsAsync(ImportUnits units, Call call, GovernanceDb db, RemoteLoggedModel model)
    {
        foreach (var metric in model.Metrics.Where(metric => metric.RunId is not null && metric.Key.Length <= 250))
        {
            if (await RunAsync(units, call, db, metric.RunId!) is null)
            {
                continue;
            }

            var logged = new LoggedMetric(
                metric.Key,
                metric.Value,
                metric.TimestampMs,
                metric.Step,
                model.Id,
                metric.DatasetName,
                metric.DatasetDigest
            );
            var values = await db.Set<MetricRow>()
                .Where(row =>
                    row.RunId == metric.RunId
                    && row.Key == metric.Key
                    && row.TimestampMs == metric.TimestampMs
                    && row.Step == metric.Step
                )
                .ToListAsync(call.Token);
            if (values.Exists(row => row.LoggedModelId == model.Id))
            {
                continue;
            }

            if (values.Find(row => row.LoggedModelId is null && row.Value.Equals(logged.Stored)) is { } same)
            {
                (same.LoggedModelId, same.DatasetName, same.DatasetDigest) = (
                    model.Id,
                    metric.DatasetName,
                    metric.DatasetDigest
                );
            }
            else
            {
                db.Add(RunLog.Row(metric.RunId!, logged));
            }
        }
    }

    private static async Task<RunRow?> RunAsync(ImportUnits units, Call call, GovernanceDb db, string runId)
    {
        var mark = await db.Set<ImportedRow>().FindAsync([units.Import.Source, ImportKinds.Run, runId], call.Token);
        return mark is { State: not ImportedState.Partial }
            ? await db.Set<RunRow>().FindAsync([runId], call.Token)
            : null;
    }
}
