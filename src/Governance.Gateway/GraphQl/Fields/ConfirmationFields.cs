using Governance.Gateway.GraphQl.Guard;
using Governance.Identity.Contracts;
using Governance.Kernel;
using GraphQL;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>One page of confirmations.</summary>
[Name("ConfirmationPage")]
[Needs("identity:manage")]
internal sealed class ConfirmationPage(Page<ConfirmationView> page)
{
    /// <summary>The confirmations of this page.</summary>
    [Cost(Length = 1)]
    public IEnumerable<ConfirmationFields> Items => page.Items.Select(view => new ConfirmationFields(view));

    /// <summary>Give this as after to get the next page; null on the last one.</summary>
    public string? NextToken => page.NextToken;
}

/// <summary>A privileged change that waits for a second administrator.</summary>
[Name("Confirmation")]
[Needs("identity:manage")]
internal sealed class ConfirmationFields(ConfirmationView view)
{
    /// <summary>Its id.</summary>
    [Id]
    public Guid Id => view.Id;

    /// <summary>person, credentials, enabled, login, grant or membership.</summary>
    public string Change => view.Change;

    /// <summary>Pseudonym of whom it is about; null for a grant to a group.</summary>
    [Id]
    public string? Subject => view.Subject;

    /// <summary>Id of the group of a grant or membership; else null.</summary>
    [Id]
    public string? Group => view.Group;

    /// <summary>What exactly, as JSON.</summary>
    public string Details => view.Details.ToJsonString();

    /// <summary>Pseudonym of who asked and cannot confirm.</summary>
    public string RequestedBy => view.RequestedBy;

    /// <summary>UTC.</summary>
    public DateTimeOffset RequestedAt => view.RequestedAt;

    /// <summary>UTC; afterwards it has to be asked for again.</summary>
    public DateTimeOffset ExpiresAt => view.ExpiresAt;
}
