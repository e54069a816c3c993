using System.Globalization;
using System.Security.Cryptography;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Governance.Identity.SignIn;

/// <summary>What a page hands to the browser's authenticator, and what has to come back with the answer.</summary>
/// <param name="Options">Options for <c>navigator.credentials</c>, JSON.</param>
/// <param name="Ticket">The challenge and whom it is for, encrypted; good for five minutes and for one answer.</param>
internal sealed record PasskeyQuestion(string Options, string Ticket);

/// <summary>
/// Passkeys (WebAuthn level 3): the framework's handler makes the options and verifies answers. User verification is
/// required, so a passkey is two factors; the origin is ours exactly; no attestation is asked for; a challenge is answered once.
/// </summary>
internal sealed class Passkeys : IDisposable
{
    private const int MaxAnswer = 12 * 1024;
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(5);
    private static readonly Failure Refused = Failure.Invalid(
        "identity.passkey_refused",
        "The passkey could not be checked. Try again; if it keeps failing, use another way to sign in."
    );
    private readonly IWriter _writer;
    private readonly TimeProvider _clock;
    private readonly IDataProtector _protector;
    private readonly UserManager<SubjectRow> _users;
    private readonly PasskeyHandler<SubjectRow> _handler;

    public Passkeys(
        IDbContextFactory<GovernanceDb> databases,
        IWriter writer,
        TimeProvider clock,
        IDataProtectionProvider protection,
        PlatformOptions platform,
        IServiceProvider services,
        ILogger<UserManager<SubjectRow>> logger
    )
    {
        (_writer, _clock) = (writer, clock);
        _protector = protection.CreateProtector("governance.passkey");
        _users = new UserManager<SubjectRow>(
            new PasskeyUsers(databases),
            Options.Create(new Microsoft.AspNetCore.Identity.IdentityOptions()),
            new PasswordHasher<SubjectRow>(),
            [],
            [],
            new UpperInvariantLookupNormalizer(),
            new IdentityErrorDescriber(),
            services,
            logger
        );
        var address = new Uri(platform.PublicUrl);
        var origin = address.GetLeftPart(UriPartial.Authority);
        _handler = new PasskeyHandler<SubjectRow>(
            _users,
            Options.Create(
                new IdentityPasskeyOptions
                {
                    ServerDomain = address.Host,
                    AuthenticatorTimeout = Life,
                    UserVerificationRequirement = "required",
                    ResidentKeyRequirement = "required",
                    AttestationConveyancePreference = "none",
                    ValidateOrigin = question =>
                        ValueTask.FromResult(!question.CrossOrigin && question.Origin == origin),
                }
            )
        );
    }

    /// <summary>Asks for a new passkey of a person.</summary>
    public async Task<PasskeyQuestion> AskForNewAsync(HttpContext context, SubjectRow person)
    {
        var made = await _handler.MakeCreationOptionsAsync(
            new PasskeyUserEntity
            {
                Id = person.Id,
                Name = person.Name,
                DisplayName = person.DisplayName,
            },
            context
        );
        return new PasskeyQuestion(made.CreationOptionsJson, Ticket("new", made.AttestationState ?? ""));
    }

    /// <summary>Asks for any passkey that the browser knows for this gateway: nothing tells who has one.</summary>
    public async Task<PasskeyQuestion> AskAsync(HttpContext context)
    {
        var made = await _handler.MakeRequestOptionsAsync(null, context);
        return new PasskeyQuestion(made.RequestOptionsJson, Ticket("sign-in", made.AssertionState ?? ""));
    }

