using System.Globalization;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Web;
using Governance.Promotion.Contracts;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Console.Home;

/// <summary>Who am I, what may I do, what waits for me.</summary>
internal static class HomePage
{
    private const int MaxWaiting = 20;

    public static async Task<HtmlPage> HandleAsync(
        HttpContext context,
        IAccess access,
        ISubjects subjects,
        IAntiforgery forgery,
        CancellationToken cancellationToken
    )
    {
        var rights = await access.RightsOfAsync(context.GetActor(), cancellationToken);
        var subject = await subjects.FindAsync(rights.Actor.Id, cancellationToken);
        var tokens = forgery.GetAndStoreTokens(context);
        Html held =
            $"""<p class="note">Your account waits for another administrator's confirmation. Until then you read what things are and do nothing else, and what takes a second administrator gives you nothing.</p>""";
        return new HtmlPage(
            "Home",
            $"""
            <h1>Hello, {subject?.DisplayName}</h1>
            <section aria-labelledby="me">
            <h2 id="me">Who you are</h2>
            <dl>
            <dt>Signed in</dt><dd>{SignedIn(rights.Actor)}</dd>
            <dt>Pseudonym</dt><dd><code>{rights.Actor.Id}</code></dd>
            </dl>
            <p class="hint">Log entries and signatures name you by the pseudonym only.</p>
            {(rights.Held ? held : Html.Empty)}
            <p><a href="/account">Your account: password, passkeys, authenticator app, sessions</a></p>
            </section>
            {await WaitingAsync(context, rights, cancellationToken)}
            {Roles(rights)}
            <section aria-labelledby="ask">
            <h2 id="ask">Ask</h2>
            <p><a href="/graphql/ui">Query models, evidence and lineage with GraphQL</a></p>
            </section>
            <form method="post" action="/signout">
            <input type="hidden" name="{tokens.FormFieldName}" value="{tokens.RequestToken}">
            <button type="submit">Sign out</button>
            </form>
            """
        );
    }

    private static string SignedIn(Actor actor) =>
        actor.AuthenticatedAt is { } at
            ? at.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC', 'as a person'", CultureInfo.InvariantCulture)
            : "as a service";

    private static Html Roles(Rights rights)
    {
        Html none = $"<p>No role is granted to you yet. An administrator can change that.</p>";
        var may = Permissions
            .All.Where(permission => permission != Permissions.Public && rights.AllowsSomewhere(permission))
            .Select(permission => (Html)$"<li><code>{permission.Name}</code></li>\n");
        var roles = rights.Grants.Select(grant => (Html)$"<tr><td>{grant.Role}</td><td>{Where(grant)}</td></tr>\n");
        Html table = $"""
            <table>
            <thead><tr><th scope="col">Role</th><th scope="col">Where</th></tr></thead>
            <tbody>
            {roles}
            </tbody>
            </table>
            """;
        return $"""
            <section aria-labelledby="roles">
            <h2 id="roles">Your roles</h2>
            {(rights.Grants.Any() ? table : none)}
            </section>
            <section aria-labelledby="may">
            <h2 id="may">What you may do</h2>
            <ul>
            {may}
            </ul>
            </section>
            """;
    }

    private static string Where(RoleGrant grant) =>
        grant.Kind == ObjectKind.None
            ? "everywhere"
            : $"{grant.Kind.ToString().ToLowerInvariant()}s named {grant.Pattern}";

    private static async Task<Html> WaitingAsync(
        HttpContext context,
        Rights rights,
        CancellationToken cancellationToken
    )
    {
        if (
            context.RequestServices.GetService<IPromotions>() is not { } promotions
            || !rights.AllowsSomewhere(Permissions.PromotionApprove)
        )
        {
            return Html.Empty;
        }

        var open = await promotions.ListRequestsAsync(
            target =>
                rights.Allows(Permissions.PromotionRead, target) && rights.Allows(Permissions.PromotionApprove, target),
            model: null,
            state: "open",
            MaxWaiting,
            after: null,
            cancellationToken
        );
        var rows = open
            .Items.Where(request => request.RequestedBy != rights.Actor.Id && !HasSpoken(request, rights.Actor))
            .Select(request =>
                (Html)
                    $"""
                        <tr><td>{request.Version.Model} version {request.Version.Version}</td><td>{request.Target}</td><td>{(
                            request.Reason.Length == 0 ? "none given" : request.Reason
                        )}</td><td><code>{request.Id}</code></td></tr>

                        """
            )
            .ToList();
        Html nothing = $"<p>Nothing waits for you.</p>";
        Html table = $"""
            <div class="scroll" tabindex="0" role="region" aria-label="Requests that wait for you">
            <table>
            <thead><tr><th scope="col">Model</th><th scope="col">To</th><th scope="col">Reason</th><th scope="col">Request</th></tr></thead>
            <tbody>
            {rows}
            </tbody>
            </table>
            </div>
            <p class="hint">Look at the evidence and answer on the <a href="/graphql/ui">GraphQL page</a>: choose the example “Review a request”, then “Approve a request”.</p>
            """;
        return $"""
            <section aria-labelledby="waiting">
            <h2 id="waiting">What waits for you</h2>
            {(rows.Count == 0 ? nothing : table)}
            </section>
            """;
    }

    private static bool HasSpoken(RequestView request, Actor actor) =>
        request.Approvals.Any(approval => approval.PersonId == actor.Id && approval.Valid);
}
