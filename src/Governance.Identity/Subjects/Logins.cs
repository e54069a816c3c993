using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Erasure;
using Governance.Identity.Federation;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Subjects;

/// <summary>Whose login it is.</summary>
/// <param name="Id">The person's pseudonym.</param>
/// <param name="Enabled">Whether the person is let in.</param>
internal sealed record LoginOwner(string Id, bool Enabled);

/// <summary>
/// Which logins at external issuers are which persons. A link counts once a second administrator confirmed it; before, and
/// without one, a login is nobody's, so its tokens are a service's at most.
/// </summary>
internal sealed class Logins(
    IDbContextFactory<GovernanceDb> databases,
    Administration administration,
    SubjectReader reader,
    Confirmations confirmations,
    LoginNames names,
    IOptions<IdentityOptions> options
) : ILoginOwners, ILogins
{
    private const int MaxLogins = 20;
    private static readonly Failure OwnLogin = Failure.Denied(
        "identity.own_login",
        "Nobody takes their own login away. Ask another administrator."
    );

    /// <summary>The person behind a login, or null. Issuer and id are compared byte by byte.</summary>
    public async Task<LoginOwner?> FindAsync(string issuer, string externalId, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await FindAsync(db, issuer, externalId, cancellationToken);
    }

    /// <summary>The same, inside a unit.</summary>
    public static Task<LoginOwner?> FindAsync(
        GovernanceDb db,
        string issuer,
        string externalId,
        CancellationToken cancellationToken
    ) =>
        db.Set<LoginRow>()
            .Where(login =>
                login.Issuer == issuer
                && login.ExternalId == externalId
                && login.ConfirmedAt != null
                && login.UnlinkedAt == null
            )
            .Join(
                db.Set<SubjectRow>(),
                login => login.SubjectId,
                subject => subject.Id,
                (_, subject) => new LoginOwner(subject.Id, subject.Enabled)
            )
            .FirstOrDefaultAsync(cancellationToken);

    // Pseudonyms are one-way, so every login is tried; only what a login did while it was linked to nobody makes that needed.
    // Those that were unlinked are tried too: whoever takes a login away does not take away what its owner did by it.
    public async Task<IReadOnlyList<string>> WithOwnersAsync(
        IReadOnlyCollection<string> subjects,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var strangers = await db.Set<SubjectRow>()
            .Where(row => subjects.Contains(row.Id) && row.Name.StartsWith(ExternalSubjects.Prefix))
            .Select(row => row.Id)
            .ToListAsync(cancellationToken);
        var found = subjects.ToList();
        if (strangers.Count > 0)
        {
            var logins = await db.Set<LoginRow>().AsNoTracking().ToListAsync(cancellationToken);
            found.AddRange(
                logins
                    .Where(login => strangers.Contains(names.Of(login.Issuer, login.ExternalId)))
                    .Select(login => login.SubjectId)
            );
        }

        return found;
    }

    /// <summary>The logins of a person, confirmed or not.</summary>
    public async Task<IReadOnlyList<LoginRow>> ListAsync(string subjectId, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<LoginRow>()
            .AsNoTracking()
            .Where(login => login.SubjectId == subjectId && login.UnlinkedAt == null)
            .OrderBy(login => login.Id)
            .ToListAsync(cancellationToken);
    }

    public async Task<Result<IReadOnlyList<LoginView>>> ListAsync(
        Actor by,
        string person,
        CancellationToken cancellationToken
    )
    {
        if (await administration.CheckReadAsync(by, Administration.Subject(person), cancellationToken) is { } refused)
        {
            return refused;
        }

        var rows = await ListAsync(person, cancellationToken);
        return rows.Select(row => new LoginView(row.Id, row.Issuer, row.ExternalId, row.ConfirmedAt is not null))
            .ToList();
    }

    // What the settings name is for who may link: everything is checked after who asks.
    public Task<Result<LinkAsked>> LinkAsync(
        Actor by,
        string person,
        string issuer,
        string externalId,
        CancellationToken cancellationToken
    ) =>
        administration.ChangeAsync<LinkAsked>(
            by,
            Administration.Subject(person),
            async (session, token) =>
            {
                var logins = session.Db.Set<LoginRow>().Where(row => row.UnlinkedAt == null);
                if (
                    (Check(issuer, externalId) ?? await Erasures.CheckPersonAsync(session.Db, person, token)) is
                    { } objection
                )
                {
                    return objection;
                }

                if (
                    await logins.AnyAsync(row => row.Issuer == issuer && row.ExternalId == externalId, token)
                    || await logins.CountAsync(row => row.SubjectId == person, token) >= MaxLogins
                )
                {
                    return new Failure(
                        FailureKind.Exists,
                        "identity.login_exists",
                        "That login is linked or waits to be, or the person has 20 of them."
                    );
                }

                var added = new LoginRow
                {
                    Id = Guid.CreateVersion7(session.Now),
                    SubjectId = person,
                    Issuer = issuer,
                    ExternalId = externalId,
                    CreatedAt = session.Now,
                };
                session.Db.Add(added);
                await session.Db.SaveChangesAsync(token);
                var confirmation = await confirmations.RequestAsync(
                    session,
                    by,
                    new ConfirmationRequest(LoginConfirmation.Kind, person)
                    {
                        ObjectId = added.Id.ToString(),
                        Details = new JsonObject
                        {
                            ["issuer"] = issuer,
                            ["login"] = added.Id.ToString(),
                            [LoginConfirmation.Digest] = Digest.Of($"{issuer}\n{externalId}").Hex,
                        },
                        Holds = false, // it is nobody's login until somebody confirms
                    },
                    token
                );
                return new LinkAsked(added.Id, confirmation);
            },
            cancellationToken
        );

    public Task<Result<Unit>> UnlinkAsync(Actor by, string person, Guid login, CancellationToken cancellationToken) =>
        administration.ChangeAsync<Unit>(
            by,
            Administration.Subject(person),
            async (session, token) =>
            {
                if (by.Id == person)
                {
                    return OwnLogin;
                }

                var row = await session
                    .Db.Set<LoginRow>()
                    .FirstOrDefaultAsync(
                        found => found.Id == login && found.SubjectId == person && found.UnlinkedAt == null,
                        token
                    );
                if (row is null)
                {
                    return Failure.NotFound("identity.no_login", "The person has no such login.");
                }

                row.UnlinkedAt = session.Now;
                if (row.ConfirmedAt is null)
                {
                    session.Db.Remove(row); // it never was theirs
                }

                await session.Db.SaveChangesAsync(token);
                if (row.ConfirmedAt is not null)
                {
                    await ShutOutAsync(session, by, names.Of(row.Issuer, row.ExternalId), token);
                }

                await session.RevokeSessionsAsync(person, token);
                var groups = session.Db.Set<GroupRow>().Where(group => group.Issuer == row.Issuer);
                await session
                    .Db.Set<MemberRow>()
                    .Where(member => member.SubjectId == person && groups.Any(group => group.Id == member.GroupId))
                    .ExecuteDeleteAsync(token);
                session.AfterCommit(reader.Forget);
                var link = login.ToString();
                await Confirmations.WithdrawAsync(
                    session,
                    by,
                    session
                        .Db.Set<ConfirmationRow>()
                        .Where(change => change.Kind == LoginConfirmation.Kind && change.ObjectId == link),
                    token
                );
                await session.LogAsync(
                    new LogEntry("identity.login_unlinked", by, $"subject:{person}", LogOutcome.Done)
                    {
                        Details = new JsonObject { ["issuer"] = row.Issuer },
                    },
                    token
                );
                return default(Unit);
            },
            cancellationToken
        );

    // Nobody's login again, it would have what its token says of groups, also when the person was shut out or is who unlinks.
    internal static async Task ShutOutAsync(
        WriteSession session,
        Actor by,
        string id,
        CancellationToken cancellationToken
    )
    {
        await ShutAsync(session, id, cancellationToken);
        await session.LogAsync(
            new LogEntry("identity.disabled", by, $"subject:{id}", LogOutcome.Done),
            cancellationToken
        );
    }

    /// <summary>The same without an entry, for whoever makes one that says more.</summary>
    internal static async Task ShutAsync(WriteSession session, string id, CancellationToken cancellationToken)
    {
        var stranger = await session.Db.Set<SubjectRow>().FirstOrDefaultAsync(row => row.Id == id, cancellationToken);
        if (stranger is null)
        {
            stranger = ExternalSubjects.NewRow(id, session.Now);
            session.Db.Add(stranger);
        }

        stranger.Enabled = false;
        await session.Db.SaveChangesAsync(cancellationToken);
    }

    private Failure? Check(string issuer, string externalId) =>
        !IsIssuer(issuer) || externalId.Length is 0 or > 255 || externalId.Any(char.IsControl)
            ? Failure.Invalid(
                "identity.bad_login",
                "A login is an issuer (https, at most 512 characters) and its name of the person (at most 255 characters)."
            )
        : !options.Value.Issuers.Exists(known => string.Equals(known.Authority, issuer, StringComparison.Ordinal))
            ? Failure.Invalid(
                "identity.unknown_issuer",
                "The settings name no such issuer, so nothing of it would count. It is compared by its bytes with Authority."
            )
        : null;

    private static bool IsIssuer(string issuer) =>
        issuer.Length <= 512
        && Uri.TryCreate(issuer, UriKind.Absolute, out var address)
        && address.Scheme == Uri.UriSchemeHttps
        && address.Query.Length == 0
        && address.Fragment.Length == 0;
}
