using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Compliance.Contracts;
using Governance.Gateway.Hosting;
using Governance.Kernel;
using Governance.Platform;
using Governance.Privacy.Demo;
using Governance.Scanning.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Gateway.Demo;

/// <summary>The whole way once, played by its people through the public interfaces; each step says what proved it.</summary>
internal sealed class DemoStory(DemoAccounts accounts, PlatformOptions options, DemoConsole console)
{
    private const string Model = "income";
    private readonly DemoClient _dana = new(accounts.Client("dana"));
    private readonly DemoClient _remy = new(accounts.Client("remy"));
    private readonly DemoClient _sam = new(accounts.Client("sam"));
    private readonly DemoClient _rita = new(accounts.Client("rita"));
    private readonly DemoClient _paul = new(accounts.Client("paul"));
    private readonly DemoClient _ada = new(accounts.Client("ada"));
    private readonly DemoClient _bot = new(accounts.Client("approval-bot"));
    private readonly List<string> _checkpoints = [];
    private byte[] _trustedRoot = [];
    private Digest _raw;
    private Digest _anonymised;
    private DemoTraining? _training;

    /// <summary>Plays every chapter; a chapter that breaks fails and the next ones are still tried.</summary>
    public async Task<bool> PlayAsync(CancellationToken cancellationToken)
    {
        (string Title, Func<CancellationToken, Task> Play)[] chapters =
        [
            ("A data scientist trains on a raw table of persons and registers version 1", RegisterAsync),
            ("Promotion to Production is refused, with reasons", RefuseAsync),
            ("The table is anonymised; version 2 goes to Production with another person's approval", PromoteAsync),
            ("A model with a malicious pickle is refused at registration", RefuseMaliceAsync),
            ("A byte of a stored artifact is flipped on disk", FlipByteAsync),
            ("What stands behind Production, and what does the raw table touch?", AskLineageAsync),
            ("A compliance report is exported and verified offline", ReportAsync),
            ("The log is checked from its tiles and checkpoints", CheckLogAsync),
        ];
        foreach (var (title, play) in chapters)
        {
            console.Chapter(title);
            try
            {
                await play(cancellationToken);
                await KeepCheckpointAsync();
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                console.Failed($"{exception.GetType().Name}: {exception.Message}");
            }
        }

        return console.AllHeld;
    }

    private async Task RegisterAsync(CancellationToken cancellationToken)
    {
        _trustedRoot = await _dana.BytesAsync("/.well-known/governance/trusted_root.json");
        var table = new StringWriter();
        InventedPersons.Write(table, 2000, seed: 20261122);
        var uploaded = await _dana.UploadAsync(
            HttpMethod.Post,
            "/api/v1/datasets?name=persons-raw&format=csv",
            Encoding.UTF8.GetBytes(table.ToString()),
            "text/csv"
        );
        _raw = Digest.Parse(uploaded.Text("sha256"));
        DemoConsole.Proof($"dataset persons-raw uploaded: 2,000 invented persons, sha256 {Short(_raw)}");
        await ScannedAsync(_raw);

        var experiment = await _dana.PostAsync("experiments/create", new JsonObject { ["name"] = "income" });
        _training = new DemoTraining(_dana, experiment.Text("experiment_id"));
        var version = await TrainAsync(Model, "raw", "persons-raw", _raw, ModelFiles());
        console.Check(
            version.Text("model_version", "status") == "READY",
            $"models:/{Model}/1 is {version.Text("model_version", "status")}"
        );
        await ShowEvidenceAsync(1, privacy: "FAILED");
    }

    private async Task RefuseAsync(CancellationToken cancellationToken)
    {
        var byScientist = await TransitionAsync(_dana, 1);
        console.Check(
            IsDenied(byScientist) && byScientist.Text("message").Contains("release-manager", StringComparison.Ordinal),
            "the data scientist Dana is refused:"
        );
        ShowReasons(byScientist, 1);
        var byManager = await TransitionAsync(_remy, 1);
        console.Check(
            IsDenied(byManager) && byManager.Text("message").Contains("email", StringComparison.Ordinal),
            "the release manager Remy has the role, and is refused too:"
        );
        ShowReasons(byManager, int.MaxValue);
    }

