using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Identity.Federation;

/// <summary>What a browser sees when a provider's answer was refused: one page for every cause, so that it teaches nothing.</summary>
internal static class FailedSignIn
{
    public static async Task AnswerAsync(RemoteFailureContext failed)
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
            <p>The answer was too old, was used before, belongs to another browser, or the login is not known here.
            An administrator links logins to people. <a href="/">Try again</a>.</p>
            """
        )
        {
            StatusCode = StatusCodes.Status400BadRequest,
        };
        await page.ExecuteAsync(context);
    }
}
