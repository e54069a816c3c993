using System.Globalization;
using Governance.Identity.Access;
using Governance.Identity.Engine;
using Microsoft.AspNetCore;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.EntityFrameworkCore.Models;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Governance.Identity.Server;

/// <summary>What the library does not ask of clients, one check per class.</summary>
internal static class ClientChecks
{
    // The library's own allowance is 5 minutes.
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(30);

    /// <summary>Keys by which stock clients sign assertions without naming a type, and algorithms that they may use.</summary>
    internal sealed class AssertionParameters : IOpenIddictServerHandler<ValidateTokenContext>
    {
        private static readonly string[] AssertionTypes =
        [
            "client-authentication+jwt",
            "application/client-authentication+jwt",
            "JWT",
        ];

        public ValueTask HandleAsync(ValidateTokenContext context)
        {
            if (
                context.ValidTokenTypes.SetEquals([TokenTypeIdentifiers.Private.ClientAssertion])
                && context.TokenValidationParameters is { } parameters
            )
            {
                // RFC 7523 leaves the type open; the audience is the issuer alone, so no other kind of token fits by accident.
                parameters.TypeValidator = static (type, _, _) =>
                    string.IsNullOrEmpty(type) || AssertionTypes.Contains(type, StringComparer.OrdinalIgnoreCase)
                        ? AssertionTypes[0]
                        : throw new SecurityTokenInvalidTypeException("No client assertion.") { InvalidType = type };
                parameters.ValidAlgorithms = Jwk.Algorithms;
                parameters.RequireSignedTokens = true;
                parameters.ClockSkew = Skew;
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>RFC 7523 §3: an assertion is short-lived, has an id, and counts once on all gateways.</summary>
    internal sealed class AssertionOnce(ReplayStore replays, TimeProvider clock)
        : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        private const int MaxId = 256;
        private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

        public async ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            if (context.ClientAssertionPrincipal is not { } assertion || context.IsRejected)
            {
                return;
            }

            var id = assertion.GetClaim(Claims.JwtId);
            var expires = assertion.GetExpirationDate();
            if (id is not { Length: > 0 and <= MaxId } || expires is null || expires > clock.GetUtcNow() + Longest)
            {
                context.Reject(
                    Errors.InvalidClient,
                    "A client assertion has a jti of at most 256 characters and ends within 10 minutes."
                );
            }
            else if (
                // For as long as the library takes it, which is longer than it says.
                !await replays.UseOnceAsync(
                    "assertion",
                    $"{assertion.GetClaim(Claims.Issuer)}\n{id}",
                    expires.Value + Skew
                )
            )
            {
                context.Reject(Errors.InvalidClient, "The client assertion was used before.");
            }
        }
    }

    /// <summary>
    /// A client proves itself in the way that it is registered with and in no other: a stolen certificate does not replace a
    /// key, nor a secret a certificate.
    /// </summary>
    internal sealed class RegisteredMethod(IOpenIddictApplicationManager clients)
        : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public async ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            if (
                context.EndpointType
                    is OpenIddictServerEndpointType.Authorization
                        or OpenIddictServerEndpointType.EndUserVerification
                || string.IsNullOrEmpty(context.ClientId)
                || await clients.FindByClientIdAsync(context.ClientId, default) is not { } client
            )
            {
                return;
            }

            var registration = await ((ClientManager)clients).RegistrationOfAsync(
                (OpenIddictEntityFrameworkCoreApplication)client,
                default
            );
            var proven = registration.Method switch
            {
                ClientRegistration.None => true, // the library refuses credentials of public clients
                ClientRegistration.Secret => !string.IsNullOrEmpty(context.ClientSecret),
                ClientRegistration.PrivateKeyJwt => context.ClientAssertionPrincipal is not null,
                _ => context.Transaction.RemoteCertificate is not null,
            };
            var more =
                (registration.Method != ClientRegistration.Secret && !string.IsNullOrEmpty(context.ClientSecret))
                || (
                    registration.Method != ClientRegistration.PrivateKeyJwt
                    && context.ClientAssertionPrincipal is not null
                );
            if (!proven || more)
            {
                context.Reject(Errors.InvalidClient, "The client is registered with another way to prove itself.");
            }
        }
    }

    /// <summary>RFC 9449 §10.1: a proof on a pushed request binds its code to the key, as the parameter does.</summary>
    internal sealed class PushedKey(DpopGuard guard)
        : IOpenIddictServerHandler<ValidatePushedAuthorizationRequestContext>
    {
        public async ValueTask HandleAsync(ValidatePushedAuthorizationRequestContext context)
        {
            var http = context.Transaction.GetHttpRequest()?.HttpContext;
            if (http is null || !DpopGuard.IsPresent(http))
            {
                return;
            }

            var (key, problem) = await guard.CheckAsync(http);
            var asked = (string?)context.Request[TokenEndpoints.KeyParameter];
            if (problem is not null)
            {
                context.Reject(problem.Error, problem.Description);
            }
            else if (asked is not null && asked != key)
            {
                context.Reject(Errors.InvalidRequest, "dpop_jkt names another key than the proof.");
            }
            else
            {
                context.Request[TokenEndpoints.KeyParameter] = key;
            }
        }
    }
}