    private async Task PromoteAsync(CancellationToken cancellationToken)
    {
        var answer = await _dana.GraphQlAsync(
            "mutation($s:String!,$t:[ColumnTreatmentInput!]!){anonymiseDataset(sha256:$s,outputName:\"persons-anonymised\",treatments:$t){sha256}}",
            new JsonObject
            {
                ["s"] = _raw.Hex,
                ["t"] = new JsonArray([
                    .. InventedPersons.Plan.Select(treatment => new JsonObject
                    {
                        ["column"] = treatment.Column,
                        ["method"] = treatment.Method.ToUpperInvariant(),
                        ["parameter"] = treatment.Parameter,
                    }),
                ]),
            }
        );
        _anonymised = Digest.Parse(
            answer["data"]?["anonymiseDataset"]?["sha256"]?.ToString()
                ?? throw new InvalidOperationException(answer.ToJsonString())
        );
        var dataset = await ScannedAsync(_anonymised);
        DemoConsole.Proof(
            $"anonymised table {Short(_anonymised)}: {dataset["verdict"]?["outcome"]}; at least k = {dataset["anonymity"]?["k"]} rows share each {string.Join(", ", dataset["anonymity"]?["quasiIdentifiers"]?.AsArray().Select(column => column?.ToString()) ?? [])}"
        );
        var version = await TrainAsync(Model, "anonymised", "persons-anonymised", _anonymised, ModelFiles());
        console.Check(
            version.Text("model_version", "status") == "READY",
            $"models:/{Model}/2 is READY: the same bytes, other training data"
        );
        await ShowEvidenceAsync(2, privacy: "PASSED");

        var asked = await TransitionAsync(_sam, 2);
        console.Check(
            IsDenied(asked) && asked.Text("message").StartsWith("Request ", StringComparison.Ordinal),
            $"release manager Sam asks, and is told: {asked.Text("message")}"
        );
        var request = asked.Text("message").Split(' ')[1];
        console.Check(
            await CodeOfApprovalAsync(_sam, request) == "promotion.self_approval",
            "Sam, who is also a reviewer, cannot approve his own request"
        );
        console.Check(
            await CodeOfApprovalAsync(_bot, request) == "promotion.persons_only",
            "a service account with the reviewer role is nobody's second pair of eyes"
        );
        console.Check((await CodeOfApprovalAsync(_rita, request)).Length == 0, "reviewer Rita approves");
        var moved = await TransitionAsync(_sam, 2);
        console.Check(
            moved.Text("model_version", "current_stage") == "Production",
            "Sam repeats the call: version 2 is in Production"
        );
        await VerifyReceiptAsync(2);

        var again = await TransitionAsync(_remy, 1);
        console.Check(IsDenied(again), "version 1, the same bytes trained on the raw table, is still refused");
    }

    private async Task RefuseMaliceAsync(CancellationToken cancellationToken)
    {
        var files = ModelFiles();
        files["model.pkl"] = DemoThreat.MaliciousPickle();
        var version = await TrainAsync("income-trojan", "trojan", "persons-anonymised", _anonymised, files);
        console.Check(
            version.Text("model_version", "status") == "FAILED_REGISTRATION"
                && version.Text("model_version", "status_message").Contains("os.system", StringComparison.Ordinal),
            $"models:/income-trojan/1 is {version.Text("model_version", "status")}: {version.Text("model_version", "status_message")}"
        );
    }

