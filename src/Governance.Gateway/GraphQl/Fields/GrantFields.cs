using Governance.Gateway.Access;
using Governance.Gateway.GraphQl.Guard;
using Governance.Identity.Contracts;
using Governance.Kernel;
using GraphQL;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>A role, granted on everything or on names that match a pattern.</summary>
[Name("Grant")]
[Needs("self:read")]
internal sealed class GrantFields(RoleGrant grant)
{
    /// <summary>Id of the grant.</summary>
    [Id]
    public Guid? Id => grant.Id;

    /// <summary>Role.</summary>
    public string Role => grant.Role;

    /// <summary>Kind of object that it is granted on; NONE for everything.</summary>
    public ObjectKind On => grant.Kind;

    /// <summary>Pattern of names, with * for any run of characters; empty for everything.</summary>
    public string Pattern => grant.Pattern;

    /// <summary>Stages and aliases that it reaches; empty for all.</summary>
    public IEnumerable<string> Targets => grant.Targets.Only;

    /// <summary>Stages and aliases that it does not reach in spite of that.</summary>
    public IEnumerable<string> ExceptTargets => grant.Targets.Except;

    /// <summary>When it ends, UTC; null for never.</summary>
    public DateTimeOffset? ExpiresAt => grant.ExpiresAt;

    /// <summary>Id of the group through which it is held; null for a grant to the subject itself.</summary>
    [Id]
    public string? Group => grant.Group;
}

/// <summary>Whether somebody may do something, and why.</summary>
[Name("Can")]
[Needs("self:read")]
internal sealed class CanFields(string permission, Explanation why)
{
    /// <summary>Whether they may.</summary>
    public bool Allowed => why.Allowed;

    /// <summary>Why, or what would be needed, in one sentence.</summary>
    public string Reason => CanEndpoint.Reason(why, permission);

    /// <summary>The grant that gives the permission on the object; null when none does.</summary>
    public GrantFields? Grant => why.Grant is null ? null : new GrantFields(why.Grant);

    /// <summary>Whether it does so only because they own the object.</summary>
    public bool ByOwnership => why.ByOwnership;

    /// <summary>Stages and aliases that no such grant reaches.</summary>
    public IEnumerable<string> Unreached => why.Unreached;

    /// <summary>Roles that give the permission; each takes a grant that reaches the object.</summary>
    public IEnumerable<string> Roles => why.Roles;
}

/// <summary>One page of grants.</summary>
[Name("HeldGrantPage")]
[Needs("identity:manage")]
internal sealed class HeldGrantPage(Page<GrantView> page)
{
    /// <summary>The grants of this page.</summary>
    [Cost(Length = 1)]
    public IEnumerable<HeldGrantFields> Items => page.Items.Select(view => new HeldGrantFields(view));

    /// <summary>Give this as after to get the next page; null on the last one.</summary>
    public string? NextToken => page.NextToken;
}

/// <summary>A grant as administrators see it.</summary>
[Name("HeldGrant")]
[Needs("identity:manage")]
internal sealed class HeldGrantFields(GrantView view)
{
    /// <summary>Id of the grant, for revoking it.</summary>
    [Id]
    public Guid? Id => view.Grant.Id;

    /// <summary>Pseudonym of the person or service; null for a group.</summary>
    [Id]
    public string? Subject => view.Subject;

    /// <summary>Id of the group; null for a subject.</summary>
    [Id]
    public string? Group => view.Group;

    /// <summary>What is granted.</summary>
    [Needs("self:read")]
    public GrantFields? Grant => new(view.Grant);

    /// <summary>Whether it waits for a second administrator and counts for nothing yet.</summary>
    public bool Pending => view.Pending;

    /// <summary>What the second administrator confirms, in the answer to who asked; else null.</summary>
    [Id]
    public Guid? Confirmation => view.Confirmation;

    /// <summary>Pseudonym of who granted it.</summary>
    public string GrantedBy => view.GrantedBy;

    /// <summary>UTC.</summary>
    public DateTimeOffset CreatedAt => view.CreatedAt;
}

