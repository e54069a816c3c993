using Governance.Policy.Contracts;
using Governance.Privacy.Contracts;

namespace Governance.Gateway.Hosting;

/// <summary>The privacy policy in force, from the database.</summary>
internal sealed class PrivacyPolicySource(IPolicies policies) : IPrivacyPolicySource
{
    public async ValueTask<string> TextAsync(CancellationToken cancellationToken) =>
        (await policies.TextAsync("privacy", cancellationToken)).Text;
}
