using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Governance.Identity.Access;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore;
using OpenIddict.EntityFrameworkCore.Models;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Server;

/// <summary>
/// Writes OAuth clients inside a unit of the one writer, so that a service and its client commit together with their log
/// entry. The library's own manager does the work (it validates and hashes secrets), over the unit's session.
/// </summary>
internal sealed class Clients(
    ILogger<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>> logger,
    IOptionsMonitor<OpenIddictCoreOptions> core,
    IOptionsMonitor<OpenIddictEntityFrameworkCoreOptions> storage,
    PlatformOptions platform,
    TimeProvider clock
)
{
    /// <summary>Registers the pages and the command line, or brings their addresses up to date.</summary>
    public async Task RegisterBuiltInAsync(WriteSession session, CancellationToken cancellationToken)
    {
        using var memory = new MemoryCache(new MemoryCacheOptions());
        var manager = Manager(session, memory);
        foreach (var client in (OpenIddictApplicationDescriptor[])[Console(), Cli()])
        {
            var known = await manager.FindByClientIdAsync(client.ClientId!, cancellationToken);
            if (known is null)
            {
                await manager.CreateAsync(client, cancellationToken);
            }
            else
            {
                await manager.UpdateAsync(known, client, cancellationToken);
            }
        }
    }

    /// <summary>Adds a client for a service; the secret is null when it proves itself in another way.</summary>
    public async Task AddServiceAsync(
        WriteSession session,
        string clientId,
        ClientRegistration registration,
        Secret? secret,
        CancellationToken cancellationToken
    )
    {
        using var memory = new MemoryCache(new MemoryCacheOptions());
        var client = new OpenIddictApplicationDescriptor
        {
            ClientId = clientId,
            ClientSecret = SecretOf(registration, secret),
            Permissions =
            {
                OpenIddictConstants.Permissions.Endpoints.Token,
                OpenIddictConstants.Permissions.Endpoints.Revocation,
                OpenIddictConstants.Permissions.Endpoints.Introspection,
                OpenIddictConstants.Permissions.GrantTypes.ClientCredentials,
            },
        };
        registration.WriteTo(client);
        await Manager(session, memory).CreateAsync(client, cancellationToken);
    }

    /// <summary>How the client of a service is registered; null when there is none.</summary>
    public static async Task<ClientRegistration?> FindAsync(
        GovernanceDb db,
        string clientId,
        CancellationToken cancellationToken
    )
    {
        var client = await db.Set<OpenIddictEntityFrameworkCoreApplication>()
            .AsNoTracking()
            .Where(row => row.ClientId == clientId)
            .Select(row => new { row.Settings, row.JsonWebKeySet })
            .FirstOrDefaultAsync(cancellationToken);
        return client is null
            ? null
            : ClientRegistration.Of(SettingsOf(client.Settings)) with
            {
                Keys = client.JsonWebKeySet ?? "",
            };
    }

    /// <summary>Changes how a client proves itself; the tokens it holds end. False when there is no such client.</summary>
    public async Task<bool> ChangeAsync(
        WriteSession session,
        string clientId,
        ClientRegistration registration,
        Secret? secret,
        CancellationToken cancellationToken
    )
    {
        using var memory = new MemoryCache(new MemoryCacheOptions());
        var manager = Manager(session, memory);
        if (await manager.FindByClientIdAsync(clientId, cancellationToken) is not { } known)
        {
            return false;
        }

        var client = new OpenIddictApplicationDescriptor();
        await manager.PopulateAsync(client, known, cancellationToken);
        registration.WriteTo(client);
        client.ClientSecret = SecretOf(registration, secret);
        await manager.UpdateAsync(known, client, cancellationToken);
        await EndTokensAsync(session, clientId, cancellationToken);
        return true;
    }

    /// <summary>
    /// Leaves a client nothing to prove itself with: its secrets, keys and certificates go and its tokens end, its binding
    /// stays. It takes another secret or registration from then on.
    /// </summary>
    public async Task TakeCredentialsAsync(WriteSession session, string clientId, CancellationToken cancellationToken)
    {
        if (await FindAsync(session.Db, clientId, cancellationToken) is { } known)
        {
            var nothing = new ClientRegistration(ClientRegistration.Secret, known.Binding);
            await ChangeAsync(session, clientId, nothing, null, cancellationToken);
        }
    }

    /// <summary>
    /// Gives a client another secret. The old one counts until then; when that is now, the tokens that the client holds end as
    /// well. False when there is no such client, or it has no secret.
    /// </summary>
    public async Task<bool> ReplaceSecretAsync(
        WriteSession session,
        string clientId,
        Secret secret,
        DateTimeOffset until,
        CancellationToken cancellationToken
    )
    {
        using var memory = new MemoryCache(new MemoryCacheOptions());
        var manager = Manager(session, memory);
        if (
            await manager.FindByClientIdAsync(clientId, cancellationToken) is not { ClientSecret: { } stored } known
            || (await manager.RegistrationOfAsync(known, cancellationToken)).Method != ClientRegistration.Secret
        )
        {
            return false;
        }

        known.ClientSecret = ClientManager.Replace(stored, secret.Reveal(), until);
        await manager.UpdateAsync(known, cancellationToken);
        if (until <= session.Now)
        {
            await EndTokensAsync(session, clientId, cancellationToken);
        }

        return true;
    }

    // The library wants a secret or keys of every confidential client. One that nobody knows, of a client that may not use any.
    private static string? SecretOf(ClientRegistration registration, Secret? secret) =>
        secret?.Reveal()
        ?? (registration.Keys.Length > 0 ? null : RandomNumberGenerator.GetHexString(64, lowercase: true));

    /// <summary>Ends the tokens that a client holds or is being given; nothing when there is no such client.</summary>
    public static async Task EndTokensAsync(WriteSession session, string clientId, CancellationToken cancellationToken)
    {
        var client = await session
            .Db.Set<OpenIddictEntityFrameworkCoreApplication>()
            .FirstOrDefaultAsync(row => row.ClientId == clientId, cancellationToken);
        if (client is null)
        {
            return;
        }

        client.Settings = JsonSerializer.Serialize(
            ClientRegistration.Stamped(SettingsOf(client.Settings)),
            ClientJson.Default.ImmutableDictionaryStringString
        );
        await session.Db.SaveChangesAsync(cancellationToken);
        await session
            .Db.Set<OpenIddictEntityFrameworkCoreToken>()
            .Where(token => token.Application!.ClientId == clientId && token.Status == Statuses.Valid)
            .ExecuteUpdateAsync(token => token.SetProperty(row => row.Status, Statuses.Revoked), cancellationToken);
    }

    private static ImmutableDictionary<string, string> SettingsOf(string? json) =>
        JsonSerializer.Deserialize(json ?? "{}", ClientJson.Default.ImmutableDictionaryStringString)!;

    private OpenIddictApplicationDescriptor Console() =>
        Interactive(IdentitySchemes.ConsoleClient, ApplicationTypes.Web, $"{platform.PublicUrl}/signin-oidc");

    // RFC 8252 §7.3: a native client listens on a loopback port of its choice; the port is not compared.
    private static OpenIddictApplicationDescriptor Cli()
    {
        var cli = Interactive(IdentitySchemes.CliClient, ApplicationTypes.Native, "http://127.0.0.1/callback");
        cli.Permissions.Add(OpenIddictConstants.Permissions.Endpoints.DeviceAuthorization);
        cli.Permissions.Add(OpenIddictConstants.Permissions.GrantTypes.DeviceCode);
        cli.Permissions.Add(OpenIddictConstants.Permissions.GrantTypes.RefreshToken);
        cli.Permissions.Add(OpenIddictConstants.Permissions.Endpoints.Revocation);
        return cli;
    }

    // Requests are pushed: what a browser carries is a reference that can't be changed on the way (RFC 9126).
    private static OpenIddictApplicationDescriptor Interactive(string clientId, string type, string redirect)
    {
        var client = new OpenIddictApplicationDescriptor
        {
            ClientId = clientId,
            ApplicationType = type,
            ConsentType = ConsentTypes.Implicit,
            RedirectUris = { new Uri(redirect) },
            Permissions =
            {
                OpenIddictConstants.Permissions.Endpoints.Authorization,
                OpenIddictConstants.Permissions.Endpoints.PushedAuthorization,
                OpenIddictConstants.Permissions.Endpoints.Token,
                OpenIddictConstants.Permissions.GrantTypes.AuthorizationCode,
                OpenIddictConstants.Permissions.ResponseTypes.Code,
            },
            Requirements =
            {
                Requirements.Features.ProofKeyForCodeExchange,
                Requirements.Features.PushedAuthorizationRequests,
            },
        };
        ClientRegistration.Public.WriteTo(client);
        return client;
    }

    private ClientManager Manager(WriteSession session, IMemoryCache memory)
    {
        var context = new OpenIddictEntityFrameworkCoreContext<GovernanceDb>(session.Db);
        var store = new OpenIddictEntityFrameworkCoreApplicationStore(memory, context, storage);
        var cache = new OpenIddictApplicationCache<OpenIddictEntityFrameworkCoreApplication>(core, store);
        return new ClientManager(cache, logger, core, store, clock);
    }
}

[JsonSerializable(typeof(ImmutableDictionary<string, string>))]
internal sealed partial class ClientJson : JsonSerializerContext;
