using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Registry.Upstream;

/// <summary>
/// Takes over models and versions that upstream has and the gateway has not. A version is frozen and examined like every other
/// registration; one whose files cannot be had is FAILED_REGISTRATION with the reason. Stages and aliases that it holds upstream
/// were allowed by no decision here, so it holds none here.
/// </summary>
internal sealed class ModelAdoption(
    IServiceProvider services,
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    UpstreamClient client,
    TrackingAdoption tracking
)
{
    private static readonly IReadOnlyDictionary<string, RoleDefinition> NoRoles =
        new Dictionary<string, RoleDefinition>();

    /// <summary>
    /// Takes over what is missing of one model; called by who has the model's turn. <paramref name="along"/> runs in the unit of
    /// each version.
    /// </summary>
    public async Task<Failure?> AdoptAsync(
        string name,
        MirroredModel theirs,
        Func<WriteSession, int, Task> along,
        CancellationToken cancellationToken
    )
    {
        // Read again: what was being taken away when it was read first is gone by now.
        var model = await client.Reader.ModelAsync(name, cancellationToken);
        if (!model.Ok)
        {
            return model.Failure == RemoteFailures.NotFound ? null : UpstreamFailures.Pending;
        }

        await AddModelAsync(model.Value, theirs, along, cancellationToken);
        HashSet<int> known;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            var numbers = await (
                from row in db.Set<ModelRow>()
                join version in db.Set<VersionRow>() on row.Id equals version.ModelId
                where row.Name == name && !row.Deleted
                select version.Number
            ).ToListAsync(cancellationToken);
            known = [.. numbers];
        }

        foreach (var number in theirs.Versions.Keys.Where(number => !known.Contains(number)).Order())
        {
            var version = await client.Reader.VersionAsync(name, number, cancellationToken);
            if (!version.Ok)
            {
                return UpstreamFailures.Pending;
            }

            if (
                (
                    await AdoptRunsAsync(version.Value, cancellationToken)
                    ?? await AdoptAsync(version.Value, session => along(session, number), cancellationToken)
                ) is
                { } failure
            )
            {
                return failure;
            }
        }

        return null;
    }

    /// <summary>Models that have the name or had it when they were deleted.</summary>
    public static async Task<HashSet<Guid>> NamedAsync(
        GovernanceDb db,
        string name,
        CancellationToken cancellationToken
    ) =>
        [
            .. await db.Set<ModelRow>()
                .Where(model => model.Name == name)
                .Select(model => model.Id)
                .ToListAsync(cancellationToken),
        ];

    /// <summary>
    /// Whether something of the name is on its way upstream, made, changed, renamed or deleted: then what differs says nothing.
    /// </summary>
    public static async Task<bool> IsBusyAsync(GovernanceDb db, string name, CancellationToken cancellationToken)
    {
        var lanes = (await NamedAsync(db, name, cancellationToken)).Select(Lanes.OfModel).ToList();
        var work = db.Set<UpstreamWorkRow>();
        if (await work.AnyAsync(row => lanes.Contains(row.Lane), cancellationToken))
        {
            return true;
        }

        var renames = await work.Where(row =>
                row.Lane.StartsWith(Lanes.Model) && !row.Touched.Contains(Touched.NoNames)
            )
            .Select(row => row.Touched)
            .ToListAsync(cancellationToken);
        if (renames.Exists(json => Touched.Of(json).Names.Contains(name)))
        {
            return true;
        }

        var intents = await db.Set<UpstreamIntentRow>()
            .Where(row => row.Kind == Intents.Model || row.Kind == Intents.Version)
            .Select(row => row.Body)
            .ToListAsync(cancellationToken);
        return intents.Exists(body => (string?)JsonNode.Parse(body)!["name"] == name);
    }

    // Its files are a run's, which the last look may have passed over.
    private async Task<Failure?> AdoptRunsAsync(RemoteVersion version, CancellationToken cancellationToken)
    {
        foreach (
            var run in version.Source.Split('/').Append(version.RunId ?? "").Where(ArtifactAddress.IsRunId).Distinct()
        )
        {
            bool here;
            await using (var db = await databases.CreateDbContextAsync(cancellationToken))
            {
                here = await db.Set<RunRow>().AnyAsync(row => row.RunId == run, cancellationToken);
            }

            if (
                !here
                && await tracking.AdoptRunAsync(run, cancellationToken) is { Kind: FailureKind.Unavailable } failure
            )
            {
                return failure;
            }
        }

        return null;
    }

    private async Task AddModelAsync(
        RemoteModel model,
        MirroredModel theirs,
        Func<WriteSession, int, Task> along,
        CancellationToken cancellationToken
    )
    {
        var added = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (
                    await VersionStore.ModelAsync(session.Db, model.Name, token) is not null
                    || await IsBusyAsync(session.Db, model.Name, token)
                    || await TrackingAdoption.IsIntendedAsync(session.Db, model.Tags, token)
                )
                {
                    return default(Unit);
                }

                var row = new ModelRow
                {
                    Id = Guid.CreateVersion7(session.Now),
                    Name = model.Name,
                    OwnerId = Actor.System.Id,
                    Description = model.Description,
                    CreatedMs = model.CreatedMs ?? 0,
                    UpdatedMs = model.UpdatedMs ?? 0,
                };
                session.Db.Add(row);
                var next = theirs.Versions.Keys.DefaultIfEmpty(0).Max() + 1;
                var used = await session.Db.Set<ModelNameRow>().FindAsync([model.Name], token);
                if (used is null)
                {
                    session.Db.Add(
                        new ModelNameRow
                        {
                            Name = model.Name,
                            ModelId = row.Id,
                            NextVersion = next,
                        }
                    );
                }
                else
                {
                    (used.ModelId, used.NextVersion) = (row.Id, Math.Max(used.NextVersion, next));
                }

                await Labels.SetAsync(session.Db, LabelScope.ModelTag, LabelIds.Model(row.Id), model.Tags, token);
                await session.Db.SaveChangesAsync(token);
                await session.LogAsync(
                    new LogEntry("upstream.model_adopted", Actor.System, Urn.Model(model.Name), LogOutcome.Done),
                    token
                );
                await along(session, 0);
                return default(Unit);
            },
            cancellationToken
        );
        if (!added.Ok)
        {
            throw new InvalidOperationException(added.Failure.Code);
        }
    }

    private async Task<Failure?> AdoptAsync(
        RemoteVersion version,
        Func<WriteSession, Task> along,
        CancellationToken cancellationToken
    )
    {
        // Resolved here: the ports hold the mirror, and the mirror is older than they.
        var ports = services.GetRequiredService<RegistryPorts>();
        var asked = new JsonObject
        {
            ["name"] = version.Model,
            ["source"] = version.Source,
            ["description"] = version.Description,
            ["run_link"] = version.RunLink,
            ["tags"] = Intents.Labels(version.Tags.Where(tag => tag.Key != Differences.IntentTag)),
        };
        var args = Args.OfBody(Encoding.UTF8.GetBytes(asked.ToJsonString()));
        if (!args.Ok)
        {
            return await FailAsync(version, args.Failure, along, cancellationToken);
        }

        Guid modelId;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            if (await VersionStore.ModelAsync(db, version.Model, cancellationToken) is not { } model)
            {
                return null;
            }

            modelId = model.Id;
        }

        var call = new Call(ports, new Rights(Actor.System, [], NoRoles), args.Value, cancellationToken)
        {
            Assigned = MirroredModels.Number(version.Number),
            Made = Lanes.OfModel(modelId),
            Along = along,
        };
        Failure? failure;
        try
        {
            failure = (await RegisterVersion.HandleAsync(call)).Failure;
        }
        catch (RefusedException refused)
        {
            failure = refused.Failure;
        }

        return failure is null or { Kind: FailureKind.Unavailable }
            ? failure
            : await FailAsync(version, failure, along, cancellationToken);
    }

    // It is there, so it is shown, and nobody can promote it.
    private async Task<Failure?> FailAsync(
        RemoteVersion version,
        Failure failure,
        Func<WriteSession, Task> along,
        CancellationToken cancellationToken
    )
    {
        var written = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var model = await VersionStore.ModelAsync(session.Db, version.Model, token);
                if (
                    model is null
                    || await session.Db.Set<VersionRow>().FindAsync([model.Id, version.Number], token) is not null
                )
                {
                    return default(Unit);
                }

                var names = await session.Db.Set<ModelNameRow>().SingleAsync(row => row.Name == version.Model, token);
                names.NextVersion = Math.Max(names.NextVersion, version.Number + 1);
                var row = new VersionRow
                {
                    ModelId = model.Id,
                    Number = version.Number,
                    Status = VersionStatus.FailedRegistration,
                    StatusMessage = failure.Message,
                    Source = version.Source,
                    Description = version.Description,
                    RegisteredBy = Actor.System.Id,
                    ManifestDigest = Manifest.Create([]).Value.Digest.Hex,
                    CreatedMs = version.CreatedMs ?? 0,
                    UpdatedMs = version.UpdatedMs ?? 0,
                    ObjectId = LabelIds.Version(model.Id, version.Number),
                };
                row.EvidenceSubject = (await VersionSubjects.ComputeAsync(session.Db, row, token)).Hex;
                session.Db.Add(row);
                var tags = version.Tags.Where(tag => tag.Key != Differences.IntentTag);
                await Labels.SetAsync(session.Db, LabelScope.VersionTag, row.ObjectId, tags, token);
                await session.Db.SaveChangesAsync(token);
                await session.LogAsync(
                    new LogEntry(
                        "registry.version_failed",
                        Actor.System,
                        Urn.Version(new ModelVersionRef(version.Model, version.Number)),
                        LogOutcome.Done
                    )
                    {
                        Details = new JsonObject { ["code"] = failure.Code },
                    },
                    token
                );
                await along(session);
                return default(Unit);
            },
            cancellationToken
        );
        return written.Failure;
    }
}
