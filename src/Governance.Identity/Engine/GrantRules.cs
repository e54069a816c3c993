using System.Collections.Frozen;
using Governance.Identity.Contracts;
using Governance.Kernel;

namespace Governance.Identity.Engine;

/// <summary>What a grant and a group must look like, and which grants need a second person.</summary>
internal static class GrantRules
{
    private const int MaxPattern = 256;
    private const int MaxTargets = 32;
    private static readonly string[] Stages = ["None", "Staging", "Production", "Archived", "*"];

    /// <summary>Roles that approve, promote, see personal data or give rights: two administrators for each of them.</summary>
    private static readonly FrozenSet<string> Privileged = FrozenSet.Create(
        StringComparer.Ordinal,
        "reviewer",
        "release-manager",
        "privacy-officer",
        "admin"
    );

    // Of the others no permission moves anything, so a scope of targets would promise what it does not keep.
    private static readonly FrozenSet<string> Movers = FrozenSet.Create(
        StringComparer.Ordinal,
        "data-scientist",
        "reviewer",
        "release-manager",
        "privacy-officer"
    );

    // Their holder changes them, at the provider or by asking it to.
    private static readonly FrozenSet<string> Mutable = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "email",
        "preferred_username",
        "name",
        "given_name",
        "family_name",
        "nickname",
        "upn",
        "unique_name",
        "username",
        "login",
        "profile",
        "website",
        "phone_number",
        "address",
        "zoneinfo",
        "locale",
        "picture"
    );

    /// <summary>
    /// Whether a grant takes a second administrator: one of those roles, or reading what others made. A data scientist reads
    /// the bytes of what is their own, and by pattern those of everybody's artifacts and datasets that it names.
    /// </summary>
    public static bool IsPrivileged(RoleGrant grant) =>
        IsOfPrivilegedRole(grant) || (grant.Role == "data-scientist" && grant.Kind != ObjectKind.None);

    /// <summary>Whether a grant is of a role that a token of a person gives only if it proves that they were there.</summary>
    public static bool IsOfPrivilegedRole(RoleGrant grant) => Privileged.Contains(grant.Role);

    /// <summary>The first rule that a grant breaks, or null.</summary>
    public static Failure? CheckGrant(RoleGrant grant) =>
        !RoleFile.RoleNames.Contains(grant.Role)
            ? Failure.Invalid("identity.unknown_role", "There is no role of that name.")
        : !IsScope(grant)
            ? Failure.Invalid(
                "identity.bad_pattern",
                "A grant is global, or names a kind (experiment, model, dataset) and a pattern of 1 to 256 characters."
            )
        : grant.Targets.IsAll ? null
        : Movers.Contains(grant.Role)
        && grant.Kind is ObjectKind.None or ObjectKind.Model
        && IsTargets(grant.Targets.Only)
        && IsTargets(grant.Targets.Except)
            ? null
        : Failure.Invalid(
            "identity.bad_targets",
            "Targets are stage:NAME, alias:PATTERN, rename:PATTERN, delete-version or delete-model, at most 32 of each list, for roles that move models: data-scientist, reviewer, release-manager, privacy-officer."
        );

    public static Failure? CheckExternal(ExternalClaim external) =>
        Uri.TryCreate(external.Issuer, UriKind.Absolute, out var issuer)
        && issuer is { Scheme: "https", UserInfo: "", Query: "", Fragment: "" }
        && external.Issuer.Length <= 256
        && external.Claim.Length is > 0 and <= 64
        && external.Claim.All(c => c is > ' ' and < '\x7f')
        && !Mutable.Contains(external.Claim)
        && external.Value.Length is > 0 and <= MaxPattern
        && !external.Value.Any(char.IsControl)
            ? null
            : Failure.Invalid(
                "identity.bad_external",
                "An external group names an https issuer, a claim that its holder cannot change (not email, name or the like) and a value of 1 to 256 characters."
            );

    private static bool IsScope(RoleGrant grant) =>
        grant.Kind == ObjectKind.None
            ? grant.Pattern.Length == 0
            : Enum.IsDefined(grant.Kind)
                && grant.Pattern.Length is > 0 and <= MaxPattern
                && !grant.Pattern.Any(char.IsControl);

    private static bool IsTargets(IReadOnlyList<string> targets) =>
        targets.Count <= MaxTargets && targets.All(IsTarget);

    private static bool IsTarget(string target) =>
        target.Length <= MaxPattern
        && !target.Any(char.IsControl)
        && target.Split(':', 2) switch
        {
            ["delete-version" or "delete-model"] => true,
            ["stage", var stage] => Stages.Contains(stage),
            ["alias" or "rename", var pattern] => pattern.Length > 0,
            _ => false,
        };
}
