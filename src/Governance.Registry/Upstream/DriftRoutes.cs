using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Governance.Registry.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Registry.Upstream;

/// <summary>
/// <c>/api/v1/upstream</c>: what waits to be made there, what differs from here, and how an administrator ends a difference:
/// upstream is made to say what is here, or what was made behind the gateway is admitted as registered and no more.
/// </summary>
internal static class DriftRoutes
{
    private const int MaxPage = 200;

    public static void Map(IEndpointRouteBuilder routes)
    {
        // Drift names every model: the right on a pattern of names does not suffice.
        var group = routes.MapGroup("/api/v1/upstream").RequirePermission(Permissions.UpstreamManage, everywhere: true);
        group.MapGet("", (Delegate)StateAsync);
        group.MapGet("drift", ListAsync);
        group.MapPost("drift/{id:guid}/repair", RepairAsync);
        group.MapPost("drift/{id:guid}/accept", AcceptAsync);
    }

    private static async Task<IResult> StateAsync(HttpContext context)
    {
        var ports = context.RequestServices.GetRequiredService<RegistryPorts>();
        if (await CheckAsync(context, ports, "upstream.state") is { } refused)
        {
            return refused;
        }

        await using var db = await ports.Databases.CreateDbContextAsync(context.RequestAborted);
        var oldest = await db.Set<UpstreamWorkRow>()
            .OrderBy(row => row.Id)
            .Select(row => (long?)row.CreatedMs)
            .FirstOrDefaultAsync(context.RequestAborted);
        var body = new JsonObject
        {
            ["pending"] = await db.Set<UpstreamWorkRow>().CountAsync(context.RequestAborted),
            ["intents"] = await db.Set<UpstreamIntentRow>().CountAsync(context.RequestAborted),
            ["drift"] = await db.Set<UpstreamDriftRow>().CountAsync(context.RequestAborted),
            ["adopted"] = await db.Set<UpstreamProgressRow>()
                .AnyAsync(row => row.Name == "models", context.RequestAborted),
        }.With("pending_since", oldest is { } since ? Time(since) : null);
        return Results.Content(body.ToJsonString(), "application/json");
    }

    private static async Task<IResult> ListAsync(HttpContext context, Guid? after = null, int first = 100)
    {
        var ports = context.RequestServices.GetRequiredService<RegistryPorts>();
        if (await CheckAsync(context, ports, "upstream.drift_list") is { } refused)
        {
            return refused;
        }

        await using var db = await ports.Databases.CreateDbContextAsync(context.RequestAborted);
        var rows = db.Set<UpstreamDriftRow>().AsNoTracking();
        if (after is { } from)
        {
            var last = await rows.Where(row => row.Id == from)
                .Select(row => (long?)row.FoundMs)
                .SingleOrDefaultAsync(context.RequestAborted);
            rows = rows.Where(row => row.FoundMs > last || (row.FoundMs == last && row.Id.CompareTo(from) > 0));
        }

        var page = await rows.OrderBy(row => row.FoundMs)
            .ThenBy(row => row.Id)
            .Take(Math.Clamp(first, 1, MaxPage))
            .ToListAsync(context.RequestAborted);
        var body = new JsonObject { ["drift"] = new JsonArray([.. page.Select(Json)]) };
        return Results.Content(body.ToJsonString(), "application/json");
    }

    private static async Task<IResult> RepairAsync(HttpContext context, Guid id)
    {
        var ports = context.RequestServices.GetRequiredService<RegistryPorts>();
        if (await CheckAsync(context, ports, "upstream.repair_refused") is { } refused)
        {
            return refused;
        }

        var lane = await ports.Writer.WriteAsync(
            (session, token) => BeginRepairAsync(session, context.GetActor(), id, token),
            context.RequestAborted
        );
        if (!lane.Ok)
        {
            return await context.RefuseAsync(ports.Writer, "upstream.repair_refused", "", lane.Failure);
        }

        if (await ports.Mirror.SettleAsync([lane.Value], context.RequestAborted) is { } failure)
        {
            return failure.ToProblem();
        }

        await using var db = await ports.Databases.CreateDbContextAsync(context.RequestAborted);
        return await db.Set<UpstreamDriftRow>().AnyAsync(row => row.Id == id, context.RequestAborted)
            ? UpstreamFailures.Refused.ToProblem()
            : Results.Content("{}", "application/json");
    }

