using System.Text.Json.Nodes;
using Governance.Compliance.Contracts;
using Governance.Compliance.Storage;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;

namespace Governance.Compliance.Reports;

/// <summary>The forms a report is exported in.</summary>
internal enum ReportForm
{
    Json,
    Csv,
    Pdf,
    Bundle,
}

/// <summary>A report that is about to be sent; its read is already in the log.</summary>
internal sealed record OpenedReport(Stream Content, string Name, string MediaType);

/// <summary>Reads and lists reports for those who may.</summary>
internal sealed class ReportReader(
    IDbContextFactory<GovernanceDb> databases,
    ReportAccess access,
    IBlobStore blobs,
    IWriter writer
)
{
    private const int MaxPage = 200;
    private const int MaxLookedAt = 2000;

    private static readonly Failure NotFound = Failure.NotFound(
        "compliance.report_not_found",
        "No report of that id is visible to you."
    );

    /// <summary>Authorises, commits the read entry, and opens the form. Absent and forbidden look the same.</summary>
    public async Task<Result<OpenedReport>> OpenAsync(
        Actor actor,
        Guid id,
        ReportForm form,
        CancellationToken cancellationToken
    )
    {
        var key = id.ToString("N");
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<ReportRow>()
            .AsNoTracking()
            .SingleOrDefaultAsync(item => item.Id == key, cancellationToken);
        var rights = await access.RightsOfAsync(actor, cancellationToken);
        if (row is null || !ReportAccess.Allows(rights, Permissions.ReportRead, row.Target))
        {
            await access.LogRefusalAsync(actor, "compliance.report_refused", "", NotFound.Code, cancellationToken);
            return NotFound;
        }

        await LogReadAsync(actor, row, form, LogOutcome.Begun, cancellationToken);
        var content = await blobs.OpenAsync(DigestOf(row, form), cancellationToken);
        return content.Map(stream => new OpenedReport(stream, NameOf(row, form), MediaTypeOf(form)));
    }

    /// <summary>Commits the outcome of a read once everything was sent.</summary>
    public async Task SentAsync(Actor actor, Guid id, ReportForm form, CancellationToken cancellationToken)
    {
        var key = id.ToString("N");
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<ReportRow>().AsNoTracking().SingleAsync(item => item.Id == key, cancellationToken);
        await LogReadAsync(actor, row, form, LogOutcome.Done, cancellationToken);
    }

    /// <summary>Reports that the actor may read, newest first. A page may be short and still have a next one.</summary>
    public async Task<Result<Page<ReportView>>> ListAsync(
        Actor actor,
        string? model,
        int first,
        string? after,
        CancellationToken cancellationToken
    )
    {
        if (first is < 1 or > MaxPage)
        {
            return Failure.Invalid("compliance.bad_page", $"A page has 1 to {MaxPage} reports.");
        }

        if (after is not null && !Guid.TryParseExact(after, "N", out _))
        {
            return Failure.Invalid("compliance.bad_page", "The page token isn't one of ours.");
        }

        var rights = await access.RightsOfAsync(actor, cancellationToken);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await db.Set<ReportRow>()
            .AsNoTracking()
            .Where(row => after == null || string.Compare(row.Id, after) < 0)
            .Where(row => model == null || row.Model == model)
            .OrderByDescending(row => row.Id)
            .Take(MaxLookedAt + 1)
            .ToListAsync(cancellationToken);
        var looked = rows.Take(MaxLookedAt).ToList();
        var visible = looked
            .Where(row => ReportAccess.Allows(rights, Permissions.ReportRead, row.Target))
            .Take(first + 1)
            .ToList();
        var next =
            visible.Count > first ? visible[first - 1].Id
            : rows.Count > MaxLookedAt ? looked[^1].Id
            : null;
        return new Page<ReportView>([.. visible.Take(first).Select(View)], next);
    }

    private Task LogReadAsync(
        Actor actor,
        ReportRow row,
        ReportForm form,
        LogOutcome outcome,
        CancellationToken cancellationToken
    ) =>
        writer.LogAsync(
            new LogEntry(
                "compliance.report_read",
                actor,
                Urn.Version(new ModelVersionRef(row.Model, row.Version)),
                outcome
            )
            {
                Details = new JsonObject
                {
                    ["report"] = row.Id,
                    ["form"] = Extension(form),
                    ["sha256"] = DigestOf(row, form).Hex,
                },
            },
            cancellationToken
        );

    private static ReportView View(ReportRow row) =>
        new(
            Guid.ParseExact(row.Id, "N"),
            row.Regulation,
            new ModelVersionRef(row.Model, row.Version),
            row.CreatedAt,
            row.CreatedBy
        );

    private static Digest DigestOf(ReportRow row, ReportForm form) =>
        form switch
        {
            ReportForm.Csv => row.Csv,
            ReportForm.Pdf => row.Pdf,
            ReportForm.Bundle => row.Bundle,
            _ => row.Json,
        };

    // Nothing of a hostile model name gets into a header: regulation and id only.
    private static string NameOf(ReportRow row, ReportForm form) => $"{row.Regulation}-{row.Id}.{Extension(form)}";

    private static string Extension(ReportForm form) =>
        form switch
        {
            ReportForm.Csv => "csv",
            ReportForm.Pdf => "pdf",
            ReportForm.Bundle => "bundle.json",
            _ => "json",
        };

    private static string MediaTypeOf(ReportForm form) =>
        form switch
        {
            ReportForm.Csv => "text/csv; charset=utf-8; header=present",
            ReportForm.Pdf => "application/pdf",
            ReportForm.Bundle => "application/vnd.dev.sigstore.bundle.v0.3+json",
            _ => "application/json",
        };
}
