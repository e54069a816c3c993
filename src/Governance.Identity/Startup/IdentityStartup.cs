using Governance.Identity.Access;
using Governance.Identity.Engine;
using Governance.Identity.Server;
using Governance.Identity.SignIn;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Startup;

/// <summary>Before the first request: keys are made or read, roles are seeded or read, the built-in clients registered, set-up opened when nobody exists.</summary>
internal sealed partial class IdentityStartup(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    SubjectReader reader,
    SubjectStore subjects,
    Clients clients,
    ServerKeys keys,
    SetupCode setup,
    PlatformOptions platform,
    IOptions<IdentityOptions> options,
    ILogger<IdentityStartup> logger
) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await keys.KeepAsync(cancellationToken);
        await SeedRolesAsync(cancellationToken);
        WarnOfIssuers();
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            await reader.RolesAsync(db, cancellationToken);
        }

        var registered = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await clients.RegisterBuiltInAsync(session, token);
                return default(Unit);
            },
            cancellationToken
        );
        _ = registered.Value;
        if (!options.Value.Demo && !await subjects.AnyPersonAsync(cancellationToken))
        {
            // The console, not the log: whoever reads logs must not be able to become the administrator.
            await Console.Out.WriteLineAsync(
                $"Set-up code, for {platform.PublicUrl}/setup, valid until used or restarted: {setup.Open()}"
            );
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // Both are safe, and hardly what was meant.
    private void WarnOfIssuers()
    {
        foreach (var issuer in options.Value.Issuers)
        {
            var proves = issuer.InteractiveAcr.Length + issuer.InteractiveAmr.Length > 0;
            if (issuer.ClientId.Length > 0 && !proves)
            {
                LogNobodySignsIn(issuer.Name);
            }

            if (issuer.Audience.Length > 0 && proves && issuer.Clients.Length == 0)
            {
                LogNobodyByToken(issuer.Name);
            }
        }
    }

    private async Task SeedRolesAsync(CancellationToken cancellationToken)
    {
        var path = Path.Combine(platform.PoliciesDirectory, "roles.yaml");
        var text = File.Exists(path) ? await File.ReadAllTextAsync(path, cancellationToken) : null;
        var parsed = text is null ? (Result<RolePolicy>?)null : RoleFile.Parse(text);
        if (parsed is { Ok: false } broken)
        {
            throw new InvalidOperationException(broken.Failure.Message);
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var active = await db.Set<RoleTextRow>()
            .OrderByDescending(row => row.Id)
            .Select(row => row.Digest)
            .FirstOrDefaultAsync(cancellationToken);
        if (active is not null)
        {
            if (text is not null && Digest.Of(text).Hex != active)
            {
                LogRolesDiffer(active[..12]);
            }

            return;
        }

        if (text is null)
        {
            throw new InvalidOperationException("policies/roles.yaml is missing and the database holds no roles yet.");
        }

        var seeded = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (await session.Db.Set<RoleTextRow>().AnyAsync(token))
                {
                    return default(Unit); // another gateway was quicker
                }

                var digest = Digest.Of(text).Hex;
                session.Db.Add(
                    new RoleTextRow
                    {
                        Id = Guid.CreateVersion7(session.Now),
                        Text = text,
                        Digest = digest,
                        CreatedAt = session.Now,
                    }
                );
                await session.LogAsync(
                    new LogEntry("policy.genesis", Actor.System, "policy:roles", LogOutcome.Done)
                    {
                        Details = new() { ["sha256"] = digest },
                    },
                    token
                );
                foreach (var group in parsed!.Value.Value.Groups)
                {
                    await SeedGroupAsync(session, group, token);
                }

                return default(Unit);
            },
            cancellationToken
        );
        _ = seeded.Value;
    }

    private static async Task SeedGroupAsync(
        WriteSession session,
        GroupDefinition group,
        CancellationToken cancellationToken
    )
    {
        var added = (
            await GroupStore.AddAsync(session, Actor.System, group.Name, group.External, cancellationToken)
        ).Value;
        foreach (var grant in group.Grants)
        {
            await GrantStore.AddAsync(session, Actor.System, null, added.Id, grant, waits: false, cancellationToken);
        }
    }

    [LoggerMessage(
        3001,
        LogLevel.Warning,
        "policies/roles.yaml differs from the roles in force ({Digest}) and is ignored"
    )]
    private partial void LogRolesDiffer(string digest);

    [LoggerMessage(
        3004,
        LogLevel.Warning,
        "Nobody can sign in with the provider {Issuer}: it has a ClientId, and neither InteractiveAcr nor InteractiveAmr"
    )]
    private partial void LogNobodySignsIn(string issuer);

    [LoggerMessage(
        3005,
        LogLevel.Warning,
        "No access token of the provider {Issuer} acts as a person: it has InteractiveAcr or InteractiveAmr, and no Clients"
    )]
    private partial void LogNobodyByToken(string issuer);
}
