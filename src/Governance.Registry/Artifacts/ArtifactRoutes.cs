using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Artifacts;

/// <summary>
/// MLflow's artifact proxy. Files are stored by content; a path is a row. What a version registered is frozen: writing or
/// deleting there is refused, reading verifies every chunk.
/// </summary>
internal static class ArtifactRoutes
{
    private const string Marker = "/mlflow-artifacts/artifacts/";
    private static readonly string[] MultipartMarkers =
    [
        "/mlflow-artifacts/mpu/create/",
        "/mlflow-artifacts/mpu/complete/",
        "/mlflow-artifacts/mpu/abort/",
    ];

    private static readonly Failure BadPath = Failure.Invalid("registry.bad_path", "Invalid path");
    public static readonly Failure NoArtifact = Failure.NotFound("registry.artifact_not_found", "No such artifact.");
    public static readonly Failure Frozen = Failure.Conflict(
        "registry.frozen",
        "A registered model version holds these artifacts: they are frozen and can be neither overwritten nor deleted."
    );

    public static IEnumerable<MlflowRoute> Lists =>
        [
            new("GET", "artifacts/list", Permissions.ExperimentRead, ListOfRunAsync),
            new("GET", "logged-models/{id}/artifacts/directories", Permissions.ExperimentRead, ListOfLoggedModelAsync),
        ];

    /// <summary>Bytes never go around the gateway, so it signs no address of a store; clients then upload and download here.</summary>
    public static IEnumerable<MlflowRoute> Presigned =>
        [
            new(
                "POST",
                "artifacts/presigned-upload-url",
                Permissions.ExperimentWrite,
                call => PresignAsync(call, Permissions.ExperimentWrite)
            ),
            new(
                "POST",
                "artifacts/presigned-download-url",
                Permissions.ExperimentRead,
                call => PresignAsync(call, Permissions.ExperimentRead)
            ),
        ];

    public static void Map(IEndpointRouteBuilder routes, string prefix)
    {
        routes
            .MapGet($"{prefix}/artifacts", context => ServeAsync(context, "list artifacts", ListAsync))
            .RequirePermission(Permissions.ExperimentRead);
        routes
            .MapMethods(
                $"{prefix}/artifacts/{{**path}}",
                [HttpMethods.Get, HttpMethods.Head],
                context => ServeAsync(context, "get artifact", GetAsync)
            )
            .RequirePermission(Permissions.ArtifactRead);
        routes
            .MapPut($"{prefix}/artifacts/{{**path}}", context => ServeAsync(context, "put artifact", PutAsync))
            .RequirePermission(Permissions.ExperimentWrite);
        routes
            .MapDelete($"{prefix}/artifacts/{{**path}}", context => ServeAsync(context, "delete artifact", DeleteAsync))
            .RequirePermission(Permissions.ExperimentWrite);
        routes
            .MapPost($"{prefix}/mpu/{{**path}}", context => ServeAsync(context, "multipart upload", MultipartAsync))
            .RequirePermission(Permissions.ExperimentWrite);
        routes
            .MapGet($"{prefix}/presigned/{{**path}}", context => ServeAsync(context, "presign artifact", PresignAsync))
            .RequirePermission(Permissions.ArtifactRead);
        routes
            .Map($"{prefix}/{{**rest}}", context => MlflowErrors.WriteAsync(context, MlflowErrors.NoEndpoint))
            .RequirePermission(Permissions.Public);
    }

    // 501 makes stock clients fall back to one plain PUT.
    private static readonly Failure NoMultipart = new(
        FailureKind.NotServed,
        "registry.no_multipart",
        "Multipart upload is not served; upload the file in one request."
    );

    private static readonly Failure NoPresigning = new(
        FailureKind.NotServed,
        "registry.no_presigning",
        "No address of a store is signed; upload to and download from this server."
    );

    /// <summary>Serves a route that reads or writes bytes; a handler that sent them itself answers null.</summary>
    public static Task ServeAsync(
        HttpContext context,
        string route,
        Func<HttpContext, Call, Task<Result<JsonObject?>>> serve
    ) =>
        Dispatcher.GuardAsync(
            context,
            async ports =>
            {
                var rights = await ports.Access.RightsOfAsync(context.GetActor(), context.RequestAborted);
                var call = new Call(ports, rights, Args.OfQuery(context.Request.Query), context.RequestAborted);
                Result<JsonObject?> result;
                try
                {
                    result = await serve(context, call);
                }
                catch (RefusedException refused)
                {
                    result = refused.Failure;
                }

                if (!result.Ok)
                {
                    await Dispatcher.RefuseAsync(context, call, route, result.Failure);
                }
                else if (result.Value is { } body)
                {
                    await JsonBodies.WriteAsync(context, body);
                }
            }
        );

