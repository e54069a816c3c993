using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Versions;
using Governance.Registry.Webhooks;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Moves;

/// <summary>
/// The only code that changes stages, aliases, names and deletions. It trusts nothing but a decision that the ledger still has
/// unused for exactly this move, and a state that is still the one the decision was made on.
/// </summary>
internal sealed class Mover(IDecisionLedger ledger, Mirror mirror) : IMover
{
    private static readonly Failure Changed = Failure.Conflict(
        "registry.changed",
        "The state changed since the decision was made; decide again."
    );

    private static readonly Failure NotReady = Failure.Conflict(
        "registry.version_not_ready",
        "The version is not READY: only a registered version can hold a stage or an alias."
    );

    public Task<Result<VersionView?>> MoveAsync(
        WriteSession session,
        Actor actor,
        Move move,
        Guid decisionId,
        MoveExpectation expected,
        CancellationToken cancellationToken
    )
    {
        var step = new Step(session, actor, move, decisionId, expected, cancellationToken);
        return move.IsOfWholeModel ? MoveModelAsync(step) : MoveVersionAsync(step);
    }

    private sealed record Step(
        WriteSession Session,
        Actor Actor,
        Move Move,
        Guid DecisionId,
        MoveExpectation Expected,
        CancellationToken Token
    )
    {
        public GovernanceDb Db => Session.Db;

        public JsonObject Details { get; } =
            new() { ["move"] = Move.TargetText, ["decision"] = DecisionId.ToString("D") };

        public List<GraphEdge> Edges { get; } = [];

        /// <summary>What webhooks are told of, once the move is written.</summary>
        public List<(WebhookEvent Happened, JsonObject Data)> Events { get; } = [];

        public void Announce(WebhookEvent happened, int number, string member, string value) =>
            Events.Add(
                (
                    happened,
                    new JsonObject
                    {
                        ["name"] = Move.Version.Model,
                        ["version"] = Wire.RegistryJson.Number(number),
                        [member] = value,
                    }
                )
            );
    }

    private async Task<Result<VersionView?>> MoveVersionAsync(Step step)
    {
        var move = step.Move;
        var found = await VersionStore
            .Active(step.Db)
            .Where(join => join.Model.Name == move.Version.Model && join.Version.Number == move.Version.Version)
            .SingleOrDefaultAsync(step.Token);
        if (found is null)
        {
            return VersionErrors.NoVersion(move.Version);
        }

        var row = found.Version;
        var serves = move.Kind == MoveKind.SetAlias || (move.Kind == MoveKind.SetStage && IsServing(move.Target));
        if (serves && CheckServable(row) is { } unfit)
        {
            return unfit;
        }

        var holders = await HoldersAsync(step, row.ModelId);
        if (
            row.ModelId != step.Expected.ModelId
            || row.Revision != step.Expected.Revision
            || row.EvidenceSubject != step.Expected.EvidenceSubject.Hex
            || (serves && !holders.SequenceEqual(step.Expected.Holders))
        )
        {
            return Changed;
        }

        var taken = await ledger.TakeAsync(
            step.Session,
            step.DecisionId,
            move,
            step.Expected.EvidenceSubject,
            step.Token
        );
        if (!taken.Ok)
        {
            return taken.Failure;
        }

        var applied = move.Kind switch
        {
            MoveKind.SetStage => await SetStageAsync(step, row),
            MoveKind.SetAlias => await SetAliasAsync(step, row),
            MoveKind.DeleteAlias => await DeleteAliasAsync(step, row),
            _ => await DeleteVersionAsync(step, row),
        };
        if (applied is { } failure)
        {
            return failure;
        }

        // As in MLflow, an alias is the model's affair: the version's own time stays.
        if (move.Kind is MoveKind.SetAlias or MoveKind.DeleteAlias)
        {
            row.Revision++;
        }
        else
        {
            row.Touch(step.Session.Now);
        }

        found.Model.UpdatedMs = step.Session.Now.ToUnixTimeMilliseconds();
        await step.Db.SaveChangesAsync(step.Token);
        step.Details["subject"] = row.EvidenceSubject;
        await LogAndLinkAsync(step, Urn.Version(move.Version), row.ModelId);
        return move.Kind == MoveKind.DeleteVersion
            ? (VersionView?)null
            : (await VersionStore.FindAsync(step.Db, move.Version, step.Token))!.ToView();
    }

