using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Identity.SignIn;

/// <summary>Who showed the right password.</summary>
/// <param name="Id">Pseudonym.</param>
/// <param name="Name">User name.</param>
/// <param name="HasSecondFactor">Whether a second step follows.</param>
internal sealed record PasswordShown(string Id, string Name, bool HasSecondFactor)
{
    /// <summary>Whether it still is their password, or what they showed beside or instead of it.</summary>
    public Standing Stands { get; init; } = Standings.Nothing;

    /// <summary>Which password it was: <see cref="DigestOf"/> what was stored of it.</summary>
    public string Password { get; init; } = "";

    /// <summary>SHA-256 of the stored hash, hex; empty without a password.</summary>
    public static string DigestOf(string? hash) => hash is null ? "" : Digest.Of(hash).Hex;
}

/// <summary>
/// Checks a user name and password. The attempt is counted before the password is looked at, so parallel guesses can't
/// slip past the limit; unknown, disabled and locked accounts cost the same time and get the same answer.
/// </summary>
internal sealed class PasswordSignIn(IWriter writer, PasswordHashing passwords, IOptions<IdentityOptions> options)
{
    private const string Factor = "password";

    /// <summary>The person, or null.</summary>
    public async Task<PasswordShown?> CheckAsync(
        AttemptDirection direction,
        Secret password,
        CancellationToken cancellationToken
    )
    {
        var attempt = await CountAsync(direction, cancellationToken);
        if (passwords.Verify(attempt.Hash, password))
        {
            await writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    await direction.ForgetAsync(session, Factor, token);
                    return default(Unit);
                },
                cancellationToken
            );
            return new PasswordShown(attempt.Id, direction.Name, attempt.HasSecondFactor)
            {
                Stands = Standings.OfPassword(attempt.Id, attempt.Hash),
                Password = PasswordShown.DigestOf(attempt.Hash),
            };
        }

        await writer.LogAsync(
            new LogEntry(
                "identity.sign_in_refused",
                Actor.Anonymous,
                attempt.Id.Length == 0 ? "" : $"subject:{attempt.Id}",
                LogOutcome.Refused
            ),
            cancellationToken
        );
        return null;
    }

    private sealed record Attempt(string Id, string? Hash, bool HasSecondFactor);

    private async Task<Attempt> CountAsync(AttemptDirection direction, CancellationToken cancellationToken)
    {
        var counted = await writer.WriteAsync<Attempt>(
            async (session, token) =>
            {
                var allowed = await direction.TakeAsync(session, Factor, options.Value, token);
                var known = await session
                    .Db.Set<SubjectRow>()
                    .Where(row => row.Name == direction.Name && row.Kind == ActorKind.Person && row.Enabled)
                    .Select(row => new
                    {
                        row.Id,
                        row.PasswordHash,
                        HasSecondFactor = row.TotpKey != null
                            || session.Db.Set<PasskeyRow>().Any(passkey => passkey.SubjectId == row.Id),
                    })
                    .FirstOrDefaultAsync(token);
                return known is null
                    ? new Attempt("", null, false)
                    : new Attempt(known.Id, allowed ? known.PasswordHash : null, known.HasSecondFactor);
            },
            cancellationToken
        );
        return counted.Value;
    }
}