    private async Task FlipByteAsync(CancellationToken cancellationToken)
    {
        var files = ModelFiles();
        files["notes.txt"] = "Notes of the training run.\n"u8.ToArray();
        var version = await TrainAsync("income-backup", "backup", "persons-anonymised", _anonymised, files);
        var digest = Digest.Of(files["notes.txt"]);
        var path = Path.Combine(options.DataDirectory, "blobs", digest.Hex[..2], digest.Hex[2..4], digest.Hex);
        var bytes = await File.ReadAllTextAsync(path, cancellationToken);
        await File.WriteAllTextAsync(
            path,
            bytes.Replace("Notes", "Nodes", StringComparison.Ordinal),
            cancellationToken
        );

        var root = (await _dana.GetAsync("model-versions/get-download-uri?name=income-backup&version=1")).Text(
            "artifact_uri"
        );
        var storage = root.Replace("mlflow-artifacts:/", "", StringComparison.Ordinal).TrimStart('/');
        var refused = await _rita.ApiGetAsync($"/api/2.0/mlflow-artifacts/artifacts/{storage}/notes.txt");
        console.Check(
            refused.Status == HttpStatusCode.Conflict,
            $"download refused with {(int)refused.Status}: {refused.Text("message")}"
        );
        var after = await _dana.GetAsync("model-versions/get?name=income-backup&version=1");
        DemoConsole.Proof($"models:/income-backup/1 is quarantined: {after.Text("model_version", "status_message")}");
        var log = await _ada.GraphQlAsync("{logEntries(subject:\"version:income-backup/1\",first:20){items{kind}}}");
        var kinds = Items(log, "logEntries").Select(item => item?["kind"]?.ToString()).ToList();
        console.Check(
            kinds.Any(kind => kind?.Contains("quarantine", StringComparison.Ordinal) == true),
            $"the log has it: {string.Join(", ", kinds.Where(kind => kind?.Contains("quarantine", StringComparison.Ordinal) == true).Distinct())}"
        );
        _ = version;
    }

    private async Task AskLineageAsync(CancellationToken cancellationToken)
    {
        var up = await WalkAsync(_ada, $"stage:{Model}/Production", "UP");
        console.Check(
            up.Any(urn => urn == $"dataset:sha256:{_anonymised}") && up.Any(urn => urn == $"dataset:sha256:{_raw}"),
            $"behind Production of {Model} stand these datasets, with these columns:"
        );
        await ShowDatasetsAsync(up);
        var down = await WalkAsync(_ada, $"dataset:sha256:{_raw}", "DOWN");
        console.Check(
            down.Contains($"version:{Model}/1") && down.Contains($"version:{Model}/2"),
            $"the raw table touches, directly or through the anonymised one: {string.Join(", ", down.Where(urn => urn.StartsWith("version:", StringComparison.Ordinal)).Order(StringComparer.Ordinal))}"
        );
    }

    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        await DeclareBasisAsync();
        await ReadyAgainAsync();
        var created = await _ada.ApiPostAsync(
            "/api/v1/reports",
            new JsonObject
            {
                ["regulation"] = "gdpr",
                ["model"] = Model,
                ["version"] = 2,
            }
        );
        var id = created.Text("id");
        var report = await _ada.BytesAsync($"/api/v1/reports/{id}?format=json");
        var directory = Path.Combine(options.DataDirectory, "demo");
        foreach (
            var (format, name) in new[]
            {
                ("json", "report.json"),
                ("pdf", "report.pdf"),
                ("csv", "report.csv"),
                ("bundle", "report.pdf.sigstore.json"),
            }
        )
        {
            await File.WriteAllBytesAsync(
                Path.Combine(directory, name),
                await _ada.BytesAsync($"/api/v1/reports/{id}?format={format}"),
                cancellationToken
            );
        }

