using System.Globalization;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Server;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Sessions;

/// <summary>
/// Sessions as rows: a cookie is good for as long as its row is, however often it was copied. Cookies are looked up on each
/// request; tokens at least every four seconds.
/// </summary>
internal sealed class SessionStore(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    IOptions<IdentityOptions> options
)
{
    private static readonly Failure Taken = Failure.Denied(
        "identity.denied",
        "What you signed in with was taken away meanwhile."
    );

    /// <summary>
    /// Begins a session and ends the one that it replaces in the same browser; gives back what the cookie says. Who proved
    /// themselves elsewhere did so when <see cref="Actor.AuthenticatedAt"/> says; else it is now. Null when what they proved
    /// themselves with stands no more.
    /// </summary>
    public async Task<ClaimsPrincipal?> StartAsync(
        Actor who,
        Standing stands,
        IReadOnlyList<string> methods,
        string device,
        string? replaced,
        JsonObject details,
        CancellationToken cancellationToken
    )
    {
        var id = RandomNumberGenerator.GetHexString(32, lowercase: true);
        var started = await writer.WriteAsync<DateTimeOffset>(
            async (session, token) =>
            {
                if (!await stands(session.Db, token))
                {
                    return Taken;
                }

                var at = who.AuthenticatedAt ?? session.Now;
                session.Db.Add(
                    new SessionRow
                    {
                        Id = id,
                        SubjectId = who.Id,
                        Methods = string.Join(' ', methods),
                        Device = device,
                        AuthenticatedAt = at,
                        ExpiresAt = session.Now.AddHours(options.Value.SessionHours),
                    }
                );
                await session.Db.SaveChangesAsync(token);
                await EndAsync(session, replaced, token);
                await session.LogAsync(
                    new LogEntry("identity.signed_in", who, $"subject:{who.Id}", LogOutcome.Done) { Details = details },
                    token
                );
                return at;
            },
            cancellationToken
        );
        if (!started.Ok)
        {
            return null;
        }

        var seconds = started.Value.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var identity = new ClaimsIdentity(
            [
                new Claim(Claims.Subject, who.Id),
                new Claim(SignInMethods.SessionId, id),
                new Claim(Claims.AuthenticationTime, seconds),
                .. methods.Select(method => new Claim(Claims.AuthenticationMethodReference, method)),
            ],
            IdentitySchemes.SignIn
        );
        return new ClaimsPrincipal(identity);
    }

    /// <summary>Whether a cookie still counts.</summary>
    public async Task<bool> IsLiveAsync(
        ClaimsPrincipal? cookie,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var (id, subject) = (cookie?.GetClaim(SignInMethods.SessionId), cookie?.GetClaim(Claims.Subject));
        if (id is null || subject is null)
        {
            return false;
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<SessionRow>()
            .AnyAsync(
                row =>
                    row.Id == id
                    && row.SubjectId == subject
                    && row.EndedAt == null
                    && row.RevokedAt == null
                    && row.ExpiresAt > now,
                cancellationToken
            );
    }

    /// <summary>Whether a token of a person still counts: those of a session that ended by itself do, until they expire.</summary>
    public Task<bool> MayUseTokensAsync(ClaimsPrincipal token, CancellationToken cancellationToken) =>
        MayUseTokensAsync(token.GetClaim(Claims.Subject), token.GetClaim(SignInMethods.SessionId), cancellationToken);

    /// <summary>As above, for a token that was read before.</summary>
    public async Task<bool> MayUseTokensAsync(string? subject, string? id, CancellationToken cancellationToken)
    {
        if (id is null)
        {
            return false;
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<SessionRow>()
            .AnyAsync(row => row.Id == id && row.SubjectId == subject && row.RevokedAt == null, cancellationToken);
    }

    /// <summary>Whether a token of a service still counts: those do not that were asked for before its tokens ended last.</summary>
    public async Task<bool> MayUseServiceTokensAsync(string? subject, string stamp, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var name = await db.Set<SubjectRow>()
            .Where(row => row.Id == subject)
            .Select(row => row.Name)
            .FirstOrDefaultAsync(cancellationToken);
        return name is not null
            && await Clients.FindAsync(db, name, cancellationToken) is { } client
            && client.Stamp == stamp;
    }

    /// <summary>Ends the session of one browser.</summary>
    public Task<Result<Unit>> EndAsync(string? id, string subjectId, CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await EndAsync(session, id, token);
                await session.LogAsync(Entry("identity.signed_out", subjectId, []), token);
                return default(Unit);
            },
            cancellationToken
        );

    /// <summary>Ends one session of a person, with its tokens; one of somebody else's is nothing.</summary>
    public Task<Result<Unit>> RevokeAsync(string subjectId, string id, CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var ended = await session
                    .Db.Set<SessionRow>()
                    .Where(row => row.Id == id && row.SubjectId == subjectId && row.RevokedAt == null)
                    .ExecuteUpdateAsync(
                        set => set.SetProperty(row => row.RevokedAt, (DateTimeOffset?)session.Now),
                        token
                    );
                if (ended > 0)
                {
                    await session.LogAsync(Entry("identity.session_revoked", subjectId, []), token);
                }

                return default(Unit);
            },
            cancellationToken
        );

    /// <summary>Ends every session of a person, with every token that came of one.</summary>
    public Task<Result<Unit>> RevokeAllAsync(string subjectId, CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.RevokeSessionsAsync(subjectId, token);
                await session.LogAsync(Entry("identity.signed_out_everywhere", subjectId, []), token);
                return default(Unit);
            },
            cancellationToken
        );

    /// <summary>The sessions of a person that count, newest first; at most a hundred.</summary>
    public async Task<IReadOnlyList<SessionRow>> ListAsync(
        string subjectId,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<SessionRow>()
            .AsNoTracking()
            .Where(row =>
                row.SubjectId == subjectId && row.EndedAt == null && row.RevokedAt == null && row.ExpiresAt > now
            )
            .OrderByDescending(row => row.AuthenticatedAt)
            .Take(100)
            .ToListAsync(cancellationToken);
    }

    private static async Task EndAsync(WriteSession session, string? id, CancellationToken cancellationToken)
    {
        if (id is not null)
        {
            await session
                .Db.Set<SessionRow>()
                .Where(row => row.Id == id && row.EndedAt == null)
                .ExecuteUpdateAsync(
                    set => set.SetProperty(row => row.EndedAt, (DateTimeOffset?)session.Now),
                    cancellationToken
                );
        }
    }

    private static LogEntry Entry(string kind, string subjectId, JsonObject details) =>
        new(kind, new Actor(ActorKind.Person, subjectId), $"subject:{subjectId}", LogOutcome.Done)
        {
            Details = details,
        };
}
