using Governance.Audit.Engine;
using NSec.Cryptography;

namespace Governance.Tests.Audit;

public class NoteTests
{
    // The example of the signed-note format as published with Go's sumdb.
    private const string PublishedKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    private const string PublishedText =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";

    private const string PublishedNote =
        PublishedText
        + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    [Fact]
    public void The_published_note_opens_under_the_published_key() =>
        Assert.Equal(PublishedText, SignedNote.Open(PublishedNote, NoteKey.TryParse(PublishedKey)!));

    // The example of the C2SP signed-note specification.
    [Fact]
    public void The_note_of_the_specification_opens_under_its_key() =>
        Assert.Equal(
            "This is an example message.\n",
            SignedNote.Open(
                "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
                NoteKey.TryParse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")!
            )
        );

    // The spelling and the widths that C2SP tlog-tiles gives for a tree of 70,000 leaves.
    [Fact]
    public void The_tiles_of_the_specifications_example_are_named_as_it_says() =>
        Assert.Equal(
            ["tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"],
            new[]
            {
                new TilePath(0, 272, 256),
                new TilePath(0, 273, (int)(70_000 % 256)),
                new TilePath(1, 0, 256),
                new TilePath(1, 1, (70_000 / 256) % 256),
                new TilePath(2, 0, 70_000 / 65_536),
            }.Select(tile => tile.ToString())
        );

    [Fact]
    public void A_verifier_key_is_written_as_it_was_read() =>
        Assert.Equal(PublishedKey, NoteKey.TryParse(PublishedKey)!.VerifierKey);

    [Theory]
    [InlineData("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    [InlineData("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    [InlineData("PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    [InlineData("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    [InlineData("PeterNeumann+c74f20a3")]
    [InlineData("")]
    public void A_verifier_key_that_is_not_whole_is_refused(string key) => Assert.Null(NoteKey.TryParse(key));

    [Theory]
    [InlineData("cryptography", "cryptographie")]
    [InlineData("x08go", "x08gp")]
    [InlineData("— Peter", "- Peter")]
    [InlineData("JnAM=\n", "JnAM=")]
    [InlineData("\n\n— ", "\n— ")]
    [InlineData("— PeterNeumann", "— Peter")]
    public void A_changed_note_is_refused(string old, string replacement) =>
        Assert.Null(
            SignedNote.Open(
                PublishedNote.Replace(old, replacement, StringComparison.Ordinal),
                NoteKey.TryParse(PublishedKey)!
            )
        );

    [Theory]
    [InlineData("log\n05\n{0}\n")]
    [InlineData("log\n-5\n{0}\n")]
    [InlineData("log\n 5\n{0}\n")]
    [InlineData("other\n5\n{0}\n")]
    [InlineData("log\n5\nAAAA\n")]
    [InlineData("log\n5\n")]
    public void A_signed_text_that_is_no_checkpoint_of_this_log_is_refused(string text)
    {
        using var key = Key.Create(SignatureAlgorithm.Ed25519);
        var name = NoteKey.Create("log", key.PublicKey);
        var note = SignedNote.Sign(
            text.Replace("{0}", Convert.ToBase64String(new byte[32]), StringComparison.Ordinal),
            name,
            key
        );

        Assert.Null(Checkpoint.Open(note, name));
    }

    [Fact]
    public void A_witness_line_beside_the_own_signature_is_allowed()
    {
        using var key = Key.Create(SignatureAlgorithm.Ed25519);
        var name = NoteKey.Create("log", key.PublicKey);
        var note = new Checkpoint("log", 5, new byte[32]).Sign(name, key) + "— witness AAAAAAAA\n";

        Assert.Equal(5, Checkpoint.Open(note, name)!.Size);
    }

    [Theory]
    [InlineData("0", "000", 0, 0, 256)]
    [InlineData("0", "x001/x234/067", 0, 1_234_067, 256)]
    [InlineData("1", "003.p/7", 1, 3, 7)]
    public void Tile_paths_are_read_and_written(string level, string rest, int tileLevel, long index, int width)
    {
        var tile = TilePath.TryParse(level, rest);

        Assert.Equal(new TilePath(tileLevel, index, width), tile);
        Assert.Equal($"tile/{level}/{rest}", tile.ToString());
    }

    [Theory]
    [InlineData("00", "000")]
    [InlineData("8", "000")]
    [InlineData("entries", "000")]
    [InlineData("0", "0")]
    [InlineData("0", "x000/001")]
    [InlineData("0", "000.p/256")]
    [InlineData("0", "000.p/0")]
    [InlineData("0", "000.p/07")]
    [InlineData("0", "../000")]
    [InlineData("0", "-01")]
    [InlineData("0", "")]
    [InlineData("0", "x999/x999/x999/x999/x999/x999/x999/999")]
    public void Other_spellings_of_tile_paths_are_refused(string level, string rest) =>
        Assert.Null(TilePath.TryParse(level, rest));
}