    /// <summary>Checks a new passkey and keeps it for the person who asked for it.</summary>
    public async Task<Result<Unit>> AddAsync(
        HttpContext context,
        string subjectId,
        string name,
        string ticket,
        string answer,
        Func<WriteSession, CancellationToken, Task<Failure?>> also,
        CancellationToken cancellationToken
    )
    {
        if (Open("new", ticket, answer) is not { } state)
        {
            return Refused;
        }

        var result = await _handler.PerformAttestationAsync(
            new PasskeyAttestationContext
            {
                HttpContext = context,
                CredentialJson = answer,
                AttestationState = state,
            }
        );
        if (!result.Succeeded || result.UserEntity.Id != subjectId || !result.Passkey.IsUserVerified)
        {
            return Refused;
        }

        var key = PasskeyUsers.Key(result.Passkey.CredentialId);
        return await _writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var passkeys = session.Db.Set<PasskeyRow>();
                if (
                    !await AnswerOnceAsync(session, ticket, token)
                    || key.Length > 1400
                    || await passkeys.AnyAsync(row => row.Id == key, token)
                    || await passkeys.CountAsync(row => row.SubjectId == subjectId, token) >= 20
                )
                {
                    return Refused;
                }

                passkeys.Add(
                    new PasskeyRow
                    {
                        Id = key,
                        SubjectId = subjectId,
                        Name = name,
                        PublicKey = result.Passkey.PublicKey,
                        SignCount = result.Passkey.SignCount,
                        BackupEligible = result.Passkey.IsBackupEligible,
                        BackedUp = result.Passkey.IsBackedUp,
                        CreatedAt = session.Now,
                        Transports = Transports(result.Passkey.Transports),
                    }
                );
                await session.Db.SaveChangesAsync(token);
                return await also(session, token) is { } failure ? failure : default(Unit);
            },
            cancellationToken
        );
    }

    /// <summary>Whose passkey answered, or a failure that says no more.</summary>
    public async Task<Result<PasswordShown>> CheckAsync(
        HttpContext context,
        string ticket,
        string answer,
        CancellationToken cancellationToken
    )
    {
        var checkedKey = Open("sign-in", ticket, answer) is { } state
            ? await VerifyAsync(context, state, ticket, answer, cancellationToken)
            : Refused;
        if (!checkedKey.Ok)
        {
            await _writer.LogAsync(
                new LogEntry("identity.sign_in_refused", Actor.Anonymous, "", LogOutcome.Refused)
                {
                    Details = new() { ["step"] = "passkey" },
                },
                cancellationToken
            );
        }

        return checkedKey;
    }

    public void Dispose() => _users.Dispose();

    private async Task<Result<PasswordShown>> VerifyAsync(
        HttpContext context,
        string state,
        string ticket,
        string answer,
        CancellationToken cancellationToken
    )
    {
        var result = await _handler.PerformAssertionAsync(
            new PasskeyAssertionContext
            {
                HttpContext = context,
                CredentialJson = answer,
                AssertionState = state,
            }
        );
        if (!result.Succeeded)
        {
            return Refused;
        }

        var (passkey, user) = (result.Passkey, result.User);
        var key = PasskeyUsers.Key(passkey.CredentialId);
        return await _writer.WriteAsync<PasswordShown>(
            async (session, token) =>
            {
                // Read again: it may have been removed, its owner shut out or its counter moved on since it was verified.
                var row = await session
                    .Db.Set<PasskeyRow>()
                    .FirstOrDefaultAsync(known => known.Id == key && known.SubjectId == user.Id, token);
                if (
                    row is null
                    || !await AnswerOnceAsync(session, ticket, token)
                    || (passkey.SignCount != 0 && passkey.SignCount <= row.SignCount)
                    || !await session
                        .Db.Set<SubjectRow>()
                        .AnyAsync(known => known.Id == user.Id && known.Enabled, token)
                )
                {
                    return Refused;
                }

                row.SignCount = passkey.SignCount;
                row.BackedUp = passkey.IsBackedUp;
                row.UsedAt = session.Now;
                await session.Db.SaveChangesAsync(token);
                return new PasswordShown(user.Id, user.Name, true) { Stands = Standings.OfPasskey(user.Id, key) };
            },
            cancellationToken
        );
    }

    private string Ticket(string purpose, string state) =>
        _protector.Protect($"{purpose} {_clock.GetUtcNow().ToUnixTimeSeconds()} {state}");

    private string? Open(string purpose, string ticket, string answer)
    {
        if (answer.Length is 0 or > MaxAnswer)
        {
            return null;
        }

        try
        {
            var parts = _protector.Unprotect(ticket).Split(' ', 3);
            return
                parts[0] == purpose
                && DateTimeOffset.FromUnixTimeSeconds(long.Parse(parts[1], CultureInfo.InvariantCulture)) + Life
                    > _clock.GetUtcNow()
                ? parts[2]
                : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static async Task<bool> AnswerOnceAsync(
        WriteSession session,
        string ticket,
        CancellationToken cancellationToken
    )
    {
        var id = Digest.Of(ticket).Hex;
        var answered = session.Db.Set<AnsweredRow>();
        if (await answered.AnyAsync(row => row.Id == id, cancellationToken))
        {
            return false;
        }

        answered.Add(new AnsweredRow { Id = id, ExpiresAt = session.Now + Life });
        await session.Db.SaveChangesAsync(cancellationToken);
        return true;
    }

    // Hints for the browser, from the authenticator: words of letters and hyphens, or nothing.
    private static string Transports(string[]? told)
    {
        var text = string.Join(' ', told ?? []);
        return text.Length <= 128 && text.All(c => c is ' ' or '-' or (>= 'a' and <= 'z')) ? text : "";
    }
}
