using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Traces;

/// <summary>MLflow's trace routes: what clients say of calls of an application, kept per experiment.</summary>
internal static class TraceRoutes
{
    private const int MaxText = 10_000;
    private static readonly string[] States =
    [
        "TRACE_STATUS_UNSPECIFIED",
        "STATE_UNSPECIFIED",
        "OK",
        "ERROR",
        "IN_PROGRESS",
    ];

    /// <summary>Under 2.0; what 3.x clients still ask there is the same in both.</summary>
    public static IEnumerable<MlflowRoute> Old =>
        [
            new("POST", "traces", Permissions.ExperimentWrite, StartAsync),
            new("GET", "traces", Permissions.ExperimentRead, TraceSearch.OldAsync),
            new("PATCH", "traces/{id}", Permissions.ExperimentWrite, EndAsync),
            new("GET", "traces/{id}/info", Permissions.ExperimentRead, InfoAsync),
            .. Common,
        ];

    /// <summary>Under 3.0.</summary>
    public static IEnumerable<MlflowRoute> New =>
        [
            new("POST", "traces", Permissions.ExperimentWrite, PutAsync),
            new("POST", "traces/search", Permissions.ExperimentRead, TraceSearch.NewAsync),
            new("GET", "traces/{id}", Permissions.ExperimentRead, GetAsync),
            .. AssessmentRoutes.All,
            .. Common,
        ];

    private static IEnumerable<MlflowRoute> Common =>
        [
            new("POST", "traces/delete-traces", Permissions.ExperimentWrite, DeleteAsync),
            new("PATCH", "traces/{id}/tags", Permissions.ExperimentWrite, SetTagAsync),
            new("DELETE", "traces/{id}/tags", Permissions.ExperimentWrite, DeleteTagAsync),
        ];

    public static readonly Failure Taken = new(
        FailureKind.Exists,
        "registry.trace_exists",
        "There is another trace with this id."
    );

    public static string Subject(string traceId) => $"trace:{traceId}";

    private static Task<Result<JsonObject>> StartAsync(Call call)
    {
        var experimentId = call.Args.Required("experiment_id");
        var timestamp = call.Args.Int64("timestamp_ms");
        var metadata = call.Args.Labels("request_metadata", 100, MaxText);
        var tags = call.Args.Labels("tags", 100, MaxText);
        return call.WriteAsync(async session =>
        {
            var experiment = await TrackingAccess.MakeInAsync(call, session.Db, experimentId);
            if (!experiment.Ok)
            {
                return experiment.Failure;
            }

            await TraceStore.ExpireAsync(call, session, experiment.Value.Id);
            var now = session.Now.ToUnixTimeMilliseconds();
            var row = new TraceRow
            {
                TraceId = Guid.CreateVersion7(session.Now).ToString("N"),
                ExperimentId = experiment.Value.Id,
                OwnerId = call.Actor.Id,
                TimestampMs = Time(timestamp ?? now),
                CreatedMs = now,
            };
            session.Db.Add(row);
            await LabelAsync(call, session, row, tags, metadata);
            await call.LogAsync(
                session,
                "registry.trace_started",
                Subject(row.TraceId),
                new() { ["experiment"] = experimentId }
            );
            return await OldAnswerAsync(call, session.Db, row);
        });
    }

    private static Task<Result<JsonObject>> EndAsync(Call call)
    {
        var end = call.Args.Int64("timestamp_ms");
        var state = call.Args.Optional("status", 40) is { Length: > 0 } text ? State(text) : null;
        var metadata = call.Args.Labels("request_metadata", 100, MaxText);
        var tags = call.Args.Labels("tags", 100, MaxText);
        return ChangeAsync(
            call,
            "registry.trace_ended",
            async (session, row) =>
            {
                row.State = state ?? row.State;
                row.DurationMs = end is { } at ? Math.Max(0, Time(at) - row.TimestampMs) : row.DurationMs;
                await LabelAsync(call, session, row, tags, metadata);
                return await OldAnswerAsync(call, session.Db, row);
            }
        );
    }

