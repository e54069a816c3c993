using System.Globalization;
using System.Text;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Witnessing;
using Governance.Kernel;
using Microsoft.Extensions.Time.Testing;
using NSec.Cryptography;

namespace Governance.Tests.Audit;

/// <summary>A witness cosigns extensions only, and does not forget (C2SP tlog-witness, tlog-cosignature).</summary>
public sealed class WitnessTests : IDisposable
{
    private const string Origin = "example.com/behind-the-sofa";
    private readonly string _folder = Directory.CreateTempSubdirectory("witness-").FullName;
    private readonly FakeTimeProvider _clock = new(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000));
    private readonly SignedTree _log = new(Origin);

    public void Dispose()
    {
        _log.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_checkpoint_that_extends_the_last_is_cosigned()
    {
        using var witness = Open(Origin);
        var key = NoteKey.TryParse(witness.VerifierKey, NoteKey.Witness)!;
        foreach (var (from, to) in new[] { (0, 3), (3, 3), (3, 8), (8, 21) })
        {
            _clock.Advance(TimeSpan.FromSeconds(1));

            var answer = Send(witness, from, to);

            Assert.Equal(WitnessVerdict.Cosigned, answer.Verdict);
            var cosigned = SignedNote.TryParse(_log.Note(to) + answer.Body)!;
            Assert.Equal(
                _clock.GetUtcNow().ToUnixTimeSeconds(),
                Cosignature.SecondsOf(cosigned.SignatureOf(key)!.Signature)
            );
            Assert.Equal(_log.Note(to) + answer.Body, witness.CheckpointOf(WitnessState.FileName(Origin)));
        }
    }

    [Fact]
    public void Every_way_to_be_refused_has_its_answer()
    {
        using var witness = Open(Origin);
        Send(witness, 0, 8);
        using var stranger = new SignedTree("example.com/elsewhere");
        using var forged = new SignedTree(Origin);
        using var fork = _log.Fork(5);

        Refused(WitnessVerdict.UnknownLog, stranger.Request(0, 4));
        Refused(WitnessVerdict.NotSigned, forged.Request(8, 9));
        Refused(WitnessVerdict.NotSigned, _log.Request(8, 9).Replace("\n9\n", "\n10\n", StringComparison.Ordinal));
        Refused(WitnessVerdict.Malformed, _log.Request(9, 8));
        Refused(WitnessVerdict.OtherSize, _log.Request(3, 9), "8\n");
        Refused(WitnessVerdict.OtherSize, _log.Request(0, 9), "8\n");
        Refused(WitnessVerdict.OtherSize, _log.Request(9, 12), "8\n");
        Refused(WitnessVerdict.NotConsistent, fork.Request(8, 9));
        Refused(WitnessVerdict.NotConsistent, fork.Request(8, 8));
        Refused(
            WitnessVerdict.NotConsistent,
            _log.Request(8, 9).Replace("old 8\n", "old 8\n" + Line(1), StringComparison.Ordinal)
        );
        Refused(WitnessVerdict.NotConsistent, "old 8\n\n" + _log.Note(9));
        Refused(WitnessVerdict.Malformed, "");
        Refused(WitnessVerdict.Malformed, "old 08\n\n" + _log.Note(9));
        Refused(WitnessVerdict.Malformed, "old -8\n\n" + _log.Note(9));
        Refused(WitnessVerdict.Malformed, "old 8\nAAAA\n\n" + _log.Note(9));
        Refused(WitnessVerdict.Malformed, "old 8\n" + _log.Note(9));
        Refused(WitnessVerdict.Malformed, "old 8\n\n" + _log.Note(9)[..^1]);
        Refused(
            WitnessVerdict.Malformed,
            $"old 8\n{string.Concat(Enumerable.Range(0, 64).Select(Line))}\n{_log.Note(9)}"
        );
        Refused(WitnessVerdict.Malformed, "old 8\r\n\r\n" + _log.Note(9));
        Assert.Equal(WitnessVerdict.Malformed, witness.AddCheckpoint([0xff, 0xfe, .. "old 8\n\n"u8]).Verdict);
        Assert.Equal(
            WitnessVerdict.Malformed,
            witness.AddCheckpoint(new byte[AddCheckpointRequest.MaxLength + 1]).Verdict
        );

        Assert.Equal(WitnessVerdict.Cosigned, Send(witness, 8, 9).Verdict);
        // Both roots that do not extend what was cosigned stay as evidence, signed by the log.
        Assert.Equal(3, Directory.GetFiles(At("state", "evidence")).Length);
        Assert.All(
            Directory.GetFiles(At("state", "evidence")),
            path => Assert.NotNull(Checkpoint.Open(File.ReadAllText(path), _log.Key))
        );

        static string Line(int i) => $"{Convert.ToBase64String(MerkleTree.HashLeaf([(byte)i]))}\n";
        void Refused(WitnessVerdict verdict, string request, string body = "")
        {
            var answer = witness.AddCheckpoint(Encoding.UTF8.GetBytes(request));
            Assert.Equal((verdict, body), (answer.Verdict, answer.Body));
        }
    }

    [Fact]
    public void An_empty_tree_has_the_empty_root()
    {
        using var witness = Open(Origin);

        Assert.Equal(
            WitnessVerdict.NotConsistent,
            witness.AddCheckpoint(Encoding.UTF8.GetBytes("old 0\n\n" + _log.Sign(0, new byte[32]))).Verdict
        );
        Assert.Equal(
            WitnessVerdict.NotConsistent,
            witness
                .AddCheckpoint(
                    Encoding.UTF8.GetBytes(
                        _log.Request(0, 4)
                            .Replace(
                                "old 0\n",
                                $"old 0\n{Convert.ToBase64String(new byte[32])}\n",
                                StringComparison.Ordinal
                            )
                    )
                )
                .Verdict
        );
        Assert.Equal(WitnessVerdict.Cosigned, Send(witness, 0, 0).Verdict);
        Assert.Equal(WitnessVerdict.Cosigned, Send(witness, 0, 4).Verdict);
    }

    [Fact]
    public void A_line_under_the_logs_name_that_does_not_verify_spoils_the_note()
    {
        using var other = _log.Fork(0, newKey: true);
        using var witness = Open(Origin, logs: [_log.Key.VerifierKey, other.Key.VerifierKey]);
        var wrong = new NoteLine(Origin, other.Key.KeyHash, new byte[64]);

        Assert.Equal(
            WitnessVerdict.NotSigned,
            witness.AddCheckpoint(Encoding.UTF8.GetBytes(_log.Request(0, 3) + wrong)).Verdict
        );
        Assert.Equal(
            WitnessVerdict.Cosigned,
            witness
                .AddCheckpoint(
                    Encoding.UTF8.GetBytes(_log.Request(0, 3) + new NoteLine("a.stranger", [1, 2, 3, 4], new byte[64]))
                )
                .Verdict
        );
    }

    [Fact]
    public void What_was_cosigned_is_known_after_a_restart()
    {
        string key;
        using (var witness = Open(Origin))
        {
            key = witness.VerifierKey;
            Send(witness, 0, 8);
        }

        using var again = Open();

        Assert.Equal(key, again.VerifierKey);
        Assert.Equal(8, again.Sizes[Origin]);
        Assert.Equal(WitnessVerdict.OtherSize, Send(again, 0, 9).Verdict);
        Assert.Equal(WitnessVerdict.Cosigned, Send(again, 8, 9).Verdict);
    }

    [Fact]
    public void A_state_that_is_not_what_was_left_is_refused()
    {
        Assert.Equal("audit.witness_state", TryOpen().Failure?.Code);
        using (var witness = Open(Origin))
        {
            Send(witness, 0, 8);
            Directory.CreateDirectory(At("old"));
            File.Copy(StateFile, At("old", "state"));
            File.Copy(At("key.sizes"), At("old", "sizes"));
            Send(witness, 8, 9);
        }

        var (state, sizes) = (File.ReadAllText(StateFile), File.ReadAllText(At("key.sizes")));
        Broken("missing", () => File.Delete(StateFile));
        Broken("damaged", () => File.WriteAllText(StateFile, state[..^20]));
        Broken("damaged", () => File.WriteAllText(StateFile, ""));
        Broken("damaged", () => File.WriteAllText(StateFile, _log.Note(9)));
        Broken(
            "damaged",
            () => File.WriteAllText(StateFile, state.Replace("\n9\n", "\n7\n", StringComparison.Ordinal))
        );
        Broken("set back", () => File.Copy(At("old", "state"), StateFile, overwrite: true));
        Broken("set back", () => File.WriteAllText(StateFile, $"new {Origin}\n"));
        Broken("record", () => File.Delete(At("key.sizes")));
        Broken("record", () => File.WriteAllText(At("key.sizes"), sizes[..^10]));
        Broken(
            "record",
            () => File.WriteAllText(At("key.sizes"), sizes.Replace(" 9\n", " 7\n", StringComparison.Ordinal))
        );

        // A crash between the two files leaves the record behind the state, and that is fine.
        File.Copy(At("old", "sizes"), At("key.sizes"), overwrite: true);
        Open().Dispose();
        Assert.Equal("audit.witness_state", TryOpen(Origin).Failure?.Code);

        File.Delete(StateFile);
        using var anew = Open(Origin);
        Assert.Equal(0, anew.Sizes[Origin]);

        void Broken(string why, Action change)
        {
            change();
            var failure = TryOpen().Failure;
            Assert.Equal("audit.witness_state", failure?.Code);
            Assert.Contains(why, failure!.Message, StringComparison.Ordinal);
            File.WriteAllText(StateFile, state);
            File.WriteAllText(At("key.sizes"), sizes);
            Open().Dispose();
        }
    }

    [Fact]
    public void One_process_has_the_state()
    {
        using var witness = Open(Origin);

        Assert.Equal("audit.witness_locked", TryOpen().Failure?.Code);
    }

    [Fact]
    public void A_clock_that_went_back_cosigns_nothing()
    {
        using var witness = Open(Origin);
        Send(witness, 0, 3);
        _clock.AdjustTime(_clock.GetUtcNow().AddSeconds(-2));

        Assert.Equal(WitnessVerdict.NotNow, Send(witness, 3, 8).Verdict);
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(WitnessVerdict.Cosigned, Send(witness, 3, 8).Verdict);
    }

    [Fact]
    public void What_cannot_be_made_durable_is_not_cosigned_nor_anything_after_it()
    {
        using var witness = Open(Origin);
        Send(witness, 0, 3);
        Directory.Move(At("state"), At("gone"));
        File.WriteAllText(At("state"), "a file is in the way");

        Assert.Equal(WitnessVerdict.NotNow, Send(witness, 3, 8).Verdict);
        File.Delete(At("state"));
        Directory.Move(At("gone"), At("state"));
        Assert.Equal(WitnessVerdict.NotNow, Send(witness, 3, 8).Verdict);
    }

    [Fact]
    public async Task Of_two_trees_sent_at_once_one_is_cosigned()
    {
        using var witness = Open(Origin);
        Send(witness, 0, 8);
        using var fork = _log.Fork(8);
        var requests = new[] { _log.Request(8, 9), fork.Request(8, 9), _log.Request(8, 12), fork.Request(8, 12) };

        var answers = await Task.WhenAll(
            requests.Select(request => Task.Run(() => witness.AddCheckpoint(Encoding.UTF8.GetBytes(request)).Verdict))
        );

        Assert.Single(answers, WitnessVerdict.Cosigned);
    }

    [Fact]
    public void The_key_is_the_owners_alone()
    {
        Open(Origin).Dispose();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At("key")));

        File.SetUnixFileMode(At("key"), UnixFileMode.UserRead | UnixFileMode.GroupRead);

        Assert.Equal("audit.witness_key", TryOpen().Failure?.Code);
    }

    // As published by a public log (arche2025h1.staging.ct.transparency.dev) with the line of one of its witnesses.
    private const string PublishedCheckpoint =
        "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"
        + "\n— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ="
        + "\n— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n";

    private const string PublishedLog =
        "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";

    private const string PublishedWitness = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

    [Fact]
    public void A_published_checkpoint_and_its_cosignature_verify()
    {
        var checkpoint = Checkpoint.Open(PublishedCheckpoint, NoteKey.TryParse(PublishedLog)!);
        var witness = NoteKey.TryParse(PublishedWitness, NoteKey.Witness)!;

        Assert.Equal(1_432_088_532, checkpoint!.Size);
        Assert.Equal(PublishedWitness, witness.VerifierKey);
        var line = SignedNote.TryParse(PublishedCheckpoint)!.SignatureOf(witness);
        Assert.Equal(0x6a122120, Cosignature.SecondsOf(line!.Signature));
        Assert.Null(NoteKey.TryParse(PublishedWitness));
        Assert.Null(NoteKey.TryParse(PublishedLog, NoteKey.Witness));
    }

    [Theory]
    [InlineData("1432088532", "1432088533")]
    [InlineData("BqEiEgPlfF", "BqEiEhPlfF")]
    [InlineData("AAAABqEiEgPlfF", "gAAABqEiEgPlfF")]
    [InlineData("4Ro=\n", "4Ro=\nextension\n")]
    public void A_changed_published_cosignature_does_not_verify(string old, string replacement) =>
        Assert.Null(
            SignedNote
                .TryParse(PublishedCheckpoint.Replace(old, replacement, StringComparison.Ordinal))
                ?.SignatureOf(NoteKey.TryParse(PublishedWitness, NoteKey.Witness)!)
        );

    private string StateFile => At("state", $"{WitnessState.FileName(Origin)}.checkpoint");

    private string At(params string[] parts) => Path.Combine([_folder, .. parts]);

    private Witness Open(string? asNew = null, string[]? logs = null)
    {
        var opened = TryOpen(asNew, logs);
        Assert.Null(opened.Failure);
        return opened.Value;
    }

    private Result<Witness> TryOpen(string? asNew = null, string[]? logs = null) =>
        Witness.Open(
            new WitnessSettings(
                "witness.example/w1",
                At("key"),
                At("state"),
                logs ?? [_log.Key.VerifierKey],
                asNew is null ? [] : [asNew]
            ),
            _clock
        );

    private WitnessAnswer Send(Witness witness, int from, int to) =>
        witness.AddCheckpoint(Encoding.UTF8.GetBytes(_log.Request(from, to)));
}

