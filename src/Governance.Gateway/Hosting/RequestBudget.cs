using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading.RateLimiting;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;

namespace Governance.Gateway.Hosting;

/// <summary>
/// What one caller may ask for in a minute, counted by cost, so that nobody keeps the others waiting. What is over it is 429
/// with Retry-After: MLflow's clients wait and repeat. Nothing that policy refuses is ever answered so.
/// </summary>
internal sealed class RequestBudget(LimitOptions limits, IWriter writer, AddressNames addresses)
    : IMiddleware,
        IDisposable
{
    private static readonly Failure TooMany = Failure.Denied(
        "gateway.rate_limited",
        "You asked for more than a caller may in a minute; wait as long as Retry-After says."
    );

    // Holding an answer until a whole step has passed watches the clock for up to 2 ms.
    private const int AbsentCost = 20;
    private readonly PartitionedRateLimiter<string> _callers = Buckets(limits.PointsPerMinute);
    private readonly PartitionedRateLimiter<string> _addresses = Buckets(limits.AnonymousPointsPerMinute);

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var actor = context.GetActor();
        var anonymous = actor.Kind == ActorKind.Anonymous;
        var cost = CostOf(context);
        using (
            var lease = anonymous
                ? _addresses.AttemptAcquire(
                    ClientAddress.BucketOf(context.Connection.RemoteIpAddress),
                    Math.Min(cost, limits.AnonymousPointsPerMinute)
                )
                : _callers.AttemptAcquire(actor.Id, Math.Min(cost, limits.PointsPerMinute))
        )
        {
            if (!lease.IsAcquired)
            {
                var wait = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after.TotalSeconds : 1;
                await RefuseAsync(context, actor, Math.Clamp((int)Math.Ceiling(wait), 1, 60));
                return;
            }
        }

        await next(context);
        if (!anonymous && (context.Response.StatusCode == StatusCodes.Status404NotFound || EvenAnswer.WasHeld(context)))
        {
            // Paid afterwards, for only then it is known; who has not so much left is refused soon all the same.
            using var _ = _callers.AttemptAcquire(actor.Id, AbsentCost);
        }
    }

    public void Dispose()
    {
        _callers.Dispose();
        _addresses.Dispose();
    }

    private static int CostOf(HttpContext context)
    {
        var request = context.Request;
        var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "";
        var size = (int)Math.Min((request.ContentLength ?? 0) >> 24, 1 << 20);
        if (route.Contains("search", StringComparison.Ordinal))
        {
            return 5;
        }

        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method))
        {
            return 1;
        }

        return size
            + (
                route.EndsWith("model-versions/create", StringComparison.Ordinal) ? 20
                : route.EndsWith("v1/datasets", StringComparison.Ordinal) ? 20
                : route.EndsWith("v1/reports", StringComparison.Ordinal) ? 50
                : 2
            );
    }

    private async Task RefuseAsync(HttpContext context, Actor actor, int seconds)
    {
        var entry = new LogEntry("access.rate_limited", actor, "", LogOutcome.Refused)
        {
            Details = new JsonObject
            {
                ["code"] = TooMany.Code,
                ["route"] = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "",
            },
        };
        if (actor.Kind == ActorKind.Anonymous)
        {
            entry.Details["address"] = addresses.Of(context);
        }

        await writer.LogAsync(entry, CancellationToken.None);
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        await ErrorAnswers.WriteAsync(context, TooMany, StatusCodes.Status429TooManyRequests, "REQUEST_LIMIT_EXCEEDED");
    }

    // A tenth of a minute's points comes back every six seconds.
    private static PartitionedRateLimiter<string> Buckets(int perMinute) =>
        PartitionedRateLimiter.Create<string, string>(caller =>
            RateLimitPartition.GetTokenBucketLimiter(
                caller,
                _ => new TokenBucketRateLimiterOptions
                {
                    TokenLimit = perMinute,
                    TokensPerPeriod = perMinute / 10,
                    ReplenishmentPeriod = TimeSpan.FromSeconds(6),
                }
            )
        );
}
