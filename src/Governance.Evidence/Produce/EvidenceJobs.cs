using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Evidence.Attest;
using Governance.Evidence.Contracts;
using Governance.Evidence.Read;
using Governance.Evidence.Storage;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Jobs;
using Governance.Platform.Logging;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Evidence.Produce;

/// <summary>What an evidence job examines; a job whose subject is no longer the version's does nothing.</summary>
/// <param name="ModelId">The model; its name may change while the job waits.</param>
/// <param name="Version">Version number.</param>
/// <param name="Subject">Evidence subject when the job was made.</param>
internal sealed record EvidenceJob(Guid ModelId, int Version, Digest Subject)
{
    public JobRequest Request(EvidenceKind kind) =>
        new(
            KindOf(kind),
            $"{ModelId:N}/{Version}/{Subject}",
            JsonSerializer.Serialize(this, EvidenceJson.Default.EvidenceJob)
        );

    public static string KindOf(EvidenceKind kind) => $"evidence.{kind.ToString().ToLowerInvariant()}";

    public static EvidenceJob Of(VersionView version) =>
        new(version.ModelId, version.Ref.Version, version.EvidenceSubject);
}

/// <summary>What a producer found.</summary>
internal sealed record Produced(EvidenceOutcome Outcome, string RulesVersion, string Class, string Summary)
{
    public IReadOnlyList<string> Reasons { get; init; } = [];

    /// <summary>The document to store, or null.</summary>
    public byte[]? Document { get; init; }
}

/// <summary>Produces one kind of evidence; slow work, outside any transaction.</summary>
internal interface IEvidenceProducer
{
    EvidenceKind Kind { get; }

    Task<Produced> ProduceAsync(VersionView version, CancellationToken cancellationToken);
}

