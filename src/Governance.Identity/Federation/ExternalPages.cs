using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Identity.Federation;

/// <summary>The way from the sign-in page to the providers.</summary>
internal static class ExternalPages
{
    /// <summary>GET /signin/external/{name}: leads to the provider.</summary>
    public static IResult Begin(string name, ExternalSignIn signIn) =>
        signIn.Offered.FirstOrDefault(issuer => issuer.Name == name) is { } issuer
            ? Results.Challenge(new AuthenticationProperties { RedirectUri = "/" }, [ExternalSignIn.SchemeOf(issuer)])
            : Failure.NotFound("route.unknown", "There is nothing here.").ToProblem();

    /// <summary>A link for each provider; nothing when there is none.</summary>
    public static Html Links(HttpContext context)
    {
        var offered = context.RequestServices.GetRequiredService<ExternalSignIn>().Offered.ToList();
        if (offered.Count == 0)
        {
            return Html.Empty;
        }

        var links = offered.Select(issuer =>
            (Html)
                $"""<li><a href="/signin/external/{issuer.Name}">Sign in with {(issuer.DisplayName.Length > 0 ? issuer.DisplayName : issuer.Name)}</a></li>"""
        );
        return $"""<ul class="providers">{links}</ul>""";
    }
}
