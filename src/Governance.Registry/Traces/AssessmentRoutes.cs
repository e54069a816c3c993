using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Traces;

/// <summary>
/// Feedback on traces and expectations of them, as 3.x clients log, change and delete them. Whoever may write the experiment
/// of a trace may do so; the log names them by id only.
/// </summary>
internal static class AssessmentRoutes
{
    private const int MaxAssessments = 1000;
    private const int MaxText = 10_000;
    private const int MaxValue = 65_536;
    private const int MaxContent = 200_000;
    private const int MaxOfTrace = 4_000_000;
    private static readonly string[] Sources = ["SOURCE_TYPE_UNSPECIFIED", "HUMAN", "LLM_JUDGE", "CODE"];

    public static IEnumerable<MlflowRoute> All =>
        [
            new("POST", "traces/{id}/assessments", Permissions.ExperimentWrite, CreateAsync),
            new("GET", "traces/{id}/assessments/{key}", Permissions.ExperimentRead, GetAsync),
            new("PATCH", "traces/{id}/assessments/{key}", Permissions.ExperimentWrite, UpdateAsync),
            new("DELETE", "traces/{id}/assessments/{key}", Permissions.ExperimentWrite, DeleteAsync),
        ];

    public static JsonObject Json(AssessmentRow row)
    {
        var json = JsonNode.Parse(row.Content)!.AsObject();
        json["assessment_id"] = row.Id;
        json["trace_id"] = row.TraceId;
        json["create_time"] = TraceTimes.Write(row.CreatedMs);
        json["last_update_time"] = TraceTimes.Write(row.UpdatedMs);
        json["valid"] = !row.Overridden;
        return json.With("overrides", row.Overrides);
    }

    private static Task<Result<JsonObject>> CreateAsync(Call call)
    {
        var args = Assessment(call);
        var content = new JsonObject { ["assessment_name"] = Name(args), ["source"] = Source(args) }
            .With("span_id", args.Optional("span_id", 64))
            .With("rationale", args.Optional("rationale", MaxText))
            .With("metadata", Metadata(args));
        var (kind, value) = Value(args) ?? throw new RefusedException(NoValue);
        content[kind] = value;
        var overrides = args.Optional("overrides", 64) is { Length: > 0 } other ? other : null;
        return ChangeAsync(
            call,
            "registry.assessment_created",
            async session =>
            {
                var ofTrace = session.Db.Set<AssessmentRow>().Where(row => row.TraceId == call.RouteId);
                if (await ofTrace.CountAsync(call.Token) >= MaxAssessments)
                {
                    return Failure.Invalid("registry.too_many", $"A trace has at most {MaxAssessments} assessments.");
                }

                if (overrides is not null)
                {
                    if (await FindAsync(call, session.Db, overrides) is not { } overridden)
                    {
                        return Absent(call, overrides);
                    }

                    overridden.Overridden = true;
                }

                var now = session.Now.ToUnixTimeMilliseconds();
                var row = new AssessmentRow
                {
                    Id = $"a-{Guid.CreateVersion7(session.Now):N}",
                    TraceId = call.RouteId,
                    Content = content.ToJsonString(),
                    Overrides = overrides,
                    CreatedMs = now,
                    UpdatedMs = now,
                };
                session.Db.Add(row);
                return row;
            }
        );
    }

    private static async Task<Result<JsonObject>> GetAsync(Call call)
    {
        await using var db = await call.OpenAsync();
        var trace = await TrackingAccess.TraceAsync(call, db, call.RouteId, Permissions.ExperimentRead);
        return !trace.Ok ? trace.Failure
            : await FindAsync(call, db, call.RouteKey) is { } row ? new JsonObject { ["assessment"] = Json(row) }
            : Absent(call, call.RouteKey);
    }

    /// <summary>Changes what the mask names: protobuf's JSON form of it, names with commas between.</summary>
    private static Task<Result<JsonObject>> UpdateAsync(Call call)
    {
        var args = Assessment(call);
        var changes = new JsonObject();
        foreach (var path in call.Args.Required("update_mask", 200).Split(','))
        {
            switch (path.Trim())
            {
                case "assessmentName" or "assessment_name":
                    changes["assessment_name"] = Name(args);
                    break;
                case "rationale":
                    changes["rationale"] = args.Optional("rationale", MaxText) ?? "";
                    break;
                case "metadata":
                    changes["metadata"] = Metadata(args) ?? [];
                    break;
                case "feedback" or "expectation":
                    var (kind, value) = Value(args) ?? throw new RefusedException(NoValue);
                    changes[kind] = value;
                    break;
                default:
                    throw new RefusedException(BadMask);
            }
        }

        return ChangeAsync(
            call,
            "registry.assessment_updated",
            async session =>
            {
                if (await FindAsync(call, session.Db, call.RouteKey) is not { } row)
                {
                    return Absent(call, call.RouteKey);
                }

                var content = JsonNode.Parse(row.Content)!.AsObject();
                foreach (var (name, value) in changes)
                {
                    if (name is "feedback" or "expectation" && !content.ContainsKey(name))
                    {
                        return Failure.Invalid(
                            "registry.bad_assessment",
                            "Feedback stays feedback, and an expectation stays an expectation."
                        );
                    }

                    content[name] = name == "metadata" ? Merged(content[name], value!) : value!.DeepClone();
                }

                row.Content = content.ToJsonString();
                row.UpdatedMs = session.Now.ToUnixTimeMilliseconds();
                return row;
            }
        );
    }

