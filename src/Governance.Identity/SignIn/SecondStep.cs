using System.Globalization;
using System.Security.Cryptography;
using Governance.Identity.Engine;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Identity.SignIn;

/// <summary>The step after the password: a code of the authenticator app or a recovery code, each good once.</summary>
internal sealed class SecondStep(
    IWriter writer,
    IKeyWrap wrap,
    IDataProtectionProvider protection,
    TimeProvider clock,
    IOptions<IdentityOptions> options
)
{
    /// <summary>Purpose under which keys of authenticator apps are wrapped.</summary>
    public const string Purpose = "totp";

    /// <summary>Scope of recovery codes: one person's are nobody else's.</summary>
    public static string ScopeOf(string subjectId) => $"recover {subjectId}";

    private const string Factor = "second";
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(5);
    private readonly IDataProtector _protector = protection.CreateProtector("governance.second-step");

    /// <summary>What the form of the second step carries: who showed which password, and when.</summary>
    public string Ticket(PasswordShown person) =>
        _protector.Protect($"{person.Id} {person.Name} {person.Password} {clock.GetUtcNow().ToUnixTimeSeconds()}");

    /// <summary>Who showed the password at most five minutes ago, or null.</summary>
    public PasswordShown? Read(string ticket)
    {
        try
        {
            return
                _protector.Unprotect(ticket).Split(' ') is [var id, var name, var password, var at]
                && DateTimeOffset.FromUnixTimeSeconds(long.Parse(at, CultureInfo.InvariantCulture)) + Life
                    > clock.GetUtcNow()
                ? new PasswordShown(id, name, true) { Password = password }
                : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>The person, when the code is right; counted and refused like a password.</summary>
    public async Task<PasswordShown?> CheckAsync(
        PasswordShown person,
        AttemptDirection direction,
        string typed,
        CancellationToken cancellationToken
    )
    {
        var code = typed.Replace(" ", "", StringComparison.Ordinal);
        var stands = Standings.Nothing;
        var used = await writer.WriteAsync<bool>(
            async (session, token) =>
            {
                var row = await session
                    .Db.Set<SubjectRow>()
                    .FirstOrDefaultAsync(known => known.Id == person.Id && known.Enabled, token);
                if (
                    row is null
                    || PasswordShown.DigestOf(row.PasswordHash) != person.Password // changed or reset since
                    || !await direction.TakeAsync(session, Factor, options.Value, token)
                )
                {
                    return false;
                }

                if (
                    !(
                        code.Length == 6
                            ? await UseTotpAsync(session, row, person.Password, direction, code, token)
                            : await UseRecoveryAsync(session, row, code, token)
                    )
                )
                {
                    return false;
                }

                await direction.ForgetAsync(session, Factor, token);
                stands = Standings.OfSecondStep(row.Id, row.PasswordHash, row.TotpKey);
                return true;
            },
            cancellationToken
        );
        if (!used.Value)
        {
            await writer.LogAsync(
                new LogEntry("identity.sign_in_refused", Actor.Anonymous, $"subject:{person.Id}", LogOutcome.Refused)
                {
                    Details = new() { ["step"] = "second" },
                },
                cancellationToken
            );
        }

        return used.Value ? person with { Stands = stands } : null;
    }

    private async Task<bool> UseTotpAsync(
        WriteSession session,
        SubjectRow row,
        string password,
        AttemptDirection direction,
        string code,
        CancellationToken cancellationToken
    )
    {
        var stranger = direction.Device is null;
        if (
            row.TotpKey is null
            || (
                stranger
                && await StrangerCodes.CountAsync(session.Db, row.Id, password, cancellationToken) >= StrangerCodes.Most
            )
        )
        {
            return false;
        }

        var key = wrap.Unwrap(row.TotpKey, Purpose);
        var step = Totp.Match(key, code, Totp.StepOf(session.Now), row.TotpStep);
        CryptographicOperations.ZeroMemory(key);
        row.TotpStep = step ?? row.TotpStep;
        if (step is null && stranger)
        {
            await StrangerCodes.AddAsync(session, row.Id, password, cancellationToken);
        }

        return step is not null;
    }

    private static async Task<bool> UseRecoveryAsync(
        WriteSession session,
        SubjectRow row,
        string code,
        CancellationToken cancellationToken
    )
    {
        var hash = OneTimeCode.Hash(ScopeOf(row.Id), code);
        var deleted = await session
            .Db.Set<RecoveryCodeRow>()
            .Where(known => known.Hash == hash && known.SubjectId == row.Id)
            .ExecuteDeleteAsync(cancellationToken);
        if (deleted == 0)
        {
            return false;
        }

        await session.LogAsync(
            new LogEntry(
                "identity.recovery_code_used",
                new Actor(ActorKind.Person, row.Id),
                $"subject:{row.Id}",
                LogOutcome.Done
            ),
            cancellationToken
        );
        return true;
    }
}