    private static bool IsServing(string stage) => stage is "Staging" or "Production";

    private static Failure? CheckServable(VersionRow row) =>
        row.Quarantined ? VersionErrors.Quarantined
        : row.Status != VersionStatus.Ready ? NotReady
        : null;

    /// <summary>Who holds the target stage or alias now, ascending.</summary>
    private static async Task<List<int>> HoldersAsync(Step step, Guid modelId)
    {
        var target = step.Move.Target;
        var numbers =
            step.Move.Kind == MoveKind.SetStage
                ? step
                    .Db.Set<VersionRow>()
                    .Where(row => row.ModelId == modelId && !row.Deleted && row.Stage == target)
                    .Select(row => row.Number)
                : step
                    .Db.Set<AliasRow>()
                    .Where(row => row.ModelId == modelId && row.Alias == target)
                    .Select(row => row.Number);
        return await numbers.OrderBy(number => number).ToListAsync(step.Token);
    }

    private static async Task<Failure?> SetStageAsync(Step step, VersionRow row)
    {
        if (!Move.Stages.Contains(step.Move.Target))
        {
            return RegistryNames.BadStage(step.Move.Target);
        }

        if (step.Move.ArchiveExisting && IsServing(step.Move.Target))
        {
            var others = await step
                .Db.Set<VersionRow>()
                .Where(other =>
                    other.ModelId == row.ModelId
                    && !other.Deleted
                    && other.Stage == step.Move.Target
                    && other.Number != row.Number
                )
                .OrderBy(other => other.Number)
                .ToListAsync(step.Token);
            foreach (var other in others)
            {
                ChangeStage(step, other, "Archived");
                other.Touch(step.Session.Now);
            }

            step.Details["archived"] = new JsonArray([.. others.Select(other => JsonValue.Create(other.Number))]);
        }

        step.Details["from"] = row.Stage;
        ChangeStage(step, row, step.Move.Target);
        return null;
    }

    private static void ChangeStage(Step step, VersionRow row, string stage)
    {
        var (model, reference) = (step.Move.Version.Model, new ModelVersionRef(step.Move.Version.Model, row.Number));
        if (IsServing(row.Stage))
        {
            step.Edges.Add(MoveGraph.Serves(reference, MoveGraph.Stage(model, row.Stage), ends: true));
        }

        if (row.Stage != stage)
        {
            step.Announce(WebhookEvent.StageUpdated, row.Number, "stage", stage);
            step.Events[^1].Data["previous_stage"] = row.Stage;
        }

        row.Stage = stage;
        if (IsServing(stage))
        {
            step.Edges.Add(MoveGraph.Serves(reference, MoveGraph.Stage(model, stage), ends: false));
        }
    }

    private static async Task<Failure?> SetAliasAsync(Step step, VersionRow row)
    {
        var (model, alias) = (step.Move.Version.Model, step.Move.Target);
        if (RegistryNames.CheckAlias(alias) is { } bad)
        {
            return bad;
        }

        var existing = await step.Db.Set<AliasRow>().FindAsync([row.ModelId, alias], step.Token);
        if (existing is null)
        {
            step.Db.Add(
                new AliasRow
                {
                    ModelId = row.ModelId,
                    Alias = alias,
                    Number = row.Number,
                }
            );
        }
        else
        {
            step.Details["from"] = existing.Number;
            var previous = new ModelVersionRef(model, existing.Number);
            var loser = await step
                .Db.Set<VersionRow>()
                .SingleAsync(other => other.ModelId == row.ModelId && other.Number == existing.Number, step.Token);
            loser.Revision++;
            step.Edges.Add(MoveGraph.Serves(previous, MoveGraph.Alias(model, alias), ends: true));
            existing.Number = row.Number;
        }

        step.Edges.Add(MoveGraph.Serves(step.Move.Version, MoveGraph.Alias(model, alias), ends: false));
        step.Announce(WebhookEvent.AliasCreated, row.Number, "alias", alias);
        return null;
    }