    private static async Task<Result<string>> BeginRepairAsync(
        WriteSession session,
        Actor actor,
        Guid id,
        CancellationToken cancellationToken
    )
    {
        var row = await session.Db.Set<UpstreamDriftRow>().FindAsync([id], cancellationToken);
        if (row is null)
        {
            return UpstreamFailures.NoDrift;
        }

        var kind = Enum.GetValues<DifferenceKind>().Single(kind => Drift.Name(kind) == row.Kind);
        var touched = new Touched();
        string lane;
        if (kind == DifferenceKind.NotTaken)
        {
            touched = await NotTaken.AgainAsync(session.Db, row.Key, cancellationToken);
            lane = NotTaken.Lane(row.Key);
        }
        else if (
            kind
            is DifferenceKind.FileMissing
                or DifferenceKind.FileMade
                or DifferenceKind.FileSize
                or DifferenceKind.FileBytes
        )
        {
            var version = await VersionStore.FindAsync(
                session.Db,
                new ModelVersionRef(row.Model, row.Version),
                cancellationToken
            );
            if (version is null)
            {
                return UpstreamFailures.CannotRepair;
            }

            var prefix = version.Row.Prefix;
            touched.Files.Add(prefix.Length == 0 ? row.Key : $"{prefix}/{row.Key}");
            lane = Lanes.OfArtifacts(version.Row.Container);
        }
        else if (
            new Difference(kind, 0, "", null, null).CanRepair
            && await VersionStore.ModelAsync(session.Db, row.Model, cancellationToken) is { } model
        )
        {
            touched.Info = true;
            lane = Lanes.OfModel(model.Id);
        }
        else
        {
            return UpstreamFailures.CannotRepair;
        }

        touched.Repairs.Add(id.ToString("N"));
        session.Db.Add(ChangeCapture.Work(session, lane, touched));
        await session.LogAsync(
            new LogEntry("upstream.repair", actor, $"drift:{id:D}", LogOutcome.Begun)
            {
                Details = new JsonObject
                {
                    ["kind"] = row.Kind,
                    ["model"] = row.Model,
                    ["version"] = row.Version,
                },
            },
            cancellationToken
        );
        return lane;
    }

    private static async Task<IResult> AcceptAsync(HttpContext context, Guid id)
    {
        var ports = context.RequestServices.GetRequiredService<RegistryPorts>();
        if (await CheckAsync(context, ports, "upstream.accept_refused") is { } refused)
        {
            return refused;
        }

        var actor = context.GetActor();
        var accepted = await ports.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var row = await session.Db.Set<UpstreamDriftRow>().FindAsync([id], token);
                if (row is null)
                {
                    return UpstreamFailures.NoDrift;
                }

                if (
                    row.Kind != Drift.Name(DifferenceKind.VersionMade)
                    && row.Kind != Drift.Name(DifferenceKind.ModelMade)
                    && row.Kind != Drift.Name(DifferenceKind.NotTaken)
                )
                {
                    return UpstreamFailures.CannotAccept;
                }

                await Drift.CloseAsync(session, row, actor, "accepted", token);
                return default(Unit);
            },
            context.RequestAborted
        );
        return accepted.Ok
            ? Results.Content("{}", "application/json")
            : await context.RefuseAsync(ports.Writer, "upstream.accept_refused", "", accepted.Failure);
    }

    // The route's permission is only the door: it must be held globally, for drift names every model.
    private static async Task<IResult?> CheckAsync(HttpContext context, RegistryPorts ports, string kind)
    {
        if (!ports.Mirror.IsOn)
        {
            return UpstreamFailures.Off.ToProblem();
        }

        var rights = await ports.Access.RightsOfAsync(context.GetActor(), context.RequestAborted);
        return rights.Allows(Permissions.UpstreamManage, AccessTarget.Global)
            ? null
            : await context.RefuseAsync(
                ports.Writer,
                kind,
                "",
                Failure.Denied("registry.denied", $"Permission {Permissions.UpstreamManage} on everything is needed.")
            );
    }

    private static JsonObject Json(UpstreamDriftRow row) =>
        new()
        {
            ["id"] = row.Id.ToString("D"),
            ["model"] = row.Model,
            ["version"] = row.Version,
            ["kind"] = row.Kind,
            ["key"] = row.Key,
            ["expected"] = row.Expected,
            ["found"] = row.Found,
            ["found_at"] = Time(row.FoundMs),
        };

    private static string Time(long milliseconds) =>
        DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).ToString("O", CultureInfo.InvariantCulture);
}
