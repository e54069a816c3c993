using System.Threading.RateLimiting;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Access;

/// <summary>Bounds guessing and hashing work: a fixed window per client address and, for codes of devices, per person.</summary>
internal sealed class AttemptLimiter(IOptions<IdentityOptions> options, OwnRequests own) : IDisposable
{
    private static readonly PathString[] Protocol =
    [
        "/connect/token",
        "/connect/introspect",
        "/connect/par",
        "/connect/device",
        "/connect/revoke",
    ];
    private static readonly PathString[] Forms =
    [
        "/signin",
        "/setup",
        "/connect/authorize",
        "/connect/verify",
        "/enrol",
        "/account/password",
    ];

    // A sign-in is a few of these: it is begun, perhaps by a provider, and comes back.
    private const int VisitsPerSignIn = 4;

    // Each makes a request to the issuer, ours or another one.
    private static readonly PathString[] Returns = ["/signin-oidc", "/signin/external"];

    private readonly PartitionedRateLimiter<string> _signIns = Window(options.Value.SignInPerMinute);
    private readonly PartitionedRateLimiter<string> _deviceCodes = Window(
        Math.Max(1, options.Value.SignInPerMinute / 3)
    );
    private readonly PartitionedRateLimiter<string> _visits = Window(VisitsPerSignIn * options.Value.SignInPerMinute);
    private readonly PartitionedRateLimiter<string> _strangers = Window(options.Value.StrangersPerMinute);
    private readonly PartitionedRateLimiter<string> _tokens = Window(options.Value.TokensPerMinute);

    /// <summary>Whether one more request to this path is allowed now.</summary>
    public bool Allows(HttpContext context)
    {
        var limiter =
            IsUnder(context, Protocol) ? _tokens
            : IsUnder(context, Returns) ? _visits
            : HttpMethods.IsPost(context.Request.Method) && IsUnder(context, Forms) ? _signIns
            : null;
        return limiter is null || own.Includes(context) || Take(limiter, AddressOf(context));
    }

    /// <summary>Whether one more browser may be sent to sign in now, which makes the gateway ask itself or a provider for something.</summary>
    public bool AllowsChallenge(HttpContext context) => Take(_visits, AddressOf(context));

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
        _visits.Dispose();
        _deviceCodes.Dispose();
        _tokens.Dispose();
        _strangers.Dispose();
    }

    private static bool IsUnder(HttpContext context, PathString[] paths) =>
        Array.Exists(paths, path => context.Request.Path.StartsWithSegments(path, StringComparison.OrdinalIgnoreCase));

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
