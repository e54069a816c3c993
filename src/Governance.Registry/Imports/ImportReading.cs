using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Imports;

/// <summary>How far one kind of object is.</summary>
internal sealed record ImportCount(string Kind, long Seen, long Imported, long Present, long Failed);

/// <summary>Why an import stopped, or what it waits for.</summary>
internal sealed record ImportStop(string Code, string Message);

/// <summary>An import as its API shows it.</summary>
internal sealed record ImportView(
    string Id,
    string Source,
    string State,
    string Phase,
    bool DryRun,
    string Experiments,
    string Models,
    string Owner,
    string StartedBy,
    DateTimeOffset StartedAt,
    DateTimeOffset UpdatedAt,
    IReadOnlyList<ImportCount> Counts,
    long Files,
    long Bytes,
    ImportStop? Stop
);

/// <summary>One object that did not come.</summary>
internal sealed record ImportFailure(string Kind, string Id, string Code, string Message);

/// <summary>Reads imports and how far they are.</summary>
internal static class ImportReading
{
    public const int PageSize = 100;

    public static string Subject(string id) => $"import:{id}";

    public static string Text<T>(T value)
        where T : struct, Enum => string.Concat(value.ToString().Select(Part));

    public static async Task<ImportView> ViewAsync(GovernanceDb db, ImportRow row, CancellationToken cancellationToken)
    {
        var sizes = await db.Set<ImportedRow>()
            .Where(done => done.ImportId == row.Id)
            .GroupBy(_ => 1)
            .Select(group => new { Files = group.Sum(done => done.Files), Bytes = group.Sum(done => done.Bytes) })
            .SingleOrDefaultAsync(cancellationToken);
        return new ImportView(
            row.Id,
            row.Source,
            Text(row.State),
            Text(row.Phase),
            row.DryRun,
            row.Experiments,
            row.Models,
            row.OwnerId,
            row.StartedBy,
            DateTimeOffset.FromUnixTimeMilliseconds(row.CreatedMs),
            DateTimeOffset.FromUnixTimeMilliseconds(row.UpdatedMs),
            await CountsAsync(db, row, cancellationToken),
            sizes?.Files ?? 0,
            sizes?.Bytes ?? 0,
            row.StopCode.Length > 0 ? new ImportStop(row.StopCode, row.StopMessage) : null
        );
    }

    /// <summary>Counted from what was committed, object by object; lists are counted when their page is done with.</summary>
    public static async Task<IReadOnlyList<ImportCount>> CountsAsync(
        GovernanceDb db,
        ImportRow row,
        CancellationToken cancellationToken
    )
    {
        var seen = await db.Set<ImportCountRow>()
            .AsNoTracking()
            .Where(count => count.ImportId == row.Id)
            .ToDictionaryAsync(count => count.Kind, cancellationToken);
        var imported = await db.Set<ImportedRow>()
            .Where(done => done.ImportId == row.Id && done.State != ImportedState.Partial)
            .GroupBy(done => done.Kind)
            .Select(group => new { group.Key, Count = group.LongCount() })
            .ToDictionaryAsync(group => group.Key, group => group.Count, cancellationToken);
        var failed = await db.Set<ImportFailureRow>()
            .Where(failure => failure.ImportId == row.Id)
            .GroupBy(failure => failure.Kind)
            .Select(group => new { group.Key, Count = group.LongCount() })
            .ToDictionaryAsync(group => group.Key, group => group.Count, cancellationToken);
        return
        [
            .. ImportKinds.All.Select(kind =>
            {
                var (done, wrong) = (imported.GetValueOrDefault(kind), failed.GetValueOrDefault(kind));
                var listed = seen.GetValueOrDefault(kind);
                var present = listed?.Present ?? 0;
                return new ImportCount(kind, Math.Max(listed?.Seen ?? 0, done + wrong + present), done, present, wrong);
            }),
        ];
    }

    public static async Task<Result<Page<ImportFailure>>> FailuresAsync(
        GovernanceDb db,
        string importId,
        string? pageToken,
        CancellationToken cancellationToken
    )
    {
        var offset = PageTokens.Read(pageToken);
        if (!offset.Ok)
        {
            return offset.Failure;
        }

        var rows = await db.Set<ImportFailureRow>()
            .AsNoTracking()
            .Where(row => row.ImportId == importId)
            .OrderBy(row => row.Kind)
            .ThenBy(row => row.RemoteId)
            .Skip(offset.Value)
            .Take(PageSize + 1)
            .ToListAsync(cancellationToken);
        return new Page<ImportFailure>(
            [.. rows.Take(PageSize).Select(row => new ImportFailure(row.Kind, row.RemoteId, row.Code, row.Message))],
            rows.Count > PageSize ? PageTokens.Write(offset.Value + PageSize) : null
        );
    }

    // LoggedModels → logged-models.
    private static string Part(char letter, int at) =>
        char.IsUpper(letter) ? $"{(at > 0 ? "-" : "")}{char.ToLowerInvariant(letter)}" : letter.ToString();
}
