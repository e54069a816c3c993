using System.Text.Json.Nodes;

namespace Governance.Identity.Confirm;

/// <summary>A privileged change that a second administrator has to confirm.</summary>
/// <param name="Kind">Constant of the part that asks, at most 32 characters; an <see cref="IConfirmable"/> handles it.</param>
/// <param name="SubjectId">Whose account; null for a grant to a group.</param>
internal sealed record ConfirmationRequest(string Kind, string? SubjectId)
{
    /// <summary>The group of a grant or membership; else null.</summary>
    public string? GroupId { get; init; }

    /// <summary>Id of the row that the change is about; empty when subject and group say it.</summary>
    public string ObjectId { get; init; } = "";

    /// <summary>What the second administrator reads; also written to the log, so nothing personal.</summary>
    public JsonObject Details { get; init; } = [];

    /// <summary>
    /// Whether the account can't approve or administer until somebody confirms. False for a change that only takes effect
    /// when it is confirmed.
    /// </summary>
    public required bool Holds { get; init; }
}
