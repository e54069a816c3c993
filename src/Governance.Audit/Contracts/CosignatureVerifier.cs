using Governance.Audit.Engine;
using Governance.Kernel;

namespace Governance.Audit.Contracts;

/// <summary>A witness that saw a checkpoint.</summary>
/// <param name="Name">Name of the witness.</param>
/// <param name="At">When it cosigned, by its own clock, UTC.</param>
public sealed record SeenBy(string Name, DateTimeOffset At);

/// <summary>Offline check of cosignatures (C2SP tlog-cosignature, Ed25519); pure.</summary>
public static class CosignatureVerifier
{
    /// <summary>
    /// Which of the witnesses cosigned the checkpoint, if at least so many did. Lines of others prove nothing and are passed
    /// over; one key under two names is one witness. Codes <c>audit.bad_witness_key</c>, <c>audit.bad_checkpoint</c>,
    /// <c>audit.not_witnessed</c>.
    /// </summary>
    public static Result<IReadOnlyList<SeenBy>> Verify(
        string checkpoint,
        IReadOnlyCollection<string> witnesses,
        int atLeast
    )
    {
        var keys = witnesses.Select(witness => NoteKey.TryParse(witness, NoteKey.Witness)).ToList();
        if (keys.Contains(null))
        {
            return Failure.Invalid("audit.bad_witness_key", "A verifier key of a witness is malformed.");
        }

        if (SignedNote.TryParse(checkpoint) is not { } note || Checkpoint.TryParse(note.Text) is null)
        {
            return Failure.Invalid("audit.bad_checkpoint", "The checkpoint is malformed.");
        }

        var seen = keys.OfType<NoteKey>()
            .DistinctBy(key => Convert.ToHexString(key.RawKey))
            .Select(key => (key.Name, Line: note.SignatureOf(key)))
            .Where(found => found.Line is not null)
            .Select(found => new SeenBy(
                found.Name,
                DateTimeOffset.FromUnixTimeSeconds(Math.Min(Cosignature.SecondsOf(found.Line!.Signature), LastSecond))
            ))
            .ToList();
        return seen.Count >= atLeast
            ? seen
            : Failure.Invalid(
                "audit.not_witnessed",
                $"{seen.Count} of the witnesses that you trust cosigned the checkpoint; {atLeast} are asked for."
            );
    }

    // Of the last year that a date can have.
    private static readonly long LastSecond = DateTimeOffset.MaxValue.ToUnixTimeSeconds();
}
