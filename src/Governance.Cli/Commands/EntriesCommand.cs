using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Cli.Server;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Cli.Commands;

/// <summary><c>govern audit entries</c> and <c>govern audit prove</c>: reading the log, which is itself logged.</summary>
internal static class EntriesCommand
{
    private const int MaxPage = 200;
    private const int MaxHashes = 63;

    private static readonly Option<string?> Subject = Filter(
        "--subject",
        "urn",
        "Only what is about this, e.g. version:income/2."
    );
    private static readonly Option<string?> Kind = Filter(
        "--kind",
        "prefix",
        "Only kinds that start with this, e.g. promotion."
    );
    private static readonly Option<string?> Actor = Filter("--actor", "pseudonym", "Only what this actor did.");
    private static readonly Option<string?> Outcome = Filter("--outcome", "done|refused|begun", "Only what ended so.");

    private static readonly Option<int> First = new("--first")
    {
        Description = "Most entries, newest first, 1-100000.",
        HelpName = "count",
        DefaultValueFactory = _ => 50,
    };

    private static readonly Option<string> Format = Shared.Format("text", "jsonl");

    private static readonly Argument<Guid> Entry = new("entry") { Description = "Id of the entry." };

    private static readonly Failure OtherEntry = Failure.Conflict(
        "audit.other_entry",
        "The server proved an entry of its log, but another one than was asked for."
    );

