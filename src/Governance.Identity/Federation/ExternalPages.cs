using Governance.Identity.Contracts;
using Governance.Identity.SignIn;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Identity.Federation;

/// <summary>The way from the sign-in page to the providers, and from the sign-out page.</summary>
internal static class ExternalPages
{
    private static IResult Unknown => Failure.NotFound("route.unknown", "There is nothing here.").ToProblem();

    /// <summary>GET /signin/external/{name}: leads to the provider; with <c>fresh</c> it asks the person to sign in anew.</summary>
    public static IResult Begin(string name, HttpContext context, ExternalSignIn signIn) =>
        signIn.Offered.FirstOrDefault(issuer => issuer.Name == name) is { } issuer
            ? Results.Challenge(
                new OpenIdConnectChallengeProperties
                {
                    RedirectUri = SignInPages.ReturnUrl(context),
                    Prompt = context.Request.Query.ContainsKey("fresh") ? "login" : null,
                },
                [ExternalSignIn.SchemeOf(issuer)]
            )
            : Unknown;

    /// <summary>GET /signin/external/{name}/signout: ends the session at the provider, which asks the person.</summary>
    public static async Task<IResult> EndAsync(
        string name,
        ExternalSignIn signIn,
        CancellationToken cancellationToken
    ) =>
        await signIn.EndingAsync(name, cancellationToken) is { } issuer
            ? Results.SignOut(
                new AuthenticationProperties { RedirectUri = "/signin" },
                [ExternalSignIn.SchemeOf(issuer)]
            )
            : Unknown;

    /// <summary>A link for each provider; nothing when there is none. Who is signed in already has to show it anew.</summary>
    public static Html Links(HttpContext context, bool again)
    {
        var offered = context.RequestServices.GetRequiredService<ExternalSignIn>().Offered.ToList();
        if (offered.Count == 0)
        {
            return Html.Empty;
        }

        var query = QueryString.Create("returnUrl", SignInPages.ReturnUrl(context)) + (again ? "&fresh" : "");
        var links = offered.Select(issuer =>
            (Html)$"""<li><a href="/signin/external/{issuer.Name}{query}">Sign in with {NameOf(issuer)}</a></li>"""
        );
        return $"""<ul class="providers">{links}</ul>""";
    }

    public static string NameOf(ExternalIssuer issuer) =>
        issuer.DisplayName.Length > 0 ? issuer.DisplayName : issuer.Name;
}
