using Governance.Evidence.Contracts;
using Governance.Evidence.Produce;
using Governance.Evidence.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Policy.Contracts;
using Governance.Registry.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Evidence.Signatures;

/// <summary>Has signatures judged again that were judged by another signer policy.</summary>
internal sealed class SignatureReview(
    IDbContextFactory<GovernanceDb> databases,
    IRegistryReader registry,
    IPolicies policies,
    IWriter writer
) : IJobHandler
{
    public const string JobKind = "evidence.review_signatures";
    private const int Batch = 500;

    public string Kind => JobKind;

    public Task RunAsync(string payload, CancellationToken cancellationToken) => RunAsync(cancellationToken);

    // What was judged by another policy does not count, which everybody sees; the next start looks again.
    public Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Runs at start, after the policies are there, and when a new one comes into force; enqueues what is to be judged again.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var rules = SignatureRules.Version((await policies.SignersAsync(cancellationToken)).Digest);
        foreach (var batch in (await OutdatedAsync(rules, cancellationToken)).Chunk(Batch))
        {
            var jobs = new List<JobRequest>();
            foreach (var (model, version) in batch)
            {
                if (await registry.FindVersionByIdAsync(model, version, cancellationToken) is { } view)
                {
                    jobs.Add(EvidenceJob.Of(view).Request(EvidenceKind.Signature));
                }
            }

            await writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    await session.EnqueueAsync(jobs, token);
                    return default(Unit);
                },
                cancellationToken
            );
        }
    }

    private async Task<List<(Guid Model, int Version)>> OutdatedAsync(string rules, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = db.Set<EvidenceRow>().AsNoTracking().Where(row => row.Kind == EvidenceKind.Signature && !row.Stale);
        var outdated = await rows.Where(row =>
                row.RulesVersion != rules
                && !rows.Any(newer =>
                    newer.ModelId == row.ModelId && newer.Version == row.Version && newer.RulesVersion == rules
                )
            )
            .Select(row => new { row.ModelId, row.Version })
            .Distinct()
            .ToListAsync(cancellationToken);
        return outdated.ConvertAll(row => (row.ModelId, row.Version));
    }
}
