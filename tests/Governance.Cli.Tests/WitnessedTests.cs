using System.Text;
using System.Text.Json.Nodes;
using NSec.Cryptography;

namespace Governance.Cli.Tests;

/// <summary>What govern says about witnesses, and the verbs that read and prove entries.</summary>
public sealed class WitnessedTests : IAsyncLifetime
{
    private readonly CliRun _cli = new();
    private readonly Trust _trust = new();
    private readonly Key _witness = Key.Create(SignatureAlgorithm.Ed25519);
    private readonly Key _other = Key.Create(SignatureAlgorithm.Ed25519);
    private FakeGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await FakeGateway.StartAsync();
        _cli.Write("ca.pem", _gateway.AuthorityPem);
        _cli.Write("root.json", _trust.Root);
    }

    public async ValueTask DisposeAsync()
    {
        _cli.Dispose();
        _trust.Dispose();
        _witness.Dispose();
        _other.Dispose();
        await _gateway.DisposeAsync();
    }

    [Fact]
    public async Task A_receipt_says_who_saw_its_checkpoint()
    {
        _cli.Write("receipt.json", _trust.Receipt(_witness));

        var nobody = await VerifyAsync();
        var asked = await VerifyAsync("--witness", Trust.WitnessKey(_witness));
        var one = await VerifyAsync(
            "--witness",
            Trust.WitnessKey(_witness),
            Trust.WitnessKey(_other),
            "--witnesses",
            "1"
        );
        var both = await VerifyAsync("--witness", Trust.WitnessKey(_witness), Trust.WitnessKey(_other));

        Assert.Equal((0, 0, 0, 1), (nobody.Exit, asked.Exit, one.Exit, both.Exit));
        Assert.Contains("No witness was asked for", nobody.Out);
        Assert.Contains("Witness w.example saw that checkpoint at 2027-01-15 08:00:00Z.", asked.Out);
        Assert.StartsWith("audit.not_witnessed:", both.Error);
        Assert.Contains("NOT verified", both.Out);
    }

    [Fact]
    public async Task A_receipt_without_the_witness_that_is_asked_for_is_refused()
    {
        _cli.Write("receipt.json", _trust.Receipt());

        var answer = await VerifyAsync("--witness", Trust.WitnessKey(_witness));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("audit.not_witnessed:", answer.Error);
    }

    [Theory]
    [InlineData("audit.bad_witness_key", "--witness", "nonsense")]
    [InlineData("cli.usage", "--witnesses", "1")]
    [InlineData("cli.usage", "--witness", "KEY", "--witnesses", "0")]
    [InlineData("cli.usage", "--witness", "KEY", "--witnesses", "2")]
    public async Task A_question_that_makes_no_sense_is_no_answer(string code, params string[] options)
    {
        _cli.Write("receipt.json", _trust.Receipt(_witness));

        var answer = await VerifyAsync([
            .. options.Select(option => option == "KEY" ? Trust.WitnessKey(_witness) : option),
        ]);

        Assert.NotEqual(0, answer.Exit);
        Assert.StartsWith($"{code}:", answer.Error);
    }

    [Fact]
    public async Task The_whole_log_is_verified_up_to_what_the_witnesses_saw()
    {
        _trust.Append(5);
        var cosigned = Trust.Cosigned(_trust.Checkpoint(), _witness);
        _trust.Append(3);
        Serve(cosigned);

        var good = await AuditAsync("--witness", Trust.WitnessKey(_witness));
        var other = await AuditAsync("--witness", Trust.WitnessKey(_other));
        _trust.Forge(2);
        Serve(cosigned);
        var forged = await AuditAsync("--witness", Trust.WitnessKey(_witness));
        Serve(null);
        var none = await AuditAsync("--witness", Trust.WitnessKey(_witness));

        Assert.Equal((0, ""), (good.Exit, good.Error));
        Assert.Contains("Witness w.example saw that checkpoint", good.Out);
        Assert.Contains("covers the first 5 entries", good.Out);
        Assert.StartsWith("audit.not_witnessed:", other.Error);
        Assert.StartsWith("audit.root_mismatch:", forged.Error);
        Assert.Equal((1, 1), (other.Exit, forged.Exit));
        Assert.NotEqual(0, none.Exit);
    }

    [Fact]
    public async Task The_proof_of_an_entry_verifies_offline()
    {
        var (id, entries, proof) = _trust.Entry();
        _gateway.Answer = asked =>
            asked == $"GET /api/v1/audit/entries?id={id}" ? (200, Encoding.UTF8.GetBytes(entries))
            : asked == $"GET /api/v1/audit/entries/{id}/proof" ? (200, Encoding.UTF8.GetBytes(proof))
            : null;

        var proved = await ProveAsync(id);
        var verified = await _cli.RunAsync("verify", _cli.At("entry.json"), "--trusted-root", _cli.At("root.json"));

        Assert.Equal((0, "", 0, ""), (proved.Exit, proved.Error, verified.Exit, verified.Error));
        Assert.Contains("Log entry: promotion.carried_out of version:fraud/1 by p-1", verified.Out);
        var changed = (JsonObject)
            JsonNode.Parse(await File.ReadAllTextAsync(_cli.At("entry.json"), TestContext.Current.CancellationToken))!;
        changed["entry"] = changed["entry"]!.ToString().Replace("p-1", "p-2", StringComparison.Ordinal);
        _cli.Write("entry.json", changed.ToJsonString());
        var refused = await _cli.RunAsync("verify", _cli.At("entry.json"), "--trusted-root", _cli.At("root.json"));
        Assert.StartsWith("audit.entry_mismatch:", refused.Error);
    }

    [Fact]
    public async Task A_proof_that_does_not_hold_is_not_written()
    {
        var (id, entries, proof) = _trust.Entry();
        _gateway.Answer = asked =>
            asked.Contains("?id=", StringComparison.Ordinal)
                ? (200, Encoding.UTF8.GetBytes(entries.Replace("p-1", "p-2", StringComparison.Ordinal)))
                : (200, Encoding.UTF8.GetBytes(proof));

        var answer = await ProveAsync(id);

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("audit.entry_mismatch:", answer.Error);
        Assert.False(File.Exists(_cli.At("entry.json")));
    }

    [Fact]
    public async Task The_proof_of_another_entry_is_not_written()
    {
        var (id, entries, proof) = _trust.Entry();
        var other = Guid.CreateVersion7();
        _gateway.Answer = asked => (200, Encoding.UTF8.GetBytes(asked.Contains("?id=") ? entries : proof));

        var answer = await ProveAsync(other);

        Assert.NotEqual(id, other);
        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("audit.other_entry:", answer.Error);
        Assert.False(File.Exists(_cli.At("entry.json")));
    }

    [Theory]
    [InlineData("identity.erased", "0a0a", true)]
    [InlineData("identity.erased", "0b0b", false)]
    [InlineData("identity.erasure_begun", "0a0a", false)]
    [InlineData("promotion.carried_out", "0a0a", false)]
    public async Task The_proof_of_an_erasure_is_of_one_and_of_that_person(string kind, string subject, bool good)
    {
        var (_, entries, proof) = _trust.Entry(kind, $"subject:{subject}");
        _gateway.Answer = asked =>
            (200, Encoding.UTF8.GetBytes(asked.EndsWith("/proof", StringComparison.Ordinal) ? proof : entries));

        var answer = await _cli.RunAsync(
            "subjects",
            "proof",
            "0a0a",
            "--server",
            _gateway.Address,
            "--ca",
            _cli.At("ca.pem"),
            "--trusted-root",
            _cli.At("root.json"),
            "--out",
            _cli.At("erased.json")
        );

        Assert.Equal(good ? 0 : 1, answer.Exit);
        Assert.Equal(good, !answer.Error.StartsWith("audit.other_entry:", StringComparison.Ordinal));
        Assert.Equal(good, File.Exists(_cli.At("erased.json")));
    }

    [Fact]
    public async Task Entries_are_listed_over_pages_as_filtered()
    {
        var asked = new List<string>();
        _gateway.Answer = address =>
        {
            asked.Add(address);
            var second = address.Contains("after=", StringComparison.Ordinal);
            return (200, Encoding.UTF8.GetBytes(Page(second ? 1 : 200, second ? null : "7")));
        };

        var answer = await RunAsync("entries", "--kind", "promotion.", "--outcome", "refused", "--first", "201");

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Equal(201, answer.Out.TrimEnd().Split('\n').Length);
        Assert.Equal(
            [
                "GET /api/v1/audit/entries?first=200&kind=promotion.&outcome=refused",
                "GET /api/v1/audit/entries?first=1&kind=promotion.&outcome=refused&after=7",
            ],
            asked
        );
        Assert.StartsWith("4 id 2026-11-22T18:00:00.000Z promotion.refused refused version:a/1 by p-1", answer.Out);

        static string Page(int count, string? next) =>
            new JsonObject
            {
                ["entries"] = new JsonArray([
                    .. Enumerable
                        .Range(0, count)
                        .Select(_ => new JsonObject
                        {
                            ["id"] = "id",
                            ["position"] = 4,
                            ["entry"] =
                                """{"actor":{"id":"p-1"},"at":"2026-11-22T18:00:00.000Z","kind":"promotion.refused","outcome":"refused","subject":"version:a/1"}""",
                            ["salt"] = "",
                        }),
                ]),
                ["nextToken"] = next,
            }.ToJsonString();
    }

    private void Serve(string? cosigned) =>
        _gateway.Answer = address =>
            address == "GET /log/checkpoint" ? (200, Encoding.UTF8.GetBytes(_trust.Checkpoint()))
            : address == "GET /log/checkpoint/cosigned"
                ? (cosigned is null ? 404 : 200, Encoding.UTF8.GetBytes(cosigned ?? ""))
            : _trust.Tile(address.Replace("GET /log/", "", StringComparison.Ordinal)) is { } tile ? (200, tile)
            : null;

    private Task<Answer> VerifyAsync(params string[] more) =>
        _cli.RunAsync(["verify", _cli.At("receipt.json"), "--trusted-root", _cli.At("root.json"), .. more]);

    private Task<Answer> AuditAsync(params string[] more) =>
        RunAsync(["verify", "--trusted-root", _cli.At("root.json"), .. more]);

    private Task<Answer> ProveAsync(Guid id) =>
        RunAsync("prove", id.ToString(), "--trusted-root", _cli.At("root.json"), "--out", _cli.At("entry.json"));

    private Task<Answer> RunAsync(params string[] arguments) =>
        _cli.RunAsync(["audit", .. arguments, "--server", _gateway.Address, "--ca", _cli.At("ca.pem")]);
}