/// <summary>
/// The durable job around a producer: examine, store the document, then commit row, log entry and the version's new status in
/// one unit. Running it again for the same subject adds the same statement and changes nothing else.
/// </summary>
internal sealed class EvidenceJobHandler(
    IEvidenceProducer producer,
    IRegistryReader registry,
    IVersionStatus status,
    AttestationWriter attestations,
    IBlobStore blobs,
    IWriter writer,
    ISignatureJournal journal
) : IJobHandler
{
    private const long MaxDocument = 64 << 20;

    public string Kind => EvidenceJob.KindOf(producer.Kind);

    public async Task RunAsync(string payload, CancellationToken cancellationToken)
    {
        if (await CurrentAsync(payload, cancellationToken) is { } version)
        {
            await RecordAsync(version, await producer.ProduceAsync(version, cancellationToken), cancellationToken);
        }
    }

    public async Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken)
    {
        if (await CurrentAsync(payload, cancellationToken) is { } version)
        {
            var produced = new Produced(
                EvidenceOutcome.Error,
                "",
                "error",
                $"The {producer.Kind} evidence could not be produced: {reason}."
            );
            await RecordAsync(version, produced, cancellationToken);
        }
    }

    private async Task<VersionView?> CurrentAsync(string payload, CancellationToken cancellationToken)
    {
        var job = JsonSerializer.Deserialize(payload, EvidenceJson.Default.EvidenceJob)!;
        var version = await registry.FindVersionByIdAsync(job.ModelId, job.Version, cancellationToken);
        return version is not null && version.EvidenceSubject == job.Subject ? version : null;
    }

    private async Task RecordAsync(VersionView version, Produced produced, CancellationToken cancellationToken)
    {
        var statement = await attestations.WriteAsync(version, producer.Kind, produced, cancellationToken);
        var document = await StoreAsync(produced.Document, cancellationToken);
        var attestation = await StoreAsync(statement?.Bundle, cancellationToken);
        var result = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                foreach (var stored in new[] { document, attestation }.OfType<StoredBlob>())
                {
                    if (await blobs.AttachAsync(session, stored, token) is { Ok: false } lost)
                    {
                        return lost.Failure;
                    }
                }

                await AddAsync(
                    session,
                    version,
                    produced,
                    document?.Digest,
                    attestation is null ? null : (attestation.Digest, statement!.Payload),
                    token
                );
                if (producer.Kind == EvidenceKind.Signature && produced.Document is { } bundle)
                {
                    await journal.RecordAsync(session, bundle, Urn.Version(version.Ref), token);
                }

                return await SettleAsync(session, version, produced, token);
            },
            cancellationToken
        );
        if (!result.Ok)
        {
            throw new InvalidOperationException(result.Failure.Code);
        }
    }

    private async Task<StoredBlob?> StoreAsync(byte[]? bytes, CancellationToken cancellationToken) =>
        bytes is null
            ? null
            : (await blobs.PutAsync(new MemoryStream(bytes, writable: false), MaxDocument, cancellationToken)).Value;

    private async Task AddAsync(
        WriteSession session,
        VersionView version,
        Produced produced,
        Digest? document,
        (Digest Bundle, Digest Payload)? attestation,
        CancellationToken cancellationToken
    )
    {
        var subject = Subjects.Of(producer.Kind, version);
        var entry = await session.LogAsync(
            new LogEntry("evidence.produced", Actor.System, Urn.Version(version.Ref), LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["class"] = produced.Class,
                    ["document"] = document?.Hex,
                    ["kind"] = producer.Kind.ToString().ToLowerInvariant(),
                    ["outcome"] = produced.Outcome.ToString().ToLowerInvariant(),
                    ["rules"] = produced.RulesVersion,
                    ["statementSha256"] = attestation?.Payload.Hex,
                    ["subject"] = subject.Hex,
                },
            },
            cancellationToken
        );
        var request = EvidenceJob.Of(version).Request(producer.Kind);
        // A newer job waits: what was examined changed while this one ran, so its result must not count for a moment. It
        // cannot have started, for the workers run one job of a kind and key at a time.
        var overtaken = await Waits.For(session.Db)(session.Db, request.Kind, request.Key, cancellationToken);
        session.Db.Add(
            new EvidenceRow
            {
                ModelId = version.ModelId,
                Version = version.Ref.Version,
                Kind = producer.Kind,
                Subject = subject,
                Outcome = produced.Outcome,
                RulesVersion = produced.RulesVersion,
                Class = produced.Class,
                Summary = produced.Summary,
                Reasons = JsonSerializer.Serialize(produced.Reasons, EvidenceJson.Default.IReadOnlyListString),
                Document = document,
                Attestation = attestation?.Bundle,
                ProducedAt = session.Now,
                EntryId = entry,
                Stale = overtaken,
            }
        );
        await session.Db.SaveChangesAsync(cancellationToken);
    }

    private async Task<Result<Unit>> SettleAsync(
        WriteSession session,
        VersionView version,
        Produced produced,
        CancellationToken cancellationToken
    )
    {
        // What speaks against data or signer stops promotion, not registration.
        var refused =
            produced.Outcome == EvidenceOutcome.Error
            || (
                produced.Outcome == EvidenceOutcome.Failed
                && producer.Kind is not (EvidenceKind.Privacy or EvidenceKind.Signature)
            );
        if (refused)
        {
            var reason = string.Join(' ', [produced.Summary, .. produced.Reasons.Take(5)]);
            // Failing what failed before changes nothing: a crash after this unit and before the job's mark runs it again.
            return version.Status == VersionStatus.Ready
                ? await status.QuarantineAsync(session, version.Ref, reason, cancellationToken)
                : await status.FailAsync(session, version.Ref, reason, cancellationToken);
        }

        if (producer.Kind == EvidenceKind.Scan)
        {
            // Only what the scan let through is ever signed.
            await session.EnqueueAsync(EvidenceJob.Of(version).Request(EvidenceKind.Signature), cancellationToken);
        }

        return
            version.Status == VersionStatus.PendingRegistration
            && await IsCompleteAsync(session, version, cancellationToken)
            ? await status.CompleteAsync(session, version.Ref, version.EvidenceSubject, cancellationToken)
            : default(Unit);
    }

    private static async Task<bool> IsCompleteAsync(
        WriteSession session,
        VersionView version,
        CancellationToken cancellationToken
    )
    {
        var kinds = await KindsOf.For(session.Db)(
            session.Db,
            version.ModelId,
            version.Ref.Version,
            version.ManifestDigest,
            version.EvidenceSubject,
            cancellationToken
        );
        return kinds == Enum.GetValues<EvidenceKind>().Length;
    }

    private static readonly CompiledQuery<Func<GovernanceDb, string, string, CancellationToken, Task<bool>>> Waits =
        new(() =>
            EF.CompileAsyncQuery(
                (GovernanceDb db, string kind, string key, CancellationToken _) =>
                    db.Set<JobRow>().Any(job => job.Kind == kind && job.Key == key && job.State == JobState.Waiting)
            )
        );

    private static readonly CompiledQuery<
        Func<GovernanceDb, Guid, int, Digest, Digest, CancellationToken, Task<int>>
    > KindsOf = new(() =>
        EF.CompileAsyncQuery(
            (GovernanceDb db, Guid model, int version, Digest manifest, Digest subject, CancellationToken _) =>
                db.Set<EvidenceRow>()
                    .Where(row =>
                        row.ModelId == model
                        && row.Version == version
                        && !row.Stale
                        && (row.Subject == manifest || row.Subject == subject)
                        && row.Outcome != EvidenceOutcome.Error
                    )
                    .Select(row => row.Kind)
                    .Distinct()
                    .Count()
        )
    );
}
