using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Compliance.Engine;
using Governance.Kernel;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;
using NSec.Cryptography;

namespace Governance.Cli.Tests;

/// <summary>The keys of a gateway and what it makes with them: a trusted root, a log, a receipt, a report.</summary>
internal sealed class Trust : IDisposable
{
    public const string Origin = "localhost:8443/log";
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Key _logKey = Key.Create(SignatureAlgorithm.Ed25519);
    private readonly List<byte[]> _leaves = [];

    public Trust()
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Signer = new ModelSigner(key);
        Root = CanonicalJson.Serialize(
            new TrustedRootDocument([
                TrustedRootDocument.SigningKey("https://localhost:8443", key.ExportSubjectPublicKeyInfo(), Start, null),
                TrustedRootDocument.LogKey(Origin, NoteKey.RawKey, Start),
            ]).Write()
        );
    }

    public ModelSigner Signer { get; }

    public byte[] Root { get; }

    private NoteKey NoteKey => NoteKey.Create(Origin, _logKey.PublicKey);

    public void Append(int count)
    {
        for (var i = 0; i < count; i++)
        {
            _leaves.Add(MerkleTree.HashLeaf(SHA256.HashData(BitConverter.GetBytes(_leaves.Count))));
        }
    }

    public void Forge(int index) => _leaves[index] = MerkleTree.HashLeaf([0xff]);

    public string Checkpoint()
    {
        var tree = new TreeBuilder();
        _leaves.ForEach(leaf => tree.Append(leaf));
        return new Checkpoint(Origin, tree.Size, tree.Root).Sign(NoteKey, _logKey);
    }

    /// <summary>The one tile of a log of fewer than 256 leaves.</summary>
    public byte[]? Tile(string path) =>
        path == new TilePath(0, 0, _leaves.Count).ToString() ? [.. _leaves.SelectMany(leaf => leaf)] : null;

    /// <summary>A checkpoint with the line of a witness.</summary>
    public static string Cosigned(string checkpoint, Key witness, string name = "w.example") =>
        checkpoint
        + Cosignature.Sign(
            SignedNote.TryParse(checkpoint)!.Text,
            1_800_000_000,
            NoteKey.Create(name, witness.PublicKey, NoteKey.Witness),
            witness
        );

    public static string WitnessKey(Key witness, string name = "w.example") =>
        NoteKey.Create(name, witness.PublicKey, NoteKey.Witness).VerifierKey;

    /// <summary>The answers of a gateway about one entry, and its id: what govern audit prove asks for.</summary>
    public (Guid Id, string Entries, string Proof) Entry(
        string kind = "promotion.carried_out",
        string subject = "version:fraud/1"
    )
    {
        var receipt = (JsonObject)JsonNode.Parse(Receipt(kind: kind, subject: subject))!;
        var entry = receipt["entry"]!.ToString();
        var id = JsonNode.Parse(entry)!["id"]!.ToString();
        var view = new JsonObject
        {
            ["id"] = id,
            ["position"] = 0,
            ["entry"] = entry,
            ["salt"] = receipt["salt"]!.ToString(),
        };
        return (
            Guid.Parse(id),
            new JsonObject { ["entries"] = new JsonArray(view), ["nextToken"] = null }.ToJsonString(),
            receipt["inclusionProof"]!.ToJsonString()
        );
    }

    public byte[] Receipt(
        Key? witness = null,
        string kind = "promotion.carried_out",
        string subject = "version:fraud/1"
    )
    {
        var statement = Statement(
            "urn:test:promotion",
            new JsonObject { ["target"] = "stage:Production" },
            "fraud",
            "x"
        );
        var salt = new byte[EntryText.SaltSize];
        var at = Start.AddDays(30);
        var entry = new Platform.Logging.LogEntry(
            kind,
            new Actor(ActorKind.Person, "p-1"),
            subject,
            Platform.Logging.LogOutcome.Done
        )
        {
            Details = new JsonObject { ["statementSha256"] = Digest.Of(CanonicalJson.Serialize(statement)).Hex },
        };
        var id = Guid.CreateVersion7(at);
        var canonical = EntryText.Canonical(id, at, entry);
        var leaf = EntryText.LeafHash(salt, canonical);
        var tree = new TreeBuilder();
        tree.Append(leaf);
        var proof = new InclusionProof(
            0,
            Digest.FromBytes(leaf),
            [],
            witness is null
                ? new Checkpoint(Origin, 1, tree.Root).Sign(NoteKey, _logKey)
                : Cosigned(new Checkpoint(Origin, 1, tree.Root).Sign(NoteKey, _logKey), witness)
        );
        var recorded = new AuditEntry(id, 0, at, entry.Kind, "p-1", entry.Subject, "done", canonical, salt);
        return CanonicalJson.Serialize(
            ReceiptVerifier.Compose(Signer.SignStatement(statement), recorded, proof, NoteKey.VerifierKey)
        );
    }

    /// <summary>A report in its self-contained form.</summary>
    public byte[] Report()
    {
        var report = new JsonObject { ["title"] = "Evidence report" };
        return SignedReport.File(
            report,
            Signer.SignStatement(
                Statement(
                    SignedReport.PredicateType,
                    About(),
                    SignedReport.JsonSubject,
                    CanonicalJson.SerializeToString(report)
                )
            )
        );
    }

    /// <summary>The bundle over a report in PDF.</summary>
    public byte[] ReportBundle(string pdf) =>
        Signer.SignStatement(Statement(SignedReport.PredicateType, About(), SignedReport.PdfSubject, pdf));

    public void Dispose()
    {
        Signer.Dispose();
        _logKey.Dispose();
    }

    private static JsonObject About() =>
        new()
        {
            ["id"] = "0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11",
            ["regulation"] = "gdpr",
            ["model"] = "fraud",
            ["version"] = 1,
            ["created_at"] = "2026-02-01T00:00:00Z",
        };

    private static JsonObject Statement(string predicateType, JsonObject predicate, string name, string content) =>
        new()
        {
            ["_type"] = "https://in-toto.io/Statement/v1",
            ["subject"] = new JsonArray(
                new JsonObject
                {
                    ["name"] = name,
                    ["digest"] = new JsonObject { ["sha256"] = Digest.Of(Encoding.UTF8.GetBytes(content)).Hex },
                }
            ),
            ["predicateType"] = predicateType,
            ["predicate"] = predicate,
        };
}
