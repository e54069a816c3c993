using System.Threading.RateLimiting;

namespace Governance.Gateway.GraphQl.Guard;

/// <summary>What one caller may ask for within a minute, counted by the cost of operations, not by their number.</summary>
internal sealed class CostBudget(int perMinute) : IDisposable
{
    private readonly PartitionedRateLimiter<string> _spent = PartitionedRateLimiter.Create<string, string>(actor =>
        RateLimitPartition.GetFixedWindowLimiter(
            actor,
            _ => new FixedWindowRateLimiterOptions { PermitLimit = perMinute, Window = TimeSpan.FromMinutes(1) }
        )
    );

    /// <summary>Takes the cost of one operation, at most <see cref="DocumentLimits.Cost"/>; false when it is over the budget.</summary>
    public bool TryTake(string actorId, double cost)
    {
        using var lease = _spent.AttemptAcquire(actorId, (int)Math.Ceiling(cost));
        return lease.IsAcquired;
    }

    public void Dispose() => _spent.Dispose();
}