    /// <summary>A 3.x client sends a whole trace, whose id it chose; sending it again says the same of the same trace.</summary>
    private static Task<Result<JsonObject>> PutAsync(Call call)
    {
        var info =
            call.Args.Object("trace")?.Object("trace_info")
            ?? throw new RefusedException(RegistryNames.MissingParameter("trace.trace_info"));
        var id = info.Required("trace_id", 64);
        var experimentId =
            info.Object("trace_location")?.Object("mlflow_experiment")?.Required("experiment_id")
            ?? throw new RefusedException(RegistryNames.MissingParameter("experiment_id"));
        var time = TraceTimes.Read(info.Required("request_time", 64));
        var duration = info.Optional("execution_duration", 64) is { Length: > 0 } text
            ? TraceTimes.ReadDuration(text) ?? -1
            : 0;
        if (!ArtifactAddress.IsTraceId(id) || time is null || duration < 0)
        {
            return Task.FromResult<Result<JsonObject>>(
                Failure.Invalid(
                    "registry.bad_trace",
                    "A trace has an id 'tr-<32 hex>', a request_time such as 2026-01-31T12:00:00.123Z and an "
                        + "execution_duration such as 0.25s."
                )
            );
        }

        var (tags, metadata) = (info.Texts("tags", 100, MaxText), info.Texts("trace_metadata", 100, MaxText));
        var state = info.Optional("state", 40) is { Length: > 0 } said ? State(said) : "STATE_UNSPECIFIED";
        var (request, response) = (
            info.Optional("request_preview", MaxText),
            info.Optional("response_preview", MaxText)
        );
        var client = info.Optional("client_request_id", 250);
        return call.WriteAsync(async session =>
        {
            var experiment = await TrackingAccess.MakeInAsync(call, session.Db, experimentId);
            if (!experiment.Ok)
            {
                return experiment.Failure;
            }

            var row = await session.Db.Set<TraceRow>().FindAsync([id], call.Token);
            if (row is not null && (row.ExperimentId != experiment.Value.Id || row.OwnerId != call.Actor.Id))
            {
                return Taken;
            }

            if (row is null)
            {
                await TraceStore.ExpireAsync(call, session, experiment.Value.Id);
                row = new TraceRow
                {
                    TraceId = id,
                    ExperimentId = experiment.Value.Id,
                    OwnerId = call.Actor.Id,
                    CreatedMs = session.Now.ToUnixTimeMilliseconds(),
                };
                session.Db.Add(row);
            }

            (row.TimestampMs, row.DurationMs, row.State) = (Time(time.Value), duration, state);
            (row.RequestPreview, row.ResponsePreview, row.ClientRequestId) = (request, response, client);
            await LabelAsync(call, session, row, tags, metadata);
            await call.LogAsync(session, "registry.trace_logged", Subject(id), new() { ["experiment"] = experimentId });
            var detail = await DetailAsync(call, session.Db, row);
            return new JsonObject { ["trace"] = new JsonObject { ["trace_info"] = detail.ToJson() } };
        });
    }

    private static async Task<Result<JsonObject>> InfoAsync(Call call)
    {
        await using var db = await call.OpenAsync();
        var found = await TrackingAccess.TraceAsync(call, db, call.RouteId, Permissions.ExperimentRead);
        return found.Ok ? await OldAnswerAsync(call, db, found.Value) : found.Failure;
    }

    private static async Task<Result<JsonObject>> GetAsync(Call call)
    {
        if (!ArtifactAddress.IsTraceId(call.RouteId))
        {
            // traces/get and traces/batchGet of newer clients look like an id.
            return NotServed.At("traces");
        }

        await using var db = await call.OpenAsync();
        var found = await TrackingAccess.TraceAsync(call, db, call.RouteId, Permissions.ExperimentRead);
        return found.Ok
            ? new JsonObject
            {
                ["trace"] = new JsonObject { ["trace_info"] = (await DetailAsync(call, db, found.Value)).ToJson() },
            }
            : found.Failure;
    }

