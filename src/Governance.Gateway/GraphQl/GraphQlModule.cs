using Governance.Gateway.Access;
using Governance.Gateway.GraphQl.Fields;
using Governance.Gateway.GraphQl.Guard;
using Governance.Gateway.GraphQl.Http;
using Governance.Gateway.GraphQl.Loading;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Web;
using GraphQL;
using GraphQL.Execution;
using GraphQL.SystemTextJson;
using GraphQL.Types;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Governance.Gateway.GraphQl;

/// <summary>The GraphQL endpoint: <c>/graphql</c> and the page to try it at <c>/graphql/ui</c>.</summary>
public static class GraphQlModule
{
    /// <summary>Adds schema, guard and loaders. The modules whose contracts the schema serves are added by the host.</summary>
    public static IServiceCollection AddGraphQl(this IServiceCollection services)
    {
        // The schema's descriptions are the XML documentation of its classes: one text for readers of code and of the API.
        GlobalSwitches.EnableReadDescriptionFromXmlDocumentation = true;
        services.AddGraphQL(builder =>
            builder
                .AddSystemTextJson()
                .AddErrorInfoProvider(new QuietErrors())
                .AddAutoSchema<Query>(schema => schema.WithMutation<Mutation>())
                .ConfigureSchema(schema =>
                {
                    schema.RegisterVisitor(new PermissionInventory());
                    schema.RegisterVisitor(new TidyDescriptions());
                })
        );
        services.AddSingleton<DocumentCache>();
        services.TryAddSingleton(_ => new CostBudget(DocumentLimits.CostPerMinute));
        services.AddSingleton<GraphQlExecution>();
        services.AddSingleton<RequestReader>();
        services.AddSingleton<GraphQlEndpoint>();
        services.AddSingleton<CanQuestion>();
        services.AddScoped<Caller>();
        services.AddScoped<Loads>();
        services.AddTransient<LineageSight>();
        return services;
    }

    /// <summary>
    /// Maps the endpoint and the page. Makes the schema at once, so that a field without a permission stops the start and the
    /// first request does not pay for it.
    /// </summary>
    public static IEndpointRouteBuilder MapGraphQl(this IEndpointRouteBuilder routes)
    {
        routes.ServiceProvider.GetRequiredService<ISchema>().Initialize();
        var group = routes.MapGroup("/graphql").RequirePermission(Permissions.Self).WithTags("graphql");
        group.Map("", (HttpContext context, GraphQlEndpoint endpoint) => endpoint.HandleAsync(context)).AcceptSession();
        group.MapGet("/ui", (HttpContext context) => IdePage.Serve(context, "ui.html", "text/html")).AsPage();
        group
            .MapGet("/ui.js", (HttpContext context) => IdePage.Serve(context, "ui.js", "text/javascript"))
            .AcceptSession();
        group.MapGet("/ui.css", (HttpContext context) => IdePage.Serve(context, "ui.css", "text/css")).AcceptSession();
        return routes;
    }
}
