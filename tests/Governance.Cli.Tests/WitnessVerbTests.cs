using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Kernel;
using NSec.Cryptography;

namespace Governance.Cli.Tests;

/// <summary><c>govern witness</c> as a process of its own: what it cosigned survives it.</summary>
public sealed class WitnessVerbTests : IDisposable
{
    private const string Origin = "example.com/log";
    private readonly CliRun _cli = new();
    private readonly Key _key = Key.Create(SignatureAlgorithm.Ed25519);
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };

    private NoteKey Log => NoteKey.Create(Origin, _key.PublicKey);

    public void Dispose()
    {
        _http.Dispose();
        _key.Dispose();
        _cli.Dispose();
    }

    [Fact]
    public async Task The_verifier_key_is_shown_and_stays()
    {
        var first = await _cli.RunAsync("witness", "--name", "w.example/1", "--key", _cli.At("w.key"), "--show-key");
        var second = await _cli.RunAsync("witness", "--name", "w.example/1", "--key", _cli.At("w.key"), "--show-key");

        Assert.Equal((0, first.Out), (second.Exit, second.Out));
        Assert.NotNull(NoteKey.TryParse(first.Out.TrimEnd(), NoteKey.Witness));
    }

    [Theory]
    [InlineData("cli.usage", "--listen", "0.0.0.0:0")]
    [InlineData("cli.usage", "--listen", "nonsense")]
    [InlineData("cli.usage", "--cert", "only.pem")]
    [InlineData("cli.usage", "--per-minute", "0")]
    [InlineData("audit.witness_log", "--new", "another.example/log")]
    [InlineData("audit.witness_state")]
    public async Task A_witness_that_would_not_be_safe_does_not_start(string code, params string[] more)
    {
        var answer = await _cli.RunAsync([
            "witness",
            "--name",
            "w.example/1",
            "--key",
            _cli.At("w.key"),
            "--state",
            _cli.At("state"),
            "--log",
            Log.VerifierKey,
            .. more,
        ]);

        Assert.NotEqual(0, answer.Exit);
        Assert.StartsWith($"{code}:", answer.Error);
    }

    [Fact]
    public async Task Over_http_it_answers_as_the_protocol_says_and_after_kill_9_it_knows_what_it_cosigned()
    {
        var sizes = new List<long>();
        string? key = null;
        for (var life = 0; life < 3; life++)
        {
            using var process = Start(asNew: life == 0);
            var (address, verifierKey) = await ListeningAsync(process);
            Assert.Equal(key ??= verifierKey, verifierKey);
            if (life == 0)
            {
                await ProtocolAsync(address);
            }

            var known = await SizeAsync(address);
            // Everything that it gave a cosignature for before it was killed.
            Assert.True(known >= sizes.LastOrDefault(), $"{known} is less than what was cosigned.");
            var some = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var sending = SendAsync(address, known, sizes, some);
            await Task.WhenAny(some.Task, sending);
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            await sending;
        }
    }

    private async Task ProtocolAsync(string address)
    {
        await AnswersAsync(HttpStatusCode.NotFound, new Uri($"{address}/{Hash}/checkpoint"));
        await AnswersAsync(HttpStatusCode.OK, Request(0, 1));
        await AnswersAsync(HttpStatusCode.BadRequest, "nonsense");
        await AnswersAsync(
            HttpStatusCode.NotFound,
            Request(0, 1).Replace(Origin, "example.com/other", StringComparison.Ordinal)
        );
        await AnswersAsync(HttpStatusCode.Forbidden, Request(1, 2).Replace("\n2\n", "\n3\n", StringComparison.Ordinal));
        await AnswersAsync(
            HttpStatusCode.UnprocessableEntity,
            Request(1, 2)
                .Replace("old 1\n", $"old 1\n{Convert.ToBase64String(new byte[32])}\n", StringComparison.Ordinal)
        );
        await AnswersAsync(HttpStatusCode.RequestEntityTooLarge, new string('x', 70_000));
        using var conflict = await PostAsync(address, Request(0, 2));
        Assert.Equal(HttpStatusCode.Conflict, conflict.StatusCode);
        Assert.Equal("text/x.tlog.size", conflict.Content.Headers.ContentType?.ToString());
        Assert.Equal("1\n", await conflict.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        await AnswersAsync(HttpStatusCode.OK, new Uri($"{address}/{Hash}/checkpoint"));

        async Task AnswersAsync(HttpStatusCode status, object what)
        {
            using var answer = what is Uri uri
                ? await _http.GetAsync(uri, TestContext.Current.CancellationToken)
                : await PostAsync(address, (string)what);
            Assert.Equal(status, answer.StatusCode);
        }
    }

    private static string Hash =>
        Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(Origin)));

    private Process Start(bool asNew)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            typeof(Govern).Assembly.Location,
            "witness",
            "--name",
            "w.example/1",
            "--key",
            _cli.At("w.key"),
            "--state",
            _cli.At("state"),
            "--log",
            Log.VerifierKey,
            "--listen",
            "127.0.0.1:0",
            "--per-minute",
            "100000",
            .. asNew ? (string[])["--new", Origin] : [],
        ];
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }

    private static async Task<(string Address, string Key)> ListeningAsync(Process process)
    {
        var key = "";
        while (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (line.StartsWith("Witness ", StringComparison.Ordinal))
            {
                key = line[8..];
            }
            else if (line.StartsWith("Listening on ", StringComparison.Ordinal))
            {
                return (line[13..], key);
            }
        }

        throw new InvalidOperationException(
            await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken)
        );
    }

    // Until the witness is gone; says when it has cosigned a few.
    private async Task SendAsync(string address, long size, List<long> cosigned, TaskCompletionSource some)
    {
        try
        {
            for (var sent = 0; ; sent++)
            {
                using var answer = await PostAsync(address, Request(size, size + 1));
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                cosigned.Add(++size);
                if (sent == 3)
                {
                    some.SetResult();
                }
            }
        }
        catch (HttpRequestException)
        {
            // It was killed.
        }
    }

    private async Task<long> SizeAsync(string address)
    {
        // From a size that it cannot have: it says which one it has.
        using var answer = await PostAsync(address, Request(4000, 4000));
        Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
        return long.Parse(
            (await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).TrimEnd('\n'),
            CultureInfo.InvariantCulture
        );
    }

    private Task<HttpResponseMessage> PostAsync(string address, string body) =>
        _http.PostAsync(
            new Uri($"{address}/add-checkpoint"),
            new StringContent(body),
            TestContext.Current.CancellationToken
        );

    private string Request(long from, long to)
    {
        var nodes = new Dictionary<NodeId, byte[]>();
        var tree = new TreeBuilder();
        for (var i = 0L; i < to; i++)
        {
            var leaf = MerkleTree.HashLeaf(BitConverter.GetBytes(i));
            nodes[new NodeId(0, i)] = leaf;
            foreach (var (id, hash) in tree.Append(leaf))
            {
                nodes[id] = hash;
            }
        }

        var proof = MerkleProof
            .Resolve(MerkleProof.PlanConsistency(from, to), nodes)
            .Select(hash => Digest.FromBytes(hash));
        return AddCheckpointRequest.Write(from, proof, new Checkpoint(Origin, to, tree.Root).Sign(Log, _key));
    }
}
