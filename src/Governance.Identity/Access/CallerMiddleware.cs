using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;

namespace Governance.Identity.Access;

/// <summary>Who asks.</summary>
/// <param name="Reading">What was read from the request.</param>
/// <param name="Began">When it was first looked at (<see cref="EvenAnswer.Now"/>).</param>
internal sealed record Caller(Reading Reading, long Began);

/// <summary>Finds out who asks, before anything is counted against them or decided about them.</summary>
internal sealed class CallerMiddleware(RequestDelegate next, ActorReader actors)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var began = EvenAnswer.Now;
        if (context.GetEndpoint()?.Metadata is { } about && about.GetMetadata<PermissionMetadata>() is not null)
        {
            var reading = await actors.ReadAsync(context, about.GetMetadata<SessionMetadata>());
            context.SetActor(reading.Actor ?? Actor.Anonymous);
            context.Features.Set(new Caller(reading, began));
        }

        await next(context);
    }
}
