using System.Threading.RateLimiting;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Access;

/// <summary>Bounds guessing and hashing work: a fixed window per client address and, for codes of devices, per person.</summary>
internal sealed class AttemptLimiter(IOptions<IdentityOptions> options) : IDisposable
{
    private readonly PartitionedRateLimiter<string> _signIns = Window(options.Value.SignInPerMinute);
    private readonly PartitionedRateLimiter<string> _deviceCodes = Window(
        Math.Max(1, options.Value.SignInPerMinute / 3)
    );
    private readonly PartitionedRateLimiter<string> _strangers = Window(options.Value.StrangersPerMinute);
    private readonly PartitionedRateLimiter<string> _tokens = Window(options.Value.TokensPerMinute);

    /// <summary>Whether one more request to this path is allowed now.</summary>
    public bool Allows(HttpContext context)
    {
        var path = context.Request.Path;
        var limiter =
            path.StartsWithSegments("/connect/token", StringComparison.OrdinalIgnoreCase)
            || path.StartsWithSegments("/connect/introspect", StringComparison.OrdinalIgnoreCase)
            || path.StartsWithSegments("/connect/par", StringComparison.OrdinalIgnoreCase)
            || path.StartsWithSegments("/connect/device", StringComparison.OrdinalIgnoreCase)
            || path.StartsWithSegments("/connect/revoke", StringComparison.OrdinalIgnoreCase)
                ? _tokens
            : HttpMethods.IsPost(context.Request.Method)
            && (
                path.StartsWithSegments("/signin", StringComparison.OrdinalIgnoreCase)
                || path.StartsWithSegments("/setup", StringComparison.OrdinalIgnoreCase)
                || path.StartsWithSegments("/connect/verify", StringComparison.OrdinalIgnoreCase)
                || path.StartsWithSegments("/enrol", StringComparison.OrdinalIgnoreCase)
                || path.StartsWithSegments("/account/password", StringComparison.OrdinalIgnoreCase)
            )
                ? _signIns
            : null;
        return limiter is null || Take(limiter, AddressOf(context));
    }

    /// <summary>Counts a request that was answered 401.</summary>
    public void CountStranger(HttpContext context) => Take(_strangers, AddressOf(context));

    /// <summary>
    /// Whether the address of a request was answered 401 so often within a minute that tokens not seen valid before are no
    /// longer worth a look.
    /// </summary>
    public bool IsExhausted(HttpContext context) =>
        _strangers.GetStatistics(AddressOf(context)) is { CurrentAvailablePermits: 0 };

    /// <summary>Whether a person may try one more code of a device now.</summary>
    public bool AllowsDeviceCode(string subjectId) => Take(_deviceCodes, subjectId);

    public void Dispose()
    {
        _signIns.Dispose();
        _deviceCodes.Dispose();
        _tokens.Dispose();
        _strangers.Dispose();
    }

    private static string AddressOf(HttpContext context) => ClientAddress.BucketOf(context.Connection.RemoteIpAddress);

    private static bool Take(PartitionedRateLimiter<string> limiter, string key)
    {
        using var lease = limiter.AttemptAcquire(key);
        return lease.IsAcquired;
    }

    private static PartitionedRateLimiter<string> Window(int permits) =>
        PartitionedRateLimiter.Create<string, string>(key =>
            RateLimitPartition.GetFixedWindowLimiter(
                key,
                _ => new FixedWindowRateLimiterOptions { PermitLimit = permits, Window = TimeSpan.FromMinutes(1) }
            )
        );
}
