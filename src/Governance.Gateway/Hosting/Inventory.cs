using Governance.Platform.Web;

namespace Governance.Gateway.Hosting;

/// <summary>The inventory of routes and their permissions. A route without one keeps the gateway from starting.</summary>
internal static class Inventory
{
    /// <summary>Method and pattern → permission, sorted.</summary>
    public static IReadOnlyList<string> Of(IEnumerable<EndpointDataSource> sources)
    {
        var lines = new List<string>();
        foreach (var endpoint in sources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>())
        {
            var permission =
                endpoint.Metadata.GetMetadata<PermissionMetadata>()?.Permission.Name
                ?? throw new InvalidOperationException(
                    $"Route {endpoint.RoutePattern.RawText} declares no permission."
                );
            var methods = endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["*"];
            lines.AddRange(
                methods.Select(method => $"{method} /{endpoint.RoutePattern.RawText?.TrimStart('/')} {permission}")
            );
        }

        return [.. lines.Distinct().Order(StringComparer.Ordinal)];
    }
}
