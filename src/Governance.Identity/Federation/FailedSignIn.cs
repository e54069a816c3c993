using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Identity.Federation;

/// <summary>What a browser sees when the answer of the issuer, ours or a provider's, was refused: one page for every cause, so that it teaches nothing.</summary>
internal static class FailedSignIn
{
    public static Task OfProviderAsync(RemoteFailureContext failed) =>
        AnswerAsync(
            failed,
            $"""
            The answer was too old, was used before, belongs to another browser, or the login is not known here.
            An administrator links logins to people.
            """
        );

    public static async Task AnswerAsync(RemoteFailureContext failed, Html why)
    {
        failed.HandleResponse();
        var context = failed.HttpContext;
        var entry = new LogEntry("identity.sign_in_refused", Actor.Anonymous, "", LogOutcome.Refused)
        {
            Details = new()
            {
                ["route"] = failed.Scheme.Name,
                ["address"] = context.RequestServices.GetRequiredService<AddressNames>().Of(context),
            },
        };
        await context.RequestServices.GetRequiredService<IWriter>().LogAsync(entry, CancellationToken.None);
        var page = new HtmlPage(
            "Sign-in failed",
            $"""
            <h1>Signing in did not complete</h1>
            <p>{why} <a href="/">Try again</a>.</p>
            """
        )
        {
            StatusCode = StatusCodes.Status400BadRequest,
        };
        await page.ExecuteAsync(context);
    }
}