    private static readonly Option<string> Out = Shared.RequiredFile("--out", "Where the proof is written.");

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "entries",
            "Lists entries of the log, newest first. Needs audit:read on everything, and is itself logged.",
            "govern audit entries --server https://localhost:8443 --ca ca.pem --kind promotion. --outcome refused --first 20"
        )
        {
            Subject,
            Kind,
            Actor,
            Outcome,
            First,
            Format,
        }
            .WithServer()
            .Runs(surroundings, ListAsync);

    public static Command CreateProve(Surroundings surroundings, Option<string> root) =>
        new Verb(
            "prove",
            "Writes the proof of an entry, which govern verify checks offline. Needs audit:read on everything.",
            "govern audit prove 019abf1e-9f3a-7c00-8000-1a2b3c4d5e6f --server https://localhost:8443 --ca ca.pem --trusted-root trusted_root.json --out entry.json"
        )
        {
            Entry,
            root,
            Out,
        }
            .WithServer()
            .Runs(surroundings, run => ProveAsync(run, root));

    private static Option<string?> Filter(string name, string helpName, string description) =>
        new(name) { Description = description, HelpName = helpName };

    private static async Task<int> ListAsync(Invocation run)
    {
        var left = run.Get(First);
        if (left is < 1 or > 100_000)
        {
            throw Stop.Usage("--first is 1 to 100000.");
        }

        var filters = string.Concat(
            new[] { ("subject", Subject), ("kind", Kind), ("actor", Actor), ("outcome", Outcome) }.Select(filter =>
                run.Get(filter.Item2) is { } value ? $"&{filter.Item1}={Uri.EscapeDataString(value)}" : ""
            )
        );
        using var gateway = ServerOptions.Connect(run);
        string? after = null;
        while (left > 0)
        {
            var page = await gateway.ReadAsync(
                $"/api/v1/audit/entries?first={Math.Min(left, MaxPage)}{filters}{(after is null ? "" : $"&after={Uri.EscapeDataString(after)}")}",
                run.Cancelled
            );
            foreach (var view in Entries(page))
            {
                Say(run, view);
                left--;
            }

            after = Text(page["nextToken"]);
            if (after is null)
            {
                break;
            }
        }

        return Exit.Fine;
    }

    private static void Say(Invocation run, JsonObject view)
    {
        if (run.IsJson(Format))
        {
            run.Say(view);
            return;
        }

        var entry = CanonicalJson.TryParse(Encoding.UTF8.GetBytes(Text(view["entry"]) ?? "")) as JsonObject;
        run.Say(
            $"{view["position"]?.ToJsonString() ?? "-"} {Text(view["id"])} {Text(entry?["at"])} {Text(entry?["kind"])} "
                + $"{Text(entry?["outcome"])} {Text(entry?["subject"])} by {Text(entry?["actor"]?["id"])}"
                + (Text(view["erasedBy"]) is { } erasure ? $", salt erased by {erasure}" : "")
        );
    }

    private static async Task<int> ProveAsync(Invocation run, Option<string> root)
    {
        using var gateway = ServerOptions.Connect(run);
        return await WriteProofAsync(run, gateway, run.Get(Entry), root, Out, _ => true);
    }

    /// <summary>Fetches the proof of an entry, and writes it once it verified, is of that entry, and says what was asked for.</summary>
    public static async Task<int> WriteProofAsync(
        Invocation run,
        GatewayClient gateway,
        Guid id,
        Option<string> root,
        Option<string> to,
        Func<JsonObject, bool> says
    )
    {
        var trusted = InputFile.Read(run.Need(root), InputFile.Small);
        var keys = TrustedRootFile.LogVerifierKeys(trusted).OrStop();
        var page = await gateway.ReadAsync($"/api/v1/audit/entries?id={id}", run.Cancelled);
        var view =
            Entries(page).SingleOrDefault()
            ?? throw new Stop(Exit.Refused, Failure.NotFound("audit.no_proof", "No sequenced entry has that id."));
        if (view["salt"] is null && Text(view["erasedBy"]) is { } erasure)
        {
            throw new Stop(
                Exit.Refused,
                Failure.Conflict(
                    "audit.erased",
                    $"The salt of this entry was erased, with entry {erasure}: its leaf is in the log, but what it says cannot be proven any more."
                )
            );
        }

        var proof = Proof(await gateway.ReadAsync($"/api/v1/audit/entries/{id}/proof", run.Cancelled));
        if (
            proof is null
            || Text(view["entry"]) is not { } canonical
            || StrictBase64.TryDecode(Text(view["salt"]) ?? "!") is not { } salt
        )
        {
            throw new Stop(
                Exit.Unusable,
                Failure.Invalid("server.bad_answer", "The server's answer is not what a gateway answers.")
            );
        }

        // The key is the trusted root's, never the server's: what does not verify is not written.
        Failure? failure = null;
        foreach (var key in keys)
        {
            var document = CanonicalJson.Serialize(ReceiptVerifier.ComposeEntry(canonical, salt, proof, key));
            var verified = ReceiptVerifier.VerifyEntry(document, trusted);
            if (verified.Ok)
            {
                if (Text(verified.Value.Entry["id"]) != id.ToString() || !says(verified.Value.Entry))
                {
                    throw new Stop(Exit.Refused, OtherEntry);
                }

                OutputFile.Write(run.Need(to), document);
                run.Say($"Entry {id} is number {verified.Value.LeafIndex} of the log; the proof is in {run.Need(to)}.");
                return Exit.Fine;
            }

            failure ??= verified.Failure;
        }

        throw failure is null
            ? Stop.Unusable("no_log_key", "The trusted root lists no log.")
            : new Stop(Exit.Refused, failure);
    }

    private static IEnumerable<JsonObject> Entries(JsonObject page) =>
        page["entries"] is JsonArray items ? items.OfType<JsonObject>() : [];

    private static InclusionProof? Proof(JsonObject json)
    {
        if (
            json["leafIndex"] is not JsonValue index
            || !index.TryGetValue<long>(out var leafIndex)
            || !Digest.TryParse(Text(json["leafHash"]), out var leafHash)
            || json["hashes"] is not JsonArray { Count: <= MaxHashes } hashes
            || Text(json["checkpoint"]) is not { } checkpoint
        )
        {
            return null;
        }

        var parsed = new List<Digest>();
        foreach (var hash in hashes)
        {
            if (!Digest.TryParse(Text(hash), out var digest))
            {
                return null;
            }

            parsed.Add(digest);
        }

        return new InclusionProof(leafIndex, leafHash, parsed, checkpoint);
    }

    private static string? Text(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