        await File.WriteAllBytesAsync(Path.Combine(directory, "trusted_root.json"), _trustedRoot, cancellationToken);
        var verifier = OfflineVerifier.Create();
        var verified = ReportVerifier.Verify(report, _trustedRoot, verifier);
        console.Check(
            verified.Ok,
            verified.Ok
                ? $"report {id} about models:/{Model}/2 verifies offline: signed, and its SHA-256 is the signed one"
                : verified.Failure!.Message
        );
        var changed = (byte[])report.Clone();
        changed[changed.Length / 2] ^= 1;
        var refused = ReportVerifier.Verify(changed, _trustedRoot, verifier);
        console.Check(!refused.Ok, $"with one byte changed: {refused.Failure?.Message}");
        DemoConsole.Proof($"to look at and to verify: {Path.Combine(directory, "report.pdf")} (also .json, .csv)");
    }

    private async Task CheckLogAsync(CancellationToken cancellationToken)
    {
        var keys = TrustedRootFile.LogVerifierKeys(_trustedRoot);
        var audited = await LogTreeAuditor.AuditAsync(
            async (path, _) => await _ada.BytesAsync($"/log/{path}"),
            _checkpoints,
            keys.Value[0],
            cancellationToken
        );
        console.Check(
            audited.Ok,
            audited.Ok
                ? $"{audited.Value.Size} entries, root {Short(audited.Value.Root)}, {audited.Value.Checkpoints} checkpoints consistent from first to last"
                : audited.Failure!.Message
        );
    }

    private async Task<Answer> TrainAsync(
        string model,
        string run,
        string datasetName,
        Digest dataset,
        Dictionary<string, byte[]> files
    )
    {
        var runId = await _training!.RunAsync(run, datasetName, dataset);
        var registered = await _training.RegisterAsync(model, runId, files);
        return registered.Ok
            ? await _training.AwaitAsync(model, registered.Text("model_version", "version"))
            : registered;
    }

    private static void ShowReasons(Answer refusal, int most)
    {
        var reasons = refusal.Body["reasons"]?.AsArray() ?? [];
        foreach (var reason in reasons.Take(most))
        {
            DemoConsole.Detail($"{reason}");
        }

        if (reasons.Count > most)
        {
            DemoConsole.Detail($"and {reasons.Count - most} more reasons, the same as in the next refusal");
        }
    }

    private async Task ShowDatasetsAsync(IEnumerable<string> urns)
    {
        foreach (var urn in urns.Where(urn => urn.StartsWith("dataset:sha256:", StringComparison.Ordinal)))
        {
            var answer = await _ada.GraphQlAsync(
                "query($s:String!){dataset(sha256:$s){name columns}}",
                new JsonObject { ["s"] = urn["dataset:sha256:".Length..] }
            );
            var dataset = answer["data"]?["dataset"];
            DemoConsole.Detail($"{dataset?["name"]}: {string.Join(", ", dataset?["columns"]?.AsArray() ?? [])}");
        }
    }

    private async Task ShowEvidenceAsync(int version, string privacy)
    {
        var answer = await _ada.GraphQlAsync(
            "query($m:String!,$v:Int!){version(model:$m,version:$v){evidence{items{kind outcome summary}}}}",
            new JsonObject { ["m"] = Model, ["v"] = version }
        );
        foreach (var item in answer["data"]?["version"]?["evidence"]?["items"]?.AsArray() ?? [])
        {
            var (kind, outcome) = (item?["kind"]?.ToString(), item?["outcome"]?.ToString());
            console.Check(
                outcome == (kind == "PRIVACY" ? privacy : "PASSED"),
                $"evidence {kind} {outcome}{(outcome == "FAILED" ? ", as it must" : "")}: {item?["summary"]}"
            );
        }
    }

    private async Task<JsonNode> ScannedAsync(Digest dataset)
    {
        for (var i = 0; i < 240; i++)
        {
            var answer = await _paul.GraphQlAsync(
                "query($s:String!){dataset(sha256:$s){scanState verdict{outcome reasons} anonymity{k quasiIdentifiers}}}",
                new JsonObject { ["s"] = dataset.Hex }
            );
            if (answer["data"]?["dataset"] is { } found && found["scanState"]?.ToString() != "PENDING")
            {
                return found;
            }

            await Task.Delay(250);
        }

        throw new InvalidOperationException("The dataset was not scanned within a minute.");
    }

    private static async Task<string> CodeOfApprovalAsync(DemoClient client, string request)
    {
        var answer = await client.GraphQlAsync(
            "mutation($id:ID!){approveRequest(id:$id,comment:\"Looked at the evidence.\"){state}}",
            new JsonObject { ["id"] = request }
        );
        return answer["errors"]?[0]?["extensions"]?["code"]?.ToString() ?? "";
    }

    private async Task VerifyReceiptAsync(int version)
    {
        var list = await _ada.ApiGetAsync($"/api/v1/models/{Model}/versions/{version}/receipts");
        var id = list.Body["receipts"]?[0]?.ToString();
        var receipt = await _ada.BytesAsync($"/api/v1/models/{Model}/versions/{version}/receipts/{id}");
        await File.WriteAllBytesAsync(Path.Combine(options.DataDirectory, "demo", "receipt.json"), receipt);
        var verified = ReceiptVerifier.Verify(receipt, _trustedRoot);
        console.Check(
            verified.Ok,
            verified.Ok
                ? $"the receipt ({receipt.Length} bytes) verifies offline: signed, and entry {verified.Value.LeafIndex} of the log"
                : verified.Failure!.Message
        );
    }

    private static async Task<List<string>> WalkAsync(DemoClient client, string urn, string direction)
    {
        var answer = await client.GraphQlAsync(
            "query($u:String!,$d:Direction!){lineage(start:{urn:$u},direction:$d,depth:16){nodes{urn}}}",
            new JsonObject { ["u"] = urn, ["d"] = direction }
        );
        return [.. (answer["data"]?["lineage"]?["nodes"]?.AsArray() ?? []).Select(node => node!["urn"]!.ToString())];
    }

    private async Task DeclareBasisAsync()
    {
        var declared = await _paul.GraphQlAsync(
            "mutation($s:String!){declareDataset(sha256:$s,declaration:{legalBasis:\"Art 6(1)(f), test LIA-7\",purpose:\"income statistics\"}){legalBasis}}",
            new JsonObject { ["s"] = _anonymised.Hex }
        );
        console.Check(
            declared["errors"] is null,
            $"privacy officer Paul records the legal basis: {declared["data"]?["declareDataset"]?["legalBasis"] ?? declared.ToJsonString()}"
        );
    }

    // A declaration makes the privacy evidence stale until its job has run again.
    private async Task ReadyAgainAsync()
    {
        for (var i = 0; i < 60; i++)
        {
            var answer = await _ada.GraphQlAsync(
                $"{{version(model:\"{Model}\",version:2){{evidence{{items{{outcome}}}}}}}}"
            );
            if (
                answer["data"]
                    ?["version"]?["evidence"]?["items"]?.AsArray()
                    .All(item => item?["outcome"]?.ToString() != "MISSING") == true
            )
            {
                return;
            }

            await Task.Delay(250);
        }
    }

    private async Task KeepCheckpointAsync() =>
        _checkpoints.Add(Encoding.UTF8.GetString(await _ada.BytesAsync("/log/checkpoint")));

    private static Task<Answer> TransitionAsync(DemoClient client, int version) =>
        client.PostAsync(
            "model-versions/transition-stage",
            new JsonObject
            {
                ["name"] = Model,
                ["version"] = version.ToString(),
                ["stage"] = "Production",
                ["archive_existing_versions"] = false,
            }
        );

    private static bool IsDenied(Answer answer) =>
        answer.Status == HttpStatusCode.Forbidden && answer.Text("error_code") == "PERMISSION_DENIED";

    private static IEnumerable<JsonNode?> Items(JsonNode answer, string field) =>
        answer["data"]?[field]?["items"]?.AsArray() ?? [];

    private static string Short(Digest digest) => digest.Hex[..12];

    private static Dictionary<string, byte[]> ModelFiles()
    {
        var root = Path.Combine(Paths.Base, "demo", "models", "income-logreg");
        return Directory
            .EnumerateFiles(root)
            .ToDictionary(path => Path.GetFileName(path), ReadSmall, StringComparer.Ordinal);
    }

    private static byte[] ReadSmall(string path)
    {
        using var file = File.OpenRead(path);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }
}
