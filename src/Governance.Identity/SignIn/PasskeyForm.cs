using Governance.Platform.Web;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;

namespace Governance.Identity.SignIn;

/// <summary>A form that asks the browser's authenticator. Hidden until the script finds that the browser can.</summary>
internal static class PasskeyForm
{
    /// <summary>Address of the script that a page with such a form needs.</summary>
    public const string Script = "/assets/passkeys.js";

    public static Html Of(
        HttpContext context,
        IAntiforgery forgery,
        string action,
        bool create,
        PasskeyQuestion question,
        string button,
        Html fields
    ) =>
        $"""
            <form method="post" action="{action}" data-passkey="{(
                create ? "create" : "get"
            )}" data-options="{question.Options}" hidden>
            {SignInPages.Token(context, forgery)}
            <input type="hidden" name="ticket" value="{question.Ticket}">
            <input type="hidden" name="answer" value="">
            {fields}
            <p role="alert" class="problem" hidden></p>
            <button type="submit" class="{(create ? "" : "second")}">{button}</button>
            </form>
            """;
}
