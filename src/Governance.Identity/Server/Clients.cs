using Governance.Identity.Access;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
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
    PlatformOptions platform
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

    /// <summary>Adds a confidential client for a service.</summary>
    public async Task AddServiceAsync(
        WriteSession session,
        string clientId,
        Secret secret,
        CancellationToken cancellationToken
    )
    {
        using var memory = new MemoryCache(new MemoryCacheOptions());
        await Manager(session, memory)
            .CreateAsync(
                new OpenIddictApplicationDescriptor
                {
                    ClientId = clientId,
                    ClientSecret = secret.Reveal(),
                    ClientType = ClientTypes.Confidential,
                    Permissions =
                    {
                        OpenIddictConstants.Permissions.Endpoints.Token,
                        OpenIddictConstants.Permissions.Endpoints.Revocation,
                        OpenIddictConstants.Permissions.Endpoints.Introspection,
                        OpenIddictConstants.Permissions.GrantTypes.ClientCredentials,
                    },
                },
                cancellationToken
            );
    }

    private OpenIddictApplicationDescriptor Console() =>
        Interactive(IdentitySchemes.ConsoleClient, ApplicationTypes.Web, $"{platform.PublicUrl}/signin-oidc");

    // RFC 8252 §7.3: a native client listens on a loopback port of its choice; the port is not compared.
    private static OpenIddictApplicationDescriptor Cli()
    {
        var cli = Interactive(IdentitySchemes.CliClient, ApplicationTypes.Native, "http://127.0.0.1/callback");
        cli.Permissions.Add(OpenIddictConstants.Permissions.GrantTypes.RefreshToken);
        cli.Permissions.Add(OpenIddictConstants.Permissions.Endpoints.Revocation);
        return cli;
    }

    private static OpenIddictApplicationDescriptor Interactive(string clientId, string type, string redirect) =>
        new()
        {
            ClientId = clientId,
            ApplicationType = type,
            ClientType = ClientTypes.Public,
            ConsentType = ConsentTypes.Implicit,
            RedirectUris = { new Uri(redirect) },
            Permissions =
            {
                OpenIddictConstants.Permissions.Endpoints.Authorization,
                OpenIddictConstants.Permissions.Endpoints.Token,
                OpenIddictConstants.Permissions.GrantTypes.AuthorizationCode,
                OpenIddictConstants.Permissions.ResponseTypes.Code,
            },
            Requirements = { Requirements.Features.ProofKeyForCodeExchange },
        };

    private OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication> Manager(
        WriteSession session,
        IMemoryCache memory
    )
    {
        var context = new OpenIddictEntityFrameworkCoreContext<GovernanceDb>(session.Db);
        var store = new OpenIddictEntityFrameworkCoreApplicationStore(memory, context, storage);
        var cache = new OpenIddictApplicationCache<OpenIddictEntityFrameworkCoreApplication>(core, store);
        return new OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>(cache, logger, core, store);
    }
}
