using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Identity.Access;

/// <summary>
/// The one gate before every endpoint: no declared permission is 404, no actor is 401, an actor who holds the permission on
/// nothing at all is 403 and logged. What passes is still to be authorised on its object by the handler.
/// </summary>
internal sealed class AccessMiddleware(
    RequestDelegate next,
    ActorReader actors,
    IAccess access,
    IStepUp stepUp,
    IWriter writer,
    AttemptLimiter limiter,
    AddressNames addresses
)
{
    // Together with the memory of rights below the promised 5 seconds.
    private static readonly TimeSpan Often = TimeSpan.FromSeconds(1);

    public async Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetEndpoint();
        if (
            endpoint?.Metadata.GetMetadata<PermissionMetadata>() is not { } needed
            || context.Features.Get<Caller>() is not var ((actor, problem, proof), began)
        )
        {
            await Refusal.NoRoute.WriteAsync(context);
            return;
        }

        var permission = needed.Permission;
        if (permission == Permissions.Public)
        {
            await next(context);
        }
        else if (actor is null)
        {
            await RefuseStrangerAsync(context, endpoint, Refusal.BadToken);
            TokenProblem.Challenge(context.Response, problem);
            await Refusal.BadToken.WriteAsync(context);
        }
        else if (actor.Kind == ActorKind.Anonymous)
        {
            await AskToSignInAsync(context, endpoint);
        }
        else if (stepUp.CheckBinding(actor, permission) is { } unbound)
        {
            FailureResults.Challenge(context.Response, unbound);
            await RefuseAsync(context, endpoint, permission, Refusal.Of(unbound));
        }
        else if (!Opens(needed, await access.RightsOfAsync(actor, context.RequestAborted)))
        {
            TokenProblem.Challenge(context.Response, TokenProblem.Insufficient(context.Request));
            await RefuseAsync(context, endpoint, permission, Refusal.Denied);
        }
        else if (Changes(context.Request) && stepUp.Check(actor, permission) is { } tooOld)
        {
            FailureResults.Challenge(context.Response, tooOld);
            await RefuseAsync(context, endpoint, permission, Refusal.Of(tooOld));
        }
        else
        {
            var rights = await access.RightsOfAsync(actor, context.RequestAborted);
            if (!rights.Allows(permission, AccessTarget.Global))
            {
                // What is there may be a secret to who may not do it everywhere.
                EvenAnswer.HoldWhenAbsent(context, began);
            }

            await WhileItCountsAsync(context, endpoint, needed, proof, next(context));
        }
    }

    // A transfer, or a change whose body comes slowly, ends with the right to it.
    private async Task WhileItCountsAsync(
        HttpContext context,
        Endpoint endpoint,
        PermissionMetadata needed,
        Proof? proof,
        Task running
    )
    {
        try
        {
            while (proof is not null && !running.IsCompleted)
            {
                await running.WaitAsync(Often).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (!running.IsCompleted && !await StillMayAsync(context, needed, proof))
                {
                    await EndAsync(context, endpoint, needed.Permission);
                    break;
                }
            }
        }
        finally
        {
            // The handler uses this request for as long as it runs.
            await running;
        }
    }

    // On record before anybody learns of it, and ended even when it cannot be put on record.
    private async Task EndAsync(HttpContext context, Endpoint endpoint, Permission permission)
    {
        try
        {
            await writer.LogAsync(Denied(context, endpoint, permission, Refusal.Ended), CancellationToken.None);
        }
        finally
        {
            context.Abort();
        }
    }

    private async Task<bool> StillMayAsync(HttpContext context, PermissionMetadata needed, Proof proof)
    {
        try
        {
            return await actors.StillCountsAsync(proof, CancellationToken.None)
                && Opens(needed, await access.RightsOfAsync(context.GetActor(), CancellationToken.None));
        }
        catch (Exception)
        {
            // The handler still runs with this request: it must not be left alone. What cannot be asked is not allowed.
            return false;
        }
    }

    private static bool Changes(HttpRequest request) =>
        !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method);

    // The refusal is on record before anybody learns of it; a caller who hangs up does not undo that.
    private async Task RefuseAsync(HttpContext context, Endpoint endpoint, Permission permission, Refusal refusal)
    {
        await writer.LogAsync(Denied(context, endpoint, permission, refusal), CancellationToken.None);
        await refusal.WriteAsync(context);
    }

    private static bool Opens(PermissionMetadata needed, Rights rights) =>
        needed.Everywhere
            ? rights.Allows(needed.Permission, AccessTarget.Global)
            : rights.AllowsSomewhere(needed.Permission);

    private async Task AskToSignInAsync(HttpContext context, Endpoint endpoint)
    {
        if (
            endpoint.Metadata.GetMetadata<SessionMetadata>() is { Page: true }
            && HttpMethods.IsGet(context.Request.Method)
        )
        {
            await (
                limiter.AllowsChallenge(context)
                    ? context.ChallengeAsync(IdentitySchemes.OpenIdConnect)
                    : AttemptGate.TurnAwayAsync(context, writer, addresses)
            );
            return;
        }

        await RefuseStrangerAsync(context, endpoint, Refusal.NoToken);
        TokenProblem.Challenge(context.Response, null);
        await Refusal.NoToken.WriteAsync(context);
    }

    private Task RefuseStrangerAsync(HttpContext context, Endpoint endpoint, Refusal refusal)
    {
        limiter.CountStranger(context);
        var entry = new LogEntry("access.unauthenticated", Actor.Anonymous, "", LogOutcome.Refused)
        {
            Details = new JsonObject
            {
                ["method"] = context.Request.Method,
                ["route"] = (endpoint as RouteEndpoint)?.RoutePattern.RawText ?? "",
                ["code"] = refusal.Code,
                ["address"] = addresses.Of(context),
            },
        };
        return writer.LogAsync(entry, CancellationToken.None);
    }

    private static LogEntry Denied(HttpContext context, Endpoint endpoint, Permission permission, Refusal refusal) =>
        new("access.denied", context.GetActor(), "", LogOutcome.Refused)
        {
            Details = new JsonObject
            {
                ["method"] = context.Request.Method,
                ["route"] = (endpoint as RouteEndpoint)?.RoutePattern.RawText ?? "",
                ["permission"] = permission.Name,
                ["code"] = refusal.Code,
            },
        };
}
