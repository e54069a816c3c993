using Governance.Console.Home;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Console;

/// <summary>Web pages for signed-in people.</summary>
public static class ConsoleModule
{
    /// <summary>Maps the page <c>/</c>. Needs identity; shows waiting requests when promotion is wired.</summary>
    public static IEndpointRouteBuilder MapConsole(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/", HomePage.HandleAsync).RequirePermission(Permissions.Self).AsPage().ExcludeFromDescription();
        return routes;
    }
}