    /// <summary>
    /// The address in the raw request target, decoded exactly once. The routed path will not do: the server already resolved
    /// dots in it, and leaves %2F undecoded.
    /// </summary>
    private static Result<ArtifactAddress> AddressOf(HttpContext context, string marker = Marker)
    {
        var raw = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var query = raw.IndexOf('?', StringComparison.Ordinal);
        var path = query < 0 ? raw : raw[..query];
        var at = path.IndexOf(marker, StringComparison.Ordinal);
        if (at < 0 || path.Contains('#', StringComparison.Ordinal) || !IsWellEscaped(path))
        {
            return BadPath;
        }

        var decoded = Uri.UnescapeDataString(path[(at + marker.Length)..]);
        if (!PathOf(decoded).Ok)
        {
            return BadPath;
        }

        return ArtifactAddress.TryParse(decoded) is { } address ? address : NoArtifact;
    }

    /// <summary>A path that was decoded once. What still looks escaped was escaped twice, or its bytes are no UTF-8.</summary>
    public static Result<ArtifactPath> PathOf(string decoded) =>
        ArtifactPath.TryParse(decoded, out var path) && !IsEscaped(decoded) ? path : BadPath;

    // "a%zz" and "a%25zz" would be two spellings of one name.
    private static bool IsWellEscaped(string path)
    {
        for (var at = path.IndexOf('%'); at >= 0; at = path.IndexOf('%', at + 1))
        {
            if (!Uri.IsHexEncoding(path, at))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsEscaped(string text)
    {
        for (var i = 0; i + 2 < text.Length; i++)
        {
            if (Uri.IsHexEncoding(text, i))
            {
                return true;
            }
        }

        return false;
    }

    private sealed record Place(ArtifactAddress Address, AccessTarget Target, bool Readable, bool Active);

    /// <summary>The experiment behind an address, or null when its run or logged model does not exist.</summary>
    private static async Task<Place?> PlaceAsync(Call call, GovernanceDb db, ArtifactAddress address)
    {
        var (run, model, trace) = (address.RunId, address.LoggedModelId, address.TraceId);
        var experiment = await db.Set<ExperimentRow>()
            .AsNoTracking()
            .SingleOrDefaultAsync(row => row.Id == address.ExperimentId, call.Token);
        var owner =
            run is not null
                ? await db.Set<RunRow>()
                    .Where(row => row.RunId == run && row.ExperimentId == address.ExperimentId)
                    .Select(row => new { row.OwnerId, row.Deleted })
                    .SingleOrDefaultAsync(call.Token)
            : trace is not null
                ? await db.Set<TraceRow>()
                    .Where(row => row.TraceId == trace && row.ExperimentId == address.ExperimentId)
                    .Select(row => new { row.OwnerId, Deleted = false })
                    .SingleOrDefaultAsync(call.Token)
            : await db.Set<LoggedModelRow>()
                .Where(row => row.ModelId == model && row.ExperimentId == address.ExperimentId)
                .Select(row => new { row.OwnerId, row.Deleted })
                .SingleOrDefaultAsync(call.Token);
        return experiment is null || owner is null
            ? null
            : new Place(
                address,
                TrackingAccess.Target(experiment, owner.OwnerId),
                TrackingAccess.Readable(call, experiment, owner.OwnerId),
                !owner.Deleted
            );
    }

    /// <summary>There is no such file, run or logged model.</summary>
    public static Failure Absent(Call call, Permission permission) =>
        call.Absent(permission, AccessTarget.Experiment("", null), NoArtifact);

    private static Failure Absent(Call call, Permission permission, Place? place) =>
        place is null ? Absent(call, permission) : call.Absent(permission, place.Target, NoArtifact);

    private static async Task<Result<JsonObject?>> ListAsync(HttpContext context, Call call)
    {
        var path = Directory(call, "path");
        if (!ArtifactPath.TryParse(path, out _))
        {
            return BadPath;
        }

        var body = new JsonObject();
        if (ArtifactAddress.TryParse(path) is { } address)
        {
            await using var db = await call.OpenAsync();
            body.With("files", await FilesAsync(call, db, address, fullPaths: false));
        }

        return body;
    }

    // People end the name of a directory with a slash.
    private static string Directory(Call call, string name)
    {
        var path = call.Args.Optional(name, 2000) ?? "";
        return path.EndsWith('/') ? path[..^1] : path;
    }

    private static async Task<Result<JsonObject>> ListOfRunAsync(Call call)
    {
        var runId = call.Args.Optional("run_id", 64) is { Length: > 0 } id ? id : call.Args.Required("run_uuid", 64);
        if (!ArtifactPath.TryParse(Directory(call, "path"), out var path))
        {
            return BadPath;
        }

        await using var db = await call.OpenAsync();
        var found = await TrackingAccess.RunAsync(call, db, runId, Permissions.ExperimentRead);
        if (!found.Ok)
        {
            return found.Failure;
        }

        var address = new ArtifactAddress(found.Value.Run.ExperimentId, runId, null, path);
        return new JsonObject { ["root_uri"] = TrackingJson.RunUri(found.Value.Run) }.With(
            "files",
            await FilesAsync(call, db, address, fullPaths: true)
        );
    }

    private static async Task<Result<JsonObject>> ListOfLoggedModelAsync(Call call)
    {
        if (!ArtifactPath.TryParse(Directory(call, "artifact_directory_path"), out var path))
        {
            return BadPath;
        }

        await using var db = await call.OpenAsync();
        var found = await TrackingAccess.LoggedModelAsync(call, db, call.RouteId, Permissions.ExperimentRead);
        if (!found.Ok)
        {
            return found.Failure;
        }

        var address = new ArtifactAddress(found.Value.Model.ExperimentId, null, call.RouteId, path);
        return new JsonObject { ["root_uri"] = ArtifactAddress.Uri(address.Container, "") }.With(
            "files",
            await FilesAsync(call, db, address, fullPaths: true)
        );
    }

    /// <summary>The direct children of a directory; nothing for a file, an absent directory or one that the caller may not see.</summary>
    private static async Task<JsonArray?> FilesAsync(
        Call call,
        GovernanceDb db,
        ArtifactAddress address,
        bool fullPaths
    )
    {
        if (await PlaceAsync(call, db, address) is not { } place)
        {
            return null;
        }

        var (container, directory) = (address.Container, address.Path.Value);
        var holders = await Holders.OfAsync(db, container, call.Token);
        if (
            !place.Readable
            && !holders.Exists(h =>
                !h.Deleted && h.Covers(directory) && call.Rights.Allows(Permissions.ModelRead, h.Target)
            )
        )
        {
            return null;
        }

        var start = directory.Length == 0 ? "" : $"{directory}/";
        var rows = await db.Set<ArtifactRow>()
            .AsNoTracking()
            .Where(row => row.Container == container && row.Path.StartsWith(start))
            .OrderBy(row => row.Path)
            .Take(call.Ports.Options.Value.MaxRowsPerSearch)
            .ToListAsync(call.Token);
        Result<IReadOnlyList<(string Path, long Size)>> theirs =
            call.Ports.Mirror.IsOn && place.Readable && await UpstreamFiles.IsAdoptedAsync(db, container, call.Token)
                ? await call.Ports.Mirror.Files.ListAsync(address, call.Token)
                : Array.Empty<(string, long)>();
        if (!theirs.Ok)
        {
            throw new RefusedException(theirs.Failure);
        }

        return rows.Where(row => row.Path.StartsWith(start, StringComparison.Ordinal))
            .Select(row => (row.Path, row.Size))
            .Concat(theirs.Value.Where(file => file.Path.StartsWith(start, StringComparison.Ordinal)))
            .DistinctBy(file => file.Path, StringComparer.Ordinal)
            .Select(file => (Name: file.Path[start.Length..], file.Size))
            .GroupBy(file => file.Name.Split('/')[0], StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group =>
            {
                var isFile = group.First().Name.Length == group.Key.Length;
                return new JsonObject
                {
                    ["path"] = fullPaths ? start + group.Key : group.Key,
                    ["is_dir"] = !isFile,
                }.With("file_size", isFile ? group.First().Size : null);
            })
            .ToJsonArray();
    }

    // After the same checks as the upload itself, so that a probe learns no more from here.
    private static async Task<Result<JsonObject?>> MultipartAsync(HttpContext context, Call call)
    {
        var raw = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var marker = Array.Find(MultipartMarkers, marker => raw.Contains(marker, StringComparison.Ordinal));
        if (marker is null)
        {
            return MlflowErrors.NoEndpoint;
        }

        var address = AddressOf(context, marker);
        if (!address.Ok)
        {
            return address.Failure;
        }

        await using var db = await call.OpenAsync();
        return await CheckWriteAsync(call, db, address.Value) ?? NoMultipart;
    }

    private static async Task<Result<JsonObject?>> PresignAsync(HttpContext context, Call call)
    {
        var address = AddressOf(context, "/mlflow-artifacts/presigned/");
        if (!address.Ok)
        {
            return address.Failure;
        }

        var found = await FindAsync(call, address.Value);
        return found.Ok ? NoPresigning : found.Failure;
    }

    private static async Task<Result<JsonObject>> PresignAsync(Call call, Permission permission)
    {
        await using var db = await call.OpenAsync();
        Failure? refused;
        if (call.Args.Optional("model_id", 64) is { Length: > 0 } model)
        {
            refused = (await TrackingAccess.LoggedModelAsync(call, db, model, permission)).Failure;
        }
        else
        {
            refused = (await TrackingAccess.RunAsync(call, db, call.Args.Required("run_id", 64), permission)).Failure;
        }

        return refused ?? NoPresigning;
    }

    private static async Task<Result<JsonObject?>> GetAsync(HttpContext context, Call call)
    {
        var address = AddressOf(context);
        return address.Ok ? await ReadAsync(context, call, address.Value) : address.Failure;
    }

    /// <summary>Sends the artifact at an address, if it is there and the caller may read it.</summary>
    public static async Task<Result<JsonObject?>> ReadAsync(HttpContext context, Call call, ArtifactAddress address)
    {
        var found = await FindAsync(call, address);
        return found.Ok ? await ArtifactSender.SendAsync(context, call, found.Value.File, found.Value.Served)
            : found.Failure == NoArtifact && call.Ports.Mirror.IsOn ? await PassAsync(context, call, address)
            : found.Failure;
    }

    /// <summary>Streams what only upstream has. What a version holds is served from here or not at all.</summary>
    private static async Task<Result<JsonObject?>> PassAsync(HttpContext context, Call call, ArtifactAddress address)
    {
        await using (var db = await call.OpenAsync())
        {
            var place = await PlaceAsync(call, db, address);
            if (place is null || !await UpstreamFiles.IsAdoptedAsync(db, address.Container, call.Token))
            {
                return NoArtifact;
            }

            var holders = await Holders.OfAsync(db, address.Container, call.Token);
            if (
                holders.Exists(holder => holder.Covers(address.Path.Value))
                || !call.May(Permissions.ArtifactRead, place.Target)
            )
            {
                return NoArtifact;
            }
        }

        return await call.Ports.Mirror.Files.PassAsync(context, address, call.Token) is { } failure
            ? failure
            : (JsonObject?)null;
    }

    /// <summary>The stored file that the caller may read, and the version that serves it if one does.</summary>
    private static async Task<Result<(ArtifactRow File, Holder? Served)>> FindAsync(Call call, ArtifactAddress address)
    {
        Holder? served;
        ArtifactRow? file;
        List<Holder> holders;
        await using (var db = await call.OpenAsync())
        {
            var place = await PlaceAsync(call, db, address);
            var (container, path) = (address.Container, address.Path.Value);
            file = await db.Set<ArtifactRow>()
                .AsNoTracking()
                .SingleOrDefaultAsync(row => row.Container == container && row.Path == path, call.Token);
            if (place is null || file is null)
            {
                return Absent(call, Permissions.ArtifactRead, place);
            }

            holders = await Holders.OfAsync(db, container, call.Token);
            if (Holders.CheckRead(call, place.Target, holders, path, NoArtifact) is { } refused)
            {
                return refused;
            }

            served = holders.Find(holder => holder.IsProtected && holder.Covers(path));
        }

        return await Holders.CheckSignaturesAsync(call, holders, file.Path) is { } unsigned ? unsigned : (file, served);
    }

    private static async Task<Result<JsonObject?>> PutAsync(HttpContext context, Call call)
    {
        var address = AddressOf(context);
        if (!address.Ok)
        {
            return address.Failure;
        }

        if (address.Value.Path.IsRoot)
        {
            return BadPath;
        }

        // Authorised before a byte is read; checked again in the transaction that makes the bytes visible.
        await using (var db = await call.OpenAsync())
        {
            if (await CheckWriteAsync(call, db, address.Value) is { } refused)
            {
                return refused;
            }
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = null;
        }

        var stored = await call.Ports.Blobs.PutAsync(
            context.Request.Body,
            call.Ports.Options.Value.MaxArtifactBytes,
            call.Token
        );
        if (!stored.Ok)
        {
            return stored.Failure;
        }

        var written = await call.WriteAsync(session => PutAsync(call, session, address.Value, stored.Value));
        return written.Ok ? written.Value : written.Failure;
    }

    private static async Task<Result<JsonObject>> PutAsync(
        Call call,
        WriteSession session,
        ArtifactAddress address,
        StoredBlob blob
    )
    {
        if (await CheckWriteAsync(call, session.Db, address) is { } refused)
        {
            return refused;
        }

        var (container, path) = (address.Container, address.Path.Value);
        if (await CollidesAsync(call, session.Db, container, path))
        {
            return Failure.Conflict("registry.path_collision", "A file and a directory cannot have the same path.");
        }

        if (await call.Ports.Blobs.AttachAsync(session, blob, call.Token) is { Ok: false } lost)
        {
            return lost.Failure;
        }

        var row = await session.Db.Set<ArtifactRow>().FindAsync([container, path], call.Token);
        if (row is null)
        {
            row = new ArtifactRow { Container = container, Path = path };
            session.Db.Add(row);
        }

        (row.Digest, row.Size) = (blob.Digest.Hex, blob.Size);
        await session.Db.SaveChangesAsync(call.Token);
        await call.LogAsync(
            session,
            "registry.artifact_stored",
            Subject(address),
            new() { ["sha256"] = blob.Digest.Hex, ["size"] = blob.Size }
        );
        return new JsonObject();
    }

    private static string Subject(ArtifactAddress address) =>
        address.RunId is { } run ? Platform.Graph.Urn.Run(run)
        : address.TraceId is { } trace ? $"trace:{trace}"
        : Platform.Graph.Urn.LoggedModel(address.LoggedModelId!);

    private static async Task<Failure?> CheckWriteAsync(Call call, GovernanceDb db, ArtifactAddress address)
    {
        var place = await PlaceAsync(call, db, address);
        if (place is null)
        {
            return Absent(call, Permissions.ExperimentRead, place);
        }

        if (call.Check(place.Readable, Permissions.ExperimentWrite, place.Target, NoArtifact) is { } refused)
        {
            return refused;
        }

        if (!place.Active)
        {
            return Failure.Conflict("registry.run_deleted", "The run or logged model of this path is deleted.");
        }

        var holders = await Holders.OfAsync(db, address.Container, call.Token);
        return holders.Exists(holder => holder.Freezes(address.Path.Value)) ? Frozen : null;
    }

    private static async Task<bool> CollidesAsync(Call call, GovernanceDb db, string container, string path)
    {
        var ancestors = new List<string>();
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash > 0; slash = path.IndexOf('/', slash + 1))
        {
            ancestors.Add(path[..slash]);
        }

        var below = $"{path}/";
        return await db.Set<ArtifactRow>()
            .AnyAsync(
                row => row.Container == container && (ancestors.Contains(row.Path) || row.Path.StartsWith(below)),
                call.Token
            );
    }

    private static async Task<Result<JsonObject?>> DeleteAsync(HttpContext context, Call call)
    {
        var address = AddressOf(context);
        if (!address.Ok)
        {
            return address.Failure;
        }

        // The root of a run is its life: one stray dot must not empty it.
        if (address.Value.Path.IsRoot)
        {
            return BadPath;
        }

        var deleted = await call.WriteAsync(session => DeleteAsync(call, session, address.Value));
        return deleted.Ok ? deleted.Value : deleted.Failure;
    }

    private static async Task<Result<JsonObject>> DeleteAsync(Call call, WriteSession session, ArtifactAddress address)
    {
        if (await CheckWriteAsync(call, session.Db, address) is { } refused)
        {
            return refused;
        }

        var (container, path) = (address.Container, address.Path.Value);
        var below = $"{path}/";
        var rows = await session
            .Db.Set<ArtifactRow>()
            .Where(row => row.Container == container && (row.Path == path || row.Path.StartsWith(below)))
            .ToListAsync(call.Token);
        session.Db.RemoveRange(
            rows.Where(row => row.Path == path || row.Path.StartsWith(below, StringComparison.Ordinal))
        );
        await session.Db.SaveChangesAsync(call.Token);
        await call.LogAsync(session, "registry.artifacts_deleted", Subject(address), new() { ["files"] = rows.Count });
        return new JsonObject();
    }
}