/// <summary>A log in memory that signs any size of itself and proves one from another.</summary>
internal sealed class SignedTree : IDisposable
{
    private const int Leaves = 64;
    private readonly Key _key;
    private readonly int _fork;
    private readonly Dictionary<NodeId, byte[]> _nodes = [];

    public SignedTree(string origin)
        : this(origin, MakeKey(), Leaves) { }

    private SignedTree(string origin, Key key, int fork)
    {
        (_key, _fork) = (key, fork);
        Key = NoteKey.Create(origin, key.PublicKey);
        var tree = new TreeBuilder();
        for (var i = 0; i < Leaves; i++)
        {
            var leaf = MerkleTree.HashLeaf([(byte)i, (byte)(i < fork ? 0 : 1)]);
            _nodes[new NodeId(0, i)] = leaf;
            foreach (var (id, hash) in tree.Append(leaf))
            {
                _nodes[id] = hash;
            }
        }
    }

    public NoteKey Key { get; }

    /// <summary>Another tree of the same log from this leaf on.</summary>
    public SignedTree Fork(int at, bool newKey = false) =>
        new(
            Key.Name,
            newKey
                ? MakeKey()
                : NSec.Cryptography.Key.Import(
                    SignatureAlgorithm.Ed25519,
                    _key.Export(KeyBlobFormat.RawPrivateKey),
                    KeyBlobFormat.RawPrivateKey,
                    new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport }
                ),
            at
        );

    public string Sign(long size, byte[] root) => new Checkpoint(Key.Name, size, root).Sign(Key, _key);

    public string Note(int size) =>
        Sign(size, MerkleTree.Fold([.. MerkleTree.Cover(0, size).Select(id => _nodes[id])]));

    public string Request(int from, int to) =>
        AddCheckpointRequest.Write(
            from,
            from > to
                ? []
                : MerkleProof
                    .Resolve(MerkleProof.PlanConsistency(from, to), _nodes)
                    .Select(hash => Digest.FromBytes(hash)),
            Note(to)
        );

    public void Dispose() => _key.Dispose();

    private static Key MakeKey() =>
        NSec.Cryptography.Key.Create(
            SignatureAlgorithm.Ed25519,
            new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport }
        );
}
