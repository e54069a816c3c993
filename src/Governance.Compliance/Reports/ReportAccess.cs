using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;

namespace Governance.Compliance.Reports;

/// <summary>Object-level rights on reports, and the entries of what was refused.</summary>
internal sealed class ReportAccess(IAccess access, IWriter writer)
{
    public ValueTask<Rights> RightsOfAsync(Actor actor, CancellationToken cancellationToken) =>
        access.RightsOfAsync(actor, cancellationToken);

    /// <summary>A report shows what a version is and what stands behind it: it needs both rights on the model.</summary>
    public static bool Allows(Rights rights, Permission permission, AccessTarget model) =>
        rights.Allows(permission, model) && rights.Allows(Permissions.ModelRead, model);

    /// <summary>Commits the refusal; absent and forbidden are refused alike.</summary>
    public Task LogRefusalAsync(
        Actor actor,
        string kind,
        string subject,
        string code,
        CancellationToken cancellationToken
    ) =>
        writer.LogAsync(
            new LogEntry(kind, actor, subject, LogOutcome.Refused) { Details = new JsonObject { ["code"] = code } },
            cancellationToken
        );
}
