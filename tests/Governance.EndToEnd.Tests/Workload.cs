using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Gateway.Hosting;
using Governance.Kernel;
using Governance.Privacy.Demo;

namespace Governance.EndToEnd.Tests;

/// <summary>What people do with the gateway. Each step writes into the ledger what it tries and what was acknowledged.</summary>
internal sealed class Workload(
    People people,
    Ledger ledger,
    Flight flight,
    Random random,
    CancellationToken cancellationToken
)
{
    public const string Model = "crash";
    private const string DoomedAlias = "dev-doomed";
    private const int LargeFile = 6 << 20;

    /// <summary>Pieces of a body that is sent slowly.</summary>
    public const int Pieces = 24;

    // os.system("id"), pickled by hand; never loaded by anything.
    private static readonly byte[] Malice = [0x80, 2, .. "cos\nsystem\nU"u8, 2, .. "id"u8, 0x85, .. "R."u8];
    private readonly Api _dana = new(people, "dana", cancellationToken);
    private readonly Api _remy = new(people, "remy", cancellationToken);
    private readonly Api _rita = new(people, "rita", cancellationToken);
    private readonly Api _admin = new(people, People.Admin, cancellationToken);
    private readonly Api _second = new(people, People.SecondAdmin, cancellationToken);
    private readonly Dictionary<string, Dictionary<string, byte[]>> _filesOfRun = [];
    private readonly HashSet<string> _malicious = [];
    private string _experiment = "";
    private string _dataset = "";
    private int _counter;

    /// <summary>The files that a run's model was made of.</summary>
    public IReadOnlyDictionary<string, byte[]> FilesOf(string run) => _filesOfRun[run];

    /// <summary>True when the run's model must never become READY.</summary>
    public bool IsMalicious(string run) => _malicious.Contains(run);

    /// <summary>An experiment, a model and an anonymised table of invented persons that passes the privacy policy.</summary>
    public async Task PrepareAsync()
    {
        _experiment = (await _dana.PostAsync("experiments/create", new() { ["name"] = Model })).Text("experiment_id");
        await _dana.PostAsync("registered-models/create", new() { ["name"] = Model });
        var table = new StringWriter();
        InventedPersons.Write(table, 2000, seed: 20261122);
        var raw = (await _dana.UploadDatasetAsync("raw", Encoding.UTF8.GetBytes(table.ToString()))).Text("sha256");
        await ScannedAsync(raw);
        var treatments = string.Join(
            ',',
            InventedPersons.Plan.Select(treatment =>
                $"{{column:\"{treatment.Column}\",method:{treatment.Method.ToUpperInvariant()},parameter:\"{treatment.Parameter}\"}}"
            )
        );
        var made = await _dana.GraphQlAsync(
            $"mutation{{anonymiseDataset(sha256:\"{raw}\",outputName:\"anonymised\",treatments:[{treatments}]){{sha256}}}}"
        );
        _dataset = made["anonymiseDataset"]!["sha256"]!.ToString();
        ledger.Acknowledge($"dataset:{raw}", "SCANNED");
        ledger.Acknowledge($"dataset:{_dataset}", "SCANNED");
        await ScannedAsync(_dataset);
    }

    /// <summary>Uploads a table in pieces; <paramref name="before"/> is called before each. Gives back how to try the same again.</summary>
    public (Task Work, Func<Task> Again) UploadDataset(Func<int, Task> before)
    {
        var text = new StringBuilder("width,height,weight\n");
        for (var i = 0; i < 20_000; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"{random.NextDouble():F4},{random.NextDouble():F4},{i}\n");
        }

        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        var name = $"table-{++_counter}";
        return (PutAsync(before), () => PutAsync(_ => Task.CompletedTask));

        Task PutAsync(Func<int, Task> pace) =>
            ledger.SetAsync(
                async () =>
                {
                    using var body = new Trickle(bytes, Pieces, pace);
                    return (
                        await flight.DuringAsync(Phase.DatasetUpload, () => _dana.UploadDatasetAsync(name, body))
                    ).Expect(HttpStatusCode.Created);
                },
                ($"dataset:{Digest.Of(bytes)}", "SCANNED")
            );
    }

    /// <summary>
    /// Uploads a large file beside a run's model in pieces; <paramref name="before"/> is called before each. Gives back how to
    /// try the same again.
    /// </summary>
    public async Task<(Task Work, Func<Task> Again)> UploadLargeAsync(Phase phase, Func<int, Task> before)
    {
        var root = (await LogModelAsync(await RunAsync())).Root;
        var bytes = new byte[LargeFile];
        random.NextBytes(bytes);
        return (PutAsync(before), () => PutAsync(_ => Task.CompletedTask));

        Task PutAsync(Func<int, Task> pace) =>
            ledger.SetAsync(
                async () =>
                {
                    using var body = new Trickle(bytes, Pieces, pace);
                    return await flight.DuringAsync(phase, () => _dana.PutArtifactAsync($"{root}/large.bin", body));
                },
                ($"file:{root}/large.bin", Digest.Of(bytes).Hex)
            );
    }

    /// <summary>A run with input, params, metrics and tags.</summary>
    public Task<string> RunAsync() => flight.DuringAsync(Phase.Run, MakeRunAsync);

    private async Task<string> MakeRunAsync()
    {
        var created = await _dana.PostAsync(
            "runs/create",
            new()
            {
                ["experiment_id"] = _experiment,
                ["run_name"] = $"run-{++_counter}",
                ["start_time"] = 1_700_000_000_000,
            }
        );
        var run = created.Text("run", "info", "run_id");
        ledger.Acknowledge($"status:{run}", "RUNNING");
        await ledger.SetAsync(() => LogInputAsync(run), ($"input:{run}", $"governance:/datasets/sha256:{_dataset}"));
        await ledger.SetAsync(
            () =>
                _dana.PostAsync(
                    "runs/log-batch",
                    new()
                    {
                        ["run_id"] = run,
                        ["params"] = new JsonArray(new JsonObject { ["key"] = "C", ["value"] = "1.0" }),
                        ["metrics"] = new JsonArray(Metric("accuracy", 1)),
                    }
                ),
            ($"param:{run}:C", "1.0"),
            ($"metric:{run}:accuracy", "1")
        );
        var note = $"note {random.Next()}";
        await ledger.SetAsync(
            () =>
                _dana.PostAsync(
                    "runs/set-tag",
                    new()
                    {
                        ["run_id"] = run,
                        ["key"] = "note",
                        ["value"] = note,
                    }
                ),
            ($"tag:{run}:note", note)
        );
        return run;
    }

    /// <summary>Metrics on several connections at once, without end: commits and batches of the log for as long as the gateway lives.</summary>
    public async Task LogMetricsAsync(string run, Action acknowledged)
    {
        await Task.WhenAll(
            Enumerable
                .Range(0, 4)
                .Select(async writer =>
                {
                    for (var step = 1; ; step++)
                    {
                        var body = Metric($"loss{writer}", step);
                        body["run_id"] = run;
                        await ledger.SetAsync(
                            () => _dana.PostAsync("runs/log-metric", body),
                            ($"metric:{run}:loss{writer}", $"{step}")
                        );
                        acknowledged();
                    }
                })
        );
    }

    /// <summary>One more metric, acknowledged.</summary>
    public Task LogMetricAsync(string run)
    {
        var step = ++_counter;
        var body = Metric("beat", step);
        body["run_id"] = run;
        return ledger.SetAsync(() => _dana.PostAsync("runs/log-metric", body), ($"metric:{run}:beat", $"{step}"));
    }

    /// <summary>Uploads a model of a run, with a file that no other run has; gives back the logged model's id.</summary>
    public async Task<string> PutAsync(string run, bool malicious = false)
    {
        var (id, root) = await LogModelAsync(run);
        var files = _filesOfRun[run] = ModelFiles();
        if (malicious)
        {
            files["model.pkl"] = Malice;
            _malicious.Add(run);
        }

        foreach (var (path, bytes) in files)
        {
            await ledger.SetAsync(
                () => _dana.PutArtifactAsync($"{root}/{path}", bytes),
                ($"file:{root}/{path}", Digest.Of(bytes).Hex)
            );
        }

        return id;
    }

    private async Task<(string Id, string Root)> LogModelAsync(string run)
    {
        var logged = await _dana.PostAsync(
            "logged-models",
            new()
            {
                ["experiment_id"] = _experiment,
                ["name"] = "model",
                ["source_run_id"] = run,
            }
        );
        var root = logged
            .Text("model", "info", "artifact_uri")
            .Replace("mlflow-artifacts:/", "", StringComparison.Ordinal);
        return (logged.Text("model", "info", "model_id"), root.TrimStart('/'));
    }

    /// <summary>Registers a logged model; gives back the version number.</summary>
    public async Task<string> RegisterAsync(string run, string loggedModel)
    {
        var answer = await ledger.SetAsync(
            () =>
                flight.DuringAsync(
                    Phase.Register,
                    () =>
                        _dana.PostAsync(
                            "model-versions/create",
                            new()
                            {
                                ["name"] = Model,
                                ["source"] = $"models:/{loggedModel}",
                                ["run_id"] = run,
                                ["model_id"] = loggedModel,
                            }
                        )
                ),
            ($"registered:{run}", "1")
        );
        var version = answer.Text("model_version", "version");
        ledger.Acknowledge($"run-of:{version}", run);
        return version;
    }

    /// <summary>Tags a version with the run it came from.</summary>
    public async Task TagAsync(string version, string run)
    {
        await ledger.SetAsync(
            () =>
                _dana.PostAsync(
                    "model-versions/set-tag",
                    new()
                    {
                        ["name"] = Model,
                        ["version"] = version,
                        ["key"] = "made-by",
                        ["value"] = run,
                    }
                ),
            ($"version-tag:{version}:made-by", run)
        );
    }

    /// <summary>Tags of the model and of a version, with new values.</summary>
    public Task TagFreelyAsync(string version) =>
        flight.DuringAsync(
            Phase.Tag,
            async () =>
            {
                var (ofModel, ofVersion) = ($"note {random.Next()}", $"note {random.Next()}");
                var body = new JsonObject
                {
                    ["name"] = Model,
                    ["key"] = "note",
                    ["value"] = ofModel,
                };
                await ledger.SetAsync(
                    () => _dana.PostAsync("registered-models/set-tag", body),
                    ("model-tag:note", ofModel)
                );
                return await ledger.SetAsync(
                    () =>
                        _dana.PostAsync(
                            "model-versions/set-tag",
                            new()
                            {
                                ["name"] = Model,
                                ["version"] = version,
                                ["key"] = "note",
                                ["value"] = ofVersion,
                            }
                        ),
                    ($"version-tag:{version}:note", ofVersion)
                );
            }
        );

    /// <summary>A model with a version and an alias, that nobody needs. Gives back its name.</summary>
    public async Task<string> MakeDoomedAsync(string loggedModel)
    {
        var name = $"doomed-{++_counter}";
        await _dana.PostAsync("registered-models/create", new() { ["name"] = name });
        ledger.Acknowledge($"there:{name}:model", "yes");
        await _dana.PostAsync(
            "model-versions/create",
            new()
            {
                ["name"] = name,
                ["source"] = $"models:/{loggedModel}",
                ["model_id"] = loggedModel,
            }
        );
        ledger.Acknowledge($"there:{name}:version", "yes");
        await ReadyAsync("1", name);
        await AliasAsync(DoomedAlias, "1", name);
        ledger.Acknowledge($"there:{name}:alias", "yes");
        return name;
    }

    /// <summary>Takes away the alias, then the version, then the model.</summary>
    public Task DeleteAsync(string doomed) =>
        flight.DuringAsync(
            Phase.Delete,
            async () =>
            {
                await GoneAsync("alias", "registered-models/alias", new() { ["alias"] = DoomedAlias });
                await GoneAsync("version", "model-versions/delete", new() { ["version"] = "1" });
                return await GoneAsync("model", "registered-models/delete", []);

                Task<Answer> GoneAsync(string what, string route, JsonObject body)
                {
                    body["name"] = doomed;
                    return ledger.SetAsync(() => _dana.DeleteAsync(route, body), ($"there:{doomed}:{what}", "no"));
                }
            }
        );

    /// <summary>The number of the newest key of each task.</summary>
    public async Task<Dictionary<string, int>> KeysAsync() =>
        (await _admin.ApiGetAsync("/api/v1/keys")).Expect().Body["items"]!
            .AsArray()
            .GroupBy(key => key!["name"]!.ToString())
            .ToDictionary(keys => keys.Key, keys => keys.Max(key => key!["number"]!.GetValue<int>()));

    /// <summary>The key that was replaced least often.</summary>
    public async Task<(string Name, int Number)> ChooseKeyAsync()
    {
        var (name, number) = (await KeysAsync()).MinBy(key => key.Value);
        ledger.Acknowledge($"key:{name}", $"{number}");
        return (name, number);
    }

    /// <summary>Replaces a key.</summary>
    public Task RotateAsync(string name, int number) =>
        ledger.SetAsync(
            async () =>
                (
                    await flight.DuringAsync(
                        Phase.Rotate,
                        () => _admin.ApiPostAsync($"/api/v1/keys/{name}/rotate", null)
                    )
                ).Expect(),
            ($"key:{name}", $"{number + 1}")
        );

    /// <summary>A person of whom an administrator asks that they be erased. Gives back their id and what a second one has to confirm.</summary>
    public async Task<(string Person, string Confirmation)> AskToEraseAsync()
    {
        var person = (await people.InviteAsync($"erika-{++_counter}", "viewer", cancellationToken))["id"]!.ToString();
        var asked = await _admin.ApiPostAsync(
            $"/api/v1/subjects/{person}/erasure",
            new() { ["ground"] = "no-longer-needed" }
        );
        return (person, asked.Expect(HttpStatusCode.Accepted).Text("confirmation"));
    }

    /// <summary>Confirms that a person is erased, which a job then does.</summary>
    public Task ConfirmAsync(string person, string confirmation) =>
        ledger.SetAsync(
            async () =>
                (
                    await flight.DuringAsync(
                        Phase.Confirm,
                        () => _second.ApiPostAsync($"/api/v1/confirmations/{confirmation}/confirm", null)
                    )
                ).Expect(HttpStatusCode.NoContent),
            ($"erased:{person}", "done")
        );

    /// <summary>How many kinds of evidence a version has so far.</summary>
    public async Task<int> EvidenceAsync(string version)
    {
        var data = await _dana.GraphQlAsync(
            $"{{version(model:\"{Model}\",version:{version}){{evidence{{items{{outcome}}}}}}}}"
        );
        return data["version"]!["evidence"]!["items"]!
            .AsArray()
            .Count(item => item!["outcome"]!.ToString() != "MISSING");
    }

    public async Task<string> StatusAsync(string version, string model = Model) =>
        (await _dana.GetAsync($"model-versions/get?name={model}&version={version}"))
            .Expect()
            .Text("model_version", "status");

    public async Task ReadyAsync(string version, string model = Model)
    {
        for (var i = 0; i < 2400; i++)
        {
            var status = await StatusAsync(version, model);
            if (status == "READY")
            {
                return;
            }

            Assert.Equal("PENDING_REGISTRATION", status);
            await Task.Delay(25, cancellationToken);
        }

        Assert.Fail($"Version {version} is not READY after a minute.");
    }

    /// <summary>Run, upload, register and wait.</summary>
    public async Task<string> MakeReadyVersionAsync()
    {
        var run = await RunAsync();
        var version = await RegisterAsync(run, await PutAsync(run));
        await TagAsync(version, run);
        await ReadyAsync(version);
        return version;
    }

    /// <summary>A release manager asks for Production: the policy decides that it needs an approval. Gives back the request.</summary>
    public async Task<string> RequestAsync(string version)
    {
        var asked = (
            await flight.DuringAsync(Phase.Decide, () => TransitionAsync(_remy, version, "Production"))
        ).Expect(HttpStatusCode.Forbidden);
        Assert.StartsWith("Request ", asked.Text("message"), StringComparison.Ordinal);
        var request = asked.Text("message").Split(' ')[1];
        ledger.Acknowledge($"request:{request}", "open");
        return request;
    }

    /// <summary>A reviewer approves.</summary>
    public Task ApproveAsync(string request) =>
        ledger.SetAsync(
            () =>
                flight.DuringAsync(
                    Phase.Approve,
                    () =>
                        _rita.GraphQlAsync($"mutation{{approveRequest(id:\"{request}\",comment:\"Looked.\"){{state}}}}")
                ),
            ($"approvals:{request}", "1")
        );

    /// <summary>Carries an approved request out.</summary>
    public Task MoveAsync(string version, string request) =>
        ledger.SetAsync(
            () =>
                flight.DuringAsync(
                    Phase.Move,
                    async () => (await TransitionAsync(_remy, version, "Production")).Expect()
                ),
            ($"stage:{version}", "Production"),
            ($"request:{request}", "carried-out")
        );

    /// <summary>Free aliases and a stage that needs no approval.</summary>
    public Task MoveFreelyAsync(string version) =>
        flight.DuringAsync(
            Phase.MoveFreely,
            async () =>
            {
                foreach (var alias in new[] { "dev-a", "dev-b" })
                {
                    await ledger.SetAsync(() => AliasAsync(alias, version), ($"alias:{alias}", version));
                }

                return await ledger.SetAsync(
                    async () => (await TransitionAsync(_remy, version, "Staging")).Expect(),
                    ($"stage:{version}", "Staging")
                );
            }
        );

    /// <summary>True when a version may not even go to Staging.</summary>
    public async Task<bool> IsRefusedAsync(string version) =>
        (await TransitionAsync(_remy, version, "Staging")).Status
            is >= HttpStatusCode.BadRequest
                and < HttpStatusCode.InternalServerError;

    private Task<Answer> AliasAsync(string alias, string version, string model = Model) =>
        _dana.PostAsync(
            "registered-models/alias",
            new()
            {
                ["name"] = model,
                ["alias"] = alias,
                ["version"] = version,
            }
        );

    private static Task<Answer> TransitionAsync(Api who, string version, string stage) =>
        who.TryPostAsync(
            "model-versions/transition-stage",
            new()
            {
                ["name"] = Model,
                ["version"] = version,
                ["stage"] = stage,
                ["archive_existing_versions"] = false,
            }
        );

    private Task<Answer> LogInputAsync(string run) =>
        _dana.PostAsync(
            "runs/log-inputs",
            new()
            {
                ["run_id"] = run,
                ["datasets"] = new JsonArray(
                    new JsonObject
                    {
                        ["tags"] = new JsonArray(
                            new JsonObject { ["key"] = "mlflow.data.context", ["value"] = "training" }
                        ),
                        ["dataset"] = new JsonObject
                        {
                            ["name"] = "anonymised",
                            ["digest"] = _dataset[..8],
                            ["source_type"] = "governance",
                            ["source"] = $"governance:/datasets/sha256:{_dataset}",
                        },
                    }
                ),
            }
        );

    private async Task ScannedAsync(string sha256)
    {
        for (var i = 0; i < 600; i++)
        {
            var data = await _dana.GraphQlAsync($"{{dataset(sha256:\"{sha256}\"){{scanState}}}}");
            if (
                data["dataset"]?["scanState"]?.ToString() is { } state
                && !state.Equals("pending", StringComparison.OrdinalIgnoreCase)
            )
            {
                return;
            }

            await Task.Delay(100, cancellationToken);
        }

        Assert.Fail("A dataset was not scanned within a minute.");
    }

    public static JsonObject Metric(string key, int value) =>
        new()
        {
            ["key"] = key,
            ["value"] = value,
            ["timestamp"] = 1_700_000_000_000 + value,
            ["step"] = value,
        };

    private Dictionary<string, byte[]> ModelFiles()
    {
        var files = Directory
            .EnumerateFiles(Path.Combine(Paths.Base, "demo", "models", "income-logreg"))
            .ToDictionary(path => Path.GetFileName(path), File.ReadAllBytes, StringComparer.Ordinal);
        var notes = new StringBuilder();
        for (var i = 0; i < 20_000; i++)
        {
            notes.Append(CultureInfo.InvariantCulture, $"note {i} {random.NextInt64():x}\n");
        }

        files["notes.txt"] = Encoding.UTF8.GetBytes(notes.ToString());
        return files;
    }
}
