using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Web;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Governance.Registry.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Artifacts;

/// <summary>
/// The routes by which MLflow's web interface reads bytes. They name a run, logged model, version or trace and a path, and
/// end in the one read path of <see cref="ArtifactRoutes"/>: authorised, logged, every chunk verified, sent as a download.
/// </summary>
internal static class ArtifactDownloads
{
    public static void Map(IEndpointRouteBuilder routes, string prefix)
    {
        Get(routes, $"{prefix}/logged-models/{{id}}/artifacts/files", "get logged-model artifact", OfLoggedModelAsync);
        Get(routes, $"{prefix}/get-trace-artifact", "get trace artifact", OfTraceAsync);
    }

    public static void MapRoot(IEndpointRouteBuilder routes)
    {
        Get(routes, "/get-artifact", "get run artifact", OfRunAsync);
        Get(routes, "/model-versions/get-artifact", "get version artifact", OfVersionAsync);
    }

    private static void Get(
        IEndpointRouteBuilder routes,
        string pattern,
        string name,
        Func<HttpContext, Call, Task<Result<JsonObject?>>> serve
    ) =>
        routes
            .MapGet(pattern, context => ArtifactRoutes.ServeAsync(context, name, serve))
            .RequirePermission(Permissions.ArtifactRead);

    private static async Task<Result<JsonObject?>> OfRunAsync(HttpContext context, Call call)
    {
        var runId = call.Args.Optional("run_id", 64) is { Length: > 0 } id ? id : call.Args.Required("run_uuid", 64);
        var path = ArtifactRoutes.PathOf(call.Args.Required("path", 2000));
        if (!path.Ok)
        {
            return path.Failure;
        }

        long experiment;
        await using (var db = await call.OpenAsync())
        {
            var found = await db.Set<RunRow>()
                .Where(run => run.RunId == runId)
                .Select(run => (long?)run.ExperimentId)
                .SingleOrDefaultAsync(call.Token);
            if (found is null)
            {
                return ArtifactRoutes.Absent(call, Permissions.ArtifactRead);
            }

            experiment = found.Value;
        }

        return await ArtifactRoutes.ReadAsync(context, call, new ArtifactAddress(experiment, runId, null, path.Value));
    }

    private static async Task<Result<JsonObject?>> OfLoggedModelAsync(HttpContext context, Call call)
    {
        var id = context.Request.RouteValues["id"] as string ?? "";
        var path = ArtifactRoutes.PathOf(call.Args.Required("artifact_file_path", 2000));
        if (!path.Ok)
        {
            return path.Failure;
        }

        long experiment;
        await using (var db = await call.OpenAsync())
        {
            var found = await TrackingAccess.LoggedModelAsync(call, db, id, Permissions.ExperimentRead);
            if (!found.Ok)
            {
                return found.Failure;
            }

            experiment = found.Value.Model.ExperimentId;
        }

        return await ArtifactRoutes.ReadAsync(context, call, new ArtifactAddress(experiment, null, id, path.Value));
    }

    private static async Task<Result<JsonObject?>> OfTraceAsync(HttpContext context, Call call)
    {
        var id = call.Args.Required("request_id", 64);
        long? trace;
        await using (var db = await call.OpenAsync())
        {
            trace = await db.Set<TraceRow>()
                .Where(row => row.TraceId == id)
                .Select(row => (long?)row.ExperimentId)
                .SingleOrDefaultAsync(call.Token);
        }

        return trace is { } experiment && ArtifactPath.TryParse("traces.json", out var path)
            ? await ArtifactRoutes.ReadAsync(
                context,
                call,
                new ArtifactAddress(experiment, null, null, path) { TraceId = id }
            )
            : ArtifactRoutes.Absent(call, Permissions.ArtifactRead);
    }

    // By the manifest, so that copies and prompts, whose text is a virtual file, are read like everything else.
    private static async Task<Result<JsonObject?>> OfVersionAsync(HttpContext context, Call call)
    {
        var path = ArtifactRoutes.PathOf(call.Args.Required("path", 2000));
        if (!path.Ok)
        {
            return path.Failure;
        }

        VersionData version;
        ManifestFileRow? file;
        await using (var db = await call.OpenAsync())
        {
            var found = await VersionRoutes.VersionAsync(
                call,
                db,
                VersionRoutes.Reference(call),
                Permissions.ArtifactRead
            );
            if (!found.Ok)
            {
                return found.Failure;
            }

            version = found.Value;
            if (VersionRoutes.Unservable(version.Row) is { } refused)
            {
                return refused;
            }

            file = await db.Set<ManifestFileRow>()
                .AsNoTracking()
                .SingleOrDefaultAsync(
                    row => row.ManifestDigest == version.Row.ManifestDigest && row.Path == path.Value.Value,
                    call.Token
                );
        }

        if (file is null)
        {
            return ArtifactRoutes.NoArtifact;
        }

        var holder = new Holder(
            version.Ref,
            version.OwnerId,
            version.Row.Prefix,
            Deleted: false,
            version.Row.Quarantined,
            Failed: false,
            version.Row.Stage,
            version.Aliases.Count > 0
        );
        if (await Holders.CheckSignaturesAsync(call, [holder with { Prefix = "" }], file.Path) is { } unsigned)
        {
            return unsigned;
        }

        var stored = new ArtifactRow
        {
            Path = file.Path,
            Size = file.Size,
            Digest = file.Digest,
        };
        return await ArtifactSender.SendAsync(context, call, stored, holder.IsProtected ? holder : null);
    }
}
