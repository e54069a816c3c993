using Governance.Evidence.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Policy.Contracts;
using Governance.Promotion.Storage;
using Governance.Registry.Contracts;

namespace Governance.Promotion.Gate;

/// <summary>Turns a context and the approvals of a request into the facts that the engine decides on.</summary>
internal sealed class FactsBuilder(IAccess access, ISubjects subjects, ILoginOwners owners)
{
    private static readonly string[] Roles =
    [
        "viewer",
        "data-scientist",
        "reviewer",
        "release-manager",
        "privacy-officer",
        "auditor",
        "admin",
    ];

    public async Task<Facts> BuildAsync(
        MoveContext context,
        string requester,
        IReadOnlyList<ApprovalRow> approvals,
        CancellationToken cancellationToken
    )
    {
        // Whoever carries it out is one pair of eyes; an approval is another's, also when a service made the request.
        IReadOnlyList<string> excluded =
        [
            .. (await owners.WithOwnersAsync([.. Excluded(context, requester), context.Actor.Id], cancellationToken))
                .Distinct()
                .Order(StringComparer.Ordinal),
        ];
        return new Facts
        {
            Target = context.Move.TargetText,
            FromStage = context.Version?.Stage ?? "",
            Status = StatusWord(context.Version),
            Quarantined = context.Version?.Quarantined ?? false,
            HoldsProtected = context.HoldsProtected,
            CallerRoles = [.. Roles.Where(role => context.Named.All(target => context.Rights.HasRole(role, target)))],
            CallerMayWrite = context.Named.All(target =>
                context.Rights.Allows(Permissions.ModelWrite, target)
                || (
                    context.Move.Kind == MoveKind.SetStage
                    && context.Rights.Allows(Permissions.PromotionCarryOut, target)
                )
            ),
            ScanClass = Passing(context, EvidenceKind.Scan)?.Class ?? "",
            Sbom = Passing(context, EvidenceKind.Sbom) is not null,
            SignatureVerified = context.Signature?.Verified ?? false,
            SignatureReasons = context.Signature?.Reasons ?? [],
            Lineage = Passing(context, EvidenceKind.Lineage) is not null,
            Privacy =
                context.Evidence is { } evidence
                && evidence[EvidenceKind.Privacy] is { Outcome: not EvidenceOutcome.Missing } privacy
                    ? privacy.Class
                    : "",
            PrivacyReasons = context.Evidence?[EvidenceKind.Privacy].Reasons ?? [],
            Approvals = await ApprovalsAsync(context.Target, approvals, cancellationToken),
            ExcludedApprovers = excluded,
            EligibleApprovers = await EligibleAsync(context, excluded, cancellationToken),
        };
    }

    /// <summary>Persons whose approval never counts: the requester, the last artifact author, the last policy editor.</summary>
    public Task<IReadOnlyList<string>> ExcludedAsync(
        MoveContext context,
        string requester,
        CancellationToken cancellationToken
    ) => owners.WithOwnersAsync(Excluded(context, requester), cancellationToken);

    private static string[] Excluded(MoveContext context, string requester) =>
        [requester, context.Version?.RegisteredBy ?? context.Model.OwnerId, context.Policy.LastEditor];

    private async Task<IReadOnlyList<ApprovalFact>> ApprovalsAsync(
        AccessTarget target,
        IReadOnlyList<ApprovalRow> approvals,
        CancellationToken cancellationToken
    )
    {
        var facts = new List<ApprovalFact>();
        foreach (var approval in approvals)
        {
            // Membership is judged now: a reviewer who lost the role since has not approved.
            var person = new Actor(ActorKind.Person, approval.PersonId);
            facts.Add(
                new ApprovalFact(
                    approval.PersonId,
                    RolesOf(await access.RightsNowAsync(person, cancellationToken), target)
                )
            );
        }

        return facts;
    }

    private async Task<int> EligibleAsync(
        MoveContext context,
        IReadOnlyList<string> excluded,
        CancellationToken cancellationToken
    )
    {
        var persons = new HashSet<string>(StringComparer.Ordinal);
        foreach (var role in context.Policy.ApproverRoles(context.Move.TargetText))
        {
            persons.UnionWith(await subjects.PersonsWithRoleAsync(role, context.Target, cancellationToken));
        }

        persons.ExceptWith(excluded);
        return persons.Count;
    }

    private static EvidenceItem? Passing(MoveContext context, EvidenceKind kind) =>
        context.Evidence?[kind] is { Outcome: EvidenceOutcome.Passed } item ? item : null;

    private static string[] RolesOf(Rights rights, AccessTarget target) =>
        [.. Roles.Where(role => rights.HasRole(role, target))];

    private static string StatusWord(VersionView? version) =>
        version?.Status switch
        {
            VersionStatus.PendingRegistration => "PENDING_REGISTRATION",
            VersionStatus.FailedRegistration => "FAILED_REGISTRATION",
            _ => "READY",
        };
}
