using Governance.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Governance.Platform.Web;

/// <summary>The permission that a route declares. A route without one fails the build's inventory test and is answered 404.</summary>
/// <param name="Permission">The permission; object-level checks follow in the handler.</param>
/// <param name="Everywhere">Whether it must be held on everything: the route is about no object that a pattern could name.</param>
public sealed record PermissionMetadata(Permission Permission, bool Everywhere = false);

/// <summary>Declaring permissions on routes and reading the actor of a request.</summary>
public static class PermissionExtensions
{
    /// <summary>
    /// Declares the permission of a route or group. The middleware refuses (401 or 403) an actor who holds the permission
    /// on nothing at all; the handler checks the object itself with <c>IAccess</c>. With <paramref name="everywhere"/> a grant
    /// on a pattern of names does not open the route.
    /// </summary>
    public static TBuilder RequirePermission<TBuilder>(
        this TBuilder builder,
        Permission permission,
        bool everywhere = false
    )
        where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new PermissionMetadata(permission, everywhere));

    /// <summary>The actor of the request, set by the authentication middleware; anonymous when there is none.</summary>
    public static Actor GetActor(this HttpContext context) =>
        context.Items.TryGetValue(typeof(Actor), out var actor) && actor is Actor known ? known : Actor.Anonymous;

    /// <summary>Sets the actor; called by the authentication middleware only.</summary>
    public static void SetActor(this HttpContext context, Actor actor) => context.Items[typeof(Actor)] = actor;
}
