using System.Security.Cryptography;
using System.Text;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Kernel;
using Governance.Platform.Blobs;

namespace Governance.Audit.Witnessing;

/// <summary>The last checkpoint of a log that was cosigned; size 0 and no note before the first.</summary>
internal sealed record Witnessed(string Origin, long Size, byte[] Root, long Seconds, string? Note);

/// <summary>
/// What a witness must never forget: one file per log with the cosigned checkpoint itself, so that nobody can write one but the
/// witness, and the sizes once more beside the key, so that a state that was set back shows.
/// </summary>
internal sealed class WitnessState : IDisposable
{
    private const int MaxLength = 64 << 10;
    private const int MaxEvidence = 100;
    private readonly string _directory;
    private readonly WitnessSizes _sizes;
    private readonly FileStream _lock;
    private readonly Dictionary<string, Witnessed> _logs = new(StringComparer.Ordinal);

    private WitnessState(string directory, WitnessSizes sizes, FileStream held)
    {
        _directory = directory;
        _sizes = sizes;
        _lock = held;
    }

    /// <summary>Name of a log's file, and of the log in the monitoring path: SHA-256 of the origin in hex.</summary>
    public static string FileName(string origin) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(origin)));

    public static Result<WitnessState> Open(WitnessSettings settings, WitnessKey key, IReadOnlyList<string> origins)
    {
        DurableFile.CreateDirectory(settings.StateDirectory);
        FileStream held;
        try
        {
            held = new FileStream(
                Path.Combine(settings.StateDirectory, "lock"),
                FileMode.OpenOrCreate,
                FileAccess.ReadWrite,
                FileShare.None
            );
        }
        catch (IOException)
        {
            return Failure.Conflict("audit.witness_locked", "Another process has this state, or it cannot be written.");
        }

        var state = new WitnessState(settings.StateDirectory, new WitnessSizes(settings.KeyFile), held);
        var failure =
            !state._sizes.IsWhole && origins.Any(origin => !settings.New.Contains(origin))
                ? Failure.Conflict(
                    "audit.witness_state",
                    "The record of sizes beside the key is missing or damaged: every log would have to be begun anew."
                )
                : origins
                    .Select(origin => state.Load(origin, key.Public, settings.New.Contains(origin)))
                    .FirstOrDefault(found => found is not null);
        if (failure is null)
        {
            return state;
        }

        state.Dispose();
        return failure;
    }

    public Witnessed Of(string origin) => _logs[origin];

    /// <summary>Durable when it returns.</summary>
    public void Advance(Witnessed next)
    {
        DurableFile.WriteSecret(PathOf(next.Origin), Encoding.UTF8.GetBytes(next.Note!));
        // After the state: a crash between the two leaves a state that is ahead, never one that looks set back.
        _sizes.Set(FileName(next.Origin), next.Size);
        _logs[next.Origin] = next;
    }

    /// <summary>Keeps a signed checkpoint that does not extend what was cosigned: with the state beside it, it proves a fork.</summary>
    public void KeepEvidence(string text, Checkpoint checkpoint, NoteLine signature)
    {
        var directory = Path.Combine(_directory, "evidence");
        DurableFile.CreateDirectory(directory);
        var name =
            $"{FileName(checkpoint.Origin)[..16]}-{checkpoint.Size:D12}-{Convert.ToHexStringLower(checkpoint.Root)[..16]}";
        var path = Path.Combine(directory, name);
        if (!File.Exists(path) && Directory.EnumerateFiles(directory).Take(MaxEvidence).Count() < MaxEvidence)
        {
            DurableFile.WriteSecret(path, Encoding.UTF8.GetBytes($"{text}\n{signature}"));
        }
    }

    public void Dispose() => _lock.Dispose();

    private string PathOf(string origin) => Path.Combine(_directory, $"{FileName(origin)}.checkpoint");

    private Failure? Load(string origin, NoteKey key, bool asNew)
    {
        var path = PathOf(origin);
        var known = _sizes.Of(FileName(origin));
        var found = File.Exists(path) ? Read(path, origin, key) : null;
        var whole = found is not null && _sizes.IsWhole && found.Size >= known;
        if (whole && asNew)
        {
            return Failure.Conflict(
                "audit.witness_state",
                $"The state of {origin} is whole, at size {found!.Size}: it is not begun anew. Leave out --new."
            );
        }

        if (whole)
        {
            _logs[origin] = found!;
            return null;
        }

        if (!asNew)
        {
            return Failure.Conflict(
                "audit.witness_state",
                found is not null
                        ? $"The state of {origin} was set back: it is at size {found.Size}, and {known} was cosigned."
                    : File.Exists(path) ? $"The state of {origin} is damaged, or of another key or name."
                    : known > 0 ? $"The state of {origin} is missing, and size {known} was cosigned."
                    : $"Nothing is known of {origin}: begin with --new {origin}."
            );
        }

        _sizes.Set(FileName(origin), 0);
        DurableFile.WriteSecret(path, Encoding.UTF8.GetBytes(Begun(origin)));
        _logs[origin] = new Witnessed(origin, 0, MerkleTree.EmptyRoot, 0, null);
        return null;
    }

    private static string Begun(string origin) => $"new {origin}\n";

    private static Witnessed? Read(string path, string origin, NoteKey key)
    {
        using var file = File.OpenRead(path);
        if (file.Length > MaxLength)
        {
            return null;
        }

        var content = new byte[file.Length];
        file.ReadExactly(content);
        var text = Encoding.UTF8.GetString(content);
        if (text == Begun(origin))
        {
            return new Witnessed(origin, 0, MerkleTree.EmptyRoot, 0, null);
        }

        return
            SignedNote.TryParse(text) is { } note
            && note.SignatureOf(key) is { } line
            && Checkpoint.TryParse(note.Text) is { } checkpoint
            && checkpoint.Origin == origin
            ? new Witnessed(origin, checkpoint.Size, checkpoint.Root, Cosignature.SecondsOf(line.Signature), text)
            : null;
    }
}
