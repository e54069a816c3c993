using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Governance.Audit.Engine;
using Governance.Audit.Witnessing;
using Governance.Kernel;

namespace Governance.Audit.Contracts;

/// <summary>What a witness needs to know before it runs.</summary>
/// <param name="Name">Its name, a host and path without scheme; it stands in every cosignature.</param>
/// <param name="KeyFile">Its private key, made on the first run; what it must not forget lies beside it.</param>
/// <param name="StateDirectory">Where it keeps the last checkpoint of each log.</param>
/// <param name="Logs">Verifier keys of the logs that it watches; several of one origin are keys of one log.</param>
/// <param name="New">Origins of logs of which nothing is known yet, or nothing any more.</param>
public sealed record WitnessSettings(
    string Name,
    string KeyFile,
    string StateDirectory,
    IReadOnlyList<string> Logs,
    IReadOnlyList<string> New
);

/// <summary>How a witness answers a checkpoint (C2SP tlog-witness).</summary>
public enum WitnessVerdict
{
    /// <summary>It extends what was known: the body is the cosignature (200).</summary>
    Cosigned,

    /// <summary>The request is not one, or starts from more than it leads to (400).</summary>
    Malformed,

    /// <summary>No key of the log signed it, or one that says it did did not (403).</summary>
    NotSigned,

    /// <summary>Nothing is watched under that origin (404).</summary>
    UnknownLog,

    /// <summary>The witness knows another size than the proof starts from: the body is that size (409).</summary>
    OtherSize,

    /// <summary>It does not extend what was known (422).</summary>
    NotConsistent,

    /// <summary>The clock stands before the last cosignature of this log, or the state cannot be written (503).</summary>
    NotNow,
}

/// <summary>An answer of a witness.</summary>
/// <param name="Verdict">What it decided.</param>
/// <param name="Body">What goes to the log, or empty.</param>
/// <param name="Origin">The log, once its signature held.</param>
public sealed record WitnessAnswer(WitnessVerdict Verdict, string Body = "", string Origin = "");

/// <summary>
/// A witness (C2SP tlog-witness): cosigns a checkpoint only if it extends the last one that it cosigned of the same log. What
/// it cosigned is durable before the cosignature leaves. Thread-safe; one process has a state at a time.
/// </summary>
public sealed class Witness : IDisposable
{
    private const int MaxHashes = 63;
    private readonly WitnessKey _key;
    private readonly WitnessState _state;
    private readonly ILookup<string, NoteKey> _logs;
    private readonly TimeProvider _clock;
    private readonly Lock _one = new();
    private bool _unsure;

    private Witness(WitnessKey key, WitnessState state, ILookup<string, NoteKey> logs, TimeProvider clock)
    {
        _key = key;
        _state = state;
        _logs = logs;
        _clock = clock;
    }

    /// <summary>What others verify its cosignatures with, <c>name+hash+base64(0x04 ‖ key)</c>.</summary>
    public string VerifierKey => _key.Public.VerifierKey;

    /// <summary>Origins of the logs, and the size last cosigned of each.</summary>
    public IReadOnlyDictionary<string, long> Sizes
    {
        get
        {
            lock (_one)
            {
                return _logs.ToDictionary(log => log.Key, log => _state.Of(log.Key).Size, StringComparer.Ordinal);
            }
        }
    }

    /// <summary>
    /// Takes the state, or says why it does not. A state that is missing, torn or older than what was cosigned is refused
    /// unless <see cref="WitnessSettings.New"/> names the log. Codes <c>audit.witness_*</c>, <c>audit.bad_verifier_key</c>.
    /// </summary>
    public static Result<Witness> Open(WitnessSettings settings, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var logs = settings.Logs.Select(log => NoteKey.TryParse(log)).ToList();
        if (logs.Contains(null))
        {
            return Failure.Invalid("audit.bad_verifier_key", "A verifier key of a log is malformed.");
        }

        if (!NoteKey.IsName(settings.Name))
        {
            return Failure.Invalid("audit.witness_name", "A name has no white space and no plus sign.");
        }

        var byOrigin = logs.OfType<NoteKey>().ToLookup(log => log.Name, StringComparer.Ordinal);
        if (settings.New.FirstOrDefault(origin => !byOrigin.Contains(origin)) is { } stray)
        {
            return Failure.Invalid("audit.witness_log", $"{stray} is no log that is watched.");
        }

        var key = WitnessKey.LoadOrCreate(settings.KeyFile, settings.Name);
        if (!key.Ok)
        {
            return key.Failure;
        }

        var state = WitnessState.Open(settings, key.Value, [.. byOrigin.Select(log => log.Key)]);
        if (!state.Ok)
        {
            key.Value.Dispose();
            return state.Failure;
        }

        return new Witness(key.Value, state.Value, byOrigin, clock);
    }

    /// <summary>The verifier key of the key in a file, which is made when there is none. Codes <c>audit.witness_*</c>.</summary>
    public static Result<string> KeyOf(string keyFile, string name)
    {
        if (!NoteKey.IsName(name))
        {
            return Failure.Invalid("audit.witness_name", "A name has no white space and no plus sign.");
        }

        var key = WitnessKey.LoadOrCreate(keyFile, name);
        if (!key.Ok)
        {
            return key.Failure;
        }

        using var loaded = key.Value;
        return loaded.Public.VerifierKey;
    }

