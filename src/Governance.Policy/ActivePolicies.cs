using System.Collections.Concurrent;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Policy.Contracts;
using Governance.Policy.Engine;
using Governance.Policy.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Policy;

/// <summary>The policies in force, read from the database; parsed texts are cached by digest, which never goes stale.</summary>
internal sealed class ActivePolicies(IDbContextFactory<GovernanceDb> databases, TimeProvider clock) : IPolicies
{
    private readonly ConcurrentDictionary<Digest, PromotionRules> _parsed = new();
    private readonly ConcurrentDictionary<Digest, SignersPolicy> _signers = new();

    public async ValueTask<IPromotionPolicy> PromotionAsync(CancellationToken cancellationToken) =>
        Parse(await InForceAsync(PolicyTexts.Promotion, cancellationToken));

    public async ValueTask<SignersPolicy> SignersAsync(CancellationToken cancellationToken)
    {
        var row = await InForceAsync(PolicyTexts.Signers, cancellationToken);
        return _signers.GetOrAdd(row.Digest, _ => SignersReader.Read(row.Text));
    }

    public async ValueTask<(string Text, Digest Digest)> TextAsync(string name, CancellationToken cancellationToken)
    {
        var row = await InForceAsync(name, cancellationToken);
        return (row.Text, row.Digest);
    }

    public async Task<IPromotionPolicy?> FindPromotionAsync(Digest digest, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<PolicyRow>()
            .AsNoTracking()
            .FirstOrDefaultAsync(
                policy => policy.Name == PolicyTexts.Promotion && policy.Digest == digest,
                cancellationToken
            );
        return row is null ? null : Parse(row);
    }

    public Task<Digest> SignersDigestAsync(WriteSession session, CancellationToken cancellationToken) =>
        DigestAsync(session, PolicyTexts.Signers, cancellationToken);

    public Task<Digest> PromotionDigestAsync(WriteSession session, CancellationToken cancellationToken) =>
        DigestAsync(session, PolicyTexts.Promotion, cancellationToken);

    private static Task<Digest> DigestAsync(WriteSession session, string name, CancellationToken cancellationToken) =>
        session
            .Db.Set<PolicyRow>()
            .InForce(name, session.Now)
            .Select(policy => policy.Digest)
            .FirstAsync(cancellationToken);

    private async Task<PolicyRow> InForceAsync(string name, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<PolicyRow>()
                .AsNoTracking()
                .InForce(name, clock.GetUtcNow())
                .FirstOrDefaultAsync(cancellationToken)
            ?? throw new InvalidOperationException($"There is no policy named {name}.");
    }

    private PromotionPolicy Parse(PolicyRow row) =>
        new(_parsed.GetOrAdd(row.Digest, _ => PromotionRulesReader.Read(row.Text)), row.Digest, row.Editor);
}

/// <summary>A parsed promotion policy with its identity.</summary>
internal sealed class PromotionPolicy(PromotionRules rules, Digest digest, string editor) : IPromotionPolicy
{
    public Digest Digest => digest;

    public string LastEditor => editor;

    public TimeSpan ApprovalLifetime => rules.ApprovalLifetime;

    public bool IsProtected(string target) => DecisionEngine.IsProtected(rules, target);

    public IReadOnlyList<string> ApproverRoles(string target) =>
        rules.Rules.TryGetValue(DecisionEngine.RuleNameOf(rules, target), out var rule)
            ? [.. rule.Approvals.Select(approval => approval.Role).Distinct()]
            : [];

    public Decision Decide(Facts facts) => DecisionEngine.Decide(rules, facts);
}
