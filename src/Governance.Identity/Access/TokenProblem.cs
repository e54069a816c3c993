using Governance.Identity.Engine;
using Microsoft.AspNetCore.Http;

namespace Governance.Identity.Access;

/// <summary>Why the credentials of a request were not accepted, in the words of RFC 6750 §3.1 and RFC 9449 §7.1.</summary>
/// <param name="Dpop">Whether the challenge that carries the error is the one of DPoP.</param>
/// <param name="Error">Error code of the protocol.</param>
/// <param name="Description">For the client's developer; printable ASCII without quotes.</param>
internal sealed record TokenProblem(bool Dpop, string Error, string Description)
{
    public const string InvalidToken = "invalid_token";
    public const string UseNonce = "use_dpop_nonce";

    private const string BearerChallenge = "Bearer realm=\"governance\"";
    private const string DpopChallenge = $"DPoP realm=\"governance\", algs=\"{Jwk.AlgorithmNames}\"";

    public static TokenProblem Invalid(bool dpop) => new(dpop, InvalidToken, "The token is not valid.");

    /// <summary>The token is good, but whoever holds it may not do this (RFC 6750 §3.1).</summary>
    public static TokenProblem Insufficient(HttpRequest request) =>
        new(request.Headers.ContainsKey("DPoP"), "insufficient_scope", "None of your roles may do this.");

    /// <summary>Sets the challenges: both schemes, and the error at the one that it belongs to. Without a problem none has an error.</summary>
    public static void Challenge(HttpResponse response, TokenProblem? problem)
    {
        var error = problem is null ? "" : $", error=\"{problem.Error}\", error_description=\"{problem.Description}\"";
        string[] challenges = problem is { Dpop: true }
            ? [DpopChallenge + error, BearerChallenge]
            : [BearerChallenge + error, DpopChallenge];
        response.Headers.WWWAuthenticate = challenges;
    }
}
