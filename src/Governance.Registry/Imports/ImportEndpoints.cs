using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Imports;

/// <summary>Body of <c>POST /api/v1/imports</c>: which configured source, never where it is.</summary>
internal sealed record StartImport(
    string Source,
    string? Experiments = null,
    string? Models = null,
    string? Owner = null,
    bool DryRun = false
);

/// <summary>One page of imports, newest first, and the sources that are configured.</summary>
internal sealed record ImportPage(IReadOnlyList<ImportView> Imports, IReadOnlyList<string> Sources, string? NextToken);

/// <summary>One page of what did not come.</summary>
internal sealed record ImportFailurePage(IReadOnlyList<ImportFailure> Failures, string? NextToken);

/// <summary>Our own API: strict.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 8
)]
[JsonSerializable(typeof(StartImport))]
[JsonSerializable(typeof(ImportView))]
[JsonSerializable(typeof(ImportPage))]
[JsonSerializable(typeof(ImportFailurePage))]
internal sealed partial class ImportJsonContext : JsonSerializerContext;

/// <summary>The HTTP surface of imports.</summary>
internal static class ImportEndpoints
{
    private const int MaxBodyBytes = 8 << 10;
    private const int MaxPattern = 256;
    private const string Refused = "registry.import_refused";

    public static void Map(IEndpointRouteBuilder routes)
    {
        // An import writes into everything: the right on a pattern of names does not suffice.
        var group = routes
            .MapGroup("/api/v1/imports")
            .WithTags("Imports")
            .RequirePermission(Permissions.ImportManage, everywhere: true);
        group.MapPost("", StartAsync);
        group.MapGet("", ListAsync);
        group.MapGet("/{id}", ReadAsync);
        group.MapGet("/{id}/failures", FailuresAsync);
        group.MapPost(
            "/{id}/cancel",
            (HttpContext context, RegistryPorts ports, string id) => TurnAsync(context, ports, id, cancel: true)
        );
        group.MapPost(
            "/{id}/resume",
            (HttpContext context, RegistryPorts ports, string id) => TurnAsync(context, ports, id, cancel: false)
        );
    }

    private static async Task<Results<JsonHttpResult<ImportView>, ProblemHttpResult>> StartAsync(
        HttpContext context,
        RegistryPorts ports
    )
    {
        var actor = context.GetActor();
        var read = await BodyAsync(context);
        if (!read.Ok)
        {
            return read.Failure.ToProblem();
        }

        var asked = read.Value;
        if (!ports.Options.Value.ImportSources.ContainsKey(asked.Source))
        {
            return await context.RefuseAsync(ports.Writer, Refused, "", ImportFailures.NoSource);
        }

        var owner = asked.Owner ?? actor.Id;
        var rights = await ports.Access.RightsNowAsync(new Actor(ActorKind.Person, owner), context.RequestAborted);
        // A service of the starter's own making would open to them what an import brings and does not show.
        if (!rights.Grants.Any() || (owner != actor.Id && rights.SubjectKind != ActorKind.Person))
        {
            return await context.RefuseAsync(ports.Writer, Refused, "", ImportFailures.Owner);
        }

        var started = await ports.Writer.WriteAsync<ImportView>(
            async (session, token) =>
            {
                var imports = session.Db.Set<ImportRow>();
                if (
                    await imports.AnyAsync(row => row.Source == asked.Source && row.State == ImportState.Running, token)
                )
                {
                    return ImportFailures.Busy;
                }

                var now = session.Now.ToUnixTimeMilliseconds();
                var row = new ImportRow
                {
                    Id = Guid.CreateVersion7(session.Now).ToString("D"),
                    Source = asked.Source,
                    StartedBy = actor.Id,
                    StartedByKind = actor.Kind,
                    OwnerId = owner,
                    Experiments = asked.Experiments ?? "*",
                    Models = asked.Models ?? "*",
                    DryRun = asked.DryRun,
                    CreatedMs = now,
                    UpdatedMs = now,
                };
                imports.Add(row);
                await session.Db.SaveChangesAsync(token);
                await LogAsync(session, "registry.import_started", actor, row, token);
                await session.EnqueueAsync(ImportJob.Request(row.Id), token);
                return await ImportReading.ViewAsync(session.Db, row, token);
            },
            context.RequestAborted
        );
        return started.Ok
            ? TypedResults.Json(
                started.Value,
                ImportJsonContext.Default.ImportView,
                statusCode: StatusCodes.Status202Accepted
            )
            : await context.RefuseAsync(ports.Writer, Refused, "", started.Failure);
    }

