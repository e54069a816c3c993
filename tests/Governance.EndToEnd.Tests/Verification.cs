using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Signing.Contracts;
using Governance.Tests.Registry;

namespace Governance.EndToEnd.Tests;

/// <summary>What must hold after every restart. Collects every violation, not only the first.</summary>
internal sealed class Verification(
    People people,
    Ledger ledger,
    Workload workload,
    List<string> checkpoints,
    UpstreamProcess? upstream,
    CancellationToken cancellationToken
)
{
    private static readonly TimeSpan SettleWithin = TimeSpan.FromSeconds(150); // on PostgreSQL a dead gateway holds its jobs for a minute
    private readonly Api _dana = new(people, "dana", cancellationToken);
    private readonly Api _ada = new(people, "ada", cancellationToken);
    private readonly Api _admin = new(people, People.Admin, cancellationToken);
    private readonly HashSet<string> _filesUpstream = [];
    private readonly HashSet<string> _verifiedReceipts = [];
    private readonly HashSet<string> _verifiedVersions = [];
    private readonly Dictionary<string, JsonNode> _seen = [];
    private readonly List<string> _problems = [];
    private byte[] _trustedRoot = [];

    /// <summary>Every receipt that verified offline so far.</summary>
    public int Receipts => _verifiedReceipts.Count;

    /// <summary>Malicious versions that were looked at.</summary>
    public int Malicious { get; private set; }

    /// <summary>Every violation; none when all holds.</summary>
    public async Task<IReadOnlyList<string>> RunAsync()
    {
        _problems.Clear();
        _seen.Clear();
        _trustedRoot = await _ada.BytesAsync("/.well-known/governance/trusted_root.json") ?? [];
        await CheckLogAsync();
        var versions = await SettledVersionsAsync();
        foreach (var key in ledger.Keys.Order(StringComparer.Ordinal))
        {
            if (ledger.Check(key, await ReadAsync(key, versions)) is { } problem)
            {
                _problems.Add(problem);
            }
        }

        Malicious = 0;
        foreach (var version in versions)
        {
            Malicious += workload.IsMalicious(version["run_id"]!.ToString()) ? 1 : 0;
            await CheckVersionAsync(version);
        }

        await CheckMovesAsync(versions);
        if (upstream is not null)
        {
            await CheckUpstreamAsync(upstream);
        }

        await CheckLogAsync();
        return [.. _problems];
    }

    /// <summary>Keeps the newest checkpoint, as an outsider does; gives back its size.</summary>
    public async Task<long> KeepCheckpointAsync()
    {
        var note = Encoding.UTF8.GetString(await _ada.BytesAsync("/log/checkpoint") ?? []);
        checkpoints.Add(note);
        return long.Parse(note.Split('\n')[1], CultureInfo.InvariantCulture);
    }

    private async Task CheckLogAsync()
    {
        var keys = TrustedRootFile.LogVerifierKeys(_trustedRoot);
        var audited = await LogTreeAuditor.AuditAsync(
            (path, _) => _ada.BytesAsync($"/log/{path}"),
            checkpoints,
            keys.Value[0],
            cancellationToken
        );
        if (!audited.Ok)
        {
            _problems.Add($"log: {audited.Failure.Code}");
        }

        await KeepCheckpointAsync();
    }

    // Pending jobs finish: no version stays pending.
    private async Task<List<JsonNode>> SettledVersionsAsync()
    {
        var until = DateTime.UtcNow + SettleWithin;
        while (true)
        {
            var found = (
                await _dana.GetAsync($"model-versions/search?filter=name%3D'{Workload.Model}'&max_results=1000")
            ).Expect();
            var versions = found.Body["model_versions"]?.AsArray().OfType<JsonNode>().ToList() ?? [];
            var pending = versions
                .Where(version => version["status"]!.ToString() == "PENDING_REGISTRATION")
                .Select(version => version["version"]!.ToString())
                .ToList();
            if (pending.Count == 0)
            {
                return versions;
            }

            if (DateTime.UtcNow > until)
            {
                _problems.Add($"versions {string.Join(", ", pending)} are still pending");
                return versions;
            }

            await Task.Delay(50, cancellationToken);
        }
    }

    private async Task<string?> ReadAsync(string key, List<JsonNode> versions)
    {
        var parts = key.Split(':', 3);
        var (kind, id) = (parts[0], parts[1]);
        return kind switch
        {
            "dataset" => await ScannedAsync(id),
            "status" => Text(await RunAsync(id), "info", "status"),
            "input" => (await RunAsync(id))["inputs"]?["dataset_inputs"]?[0]?["dataset"]?["source"]?.ToString(),
            "param" => Labelled((await RunAsync(id))["data"]?["params"], parts[2]),
            "metric" => Labelled((await RunAsync(id))["data"]?["metrics"], parts[2]),
            "tag" => Labelled((await RunAsync(id))["data"]?["tags"], parts[2]),
            "file" => await _dana.ArtifactAsync(key["file:".Length..]) is { } bytes ? Digest.Of(bytes).Hex : null,
            "registered" => versions.Count(version => version["run_id"]?.ToString() == id) is > 0 and var count
                ? $"{count}"
                : null,
            "run-of" => Find(versions, id)?["run_id"]?.ToString(),
            "version-tag" => Labelled(Find(versions, id)?["tags"], parts[2]),
            "stage" => Find(versions, id)?["current_stage"]?.ToString() is { } stage and not "None" ? stage : null,
            "alias" => await AliasAsync(id),
            "model-tag" => Labelled((await ModelAsync(Workload.Model))?["tags"], id),
            "there" => await IsThereAsync(id, parts[2]) ? "yes" : "no",
            "key" => await KeyAsync(id),
            "erased" => await ErasedAsync(id),
            "request" => (await RequestAsync(id))?["state"]?.ToString(),
            "approvals" => (await RequestAsync(id))?["approvals"]?.AsArray().Count is > 0 and var count
                ? $"{count}"
                : null,
            _ => throw new InvalidOperationException($"Unknown fact {key}."),
        };
    }

    // Each key but the first has its entry.
    private async Task<string> KeyAsync(string name)
    {
        var number = (await workload.KeysAsync())[name];
        var replaced = (await EntriesAsync($"kind=signing.key_rotated&subject=key:{name}")).Count;
        if (replaced != number - 1)
        {
            _problems.Add($"key {name} has number {number}, and {replaced} entries say that it was replaced");
        }

        return $"{number}";
    }

    // What was confirmed is carried out; of what was said before, nobody can compute a leaf any more.
    private async Task<string?> ErasedAsync(string person)
    {
        var until = DateTime.UtcNow + SettleWithin;
        string state;
        while (
            (state = (await _admin.ApiGetAsync($"/api/v1/subjects/{person}/erasure")).Expect().Text("state")) == "begun"
        )
        {
            if (DateTime.UtcNow > until)
            {
                return state;
            }

            await Task.Delay(50, cancellationToken);
        }

        if (state != "done")
        {
            return null;
        }

        var entries = (await _ada.ApiGetAsync($"/api/v1/audit/entries?subject=subject:{person}&first=200")).Expect();
        var all = entries.Body["entries"]!.AsArray();
        var kinds = all.Select(entry => JsonNode.Parse(entry!["entry"]!.ToString())!["kind"]!.ToString()).ToList();
        var readable = all.Count(entry => entry!["salt"] is not null && entry["erasedBy"] is not null);
        var gone = all.Count(entry => entry!["salt"] is null && entry["erasedBy"] is not null);
        if (kinds.Count(kind => kind == "identity.erased") != 1 || gone == 0 || readable > 0)
        {
            _problems.Add($"{person} was erased: {string.Join(' ', kinds)}, {gone} salts gone");
        }

        return state;
    }

    // Null when there is no such dataset; a pending scan finishes.
    private async Task<string?> ScannedAsync(string sha256)
    {
        var until = DateTime.UtcNow + SettleWithin;
        while (true)
        {
            var data = await _dana.GraphQlAsync($"{{dataset(sha256:\"{sha256}\"){{scanState}}}}");
            var state = data["dataset"]?["scanState"]?.ToString();
            if (state is not "PENDING" || DateTime.UtcNow > until)
            {
                return state;
            }

            await Task.Delay(50, cancellationToken);
        }
    }

    private static JsonNode? Find(List<JsonNode> versions, string number) =>
        versions.SingleOrDefault(version => version["version"]!.ToString() == number);

    private async Task<JsonNode> RunAsync(string id) =>
        await OnceAsync(
            $"runs/get?run_id={id}",
            async path => (await _dana.GetAsync(path)).Body["run"] ?? new JsonObject()
        );

    private Task<JsonNode> DataAsync(string query) => OnceAsync(query, _dana.GraphQlAsync);

    private async Task<JsonNode?> RequestAsync(string id) =>
        (await DataAsync($"{{request(id:\"{id}\"){{state approvals{{approves}}}}}}"))["request"];

    private async Task<JsonNode?> ModelAsync(string name) =>
        (await OnceAsync($"registered-models/get?name={name}", async path => (await _dana.GetAsync(path)).Body))[
            "registered_model"
        ];

    private async Task<bool> IsThereAsync(string model, string what) =>
        what switch
        {
            "model" => await ModelAsync(model) is not null,
            "alias" => (await ModelAsync(model))?["aliases"]?.AsArray().Count > 0,
            _ => (await _dana.GetAsync($"model-versions/get?name={model}&version=1")).Status == HttpStatusCode.OK,
        };

    private async Task<string?> AliasAsync(string alias)
    {
        var model = await ModelAsync(Workload.Model);
        return model
            ?["aliases"]?.AsArray()
            .SingleOrDefault(item => item!["alias"]!.ToString() == alias)
            ?["version"]?.ToString();
    }

    private async Task<JsonNode> OnceAsync(string what, Func<string, Task<JsonNode>> fetch)
    {
        if (!_seen.TryGetValue(what, out var node))
        {
            node = _seen[what] = await fetch(what);
        }

        return node;
    }

    // A version is visible only whole: every file with the right bytes, and every kind of evidence once.
    private async Task CheckVersionAsync(JsonNode version)
    {
        var number = version["version"]!.ToString();
        var run = version["run_id"]!.ToString();
        var malicious = workload.IsMalicious(run);
        var expected = malicious ? "FAILED_REGISTRATION" : "READY";
        if (version["status"]!.ToString() is var status && status != expected)
        {
            _problems.Add($"version {number}: {status}, not {expected}: {version["status_message"]}");
        }

        if (!_verifiedVersions.Add(number))
        {
            return;
        }

        var ready = await EntriesAsync($"kind=registry.version_ready&subject=version:{Workload.Model}/{number}");
        if (malicious)
        {
            await CheckRefusedAsync(version, number, ready.Count);
            return;
        }

        var uri = (
            await _dana.GetAsync($"model-versions/get-download-uri?name={Workload.Model}&version={number}")
        ).Text("artifact_uri");
        var root = uri.Replace("mlflow-artifacts:/", "", StringComparison.Ordinal).TrimStart('/');
        foreach (var (path, bytes) in workload.FilesOf(run))
        {
            var served = await _dana.ArtifactAsync($"{root}/{path}");
            if (served is null || !served.AsSpan().SequenceEqual(bytes))
            {
                _problems.Add($"version {number}: {path} is {(served is null ? "missing" : "altered")}");
            }
        }

        var missing = 5 - await workload.EvidenceAsync(number);
        if (missing != 0)
        {
            _problems.Add($"version {number}: {missing} kinds of evidence are missing");
        }

        if (ready.Count != 1)
        {
            _problems.Add($"version {number}: {ready.Count} entries say that it became READY");
        }
    }

    // A malicious model names what it would do, never was READY, was never signed, and goes nowhere.
    private async Task CheckRefusedAsync(JsonNode version, string number, int ready)
    {
        if (version["status_message"]?.ToString().Contains("system", StringComparison.Ordinal) != true)
        {
            _problems.Add($"version {number} does not name the import: {version["status_message"]}");
        }

        var failed = await EntriesAsync($"kind=registry.version_failed&subject=version:{Workload.Model}/{number}");
        if (ready != 0 || failed.Count != 1)
        {
            _problems.Add($"version {number} is malicious: {ready} entries say READY, {failed.Count} say FAILED");
        }

        if (await _dana.BytesAsync($"/api/v1/models/{Workload.Model}/versions/{number}/bundle") is not null)
        {
            _problems.Add($"version {number} is malicious and signed");
        }

        if (!await workload.IsRefusedAsync(number))
        {
            _problems.Add($"version {number} is malicious and may be moved");
        }
    }

    // State and log agree: replaying the log's moves gives the stages and aliases, each by its own decision and with a receipt.
    private async Task CheckMovesAsync(List<JsonNode> versions)
    {
        var stages = new Dictionary<string, string>();
        var aliases = new Dictionary<string, string>();
        var decisions = new HashSet<string>();
        var moves = await MovesAsync("registry.moved");
        moves.Reverse();
        foreach (var entry in moves)
        {
            var number = entry["subject"]!.ToString().Split('/')[^1];
            var move = entry["details"]!["move"]!.ToString().Split(':', 2);
            (move[0] == "stage" ? stages : aliases)[move[0] == "stage" ? number : move[1]] =
                move[0] == "stage" ? move[1] : number;
            if (!decisions.Add(entry["details"]!["decision"]!.ToString()))
            {
                _problems.Add($"decision {entry["details"]!["decision"]} was used twice");
            }
        }

        foreach (var version in versions)
        {
            var number = version["version"]!.ToString();
            var logged = stages.GetValueOrDefault(number, "None");
            if (version["current_stage"]!.ToString() != logged)
            {
                _problems.Add($"version {number} is in {version["current_stage"]}, its log says {logged}");
            }
        }

        foreach (var (alias, number) in aliases)
        {
            if (await AliasAsync(alias) is var held && held != number)
            {
                _problems.Add($"alias {alias} is on {held}, its log says {number}");
            }
        }

        // A free alias moves by right alone; every move that policy decided has its receipt.
        var decided = moves.Count(entry =>
            entry["details"]!["move"]!.ToString().StartsWith("stage:", StringComparison.Ordinal)
        );
        var receipts = 0;
        foreach (var version in versions)
        {
            var number = version["version"]!.ToString();
            var address = $"/api/v1/models/{Workload.Model}/versions/{number}/receipts";
            var list = (await _ada.ApiGetAsync(address)).Expect().Body["receipts"]!.AsArray();
            receipts += list.Count;
            foreach (var id in list.Select(id => id!.ToString()).Where(id => !_verifiedReceipts.Contains(id)))
            {
                await CheckReceiptAsync($"{address}/{id}", id);
            }
        }

        var carriedOut = (await MovesAsync("promotion.carried_out")).Count;
        if (receipts != decided || carriedOut != decided)
        {
            _problems.Add($"{decided} moves are logged, {carriedOut} carried out, {receipts} receipts");
        }
    }

    private async Task<List<JsonNode>> MovesAsync(string kind) =>
        (await EntriesAsync($"kind={kind}")).FindAll(entry =>
            entry["subject"]!.ToString().StartsWith($"version:{Workload.Model}/", StringComparison.Ordinal)
        );

    private async Task CheckReceiptAsync(string address, string id)
    {
        // Complete once its entry is sequenced, a second at most.
        byte[]? receipt = null;
        for (var i = 0; i < 50 && receipt is null; i++)
        {
            receipt = await _ada.BytesAsync(address);
            await Task.Delay(receipt is null ? 100 : 0, cancellationToken);
        }

        var verified = ReceiptVerifier.Verify(receipt, _trustedRoot);
        if (verified.Ok)
        {
            _verifiedReceipts.Add(id);
        }
        else
        {
            _problems.Add($"receipt {id}: {verified.Failure.Code}");
        }
    }

    // Upstream says what is here and nothing else, every intent has one outcome, and nobody was taken for somebody who went around.
    private async Task CheckUpstreamAsync(UpstreamProcess server)
    {
        await MadeAsync();
        var experiments = await SameAsync(server, "experiments", "experiments/search", new() { ["max_results"] = 100 });
        var ids = new JsonArray([.. experiments.Select(one => JsonValue.Create(one["experiment_id"]!.ToString()))]);
        await SameAsync(server, "runs", "runs/search", In(ids));
        await SameAsync(server, "models", "logged-models/search", In(ids));
        await SameAsync(server, "registered_models", "registered-models/search?max_results=1000", null);
        await SameAsync(server, "model_versions", "model-versions/search?max_results=1000", null);
        var files = ledger.Keys.Where(key => key.StartsWith("file:", StringComparison.Ordinal));
        foreach (var key in files.Where(key => ledger[key] is not null && !_filesUpstream.Contains(key)))
        {
            var bytes = await server.FileAsync(key["file:".Length..], cancellationToken);
            if (bytes is not null && Digest.Of(bytes).Hex == ledger[key])
            {
                _filesUpstream.Add(key);
            }
            else
            {
                _problems.Add($"{key} is {(bytes is null ? "not" : "altered")} upstream");
            }
        }

        var intended = (await EntriesAsync("kind=upstream.intended")).Select(Subject).ToList();
        var ended = new List<string>();
        foreach (var outcome in new[] { "done", "failed", "undone", "not_made" })
        {
            ended.AddRange((await EntriesAsync($"kind=upstream.{outcome}")).Select(Subject));
        }

        ended.RemoveAll(subject => !subject.StartsWith("intent:", StringComparison.Ordinal));
        if (!intended.Order(StringComparer.Ordinal).SequenceEqual(ended.Order(StringComparer.Ordinal)))
        {
            _problems.Add(
                $"intents without an outcome: {string.Join(", ", intended.Except(ended))}; {ended.Count} outcomes of {intended.Count}"
            );
        }

        foreach (var kind in new[] { "upstream.drift", "registry.version_quarantined" })
        {
            _problems.AddRange((await EntriesAsync($"kind={kind}")).Select(entry => entry.ToJsonString()));
        }

        static string Subject(JsonNode entry) => entry["subject"]!.ToString();

        static JsonObject In(JsonArray experiments) =>
            new() { ["experiment_ids"] = experiments.DeepClone(), ["max_results"] = 1000 };
    }

    private async Task MadeAsync()
    {
        var until = DateTime.UtcNow + SettleWithin;
        while (true)
        {
            var state = (await _admin.ApiGetAsync("/api/v1/upstream")).Expect();
            if (state.Text("pending") == "0" && state.Text("intents") == "0" && state.Text("adopted") == "true")
            {
                return;
            }

            if (DateTime.UtcNow > until)
            {
                _problems.Add($"upstream does not follow: {state.Body.ToJsonString()}");
                return;
            }

            await Task.Delay(50, cancellationToken);
        }
    }

    private async Task<List<JsonNode>> SameAsync(UpstreamProcess server, string member, string route, JsonObject? body)
    {
        var here = Items((body is null ? await _ada.GetAsync(route) : await _ada.PostAsync(route, body)).Expect().Body);
        var there = Items(await server.AskAsync(route, body, cancellationToken));
        _problems.AddRange(here.Keys.Except(there.Keys).Select(one => $"{member}: upstream has not {one}"));
        _problems.AddRange(there.Keys.Except(here.Keys).Select(one => $"{member}: only upstream has {one}"));
        return [.. here.Values];

        Dictionary<string, JsonNode> Items(JsonNode answer) =>
            (UpstreamPair.Plain(answer)[member]?.AsArray() ?? []).ToDictionary(one => one!.ToJsonString(), one => one!);
    }

    /// <summary>Entries, newest first.</summary>
    private async Task<List<JsonNode>> EntriesAsync(string filter)
    {
        var entries = new List<JsonNode>();
        var after = "";
        do
        {
            var page = await _ada.ApiGetAsync($"/api/v1/audit/entries?{filter}&first=200{after}");
            if (page.Status != HttpStatusCode.OK)
            {
                _problems.Add($"log entries {filter}: {page.Body.ToJsonString()}");
                break;
            }

            entries.AddRange(
                page.Body["entries"]!.AsArray().Select(entry => JsonNode.Parse(entry!["entry"]!.ToString())!)
            );
            after = page.Text("nextToken") is { Length: > 0 } token ? $"&after={Uri.EscapeDataString(token)}" : "";
        } while (after.Length > 0);

        return entries;
    }

    private static string? Labelled(JsonNode? labels, string key) =>
        labels?.AsArray().SingleOrDefault(label => label!["key"]!.ToString() == key)?["value"]?.ToString();

    private static string? Text(JsonNode node, string first, string second) => node[first]?[second]?.ToString();
}