    private static async Task<Failure?> DeleteAliasAsync(Step step, VersionRow row)
    {
        var existing = await step.Db.Set<AliasRow>().FindAsync([row.ModelId, step.Move.Target], step.Token);
        if (existing is null || existing.Number != row.Number)
        {
            return Changed;
        }

        RemoveAlias(step, existing);
        return null;
    }

    private static void RemoveAlias(Step step, AliasRow alias)
    {
        var model = step.Move.Version.Model;
        var holder = new ModelVersionRef(model, alias.Number);
        step.Edges.Add(MoveGraph.Serves(holder, MoveGraph.Alias(model, alias.Alias), ends: true));
        step.Announce(WebhookEvent.AliasDeleted, alias.Number, "alias", alias.Alias);
        step.Db.Remove(alias);
    }

    // Rows stay: numbers are never used again, and frozen bytes, evidence and lineage keep their meaning.
    private static async Task<Failure?> DeleteVersionAsync(Step step, VersionRow row)
    {
        var aliases = await step
            .Db.Set<AliasRow>()
            .Where(alias => alias.ModelId == row.ModelId && alias.Number == row.Number)
            .ToListAsync(step.Token);
        aliases.ForEach(alias => RemoveAlias(step, alias));
        Hide(step, row);
        return null;
    }

    private static void Hide(Step step, VersionRow row)
    {
        step.Details["from"] = row.Stage;
        if (IsServing(row.Stage))
        {
            var reference = new ModelVersionRef(step.Move.Version.Model, row.Number);
            step.Edges.Add(
                MoveGraph.Serves(reference, MoveGraph.Stage(step.Move.Version.Model, row.Stage), ends: true)
            );
        }

        // As in MLflow, what people wrote goes; where the bytes came from stays, for they stay frozen.
        (row.Description, row.RunLink) = ("", "");
        row.Deleted = true;
    }

    private async Task<Result<VersionView?>> MoveModelAsync(Step step)
    {
        var move = step.Move;
        var model = await VersionStore.ModelAsync(step.Db, move.Version.Model, step.Token);
        if (model is null)
        {
            return VersionErrors.NoModel(move.Version.Model);
        }

        var versions = await step
            .Db.Set<VersionRow>()
            .Where(row => row.ModelId == model.Id && !row.Deleted)
            .OrderBy(row => row.Number)
            .ToListAsync(step.Token);
        var aliases = await step.Db.Set<AliasRow>().Where(row => row.ModelId == model.Id).ToListAsync(step.Token);
        // A version that was registered, promoted or named after the decision was not part of it.
        if (
            model.Id != step.Expected.ModelId
            || await VersionStore.RevisionAsync(step.Db, model.Id, step.Token) != step.Expected.Revision
        )
        {
            return Changed;
        }

        var taken = await ledger.TakeAsync(
            step.Session,
            step.DecisionId,
            move,
            step.Expected.EvidenceSubject,
            step.Token
        );
        if (!taken.Ok)
        {
            return taken.Failure;
        }

        if (move.Kind == MoveKind.DeleteModel)
        {
            aliases.ForEach(alias => RemoveAlias(step, alias));
            foreach (var row in versions)
            {
                Hide(step, row);
                row.Touch(step.Session.Now);
            }

            model.Deleted = true;
            step.Details.Remove("from");
        }
        else if (await RenameAsync(step, model, versions, aliases) is { } failure)
        {
            return failure;
        }

        model.UpdatedMs = step.Session.Now.ToUnixTimeMilliseconds();
        await step.Db.SaveChangesAsync(step.Token);
        await LogAndLinkAsync(step, Urn.Model(move.Version.Model), model.Id);
        return (VersionView?)null;
    }

