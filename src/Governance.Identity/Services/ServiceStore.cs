using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Identity.Server;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Services;

/// <summary>How services prove themselves. Log entries name methods and bindings, never keys or secrets.</summary>
internal sealed class ServiceStore(
    IDbContextFactory<GovernanceDb> databases,
    Administration administration,
    SubjectStore subjects,
    Confirmations confirmations,
    Clients clients,
    IOptions<IdentityOptions> options
)
{
    private const int MaxOverlapHours = 168;
    private static readonly Failure NoService = Failure.NotFound("identity.no_subject", "There is no such service.");

    public async Task<Result<ServiceOutput>> AddAsync(
        Actor by,
        string clientId,
        AuthenticationInput? authentication,
        string? binding,
        IReadOnlyList<RoleGrant> grants,
        CancellationToken cancellationToken
    )
    {
        var registration = RegistrationRules.Read(authentication, binding, options.Value);
        if (!registration.Ok)
        {
            return registration.Failure;
        }

        var secret = SecretFor(registration.Value);
        var added = await subjects.EnrolServiceAsync(
            by,
            clientId,
            registration.Value,
            secret,
            grants,
            cancellationToken
        );
        return added.Ok
            ? new ServiceOutput(
                added.Value.Id,
                clientId,
                secret?.Reveal(),
                await WaitingAsync(added.Value.Id, cancellationToken)
            )
            : added.Failure;
    }

    public async Task<Result<ServiceView>> FindAsync(string id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (
            await NameAsync(db, id, cancellationToken) is not { } name
            || await Clients.FindAsync(db, name, cancellationToken) is not { } client
        )
        {
            return NoService;
        }

        return new ServiceView(
            id,
            name,
            client.Method,
            client.Binding,
            client.Keys.Length == 0 ? null : CanonicalJson.TryParse(Encoding.UTF8.GetBytes(client.Keys)),
            client.Certificates,
            client.DnsName.Length == 0 ? null : client.DnsName
        );
    }

    /// <summary>Changes how a service proves itself; its tokens end, and a secret is new.</summary>
    public async Task<Result<ServiceOutput>> ChangeAsync(
        Actor by,
        string id,
        AuthenticationInput authentication,
        string? binding,
        CancellationToken cancellationToken
    )
    {
        var registration = RegistrationRules.Read(authentication, binding, options.Value);
        if (!registration.Ok)
        {
            return registration.Failure;
        }

        var secret = SecretFor(registration.Value);
        return await administration.ChangeAsync<ServiceOutput>(
            by,
            $"subject:{id}",
            async (session, token) =>
            {
                if (
                    await NameAsync(session.Db, id, token) is not { } name
                    || !await clients.ChangeAsync(session, name, registration.Value, secret, token)
                )
                {
                    return NoService;
                }

                await session.LogAsync(
                    new LogEntry("identity.service_changed", by, $"subject:{id}", LogOutcome.Done)
                    {
                        Details = new JsonObject
                        {
                            ["method"] = registration.Value.Method,
                            ["binding"] = registration.Value.Binding,
                        },
                    },
                    token
                );
                return new ServiceOutput(id, name, secret?.Reveal(), await HoldAsync(session, by, id, token));
            },
            cancellationToken
        );
    }

    /// <summary>Gives a service another secret; the old one counts for so many hours yet, and with 0 the tokens end too.</summary>
    public async Task<Result<ServiceOutput>> ReplaceSecretAsync(
        Actor by,
        string id,
        int overlapHours,
        CancellationToken cancellationToken
    )
    {
        if (overlapHours is < 0 or > MaxOverlapHours)
        {
            return Failure.Invalid("identity.bad_overlap", $"overlapHours is 0 to {MaxOverlapHours}.");
        }

        var secret = NewSecret();
        return await administration.ChangeAsync<ServiceOutput>(
            by,
            $"subject:{id}",
            async (session, token) =>
            {
                if (await NameAsync(session.Db, id, token) is not { } name)
                {
                    return NoService;
                }

                if (!await clients.ReplaceSecretAsync(session, name, secret, session.Now.AddHours(overlapHours), token))
                {
                    return Failure.Conflict("identity.no_secret", "The service proves itself without a secret.");
                }

                await session.LogAsync(
                    new LogEntry("identity.secret_replaced", by, $"subject:{id}", LogOutcome.Done)
                    {
                        Details = new JsonObject { ["overlapHours"] = overlapHours },
                    },
                    token
                );
                return new ServiceOutput(id, name, secret.Reveal(), await HoldAsync(session, by, id, token));
            },
            cancellationToken
        );
    }

    // Whoever knows its secret is the service: one administrator alone must not become a release manager that way. What waits
    // counts too, and what a disabled service is granted: else whoever confirms it would not know who holds the secret.
    private async Task<IReadOnlyList<Guid>> HoldAsync(
        WriteSession session,
        Actor by,
        string id,
        CancellationToken cancellationToken
    )
    {
        var held = await session.Db.Set<ConfirmationRow>().HoldsAsync(id, cancellationToken);
        var grants = await GrantStore.OfAsync(session.Db, id, cancellationToken);
        if (!held && !grants.Any(grant => GrantRules.IsPrivileged(grant.ToGrant())))
        {
            return [];
        }

        var request = new ConfirmationRequest(AccountConfirmation.NewCredentials, id) { Holds = true };
        return [await confirmations.RequestAsync(session, by, request, cancellationToken)];
    }

    private async Task<IReadOnlyList<Guid>> WaitingAsync(string id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<ConfirmationRow>()
            .Where(row => row.SubjectId == id && row.State == ConfirmationState.Pending)
            .OrderBy(row => row.Id)
            .Select(row => row.Id)
            .ToListAsync(cancellationToken);
    }

    private static Task<string?> NameAsync(GovernanceDb db, string id, CancellationToken cancellationToken) =>
        db.Set<SubjectRow>()
            .Where(row => row.Id == id && row.Kind == ActorKind.Service)
            .Select(row => (string?)row.Name)
            .FirstOrDefaultAsync(cancellationToken);

    private static Secret? SecretFor(ClientRegistration registration) =>
        registration.Method == ClientRegistration.Secret ? NewSecret() : null;

    private static Secret NewSecret() => new(RandomNumberGenerator.GetHexString(64, lowercase: true));
}
