using Microsoft.AspNetCore.Builder;

namespace Governance.Identity.Contracts;

/// <summary>The route also accepts the session cookie of a signed-in person, not only bearer tokens.</summary>
/// <param name="Page">Whether it is a page: an anonymous browser is led to sign in instead of being answered 401.</param>
public sealed record SessionMetadata(bool Page);

/// <summary>Which routes a browser session may use. Without these a route takes bearer tokens only.</summary>
public static class SessionRoutes
{
    /// <summary>A page for people: GET without a session leads to the sign-in page.</summary>
    public static TBuilder AsPage<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new SessionMetadata(Page: true));

    /// <summary>
    /// A route that pages call, such as <c>/graphql</c> from its IDE: the session counts only for requests that the browser
    /// marks as coming from our own origin, so another site can't ride on it.
    /// </summary>
    public static TBuilder AcceptSession<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new SessionMetadata(Page: false));
}
