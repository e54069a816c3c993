using System.Globalization;
using Governance.Identity.Engine;
using Governance.Platform;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Access;

/// <summary>Checks the DPoP proof of a request: the rules of the standard, then that it was not used before.</summary>
internal sealed class DpopGuard(
    ReplayStore replays,
    DpopNonces nonces,
    TimeProvider clock,
    IOptions<IdentityOptions> options,
    PlatformOptions platform
)
{
    private const string InvalidProof = "invalid_dpop_proof";

    /// <summary>Whether the request carries a proof, good or bad.</summary>
    public static bool IsPresent(HttpContext context) => context.Request.Headers.ContainsKey("DPoP");

    /// <summary>The thumbprint of the proven key, or the problem. At the token endpoint there is neither token nor key yet.</summary>
    public async ValueTask<(string? KeyThumbprint, TokenProblem? Problem)> CheckAsync(
        HttpContext context,
        string? accessToken = null,
        string? keyThumbprint = null
    )
    {
        var settings = options.Value;
        var window = TimeSpan.FromSeconds(settings.DpopWindowSeconds);
        if (settings.DpopNonce)
        {
            context.Response.Headers["DPoP-Nonce"] = nonces.Current();
        }

        var (proof, failed) = DpopProof.Read(
            context.Request.Headers["DPoP"],
            new DpopRequest(context.Request.Method, Targets(context), clock.GetUtcNow(), window)
            {
                AcceptsNonce = settings.DpopNonce ? nonces.Accepts : null,
                AccessToken = accessToken,
                KeyThumbprint = keyThumbprint,
            }
        );
        if (proof is null)
        {
            return (null, Explain(failed));
        }

        var fresh = await replays.UseOnceAsync(
            "dpop",
            $"{proof.KeyThumbprint}\n{proof.TokenId}",
            proof.IssuedAt + window
        );
        return fresh
            ? (proof.KeyThumbprint, null)
            : (null, new TokenProblem(true, InvalidProof, "The proof was used before."));
    }

    private static TokenProblem Explain(DpopCheck? failed) =>
        failed switch
        {
            null => new TokenProblem(true, InvalidProof, "A DPoP proof is needed."),
            DpopCheck.Nonce => new TokenProblem(
                true,
                TokenProblem.UseNonce,
                "Put the value of DPoP-Nonce into the proof."
            ),
            DpopCheck.TokenKey => new TokenProblem(
                true,
                TokenProblem.InvalidToken,
                "The token is bound to another key."
            ),
            { } check => new TokenProblem(
                true,
                InvalidProof,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The proof fails check {Math.Min((int)check, 12)} of RFC 9449 section 4.3 ({check})."
                )
            ),
        };

    // The host name of the request was replaced by ours before, so a proof for another server can't pass.
    private List<Uri> Targets(HttpContext context)
    {
        var raw = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var path = raw.StartsWith('/') ? raw.Split('?', 2)[0] : "/";
        return
        [
            .. new[] { platform.PublicUrl, options.Value.MutualTlsUrl }
                .Where(origin => origin.Length > 0)
                .Select(origin => new Uri(origin + path)),
        ];
    }
}
