using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Policy.Contracts;

namespace Governance.Evidence.Signatures;

/// <summary>When another signer policy comes into force, signatures that were judged by the one before are judged again.</summary>
internal sealed class SignerPolicyWatch : IPolicyWatch
{
    public Task OnApprovedAsync(
        WriteSession session,
        string name,
        Guid proposal,
        TimeSpan wait,
        CancellationToken cancellationToken
    ) =>
        name == "signers"
            ? session.EnqueueAsync(
                new JobRequest(SignatureReview.JobKind, proposal.ToString(), "") { Wait = wait },
                cancellationToken
            )
            : Task.CompletedTask;
}
