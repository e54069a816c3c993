using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Identity.Engine;
using Governance.Identity.SignIn;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Secret = Governance.Kernel.Secret;

namespace Governance.Identity.Account;

/// <summary>How a person can sign in.</summary>
/// <param name="Person">Whose password and app they are.</param>
/// <param name="Passkeys">Passkeys.</param>
/// <param name="RecoveryCodes">Recovery codes that were not used.</param>
/// <param name="Logins">Logins at other providers, also those that wait for a second administrator.</param>
internal sealed record OwnWays(
    SubjectRow Person,
    IReadOnlyList<PasskeyRow> Passkeys,
    int RecoveryCodes,
    IReadOnlyList<LoginRow> Logins
);

/// <summary>What a person changes about the own ways to sign in. Every change is logged by kind; other sessions end with it.</summary>
internal sealed class Credentials(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    PasswordHashing passwords,
    Passkeys passkeys,
    IKeyWrap wrap,
    IDataProtectionProvider protection
)
{
    private const int RecoveryCodes = 10;
    private static readonly TimeSpan FormLife = TimeSpan.FromMinutes(15);
    private const int CodeGroups = 5; // 125 bits: too many to guess from a hash that is not slow
    private static readonly Failure Ended = Failure.Invalid(
        "identity.form_expired",
        "You were signed out meanwhile. Sign in again."
    );
    private readonly IDataProtector _protector = protection.CreateProtector("governance.new-app");

    /// <summary>A fresh key for an app, as people type it, and encrypted for the form that brings it back.</summary>
    public (string Text, string Ticket) NewAppKey(string subjectId, DateTimeOffset now)
    {
        var key = RandomNumberGenerator.GetBytes(Totp.KeyBytes);
        var ticket = $"{Convert.ToBase64String(key)} {now.ToUnixTimeSeconds()}";
        return (Totp.Text(key), _protector.CreateProtector(subjectId).Protect(ticket));
    }

    /// <summary>The key of a form that comes back, as people type it; null when the form is not ours, or older than 15 minutes.</summary>
    public string? AppKeyText(string subjectId, string ticket, DateTimeOffset now) =>
        OpenAppKey(subjectId, ticket, now) is { } key ? Totp.Text(key) : null;

    /// <summary>Keeps the key of an app that showed a right code; gives back recovery codes when these are the first.</summary>
    public Task<Result<IReadOnlyList<string>>> AddAppAsync(
        string subjectId,
        string sessionId,
        string ticket,
        string code,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var key = OpenAppKey(subjectId, ticket, now);
        return key is null
            ? Task.FromResult<Result<IReadOnlyList<string>>>(
                Failure.Invalid("identity.form_expired", "The form had expired. Please try again.")
            )
            : ChangeAsync(
                subjectId,
                sessionId,
                "identity.factor_added",
                "app",
                row =>
                {
                    var step = Totp.Match(key, code.Replace(" ", "", StringComparison.Ordinal), Totp.StepOf(now), 0);
                    if (step is null)
                    {
                        return Failure.Invalid(
                            "identity.wrong_code",
                            "That is not the code that the app shows now. Check the time of your device and try again."
                        );
                    }

                    (row.TotpKey, row.TotpStep) = (wrap.Wrap(key, SecondStep.Purpose), step.Value);
                    return null;
                },
                cancellationToken
            );
    }

    public Task<Result<IReadOnlyList<string>>> RemoveAppAsync(
        string subjectId,
        string sessionId,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            subjectId,
            sessionId,
            "identity.factor_removed",
            "app",
            row =>
            {
                row.TotpKey = null;
                return null;
            },
            cancellationToken
        );

    /// <summary>Changes the password. The session goes on under another id, which is given back: copies of its cookies end.</summary>
    public async Task<Result<string>> ChangePasswordAsync(
        string subjectId,
        string sessionId,
        Secret password,
        CancellationToken cancellationToken
    )
    {
        if (AccountRules.CheckPassword(password) is { } broken)
        {
            return broken;
        }

        var hash = passwords.Hash(password);
        var next = RandomNumberGenerator.GetHexString(32, lowercase: true);
        var changed = await ChangeAsync(
            subjectId,
            sessionId,
            "identity.password_changed",
            "password",
            row =>
            {
                row.PasswordHash = hash;
                return null;
            },
            cancellationToken,
            next
        );
        return changed.Map(_ => next);
    }

    public async Task<Result<IReadOnlyList<string>>> AddPasskeyAsync(
        HttpContext context,
        string subjectId,
        string sessionId,
        string name,
        string ticket,
        string answer,
        CancellationToken cancellationToken
    )
    {
        var fresh = Fresh();
        var shown = false;
        var added = await passkeys.AddAsync(
            context,
            subjectId,
            name.Trim() is { Length: > 0 and <= 64 } own && !own.Any(char.IsControl) ? own : "Passkey",
            ticket,
            answer,
            async (session, token) =>
            {
                if (!await IsLiveAsync(session, subjectId, sessionId, token))
                {
                    return Ended;
                }

                shown = await FinishAsync(
                    session,
                    subjectId,
                    sessionId,
                    "identity.factor_added",
                    "passkey",
                    fresh,
                    token
                );
                return null;
            },
            cancellationToken
        );
        return added.Map<IReadOnlyList<string>>(_ => shown ? fresh : []);
    }

    public Task<Result<Unit>> RemovePasskeyAsync(
        string subjectId,
        string sessionId,
        string key,
        CancellationToken cancellationToken
    ) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (!await IsLiveAsync(session, subjectId, sessionId, token))
                {
                    return Ended;
                }

                var removed = await session
                    .Db.Set<PasskeyRow>()
                    .Where(row => row.Id == key && row.SubjectId == subjectId)
                    .ExecuteDeleteAsync(token);
                if (removed > 0)
                {
                    await FinishAsync(session, subjectId, sessionId, "identity.factor_removed", "passkey", [], token);
                }

                return default(Unit);
            },
            cancellationToken
        );

    /// <summary>New recovery codes; older ones count no more.</summary>
    public async Task<Result<IReadOnlyList<string>>> NewRecoveryCodesAsync(
        string subjectId,
        string sessionId,
        CancellationToken cancellationToken
    )
    {
        var fresh = Fresh();
        var made = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (!await IsLiveAsync(session, subjectId, sessionId, token))
                {
                    return Ended;
                }

                await ReplaceAsync(session, subjectId, fresh, token);
                await LogAsync(session, subjectId, "identity.recovery_codes_made", "recovery", token);
                return default(Unit);
            },
            cancellationToken
        );
        return made.Map<IReadOnlyList<string>>(_ => fresh);
    }

    /// <summary>How many wrong codes of the app came from browsers that the person never used, under the password of now.</summary>
    public async Task<int> StrangerCodesAsync(SubjectRow person, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var password = PasswordShown.DigestOf(person.PasswordHash);
        return await StrangerCodes.CountAsync(db, person.Id, password, cancellationToken);
    }

    public async Task<OwnWays> ReadAsync(string subjectId, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return new OwnWays(
            await db.Set<SubjectRow>().AsNoTracking().FirstAsync(row => row.Id == subjectId, cancellationToken),
            await db.Set<PasskeyRow>()
                .AsNoTracking()
                .Where(row => row.SubjectId == subjectId)
                .OrderBy(row => row.CreatedAt)
                .ToListAsync(cancellationToken),
            await db.Set<RecoveryCodeRow>().CountAsync(row => row.SubjectId == subjectId, cancellationToken),
            await db.Set<LoginRow>()
                .AsNoTracking()
                .Where(row => row.SubjectId == subjectId && row.UnlinkedAt == null)
                .OrderBy(row => row.CreatedAt)
                .ToListAsync(cancellationToken)
        );
    }

    private byte[]? OpenAppKey(string subjectId, string ticket, DateTimeOffset now)
    {
        try
        {
            return
                _protector.CreateProtector(subjectId).Unprotect(ticket).Split(' ') is [var key, var at]
                && DateTimeOffset.FromUnixTimeSeconds(long.Parse(at, CultureInfo.InvariantCulture)) + FormLife > now
                ? Convert.FromBase64String(key)
                : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private async Task<Result<IReadOnlyList<string>>> ChangeAsync(
        string subjectId,
        string sessionId,
        string kind,
        string factor,
        Func<SubjectRow, Failure?> change,
        CancellationToken cancellationToken,
        string? next = null
    )
    {
        var fresh = Fresh();
        var changed = await writer.WriteAsync<bool>(
            async (session, token) =>
            {
                if (!await IsLiveAsync(session, subjectId, sessionId, token))
                {
                    return Ended;
                }

                var row = await session.Db.Set<SubjectRow>().FirstAsync(known => known.Id == subjectId, token);
                if (change(row) is { } failure)
                {
                    return failure;
                }

                await session.Db.SaveChangesAsync(token);
                if (next is not null)
                {
                    await FollowAsync(session, sessionId, next, token);
                }

                return await FinishAsync(session, subjectId, next ?? sessionId, kind, factor, fresh, token);
            },
            cancellationToken
        );
        return changed.Map<IReadOnlyList<string>>(shown => shown ? fresh : []);
    }

    // It may have ended since the page asked: what a reset took away must not be set again by it.
    private static Task<bool> IsLiveAsync(
        WriteSession session,
        string subjectId,
        string sessionId,
        CancellationToken token
    ) =>
        session
            .Db.Set<SessionRow>()
            .AnyAsync(
                row =>
                    row.Id == sessionId
                    && row.SubjectId == subjectId
                    && row.EndedAt == null
                    && row.RevokedAt == null
                    && row.ExpiresAt > session.Now,
                token
            );

    private static async Task FollowAsync(WriteSession session, string sessionId, string next, CancellationToken token)
    {
        var row = await session.Db.Set<SessionRow>().AsNoTracking().FirstAsync(known => known.Id == sessionId, token);
        row.Id = next;
        session.Db.Add(row);
        await session.Db.SaveChangesAsync(token);
    }

    // Who took over a session must not keep it after the owner changed a credential. True when the codes are to be shown.
    private static async Task<bool> FinishAsync(
        WriteSession session,
        string subjectId,
        string sessionId,
        string kind,
        string factor,
        IReadOnlyList<string> fresh,
        CancellationToken cancellationToken
    )
    {
        await session
            .Db.Set<SessionRow>()
            .Where(row => row.SubjectId == subjectId && row.Id != sessionId && row.RevokedAt == null)
            .ExecuteUpdateAsync(
                set => set.SetProperty(row => row.RevokedAt, (DateTimeOffset?)session.Now),
                cancellationToken
            );
        await LogAsync(session, subjectId, kind, factor, cancellationToken);
        var first =
            kind == "identity.factor_added"
            && !await session.Db.Set<RecoveryCodeRow>().AnyAsync(row => row.SubjectId == subjectId, cancellationToken);
        if (first)
        {
            await ReplaceAsync(session, subjectId, fresh, cancellationToken);
        }

        return first;
    }

    private static async Task ReplaceAsync(
        WriteSession session,
        string subjectId,
        IReadOnlyList<string> codes,
        CancellationToken cancellationToken
    )
    {
        await session
            .Db.Set<RecoveryCodeRow>()
            .Where(row => row.SubjectId == subjectId)
            .ExecuteDeleteAsync(cancellationToken);
        session.Db.AddRange(
            codes.Select(code => new RecoveryCodeRow
            {
                Hash = OneTimeCode.Hash(SecondStep.ScopeOf(subjectId), code),
                SubjectId = subjectId,
            })
        );
        await session.Db.SaveChangesAsync(cancellationToken);
    }

    private static Task LogAsync(
        WriteSession session,
        string subjectId,
        string kind,
        string factor,
        CancellationToken cancellationToken
    ) =>
        session.LogAsync(
            new LogEntry(kind, new Actor(ActorKind.Person, subjectId), $"subject:{subjectId}", LogOutcome.Done)
            {
                Details = new JsonObject { ["factor"] = factor },
            },
            cancellationToken
        );

    private static List<string> Fresh() =>
        [.. Enumerable.Range(0, RecoveryCodes).Select(_ => OneTimeCode.New(CodeGroups))];
}