    /// <summary>What is not there is as good as deleted; what it overrode counts again.</summary>
    private static Task<Result<JsonObject>> DeleteAsync(Call call) =>
        call.WriteAsync(async session =>
        {
            var trace = await TrackingAccess.TraceAsync(call, session.Db, call.RouteId, Permissions.ExperimentWrite);
            if (!trace.Ok)
            {
                return trace.Failure;
            }

            if (await FindAsync(call, session.Db, call.RouteKey) is { } row)
            {
                if (row.Overrides is { } other && await FindAsync(call, session.Db, other) is { } overridden)
                {
                    overridden.Overridden = await session
                        .Db.Set<AssessmentRow>()
                        .AnyAsync(one => one.Overrides == other && one.Id != row.Id, call.Token);
                }

                session.Db.Remove(row);
                await session.Db.SaveChangesAsync(call.Token);
                await LogAsync(call, session, "registry.assessment_deleted", row.Id);
            }

            return new JsonObject();
        });

    private static Task<Result<JsonObject>> ChangeAsync(
        Call call,
        string kind,
        Func<WriteSession, Task<Result<AssessmentRow>>> change
    ) =>
        call.WriteAsync(async session =>
        {
            var trace = await TrackingAccess.TraceAsync(call, session.Db, call.RouteId, Permissions.ExperimentWrite);
            if (!trace.Ok)
            {
                return trace.Failure;
            }

            var changed = await change(session);
            if (!changed.Ok)
            {
                return changed.Failure;
            }

            // Changes add metadata to what is there, and every answer about a trace holds all of its assessments.
            var (id, length) = (changed.Value.Id, changed.Value.Content.Length);
            var others = await session
                .Db.Set<AssessmentRow>()
                .Where(row => row.TraceId == call.RouteId && row.Id != id)
                .SumAsync(row => row.Content.Length, call.Token);
            if (length > MaxContent || others + length > MaxOfTrace)
            {
                return Failure.Invalid(
                    "registry.too_many",
                    $"An assessment holds at most {MaxContent} characters, all of a trace {MaxOfTrace}."
                );
            }

            await session.Db.SaveChangesAsync(call.Token);
            await LogAsync(call, session, kind, changed.Value.Id);
            return new JsonObject { ["assessment"] = Json(changed.Value) };
        });

    private static Task LogAsync(Call call, WriteSession session, string kind, string id) =>
        call.LogAsync(session, kind, TraceRoutes.Subject(call.RouteId), new() { ["assessment"] = id });

    private static Task<AssessmentRow?> FindAsync(Call call, GovernanceDb db, string id) =>
        db.Set<AssessmentRow>().SingleOrDefaultAsync(row => row.Id == id && row.TraceId == call.RouteId, call.Token);

    private static Failure Absent(Call call, string id) =>
        Failure.NotFound(
            "registry.assessment_not_found",
            $"Assessment with ID '{RegistryNames.Quote(id)}' not found for trace '{call.RouteId}'"
        );

    private static readonly Failure NoValue = Failure.Invalid(
        "registry.bad_assessment",
        "An assessment has either 'feedback', with a value or an error, or an 'expectation' with a value."
    );

    private static readonly Failure BadMask = Failure.Invalid(
        "registry.bad_assessment",
        "update_mask names assessment_name, feedback, expectation, rationale or metadata, with commas between."
    );

    private static Args Assessment(Call call) =>
        call.Args.Object("assessment") ?? throw new RefusedException(RegistryNames.MissingParameter("assessment"));

    private static string Name(Args args) => args.Required("assessment_name", 250);

    private static JsonObject Source(Args args)
    {
        var source =
            args.Object("source") ?? throw new RefusedException(RegistryNames.MissingParameter("assessment.source"));
        var type = source.Optional("source_type", 40) ?? Sources[0];
        return Sources.Contains(type)
            ? new JsonObject { ["source_type"] = type }.With("source_id", source.Optional("source_id", 250))
            : throw new RefusedException(
                Failure.Invalid(
                    "registry.bad_assessment",
                    $"An assessment's source_type is one of {string.Join(", ", Sources)}."
                )
            );
    }

    private static JsonObject? Metadata(Args args)
    {
        var map = new JsonObject();
        foreach (var (key, value) in args.Texts("metadata", 100, MaxText))
        {
            map[key] = value;
        }

        return map.Count == 0 ? null : map;
    }

    private static JsonObject Merged(JsonNode? old, JsonNode changes)
    {
        var merged = old?.DeepClone().AsObject() ?? [];
        foreach (var (key, value) in changes.AsObject())
        {
            merged[key] = value?.DeepClone();
        }

        return merged;
    }

    private static (string Kind, JsonObject Value)? Value(Args args)
    {
        var (feedback, expectation) = (args.Object("feedback"), args.Object("expectation"));
        if (feedback is null == expectation is null)
        {
            return null;
        }

        if (feedback is not null)
        {
            var error = feedback.Object("error");
            var told = Valued(feedback)
                .With(
                    "error",
                    error is null
                        ? null
                        : new JsonObject()
                            .With("error_code", error.Optional("error_code", 250))
                            .With("error_message", error.Optional("error_message", MaxText))
                            .With("stack_trace", error.Optional("stack_trace", MaxValue))
                );
            return told.Count == 0 ? null : ("feedback", told);
        }

        var packed = expectation!.Object("serialized_value");
        var expected = Valued(expectation)
            .With(
                "serialized_value",
                packed is null
                    ? null
                    : new JsonObject
                    {
                        ["serialization_format"] = packed.Required("serialization_format", 40),
                        ["value"] = packed.Required("value", MaxValue),
                    }
            );
        return expected.Count == 0 ? null : ("expectation", expected);
    }

    // An empty list is a value.
    private static JsonObject Valued(Args args) =>
        args.Any("value", MaxValue) is { } value ? new JsonObject { ["value"] = value } : [];
}
