using System.Security.Claims;
using Governance.Identity.Server;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.SignIn;

/// <summary>
/// Where a person lets a command line of this machine in. Whoever knows the name of a public client can ask in its name and listen
/// on a loopback port, so no code leaves without a person who says so (RFC 8252 §8.6, RFC 9700 §4.15).
/// </summary>
internal static class ProgramPage
{
    /// <summary>Null when the person at the page lets the program in now; else the page that asks, or a refusal.</summary>
    public static async Task<IResult?> AskAsync(
        HttpContext context,
        IAntiforgery forgery,
        IWriter writer,
        OpenIddictRequest request,
        ClaimsPrincipal person
    )
    {
        if (request.HasPromptValue(PromptValues.None))
        {
            return TokenEndpoints.Refuse(Errors.ConsentRequired, "A person has to let the program in.");
        }

        // The token of the form is of this person: whoever signs in afterwards in the same browser says so anew.
        context.User = person;
        if (!HttpMethods.IsPost(context.Request.Method))
        {
            return Show(context, forgery, request, null);
        }

        if (await SignInPages.ReadFormAsync(context, forgery) is not { } form)
        {
            return Show(context, forgery, request, SignInPages.Expired);
        }

        var decision = SignInPages.Field(form, "decision", 8);
        if (decision is not ("allow" or "refuse"))
        {
            return Show(context, forgery, request, null);
        }

        var id = person.GetClaim(Claims.Subject)!;
        var allowed = decision == "allow";
        await writer.LogAsync(
            new LogEntry(
                allowed ? "identity.program_allowed" : "identity.program_refused",
                new Actor(ActorKind.Person, id),
                $"subject:{id}",
                LogOutcome.Done
            ),
            CancellationToken.None
        );
        return allowed ? null : TokenEndpoints.Refuse(Errors.AccessDenied, "The person refused.");
    }

    private static HtmlPage Show(HttpContext context, IAntiforgery forgery, OpenIddictRequest request, string? problem)
    {
        // The library has compared it with what is registered: the loopback address, and any port.
        var waiting = new Uri(request.RedirectUri!).GetLeftPart(UriPartial.Authority);
        Html body = $"""
            <h1>Let this program in?</h1>
            {SignInPages.Problem(problem)}
            <p>A command line on this machine asks to act as you until you sign it out.</p>
            <dl><dt>It waits at</dt><dd><code>{waiting}</code></dd></dl>
            <p>Go on only if you started <code>govern login</code> yourself just now. If a link or a message brought you here, refuse.</p>
            <form method="post" action="/connect/authorize">
            {SignInPages.Token(context, forgery)}
            <input type="hidden" name="client_id" value="{request.ClientId}">
            <input type="hidden" name="request_uri" value="{TokenEndpoints.PushedReference(context.Request)}">
            <button type="submit" name="decision" value="allow">Let it in</button>
            <button type="submit" name="decision" value="refuse" class="second">Refuse</button>
            </form>
            """;
        return new HtmlPage("Let a program in", body)
        {
            StatusCode = problem is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest,
            FormAction = waiting, // a browser applies form-action to the redirects that follow
        };
    }
}
