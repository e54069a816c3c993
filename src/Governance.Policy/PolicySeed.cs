using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Policy.Engine;
using Governance.Policy.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Governance.Policy;

/// <summary>
/// Seeds an empty data directory from the policies directory (log entry <c>policy.genesis</c>). Later a file that differs from
/// the policy in force is ignored with a warning: it can be proposed, not slipped in.
/// </summary>
public sealed partial class PolicySeed
{
    private readonly IWriter _writer;
    private readonly PlatformOptions _options;
    private readonly ILogger<PolicySeed> _logger;

    /// <summary>Made by dependency injection.</summary>
    public PolicySeed(IWriter writer, PlatformOptions options, ILogger<PolicySeed> logger)
    {
        _writer = writer;
        _options = options;
        _logger = logger;
    }

    /// <summary>Runs at start, before anything is served. Throws <see cref="PolicySyntaxException"/> for a bad file on an empty directory.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await SeedAsync(PolicyTexts.Promotion, cancellationToken);
        await SeedAsync(PolicyTexts.Signers, cancellationToken);
        // The privacy module reads its own grammar when it starts, and stops the start when it cannot.
        await SeedAsync("privacy", cancellationToken);
    }

    private async Task SeedAsync(string name, CancellationToken cancellationToken)
    {
        var text = await File.ReadAllTextAsync(
            Path.Combine(_options.PoliciesDirectory, $"{name}.yaml"),
            cancellationToken
        );
        var digest = Digest.Of(text);
        var result = await _writer.WriteAsync<Digest>(
            async (session, token) =>
            {
                var active = await session.Db.Set<PolicyRow>().InForce(name, session.Now).FirstOrDefaultAsync(token);
                if (active is not null)
                {
                    return active.Digest;
                }

                if (PolicyTexts.Has(name))
                {
                    PolicyTexts.Check(name, text);
                }

                session.Db.Add(
                    new PolicyRow
                    {
                        Name = name,
                        Text = text,
                        Digest = digest,
                        Editor = Actor.System.Id,
                        ActiveFrom = session.Now,
                    }
                );
                await session.LogAsync(
                    new LogEntry("policy.genesis", Actor.System, $"policy:{name}", LogOutcome.Done)
                    {
                        Details = new JsonObject { ["sha256"] = digest.Hex },
                    },
                    token
                );
                return digest;
            },
            cancellationToken
        );
        if (result.Value != digest)
        {
            FileIgnored(_logger, name);
        }
    }

    [LoggerMessage(
        6000,
        LogLevel.Warning,
        "The file of policy {Policy} differs from the policy in force and is ignored; propose it to change the policy"
    )]
    private static partial void FileIgnored(ILogger logger, string policy);
}