    /// <summary>Decides on the body of <c>POST /add-checkpoint</c>.</summary>
    public WitnessAnswer AddCheckpoint(ReadOnlySpan<byte> body)
    {
        if (AddCheckpointRequest.TryParse(body) is not { } request)
        {
            return new WitnessAnswer(WitnessVerdict.Malformed);
        }

        var origin = request.Checkpoint.Origin;
        if (!_logs.Contains(origin))
        {
            return new WitnessAnswer(WitnessVerdict.UnknownLog);
        }

        if (SignatureOf(request.Note, origin) is not { } signature)
        {
            return new WitnessAnswer(WitnessVerdict.NotSigned);
        }

        if (request.OldSize > request.Checkpoint.Size)
        {
            return new WitnessAnswer(WitnessVerdict.Malformed);
        }

        lock (_one)
        {
            return Decide(request, signature) with { Origin = origin };
        }
    }

    /// <summary>The last cosigned checkpoint of a log with both signatures, by the SHA-256 of its origin in hex; or null.</summary>
    public string? CheckpointOf(string originHash)
    {
        lock (_one)
        {
            return _logs
                .Where(log => WitnessState.FileName(log.Key) == originHash)
                .Select(log => _state.Of(log.Key).Note)
                .FirstOrDefault();
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _state.Dispose();
        _key.Dispose();
    }

    private WitnessAnswer Decide(AddCheckpointRequest request, NoteLine signature)
    {
        var (checkpoint, last) = (request.Checkpoint, _state.Of(request.Checkpoint.Origin));
        if (request.OldSize != last.Size)
        {
            var size = last.Size.ToString(CultureInfo.InvariantCulture);
            return new WitnessAnswer(WitnessVerdict.OtherSize, $"{size}\n");
        }

        var extends =
            request.Hashes.Count <= MaxHashes
            && (checkpoint.Size > 0 || CryptographicOperations.FixedTimeEquals(checkpoint.Root, MerkleTree.EmptyRoot))
            && MerkleProof.VerifyConsistency(last.Size, last.Root, checkpoint.Size, checkpoint.Root, request.Hashes);
        if (!extends)
        {
            // A log that signed two trees of which one does not extend the other has to answer for it.
            _state.KeepEvidence(request.Note.Text, checkpoint, signature);
            return new WitnessAnswer(WitnessVerdict.NotConsistent);
        }

        var now = _clock.GetUtcNow().ToUnixTimeSeconds();
        if (_unsure || now < last.Seconds)
        {
            return new WitnessAnswer(WitnessVerdict.NotNow);
        }

        var cosignature = Cosignature.Sign(request.Note.Text, now, _key.Public, _key.Private);
        var note = $"{request.Note.Text}\n{signature}{cosignature}";
        try
        {
            _state.Advance(new Witnessed(checkpoint.Origin, checkpoint.Size, checkpoint.Root, now, note));
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // What lies on the disk now is not known: nothing is cosigned until somebody has looked and started again.
            _unsure = true;
            return new WitnessAnswer(WitnessVerdict.NotNow);
        }

        return new WitnessAnswer(WitnessVerdict.Cosigned, cosignature.ToString());
    }

    // Every line that says it is of a key of this log must be.
    private NoteLine? SignatureOf(SignedNote note, string origin)
    {
        var named = _logs[origin].Where(key => note.Lines.Any(key.Names)).ToList();
        var lines = named.Select(note.SignatureOf).ToList();
        return lines.Contains(null) ? null : lines.FirstOrDefault();
    }
}

/// <summary>The body of <c>POST /add-checkpoint</c>: the size that the proof starts from, the proof, and the checkpoint.</summary>
internal sealed record AddCheckpointRequest(
    long OldSize,
    IReadOnlyList<byte[]> Hashes,
    SignedNote Note,
    Checkpoint Checkpoint
)
{
    /// <summary>Longest body, bytes.</summary>
    public const int MaxLength = 64 << 10;

    private const int MaxLines = 63;
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public static string Write(long oldSize, IEnumerable<Digest> hashes, string note) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"old {oldSize}\n{string.Concat(hashes.Select(hash => $"{Convert.ToBase64String(hash.ToBytes())}\n"))}\n{note}"
        );

    public static AddCheckpointRequest? TryParse(ReadOnlySpan<byte> body)
    {
        if (body.Length > MaxLength || TryDecode(body) is not { } text)
        {
            return null;
        }

        var end = text.IndexOf("\n\n", StringComparison.Ordinal);
        var lines = end < 0 ? [] : text[..end].Split('\n');
        if (
            lines.Length is 0 or > MaxLines + 1
            || !lines[0].StartsWith("old ", StringComparison.Ordinal)
            || !long.TryParse(lines[0].AsSpan(4), NumberStyles.None, CultureInfo.InvariantCulture, out var old)
            || lines[0] != string.Create(CultureInfo.InvariantCulture, $"old {old}")
            || SignedNote.TryParse(text[(end + 2)..]) is not { } note
            || Checkpoint.TryParse(note.Text) is not { } checkpoint
        )
        {
            return null;
        }

        var hashes = lines.Skip(1).Select(StrictBase64.TryDecode).ToList();
        return hashes.TrueForAll(hash => hash is { Length: SHA256.HashSizeInBytes })
            ? new AddCheckpointRequest(old, hashes!, note, checkpoint)
            : null;
    }

    private static string? TryDecode(ReadOnlySpan<byte> body)
    {
        try
        {
            return Strict.GetString(body);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