    private static async Task<Results<JsonHttpResult<ImportView>, ProblemHttpResult>> TurnAsync(
        HttpContext context,
        RegistryPorts ports,
        string id,
        bool cancel
    )
    {
        var actor = context.GetActor();
        var turned = await ports.Writer.WriteAsync<ImportView>(
            async (session, token) =>
            {
                var imports = session.Db.Set<ImportRow>();
                var row = await imports.SingleOrDefaultAsync(found => found.Id == id, token);
                if (row is null)
                {
                    return ImportFailures.NoImport;
                }

                if (cancel != (row.State == ImportState.Running) || row.State == ImportState.Done)
                {
                    return ImportFailures.Ended;
                }

                if (
                    !cancel
                    && await imports.AnyAsync(
                        other => other.Source == row.Source && other.State == ImportState.Running,
                        token
                    )
                )
                {
                    return ImportFailures.Busy;
                }

                row.State = cancel ? ImportState.Cancelled : ImportState.Running;
                (row.StopCode, row.StopMessage) = ("", "");
                row.UpdatedMs = session.Now.ToUnixTimeMilliseconds();
                await session.Db.SaveChangesAsync(token);
                var kind = cancel ? "registry.import_cancelled" : "registry.import_resumed";
                await LogAsync(session, kind, actor, row, token);
                if (!cancel)
                {
                    await session.EnqueueAsync(ImportJob.Request(row.Id), token);
                }

                return await ImportReading.ViewAsync(session.Db, row, token);
            },
            context.RequestAborted
        );
        return turned.Ok
            ? TypedResults.Json(turned.Value, ImportJsonContext.Default.ImportView)
            : await context.RefuseAsync(ports.Writer, Refused, "", turned.Failure);
    }

    private static async Task<Results<JsonHttpResult<ImportPage>, ProblemHttpResult>> ListAsync(
        HttpContext context,
        RegistryPorts ports,
        string? pageToken
    )
    {
        var offset = Engine.PageTokens.Read(pageToken);
        if (!offset.Ok)
        {
            return offset.Failure.ToProblem();
        }

        const int size = 20;
        await using var db = await ports.Databases.CreateDbContextAsync(context.RequestAborted);
        var rows = await db.Set<ImportRow>()
            .AsNoTracking()
            .OrderByDescending(row => row.CreatedMs)
            .ThenBy(row => row.Id)
            .Skip(offset.Value)
            .Take(size + 1)
            .ToListAsync(context.RequestAborted);
        var views = new List<ImportView>();
        foreach (var row in rows.Take(size))
        {
            views.Add(await ImportReading.ViewAsync(db, row, context.RequestAborted));
        }

        return TypedResults.Json(
            new ImportPage(
                views,
                [.. ports.Options.Value.ImportSources.Keys.Order(StringComparer.Ordinal)],
                rows.Count > size ? Engine.PageTokens.Write(offset.Value + size) : null
            ),
            ImportJsonContext.Default.ImportPage
        );
    }

    private static async Task<Results<JsonHttpResult<ImportView>, ProblemHttpResult>> ReadAsync(
        HttpContext context,
        RegistryPorts ports,
        string id
    )
    {
        await using var db = await ports.Databases.CreateDbContextAsync(context.RequestAborted);
        var row = await db.Set<ImportRow>()
            .AsNoTracking()
            .SingleOrDefaultAsync(found => found.Id == id, context.RequestAborted);
        return row is null
            ? ImportFailures.NoImport.ToProblem()
            : TypedResults.Json(
                await ImportReading.ViewAsync(db, row, context.RequestAborted),
                ImportJsonContext.Default.ImportView
            );
    }

    private static async Task<Results<JsonHttpResult<ImportFailurePage>, ProblemHttpResult>> FailuresAsync(
        HttpContext context,
        RegistryPorts ports,
        string id,
        string? pageToken
    )
    {
        await using var db = await ports.Databases.CreateDbContextAsync(context.RequestAborted);
        if (!await db.Set<ImportRow>().AnyAsync(row => row.Id == id, context.RequestAborted))
        {
            return ImportFailures.NoImport.ToProblem();
        }

        var page = await ImportReading.FailuresAsync(db, id, pageToken, context.RequestAborted);
        return page.Ok
            ? TypedResults.Json(
                new ImportFailurePage(page.Value.Items, page.Value.NextToken),
                ImportJsonContext.Default.ImportFailurePage
            )
            : page.Failure.ToProblem();
    }

    private static Task<Guid> LogAsync(
        WriteSession session,
        string kind,
        Actor actor,
        ImportRow row,
        CancellationToken cancellationToken
    ) =>
        session.LogAsync(
            new LogEntry(kind, actor, ImportReading.Subject(row.Id), LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["source"] = row.Source,
                    ["owner"] = row.OwnerId,
                    ["dry_run"] = row.DryRun,
                },
            },
            cancellationToken
        );

    private static async Task<Result<StartImport>> BodyAsync(HttpContext context)
    {
        if (await context.ReadAtMostAsync(MaxBodyBytes) is not { } body)
        {
            return JsonBodies.TooLarge(MaxBodyBytes);
        }

        try
        {
            var request = JsonSerializer.Deserialize(body.Span, ImportJsonContext.Default.StartImport);
            return
                request is not null
                && new[]
                {
                    request.Source,
                    request.Experiments ?? "*",
                    request.Models ?? "*",
                    request.Owner ?? "-",
                }.All(text => text.Length is > 0 and <= MaxPattern && !text.Any(char.IsControl))
                ? request
                : ImportFailures.Bad;
        }
        catch (JsonException)
        {
            return ImportFailures.Bad;
        }
    }
}
