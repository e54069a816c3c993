using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Identity.Access;

/// <summary>
/// Puts on record what a form of the pages was refused (a wrong code, a sign-in too long ago, a form that had expired), before the
/// page says so. The page that asks for a password does so itself, and tells more.
/// </summary>
internal sealed class PageRefusals(IWriter writer, AddressNames addresses) : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var answer = await next(context);
        var http = context.HttpContext;
        if (
            answer is HtmlPage { StatusCode: >= StatusCodes.Status400BadRequest and var status }
            && HttpMethods.IsPost(http.Request.Method)
        )
        {
            var entry = new LogEntry("identity.form_refused", http.GetActor(), "", LogOutcome.Refused)
            {
                Details = new JsonObject
                {
                    ["route"] = (http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "",
                    ["status"] = status,
                    ["address"] = addresses.Of(http),
                },
            };
            await writer.LogAsync(entry, CancellationToken.None);
        }

        return answer;
    }
}
