using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Platform.Logging;

/// <summary>How the logged action ended.</summary>
public enum LogOutcome
{
    /// <summary>It was carried out in this transaction.</summary>
    Done,

    /// <summary>It was refused.</summary>
    Refused,

    /// <summary>It is about to begin (sensitive reads, upstream changes).</summary>
    Begun,
}

/// <summary>
/// One entry of the audit log, before it gets id, time and salt. Holds no personal data in clear: actors and persons by
/// pseudonym, findings by kind and count.
/// </summary>
/// <param name="Kind">What happened, <c>module.fact</c>, e.g. <c>promotion.carried_out</c>.</param>
/// <param name="Actor">Who did it.</param>
/// <param name="Subject">URN of what it is about, e.g. <c>version:fraud/3</c>; empty when there is none.</param>
/// <param name="Outcome">How it ended.</param>
public sealed record LogEntry(string Kind, Actor Actor, string Subject, LogOutcome Outcome)
{
    /// <summary>Further facts; only digests, numbers, codes, names of models, stages and policies.</summary>
    public JsonObject Details { get; init; } = [];

    /// <summary>
    /// What is personal about the person that <see cref="Subject"/> names (<c>subject:…</c>); it enters the entry sealed under
    /// that person's key and dies with it. Null for nothing.
    /// </summary>
    public JsonObject? Personal { get; init; }

    /// <summary>
    /// Whether the salt stays readable after an erasure: of entries that receipts prove, whose salts are out already, and of
    /// those that record an erasure. They hold pseudonyms only.
    /// </summary>
    public bool Keeps { get; init; }
}

/// <summary>Port for appending to the log inside a transaction; implemented by the audit module.</summary>
public interface ILogAppender
{
    /// <summary>Inserts entries on the session's connection and transaction; returns their ids in the same order.</summary>
    Task<IReadOnlyList<Guid>> AppendAsync(
        GovernanceDb db,
        IReadOnlyCollection<LogEntry> entries,
        DateTimeOffset now,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// Whom the newest entry that is under anybody's key is by and about, by pseudonym; empty when there is none.
    /// </summary>
    Task<IReadOnlyList<string>> LastSealedAsync(GovernanceDb db, CancellationToken cancellationToken);
}
