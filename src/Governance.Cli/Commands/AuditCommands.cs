using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Cli.Server;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Cli.Commands;

/// <summary><c>govern audit verify</c>: audits the log from its published tiles, without trusting the server.</summary>
internal static class AuditCommands
{
    private const int MaxCheckpoint = 64 << 10;

    private static readonly Option<string> Root = Shared.RequiredFile(
        "--trusted-root",
        "trusted_root.json, obtained beforehand: the log's key is taken from it, never from the server."
    );

    private static readonly Option<string[]> Since = new("--since")
    {
        Description = "Checkpoints kept earlier; the log must extend each of them.",
        HelpName = "file",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string?> Keep = Shared.File(
        "--keep",
        "Checkpoint to keep: checked like --since if it is there, replaced by the newest once everything held."
    );

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new("audit", "Checks the tamper-evident log from outside.")
        {
            new Verb(
                "verify",
                "Rebuilds the log's tree from its tiles and compares it with its checkpoints, the kept ones included.",
                "govern audit verify --server https://localhost:8443 --ca ca.pem --trusted-root trusted_root.json --keep last.checkpoint"
            )
            {
                Root,
                Since,
                Keep,
                Format,
            }
                .WithServer()
                .Runs(surroundings, RunAsync),
        };

    private static async Task<int> RunAsync(Invocation run)
    {
        var keys = TrustedRootFile.LogVerifierKeys(InputFile.Read(run.Need(Root), InputFile.Small)).OrStop();
        var kept = run.Get(Since)!.Select(path => InputFile.ReadText(path, MaxCheckpoint)).ToList();
        if (run.Get(Keep) is { } keepPath && File.Exists(keepPath))
        {
            kept.Add(InputFile.ReadText(keepPath, MaxCheckpoint));
        }

        using var gateway = ServerOptions.ConnectPublic(run);
        var newest = await gateway.FindAsync("/log/checkpoint", run.Cancelled) ?? [];
        var (audit, key) = await AuditAsync(gateway, newest, kept, keys, run.Cancelled);
        if (run.Get(Keep) is { } path)
        {
            OutputFile.Write(path, newest);
        }

        var origin = key.Split('+')[0];
        if (run.IsJson(Format))
        {
            run.Say(
                new JsonObject
                {
                    ["origin"] = origin,
                    ["size"] = audit.Size,
                    ["root"] = audit.Root.Hex,
                    ["checkpoints"] = audit.Checkpoints,
                }
            );
            return Exit.Fine;
        }

        run.Say($"Log {origin}: {audit.Size} entries, root {audit.Root}");
        run.Say("  ok  The newest checkpoint is signed by the log's key of the trusted root.");
        run.Say("  ok  Its root is the root of the published leaves, and every tile agrees.");
        run.Say(
            kept.Count == 0
                ? "  --  No kept checkpoint to compare with: a log that was set back would not show. Keep one with --keep."
                : $"  ok  Checkpoints kept earlier are prefixes of the same log: {kept.Count}."
        );
        run.Say("Verified.");
        return Exit.Fine;
    }

    // A log whose key was changed has several keys under one trusted root: the one that signed is the one that opens.
    private static async Task<(LogAudit Audit, string Key)> AuditAsync(
        GatewayClient gateway,
        byte[] newest,
        IReadOnlyList<string> kept,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken
    )
    {
        Task<byte[]?> FetchAsync(string path, CancellationToken token) =>
            path == "checkpoint" ? Task.FromResult<byte[]?>(newest) : gateway.FindAsync($"/log/{path}", token);

        Failure? failure = null;
        foreach (var key in keys)
        {
            var audit = await LogTreeAuditor.AuditAsync(FetchAsync, kept, key, cancellationToken);
            if (audit.Ok)
            {
                return (audit.Value, key);
            }

            failure = failure is null || failure.Code == "audit.bad_checkpoint" ? audit.Failure : failure;
        }

        throw failure is null
            ? Stop.Unusable("no_log_key", "The trusted root lists no log.")
            : new Stop(Exit.Refused, failure);
    }
}
