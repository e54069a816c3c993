using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Governance.Kernel;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Access;

/// <summary>Bounds guessing and hashing work: a fixed window per client address and, for sign-in, per user name.</summary>
internal sealed class AttemptLimiter(IOptions<IdentityOptions> options) : IDisposable
{
    private readonly PartitionedRateLimiter<string> _signIns = Window(options.Value.SignInPerMinute);
    private readonly PartitionedRateLimiter<string> _names = Window(Math.Max(1, options.Value.SignInPerMinute / 3));
    private readonly PartitionedRateLimiter<string> _tokens = Window(options.Value.TokensPerMinute);

    /// <summary>Whether one more request to this path is allowed now.</summary>
    public bool Allows(HttpContext context)
    {
        var path = context.Request.Path;
        var limiter =
            path.StartsWithSegments("/connect/token", StringComparison.OrdinalIgnoreCase)
            || path.StartsWithSegments("/connect/introspect", StringComparison.OrdinalIgnoreCase)
            || path.StartsWithSegments("/connect/revoke", StringComparison.OrdinalIgnoreCase)
                ? _tokens
            : HttpMethods.IsPost(context.Request.Method)
            && (
                path.StartsWithSegments("/signin", StringComparison.OrdinalIgnoreCase)
                || path.StartsWithSegments("/setup", StringComparison.OrdinalIgnoreCase)
            )
                ? _signIns
            : null;
        return limiter is null || Take(limiter, AddressOf(context.Connection.RemoteIpAddress));
    }

    /// <summary>Whether one more attempt for this user name is allowed now.</summary>
    public bool AllowsName(string name) => Take(_names, Digest.Of(name).Hex);

    public void Dispose()
    {
        _signIns.Dispose();
        _names.Dispose();
        _tokens.Dispose();
    }

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

    // An IPv6 client owns at least a /64, so counting single addresses would count nothing.
    private static string AddressOf(IPAddress? address) =>
        address is null ? ""
        : address.IsIPv4MappedToIPv6 ? address.MapToIPv4().ToString()
        : address.AddressFamily == AddressFamily.InterNetworkV6 ? Convert.ToHexString(address.GetAddressBytes(), 0, 8)
        : address.ToString();
}
