using System.Security.Claims;
using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Federation;

/// <summary>
/// Who an external login is here: a service under a pseudonym of its own, with no role until an administrator grants one. It is
/// never a person, so never anybody's second pair of eyes.
/// </summary>
internal sealed class ExternalSubjects(
    ExternalTokens tokens,
    LoginNames names,
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer
)
{
    private const int MaxSubjects = 10_000;
    private const string Prefix = "external.";

    /// <summary>Whether a token says that it comes from a configured provider; the embedded issuer never sees such a one.</summary>
    public bool Owns(string token) => tokens.IssuerOf(token) is not null;

    /// <summary>The pseudonym that a provider's access token proves, and when it ends; null when it proves none.</summary>
    public async Task<(string Id, DateTimeOffset Expires)?> ReadAsync(
        string token,
        CancellationToken cancellationToken
    ) =>
        tokens.IssuerOf(token) is { } provider
        && await tokens.ValidateAsync(provider, token, cancellationToken) is { } proven
        && await AdmitAsync(proven.Login, cancellationToken) is { } id
            ? (id, proven.Expires)
            : null;

    /// <summary>The page session of a login, after it is on record; null when it is not admitted.</summary>
    public async Task<ClaimsPrincipal?> SignInAsync(ExternalLogin login, CancellationToken cancellationToken)
    {
        if (await AdmitAsync(login, cancellationToken) is not { } id)
        {
            return null;
        }

        await writer.LogAsync(
            new LogEntry("identity.signed_in", new Actor(ActorKind.Service, id), $"subject:{id}", LogOutcome.Done)
            {
                Details = new JsonObject { ["issuer"] = login.Issuer },
            },
            cancellationToken
        );
        return new ClaimsPrincipal(new ClaimsIdentity([new Claim(Claims.Subject, id)], IdentitySchemes.Session));
    }

    private async Task<string?> AdmitAsync(ExternalLogin login, CancellationToken cancellationToken)
    {
        var id = names.Of(login.Issuer, login.ExternalId);
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            if (await db.Set<SubjectRow>().AnyAsync(row => row.Id == id, cancellationToken))
            {
                return id;
            }
        }

        var admitted = await writer.WriteAsync<string>(
            async (session, token) =>
            {
                var subjects = session.Db.Set<SubjectRow>();
                if (await subjects.AnyAsync(row => row.Id == id, token))
                {
                    return id;
                }

                if (await subjects.CountAsync(row => row.Name.StartsWith(Prefix), token) >= MaxSubjects)
                {
                    return Failure.Denied("identity.too_many_logins", "Too many external logins were seen already.");
                }

                subjects.Add(
                    new SubjectRow
                    {
                        Id = id,
                        Kind = ActorKind.Service,
                        Name = Prefix + id,
                        DisplayName = "External login",
                        Enabled = true,
                        CreatedAt = session.Now,
                    }
                );
                await session.Db.SaveChangesAsync(token);
                await session.LogAsync(
                    new LogEntry(
                        "identity.external_login_seen",
                        new Actor(ActorKind.Service, id),
                        $"subject:{id}",
                        LogOutcome.Done
                    )
                    {
                        Details = new JsonObject { ["issuer"] = login.Issuer },
                    },
                    token
                );
                return id;
            },
            cancellationToken
        );
        return admitted.Ok ? admitted.Value : null;
    }
}