    private static async Task<Failure?> RenameAsync(
        Step step,
        ModelRow model,
        List<VersionRow> versions,
        List<AliasRow> aliases
    )
    {
        var (oldName, newName) = (model.Name, step.Move.Target);
        if (RegistryNames.CheckName("registered model", newName) is { } bad)
        {
            return bad;
        }

        if (await VersionStore.HasTwinAsync(step.Db, newName, model.Id, step.Token))
        {
            return VersionErrors.Twin(newName);
        }

        var oldUse = await step.Db.Set<ModelNameRow>().SingleAsync(row => row.Name == oldName, step.Token);
        var newUse = await step.Db.Set<ModelNameRow>().FindAsync([newName], step.Token);
        // A name whose numbers mean other versions is never given to another model.
        if (
            await VersionStore.ModelAsync(step.Db, newName, step.Token) is not null
            || (newUse is not null && newUse.ModelId != model.Id && newUse.NextVersion > 1)
        )
        {
            return new Failure(
                FailureKind.Exists,
                "registry.model_exists",
                $"Registered Model (name={newName}) already exists, or another model had that name."
            );
        }

        if (newUse is null)
        {
            step.Db.Add(
                new ModelNameRow
                {
                    Name = newName,
                    ModelId = model.Id,
                    NextVersion = oldUse.NextVersion,
                }
            );
        }
        else
        {
            (newUse.ModelId, newUse.NextVersion) = (model.Id, Math.Max(newUse.NextVersion, oldUse.NextVersion));
        }

        model.Name = newName;
        step.Edges.Add(new(MoveGraph.Model(oldName), MoveGraph.Model(newName), GraphVerb.Derived, GraphGrade.Observed));
        foreach (var row in versions)
        {
            var (from, to) = (new ModelVersionRef(oldName, row.Number), new ModelVersionRef(newName, row.Number));
            step.Edges.Add(new(MoveGraph.Version(from), MoveGraph.Version(to), GraphVerb.Derived, GraphGrade.Observed));
            step.Edges.Add(new(MoveGraph.Version(to), MoveGraph.Model(newName), GraphVerb.PartOf, GraphGrade.Observed));
            if (IsServing(row.Stage))
            {
                Reopen(step, from, to, MoveGraph.Stage(oldName, row.Stage), MoveGraph.Stage(newName, row.Stage));
            }

            foreach (var alias in aliases.Where(alias => alias.Number == row.Number))
            {
                Reopen(step, from, to, MoveGraph.Alias(oldName, alias.Alias), MoveGraph.Alias(newName, alias.Alias));
            }
        }

        return null;
    }

    private static void Reopen(Step step, ModelVersionRef from, ModelVersionRef to, GraphNode oldBy, GraphNode newBy)
    {
        step.Edges.Add(MoveGraph.Serves(from, oldBy, ends: true));
        step.Edges.Add(MoveGraph.Serves(to, newBy, ends: false));
    }

    private async Task LogAndLinkAsync(Step step, string subject, Guid modelId)
    {
        var entry = await step.Session.LogAsync(
            new LogEntry("registry.moved", step.Actor, subject, LogOutcome.Done) { Details = step.Details },
            step.Token
        );
        foreach (var edge in step.Edges)
        {
            await step.Session.LinkAsync(edge, entry, step.Token);
        }

        mirror.Touch(step.Session, modelId, step.Move);

        foreach (var (happened, data) in step.Events)
        {
            await step.Session.AnnounceAsync(modelId, happened, data, step.Token);
        }
    }
}
