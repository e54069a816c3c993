using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Privacy.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Gateway.Access;

/// <summary>What somebody may do on an object, and why. What the asker may not see is answered like what is not there.</summary>
internal sealed class CanQuestion(IAccess access, IRegistryReader registry, IDatasets datasets, IWriter writer)
{
    private static readonly Failure NotAdmin = Failure.Denied(
        "identity.denied",
        "Only a global administrator may ask what somebody else may do."
    );

    /// <summary>
    /// Whether the time of the answer would tell that an object is there: one is named, and not all of its kind are the
    /// asker's to see. Such an answer is held.
    /// </summary>
    public static bool IsTold(Rights asker, string? named) =>
        named is not null
        && !Array.TrueForAll(
            [Permissions.ModelRead, Permissions.ExperimentRead, Permissions.DatasetRead],
            read => asker.Allows(read, AccessTarget.Global)
        );

    /// <summary>
    /// Explains for the asker, or for another subject to an administrator. An object is <c>model:NAME</c>,
    /// <c>experiment:NAME</c> or <c>dataset:SHA256</c>; touched is what a move would touch, such as <c>alias:champion</c>.
    /// </summary>
    public async Task<Result<Explanation>> AskAsync(
        Rights asker,
        string permission,
        string? named,
        string? touched,
        string? subject,
        CancellationToken cancellationToken
    )
    {
        var known = Permissions.All.FirstOrDefault(each => each.Name == permission);
        if (known == default)
        {
            return Failure.Invalid("graphql.unknown_permission", "There is no such permission.");
        }

        var about = asker;
        if (subject is not null && subject != asker.Actor.Id)
        {
            if (!asker.Allows(Permissions.IdentityManage, AccessTarget.Global))
            {
                await writer.LogAsync(
                    new LogEntry("access.denied", asker.Actor, "", LogOutcome.Refused)
                    {
                        Details = new() { ["permission"] = Permissions.IdentityManage.Name },
                    },
                    cancellationToken
                );
                return NotAdmin;
            }

            // About what is granted: which token they will show is not known.
            var other = new Actor(ActorKind.Person, subject) { SenderConstrained = true };
            about = await access.RightsNowAsync(other, cancellationToken);
        }

        var found = await TargetAsync(asker, about, known, named, cancellationToken);
        return found.Map(target =>
            about.Explain(known, touched is null ? target : target with { Touches = [touched] })
        );
    }

    private async Task<Result<AccessTarget>> TargetAsync(
        Rights asker,
        Rights about,
        Permission permission,
        string? named,
        CancellationToken cancellationToken
    )
    {
        var (kind, name) = named?.Split(':', 2) switch
        {
            null => ("", ""),
            [var before, var after] => (before, after),
            _ => ("?", ""),
        };
        return kind switch
        {
            "" when named is null => AccessTarget.Global,
            "model" => Seen(
                asker,
                Permissions.ModelRead,
                AccessTarget.Model(name, await registry.ModelOwnerAsync(name, cancellationToken))
            ),
            "experiment" => Seen(
                asker,
                Permissions.ExperimentRead,
                AccessTarget.Experiment(name, await registry.ExperimentOwnerAsync(name, cancellationToken))
            ),
            "dataset" when Digest.TryParse(name, out var sha256) => await DatasetAsync(
                asker,
                about,
                permission,
                sha256,
                cancellationToken
            ),
            "dataset" => Failure.Invalid("graphql.bad_digest", "A SHA-256 digest is 64 lower-case hex characters."),
            _ => Failure.Invalid(
                "graphql.bad_object",
                "An object is written model:NAME, experiment:NAME or dataset:SHA256."
            ),
        };
    }

    // What of its copies the asker may know of, whoever is asked about; of these one on which it is allowed. Rows only: to look further
    // would take the longer the more there is.
    private async Task<AccessTarget> DatasetAsync(
        Rights asker,
        Rights about,
        Permission permission,
        Digest sha256,
        CancellationToken cancellationToken
    )
    {
        var ofDatasets = permission.Name.StartsWith("dataset:", StringComparison.Ordinal);
        var seen = (await datasets.TargetsAsync(sha256, cancellationToken))
            .Where(target =>
                asker.Allows(Permissions.DatasetRead, target)
                || (ofDatasets && about == asker && asker.Allows(permission, target))
            )
            .ToList();
        return seen.Find(target => about.Allows(permission, target)) is { } allowed ? allowed
            : seen.Count > 0 ? seen[0]
            : AccessTarget.Dataset("", ownerId: null);
    }

    // Who owns what the asker can't see would tell that it is there.
    private static AccessTarget Seen(Rights asker, Permission read, AccessTarget target) =>
        target.OwnerId is null || target.OwnerId == asker.Actor.Id || asker.Allows(read, target)
            ? target
            : target with
            {
                OwnerId = null,
            };
}
