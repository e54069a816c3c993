using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Identity.Federation;

/// <summary>A login that its provider proved just now and that lets nobody in here.</summary>
/// <param name="Issuer">Issuer.</param>
/// <param name="ExternalId">The issuer's own name of the person.</param>
internal sealed record RefusedLogin(string Issuer, string ExternalId);

/// <summary>What a browser sees when the answer of the issuer, ours or a provider's, was refused: one page for every cause, so that it teaches nothing.</summary>
internal static class FailedSignIn
{
    // Who proved a login is told what it is called, for that is what an administrator links; not whether it is unknown, shut out
    // or not proven enough.
    public static Task OfProviderAsync(RemoteFailureContext failed) =>
        failed.HttpContext.Features.Get<RefusedLogin>() is { } login
            ? AnswerAsync(
                failed,
                $"This login lets nobody in here as it is.",
                $"""
                <p>An administrator links logins to people, and needs these two texts for that, exactly as they stand here:</p>
                <dl>
                <dt>Issuer</dt><dd><code>{login.Issuer}</code></dd>
                <dt>Login</dt><dd><code>{login.ExternalId}</code></dd>
                </dl>
                """
            )
            : AnswerAsync(
                failed,
                $"The answer was too old, was used before, belongs to another browser, or is not what was asked for."
            );

    public static async Task AnswerAsync(RemoteFailureContext failed, Html why, Html? more = null)
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
            {more ?? Html.Empty}
            """
        )
        {
            StatusCode = StatusCodes.Status400BadRequest,
        };
        await page.ExecuteAsync(context);
    }
}
