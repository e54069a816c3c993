using Governance.Audit.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;

namespace Governance.Gateway.Hosting;

/// <summary>Who may read the whole log: holders of <c>audit:read</c> on everything.</summary>
internal sealed class LogReaders(IAccess access) : ILogReaders
{
    public async ValueTask<bool> MayReadAsync(Actor actor, CancellationToken cancellationToken) =>
        (await access.RightsOfAsync(actor, cancellationToken)).Allows(Permissions.AuditRead, AccessTarget.Global);
}
