using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Upstream;

/// <summary>Open differences: one entry and one row each, and quarantine of the version that it puts in doubt.</summary>
internal static class Drift
{
    public const string Reason = "upstream.drift";

    private static readonly HashSet<string> Harmless =
    [
        .. Enum.GetValues<DifferenceKind>()
            .Where(kind => !new Difference(kind, 0, "", null, null).Quarantines)
            .Select(Name),
    ];

    /// <summary>Its stable name in log and list, e.g. <c>version_tag</c>.</summary>
    public static string Name(DifferenceKind kind) =>
        string.Concat(
            kind.ToString()
                .Select((c, i) => char.IsUpper(c) ? (i == 0 ? "" : "_") + char.ToLowerInvariant(c) : c.ToString())
        );

    /// <summary>
    /// Opens it unless it is open with the same finding. <paramref name="quarantine"/> is false for what was so before the gateway
    /// came: nobody worked around it then.
    /// </summary>
    public static async Task OpenAsync(
        WriteSession session,
        string model,
        Difference difference,
        CancellationToken cancellationToken,
        bool quarantine = true
    )
    {
        var (kind, expected, found) = (
            Name(difference.Kind),
            Text(difference, difference.Expected),
            Text(difference, difference.Found)
        );
        var row = await session
            .Db.Set<UpstreamDriftRow>()
            .SingleOrDefaultAsync(
                open =>
                    open.Model == model
                    && open.Version == difference.Version
                    && open.Kind == kind
                    && open.Key == difference.Key,
                cancellationToken
            );
        if (row is not null && row.Found == found && row.Expected == expected)
        {
            return;
        }

        if (row is null)
        {
            row = new UpstreamDriftRow
            {
                Id = Guid.CreateVersion7(session.Now),
                Model = model,
                Version = difference.Version,
                Kind = kind,
                Key = difference.Key,
            };
            session.Db.Add(row);
        }

        (row.Expected, row.Found, row.FoundMs) = (expected, found, session.Now.ToUnixTimeMilliseconds());
        await session.LogAsync(
            new LogEntry(Reason, Actor.System, Subject(row), LogOutcome.Refused)
            {
                Details = new JsonObject
                {
                    ["drift"] = row.Id.ToString("D"),
                    ["kind"] = kind,
                    ["key"] = difference.Kind == DifferenceKind.FileBytes ? "" : difference.Key,
                    ["expected"] = expected,
                    ["found"] = found,
                    ["before_the_gateway"] = !quarantine,
                },
            },
            cancellationToken
        );
        if (quarantine && difference.Quarantines)
        {
            await QuarantineAsync(session, model, difference, cancellationToken);
        }
    }

    /// <summary>Ends it, and the quarantine of its version when nothing else holds that.</summary>
    public static async Task CloseAsync(
        WriteSession session,
        UpstreamDriftRow row,
        Actor actor,
        string how,
        CancellationToken cancellationToken
    )
    {
        session.Db.Remove(row);
        await session.Db.SaveChangesAsync(cancellationToken);
        await session.LogAsync(
            new LogEntry("upstream.drift_closed", actor, Subject(row), LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["drift"] = row.Id.ToString("D"),
                    ["kind"] = row.Kind,
                    ["key"] = row.Key,
                    ["how"] = how,
                },
            },
            cancellationToken
        );
        var held = await VersionStore
            .Active(session.Db)
            .Where(join => join.Model.Name == row.Model && join.Version.Quarantined)
            .Select(join => join.Version)
            .ToListAsync(cancellationToken);
        var open = await session
            .Db.Set<UpstreamDriftRow>()
            .AsNoTracking()
            .Where(other => other.Model == row.Model)
            .ToListAsync(cancellationToken);
        foreach (var version in held.Where(version => !open.Exists(other => Concerns(other, version.Number))))
        {
            await VersionStatusWriter.ReleaseAsync(session, version, row.Model, Reason, cancellationToken);
        }
    }

    public static bool IsUnreadable(UpstreamDriftRow row) =>
        row.Version == 0 && row.Kind == Name(DifferenceKind.Unreadable);

    /// <summary>Ends the finding that a model (0) or the files of a version could not be read: they can be, and were compared.</summary>
    public static async Task CloseReadableAsync(
        WriteSession session,
        string model,
        int version,
        CancellationToken cancellationToken
    )
    {
        await session.Db.SaveChangesAsync(cancellationToken);
        var kind = Name(DifferenceKind.Unreadable);
        var row = await session
            .Db.Set<UpstreamDriftRow>()
            .SingleOrDefaultAsync(
                open => open.Model == model && open.Version == version && open.Kind == kind,
                cancellationToken
            );
        if (row is not null)
        {
            await CloseAsync(session, row, Actor.System, "readable", cancellationToken);
        }
    }

    private static async Task QuarantineAsync(
        WriteSession session,
        string model,
        Difference difference,
        CancellationToken cancellationToken
    )
    {
        var versions = await VersionStore
            .Active(session.Db)
            .Where(join => join.Model.Name == model)
            .Select(join => join.Version)
            .ToListAsync(cancellationToken);
        var ids = versions.ConvertAll(version => version.ModelId);
        var aliased = await session
            .Db.Set<AliasRow>()
            .Where(alias => ids.Contains(alias.ModelId))
            .Select(alias => alias.Number)
            .ToListAsync(cancellationToken);
        foreach (var version in versions)
        {
            var isProtected = version.Stage is "Staging" or "Production" || aliased.Contains(version.Number);
            var concerned = difference switch
            {
                { Kind: DifferenceKind.Alias } => MirroredModels.Number(version.Number) is var number
                    && (number == difference.Expected || number == difference.Found),
                { Version: 0 } => isProtected,
                _ => version.Number == difference.Version,
            };
            if (concerned)
            {
                await VersionStatusWriter.QuarantineAsync(
                    session,
                    version,
                    model,
                    $"{Reason}: {Name(difference.Kind)} was changed on the server behind the gateway.",
                    cancellationToken
                );
            }
        }
    }

    // A text for people that differs puts nothing in doubt.
    private static bool Concerns(UpstreamDriftRow row, int version) =>
        !Harmless.Contains(row.Kind)
        && (
            row.Version == version
            || (
                row.Version == 0
                && (
                    row.Kind != Name(DifferenceKind.Alias)
                    || row.Expected == MirroredModels.Number(version)
                    || row.Found == MirroredModels.Number(version)
                )
            )
        );

    private static string Subject(UpstreamDriftRow row) =>
        row.Model.Length == 0 ? NotTaken.Lane(row.Key)
        : row.Version == 0 ? Urn.Model(row.Model)
        : Urn.Version(new ModelVersionRef(row.Model, row.Version));

    public static string Text(Difference difference, string? value) =>
        value is null ? "-"
        : difference.IsPlain || value.Length == 0 ? value
        : $"sha256:{Digest.Of(Encoding.UTF8.GetBytes(value)).Hex}";
}
