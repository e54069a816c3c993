using Governance.Identity.Access;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Identity.SignIn;

/// <summary>
/// Checks a user name and password. The attempt is counted before the password is looked at, so parallel guesses can't
/// slip past the limit; unknown, disabled and locked accounts cost the same time and get the same answer.
/// </summary>
internal sealed class PasswordSignIn(
    IWriter writer,
    PasswordHashing passwords,
    AttemptLimiter limiter,
    IOptions<IdentityOptions> options
)
{
    /// <summary>The person's pseudonym, or null.</summary>
    public async Task<string?> CheckAsync(string userName, Secret password, CancellationToken cancellationToken)
    {
        var name = userName.Trim().ToLowerInvariant();
        var attempt = limiter.AllowsName(name) ? await CountAsync(name, cancellationToken) : null;
        if (passwords.Verify(attempt?.Hash, password) && attempt is not null)
        {
            await SucceedAsync(attempt.Id, cancellationToken);
            return attempt.Id;
        }

        await writer.LogAsync(
            new LogEntry(
                "identity.sign_in_refused",
                Actor.Anonymous,
                attempt is null ? "" : $"subject:{attempt.Id}",
                LogOutcome.Refused
            ),
            cancellationToken
        );
        return null;
    }

    private sealed record Attempt(string Id, string? Hash);

    private async Task<Attempt?> CountAsync(string name, CancellationToken cancellationToken)
    {
        var counted = await writer.WriteAsync<Attempt>(
            async (session, token) =>
            {
                var row = await session
                    .Db.Set<SubjectRow>()
                    .FirstOrDefaultAsync(
                        subject => subject.Name == name && subject.Kind == ActorKind.Person && subject.Enabled,
                        token
                    );
                if (row is null || row.LockedUntil > session.Now)
                {
                    return row is null ? new Attempt("", null) : new Attempt(row.Id, null);
                }

                row.FailedAttempts++;
                if (row.FailedAttempts >= options.Value.LockoutAttempts)
                {
                    row.FailedAttempts = 0;
                    row.LockedUntil = session.Now.AddMinutes(options.Value.LockoutMinutes);
                }

                await session.Db.SaveChangesAsync(token);
                return new Attempt(row.Id, row.PasswordHash);
            },
            cancellationToken
        );
        return counted.Value.Id.Length == 0 ? null : counted.Value;
    }

    private Task SucceedAsync(string id, CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var row = await session.Db.Set<SubjectRow>().FirstAsync(subject => subject.Id == id, token);
                row.FailedAttempts = 0;
                row.LockedUntil = null;
                await session.Db.SaveChangesAsync(token);
                var person = new Actor(ActorKind.Person, id);
                await session.LogAsync(
                    new LogEntry("identity.signed_in", person, $"subject:{id}", LogOutcome.Done),
                    token
                );
                return default(Unit);
            },
            cancellationToken
        );
}
