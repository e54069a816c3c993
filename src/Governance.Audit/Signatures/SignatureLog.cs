using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Sequencing;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Signatures;

/// <summary>
/// Appends to the signature log: entry, checkpoint and the audit log's entry about it in one unit. An entry is the last leaf of
/// its checkpoint's tree, so its audit path is the edge of the tree before it, and no other node is ever needed.
/// </summary>
internal sealed class SignatureLog(IWriter writer, SignatureLogSigner signer) : ISignatureLog
{
    public const string EntryKind = "signature_log.appended";

    // As the audit log's entries: anything longer is a payload.
    private const int MaxBody = 64 * 1024;

    public SignatureLogKey Key => signer.Public(signer.Current);

    public IReadOnlyList<SignatureLogKey> Keys => signer.Keys;

    public void MakeKey(string file) => signer.Make(file);

    public void CheckKey() => signer.Current.Key.Check();

    public async Task<LoggedSignature> AppendAsync(byte[] body, CancellationToken cancellationToken)
    {
        if (body.Length is 0 or > MaxBody)
        {
            throw new ArgumentException("An entry has 1 byte to 64 KiB.", nameof(body));
        }

        var result = await writer.WriteAsync<LoggedSignature>(
            (session, token) => AppendAsync(session, body, token),
            cancellationToken
        );
        return result.Ok ? result.Value : throw new InvalidOperationException(result.Failure.Code);
    }

    private async Task<Result<LoggedSignature>> AppendAsync(
        WriteSession session,
        byte[] body,
        CancellationToken cancellationToken
    )
    {
        var last = await session
            .Db.Set<SignatureRow>()
            .AsNoTracking()
            .OrderByDescending(row => row.Index)
            .FirstOrDefaultAsync(cancellationToken);
        // The promise to whoever kept the last checkpoint: the next one extends exactly what that one signed.
        if (EdgeOf(last) is not { } tree)
        {
            return LogFailures.CheckpointForged;
        }

        var (index, path) = (tree.Size, tree.Edge.Reverse().ToList());
        var leaf = MerkleTree.HashLeaf(body);
        tree.Append(leaf);
        var key = signer.Current;
        var note = signer.Sign(key, tree.Size, tree.Root);
        var at = session.Now.ToUnixTimeSeconds();
        await session.Db.InsertAsync(
            [
                new SignatureRow
                {
                    Index = index,
                    Body = body,
                    Edge = [.. tree.Edge.SelectMany(hash => hash)],
                    Note = note,
                    At = at,
                },
            ],
            cancellationToken
        );
        await session.LogAsync(
            new LogEntry(EntryKind, Actor.System, "", LogOutcome.Done)
            {
                Details = new JsonObject { ["checkpoint"] = note, ["leaf"] = Convert.ToHexStringLower(leaf) },
            },
            cancellationToken
        );
        var time = DateTimeOffset.FromUnixTimeSeconds(at);
        return new LoggedSignature
        {
            Body = body,
            Index = index,
            IntegratedAt = time,
            LogId = SHA256.HashData(key.Spki),
            Promise = SignatureLogSigner.Promise(key, body, time, index),
            Size = tree.Size,
            Root = tree.Root,
            Hashes = path,
            Checkpoint = note,
        };
    }

    private TreeBuilder? EdgeOf(SignatureRow? last)
    {
        if (last is null)
        {
            return new TreeBuilder();
        }

        var tree = new TreeBuilder(last.Index + 1, [.. last.Edge.Chunk(SHA256.HashSizeInBytes)]);
        return
            signer.Open(last.Note) is { } checkpoint
            && checkpoint.Size == tree.Size
            && CryptographicOperations.FixedTimeEquals(checkpoint.Root, tree.Root)
            ? tree
            : null;
    }
}
