using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Cli.Server;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Cli.Commands;

/// <summary><c>govern audit</c>: audits the log from its published tiles, without trusting the server; reads it; proves entries.</summary>
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

    private static readonly Option<bool> NewOnly = new("--new-only")
    {
        Description = "Read only what came after the largest checkpoint of --since and --keep.",
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new("audit", "Checks the tamper-evident log from outside, and reads it.")
        {
            EntriesCommand.Create(surroundings),
            EntriesCommand.CreateProve(surroundings, Root),
            new Verb(
                "verify",
                "Rebuilds the log's tree from its tiles and compares it with its checkpoints, the kept ones included.",
                "govern audit verify --server https://localhost:8443 --ca ca.pem --trusted-root trusted_root.json --keep last.checkpoint",
                "govern audit verify --server https://localhost:8443 --ca ca.pem --trusted-root trusted_root.json --witness VKEY"
            )
            {
                Root,
                Since,
                Keep,
                NewOnly,
                Format,
            }
                .WithWitnesses()
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

        var newOnly = run.Get(NewOnly);
        if (newOnly && kept.Count == 0)
        {
            throw Stop.Unusable(
                "nothing_kept",
                "--new-only goes on from a kept checkpoint: give one with --since or --keep."
            );
        }

        using var gateway = ServerOptions.ConnectPublic(run);
        // Before the newest one, which then has all that was cosigned.
        var (cosigned, witnessed) = await WitnessedAsync(run, gateway);
        var newest = await gateway.FindAsync("/log/checkpoint", run.Cancelled) ?? [];
        var (audit, key) = await AuditAsync(
            gateway,
            newest,
            newOnly ? kept : [],
            newOnly ? cosigned : [.. kept, .. cosigned],
            keys,
            run.Cancelled
        );
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
                    ["witnesses"] = new JsonArray([.. witnessed.Select(line => (JsonNode)line)]),
                }
            );
            return Exit.Fine;
        }

        run.Say($"Log {origin}: {audit.Size} entries, root {audit.Root}");
        run.Say("  ok  The newest checkpoint is signed by the log's key of the trusted root.");
        run.Say(
            newOnly
                ? "  ok  Its root is the root of the largest kept one and the leaves published since, and their tiles agree."
                : "  ok  Its root is the root of the published leaves, and every tile agrees."
        );
        run.Say(
            kept.Count == 0
                ? "  --  No kept checkpoint to compare with: a log that was set back would not show. Keep one with --keep."
                : $"  ok  Checkpoints kept earlier are prefixes of the same log: {kept.Count}."
        );
        foreach (var line in witnessed)
        {
            run.Say($"  {(cosigned.Count == 0 ? "--" : "ok")}  {line}");
        }

        run.Say("Verified.");
        return Exit.Fine;
    }

    // The checkpoint that witnesses cosigned is mostly a moment older than the newest: it must be of the same tree.
    private static async Task<(IReadOnlyList<string> Checkpoint, IReadOnlyList<string> Lines)> WitnessedAsync(
        Invocation run,
        GatewayClient gateway
    )
    {
        if (!Witnesses.AreAsked(run))
        {
            return ([], Witnesses.Check(run, ""));
        }

        var served = await gateway.FindAsync("/log/checkpoint/cosigned", run.Cancelled);
        var note = served is null ? "" : System.Text.Encoding.UTF8.GetString(served);
        var lines = Witnesses.Check(run, note);
        return ([note], [.. lines, $"That checkpoint covers the first {note.Split('\n')[1]} entries."]);
    }

    // A log whose key was changed has several keys under one trusted root: the one that signed is the one that opens.
    private static async Task<(LogAudit Audit, string Key)> AuditAsync(
        GatewayClient gateway,
        byte[] newest,
        IReadOnlyList<string> since,
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
            var audit = await LogTreeAuditor.AuditAsync(FetchAsync, since, kept, key, cancellationToken);
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
