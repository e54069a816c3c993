using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Experiments;

/// <summary>
/// Finding experiments, runs and logged models with the caller's rights. Runs and logged models inherit from their experiment;
/// in an experiment that nobody owns (Default) they count as their creator's own.
/// </summary>
internal static class TrackingAccess
{
    private sealed record Placed(RunRow Run, ExperimentRow Experiment);

    private static readonly CompiledQuery<Func<GovernanceDb, string, CancellationToken, Task<Placed?>>> RunOf = new(
        () =>
            EF.CompileAsyncQuery(
                (GovernanceDb db, string id, CancellationToken _) =>
                    (
                        from run in db.Set<RunRow>()
                        join experiment in db.Set<ExperimentRow>() on run.ExperimentId equals experiment.Id
                        where run.RunId == id
                        select new Placed(run, experiment)
                    ).SingleOrDefault()
            )
    );

    public static AccessTarget Target(ExperimentRow experiment, string? owner) =>
        AccessTarget.Experiment(experiment.Name, experiment.OwnerId ?? owner);

    public static bool Readable(Call call, ExperimentRow experiment, string? owner) =>
        call.Rights.Allows(Permissions.ExperimentRead, Target(experiment, owner))
        || (experiment.OwnerId is null && owner is null && call.Rights.AllowsSomewhere(Permissions.ExperimentRead));

    /// <summary>An id says nothing of the experiment that it could belong to: only who may read them all is told plainly.</summary>
    public static Failure Absent(Call call, Failure absent) =>
        call.Absent(Permissions.ExperimentRead, AccessTarget.Experiment("", null), absent);

    public static Failure NoExperiment(string id) =>
        Failure.NotFound(
            "registry.experiment_not_found",
            $"No Experiment with id={Engine.RegistryNames.Quote(id)} exists"
        );

    public static Failure DeletedExperiment(string id) =>
        Failure.Invalid(
            "registry.experiment_deleted",
            $"The experiment {Engine.RegistryNames.Quote(id)} must be in the 'active' state. Current state is deleted."
        );

    public static Failure NoRun(string id) =>
        Failure.NotFound("registry.run_not_found", $"Run with id={Engine.RegistryNames.Quote(id)} not found");

    public static Failure NoLoggedModel(string id) =>
        Failure.NotFound(
            "registry.logged_model_not_found",
            $"Logged model with ID '{Engine.RegistryNames.Quote(id)}' not found."
        );

    public static async Task<Result<ExperimentRow>> ExperimentAsync(
        Call call,
        GovernanceDb db,
        string id,
        Permission permission
    )
    {
        var row = Engine.ArtifactAddress.TryExperiment(id, out var number)
            ? await db.Set<ExperimentRow>().SingleOrDefaultAsync(e => e.Id == number, call.Token)
            : null;
        if (row is null)
        {
            return Absent(call, NoExperiment(id));
        }

        var readable = Readable(call, row, null);
        if (permission == Permissions.ExperimentRead && readable)
        {
            return row;
        }

        return call.Check(readable, permission, Target(row, null), NoExperiment(id)) is { } failure ? failure : row;
    }

    public static async Task<Result<(RunRow Run, ExperimentRow Experiment)>> RunAsync(
        Call call,
        GovernanceDb db,
        string id,
        Permission permission,
        bool evenDeleted = false
    )
    {
        var found = await RunOf.For(db)(db, id, call.Token);
        if (found is null)
        {
            return Absent(call, NoRun(id));
        }

        var target = Target(found.Experiment, found.Run.OwnerId);
        var readable = Readable(call, found.Experiment, found.Run.OwnerId);
        if (call.Check(readable, permission, target, NoRun(id)) is { } failure)
        {
            return failure;
        }

        return permission == Permissions.ExperimentRead || evenDeleted || !found.Run.Deleted
            ? (found.Run, found.Experiment)
            : Failure.Invalid(
                "registry.run_deleted",
                $"The run {id} must be in the 'active' state. Current state is deleted."
            );
    }

    /// <summary>The experiment in which the caller may make something of its own.</summary>
    public static async Task<Result<ExperimentRow>> MakeInAsync(Call call, GovernanceDb db, string id)
    {
        var experiment = await ExperimentAsync(call, db, id, Permissions.ExperimentRead);
        if (!experiment.Ok)
        {
            return experiment.Failure;
        }

        var target = Target(experiment.Value, call.Actor.Id);
        if (!call.May(Permissions.ExperimentWrite, target))
        {
            return Failure.Denied("registry.denied", $"Permission experiment:write on '{target.Name}' is needed.");
        }

        return experiment.Value.Deleted ? DeletedExperiment(id) : experiment;
    }

    public static async Task<Result<TraceRow>> TraceAsync(Call call, GovernanceDb db, string id, Permission permission)
    {
        var absent = Failure.NotFound(
            "registry.trace_not_found",
            $"Trace with ID '{Engine.RegistryNames.Quote(id)}' not found."
        );
        var found = await (
            from trace in db.Set<TraceRow>()
            join experiment in db.Set<ExperimentRow>() on trace.ExperimentId equals experiment.Id
            where trace.TraceId == id
            select new { trace, experiment }
        ).SingleOrDefaultAsync(call.Token);
        if (found is null)
        {
            return Absent(call, absent);
        }

        var target = Target(found.experiment, found.trace.OwnerId);
        var readable = Readable(call, found.experiment, found.trace.OwnerId);
        return call.Check(readable, permission, target, absent) is { } failure ? failure : found.trace;
    }

    public static async Task<Result<(LoggedModelRow Model, ExperimentRow Experiment)>> LoggedModelAsync(
        Call call,
        GovernanceDb db,
        string id,
        Permission permission
    )
    {
        var found = await (
            from model in db.Set<LoggedModelRow>()
            join experiment in db.Set<ExperimentRow>() on model.ExperimentId equals experiment.Id
            where model.ModelId == id && !model.Deleted
            select new { model, experiment }
        ).SingleOrDefaultAsync(call.Token);
        if (found is null)
        {
            return Absent(call, NoLoggedModel(id));
        }

        var target = Target(found.experiment, found.model.OwnerId);
        var readable = Readable(call, found.experiment, found.model.OwnerId);
        return call.Check(readable, permission, target, NoLoggedModel(id)) is { } failure
            ? failure
            : (found.model, found.experiment);
    }
}