    private static Task<Result<JsonObject>> DeleteAsync(Call call)
    {
        var experimentId = call.Args.Required("experiment_id");
        var before = call.Args.Int64("max_timestamp_millis");
        var most = call.Args.Count("max_traces", 1000, 1, 1000);
        var ids = call.Args.Strings(call.Args.Has("trace_ids") ? "trace_ids" : "request_ids", 1000);
        if (ids.Count > 0 == before is not null)
        {
            return Task.FromResult<Result<JsonObject>>(
                Failure.Invalid(
                    "registry.bad_parameter",
                    "Either request_ids, or max_timestamp_millis with or without max_traces, must be given."
                )
            );
        }

        return call.WriteAsync(async session =>
        {
            var experiment = await TrackingAccess.ExperimentAsync(
                call,
                session.Db,
                experimentId,
                Permissions.ExperimentRead
            );
            if (!experiment.Ok)
            {
                return experiment.Failure;
            }

            var rows = session.Db.Set<TraceRow>().Where(row => row.ExperimentId == experiment.Value.Id);
            rows = before is { } limit
                ? rows.Where(row => row.TimestampMs <= limit)
                : rows.Where(row => ids.Contains(row.TraceId));
            var found = await rows.OrderBy(row => row.TimestampMs)
                .ThenBy(row => row.TraceId)
                .Take(most)
                .ToListAsync(call.Token);
            // In an experiment that nobody owns, each trace is its maker's: one foreign trace refuses the whole request.
            foreach (var owner in found.Select(row => row.OwnerId).Append(call.Actor.Id).Distinct())
            {
                var target = TrackingAccess.Target(experiment.Value, owner);
                if (!call.May(Permissions.ExperimentWrite, target))
                {
                    return Failure.Denied(
                        "registry.denied",
                        $"Permission experiment:write on '{target.Name}' is needed."
                    );
                }
            }

            await TraceStore.RemoveAsync(session.Db, found, call.Token);
            await call.LogAsync(
                session,
                "registry.traces_deleted",
                ExperimentRoutes.Subject(experiment.Value.Id),
                new() { ["traces"] = found.Count }
            );
            return new JsonObject { ["traces_deleted"] = found.Count };
        });
    }

    private static Task<Result<JsonObject>> SetTagAsync(Call call)
    {
        var (key, value) = (call.Args.LabelKey(), call.Args.Optional("value", MaxText) ?? "");
        return ChangeAsync(
            call,
            "registry.trace_tagged",
            async (session, row) =>
            {
                await LabelAsync(call, session, row, [(key, value)], []);
                return new JsonObject();
            }
        );
    }

    private static Task<Result<JsonObject>> DeleteTagAsync(Call call)
    {
        var key = call.Args.LabelKey();
        return ChangeAsync(
            call,
            "registry.trace_untagged",
            async (session, row) =>
                await Labels.RemoveAsync(session.Db, LabelScope.TraceTag, row.TraceId, key, call.Token)
                    ? new JsonObject()
                    : Failure.NotFound(
                        "registry.tag_not_found",
                        $"No trace tag with key '{RegistryNames.Quote(key)}' for trace with ID '{row.TraceId}'"
                    )
        );
    }

    private static Task<Result<JsonObject>> ChangeAsync(
        Call call,
        string kind,
        Func<WriteSession, TraceRow, Task<Result<JsonObject>>> change
    ) =>
        call.WriteAsync(async session =>
        {
            var found = await TrackingAccess.TraceAsync(call, session.Db, call.RouteId, Permissions.ExperimentWrite);
            if (!found.Ok)
            {
                return found.Failure;
            }

            var changed = await change(session, found.Value);
            if (changed.Ok)
            {
                await session.Db.SaveChangesAsync(call.Token);
                await call.LogAsync(session, kind, Subject(found.Value.TraceId));
            }

            return changed;
        });

    private static async Task LabelAsync(
        Call call,
        WriteSession session,
        TraceRow row,
        IReadOnlyList<(string Key, string Value)> tags,
        IReadOnlyList<(string Key, string Value)> metadata
    )
    {
        var own = tags.Where(tag => tag.Key != TraceDetail.LocationTag);
        await Labels.SetAsync(session.Db, LabelScope.TraceTag, row.TraceId, own, call.Token);
        await Labels.SetAsync(session.Db, LabelScope.TraceMetadata, row.TraceId, metadata, call.Token);
        await session.Db.SaveChangesAsync(call.Token);
    }

    private static async Task<TraceDetail> DetailAsync(Call call, GovernanceDb db, TraceRow row) =>
        (await TraceDetail.LoadAsync(db, [row], call.Token))[row];

    private static async Task<Result<JsonObject>> OldAnswerAsync(Call call, GovernanceDb db, TraceRow row) =>
        new JsonObject { ["trace_info"] = (await DetailAsync(call, db, row)).ToOldJson() };

    private static string State(string text) =>
        States.Contains(text)
            ? text
            : throw new RefusedException(
                Failure.Invalid("registry.bad_status", $"A trace's status is one of {string.Join(", ", States)}.")
            );

    // A time that no calendar has could be stored but never shown.
    private static long Time(long ms) =>
        ms is >= 0 and < 253_402_300_800_000
            ? ms
            : throw new RefusedException(
                Failure.Invalid(
                    "registry.bad_parameter",
                    string.Create(CultureInfo.InvariantCulture, $"{ms} is no time in milliseconds.")
                )
            );
}