/// <summary>One page of groups.</summary>
[Name("GroupPage")]
[Needs("identity:manage")]
internal sealed class GroupPage(Page<GroupView> page)
{
    /// <summary>The groups of this page.</summary>
    [Cost(Length = 1)]
    public IEnumerable<GroupFields> Items => page.Items.Select(view => new GroupFields(view));

    /// <summary>Give this as after to get the next page; null on the last one.</summary>
    public string? NextToken => page.NextToken;
}

/// <summary>A group of subjects.</summary>
[Name("Group")]
[Needs("identity:manage")]
internal sealed class GroupFields(GroupView view)
{
    /// <summary>Its id.</summary>
    [Id]
    public string Id => view.Id;

    /// <summary>Its name.</summary>
    public string Name => view.Name;

    /// <summary>What binds it to an identity provider; null for a local group.</summary>
    public ExternalClaimFields? External => view.External is null ? null : new ExternalClaimFields(view.External);

    /// <summary>At most 1,000 members.</summary>
    [Cost(Length = 20)]
    public IEnumerable<GroupMemberFields> Members => view.Members.Select(member => new GroupMemberFields(member));
}

/// <summary>What binds a group to an external identity provider.</summary>
[Name("ExternalClaim")]
[Needs("identity:manage")]
internal sealed class ExternalClaimFields(ExternalClaim claim)
{
    /// <summary>Issuer of the token.</summary>
    public string Issuer => claim.Issuer;

    /// <summary>Name of the claim.</summary>
    public string Claim => claim.Claim;

    /// <summary>Its value, or one member of its array.</summary>
    public string Value => claim.Value;
}

/// <summary>Somebody in a group.</summary>
[Name("GroupMember")]
[Needs("identity:manage")]
internal sealed class GroupMemberFields(GroupMember member)
{
    /// <summary>Pseudonym.</summary>
    [Id]
    public string Subject => member.Subject;

    /// <summary>Whether the membership waits for a second administrator and counts for nothing yet.</summary>
    public bool Pending => member.Pending;

    /// <summary>When the token that named the group was issued, UTC; null for a local group.</summary>
    public DateTimeOffset? SeenAt => member.SeenAt;
}

/// <summary>Who gets a grant: exactly one of these.</summary>
[OneOf]
[Name("GrantHolder")]
internal sealed class GrantHolder
{
    /// <summary>Pseudonym of a person or service.</summary>
    public string? Subject { get; set; }

    /// <summary>Id of a group.</summary>
    public string? Group { get; set; }
}

/// <summary>What is granted.</summary>
[Name("GrantInput")]
internal sealed class GrantInput
{
    /// <summary>Role.</summary>
    public string Role { get; set; } = "";

    /// <summary>Kind of object; NONE for everything.</summary>
    public ObjectKind On { get; set; }

    /// <summary>Pattern of names, with * for any run of characters; empty for everything.</summary>
    public string Pattern { get; set; } = "";

    /// <summary>Stages and aliases that it reaches, such as stage:Staging or alias:dev-*; left out for all.</summary>
    public List<string>? Targets { get; set; }

    /// <summary>Stages and aliases that it does not reach, such as alias:champion.</summary>
    public List<string>? ExceptTargets { get; set; }

    /// <summary>When it ends, UTC; left out for never.</summary>
    public DateTimeOffset? ExpiresAt { get; set; }

    public RoleGrant ToGrant() =>
        new(Role, On, Pattern)
        {
            Targets =
                Targets is null or [] && ExceptTargets is null or []
                    ? TargetScope.All
                    : new TargetScope(Targets ?? [], ExceptTargets ?? []),
            ExpiresAt = ExpiresAt,
        };
}

/// <summary>A claim of an external identity provider whose value makes somebody a member.</summary>
[Name("ExternalClaimInput")]
internal sealed class ExternalClaimInput
{
    /// <summary>Issuer of the token: an https address.</summary>
    public string Issuer { get; set; } = "";

    /// <summary>Name of a claim that its holder cannot change.</summary>
    public string Claim { get; set; } = "";

    /// <summary>Its value, or one member of its array; compared by its bytes.</summary>
    public string Value { get; set; } = "";

    public ExternalClaim ToClaim() => new(Issuer, Claim, Value);
}
