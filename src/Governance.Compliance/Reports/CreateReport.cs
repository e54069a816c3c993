using System.Text.Json.Nodes;
using Governance.Compliance.Contracts;
using Governance.Compliance.Engine;
using Governance.Compliance.Pdf;
using Governance.Compliance.Storage;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Compliance.Reports;

/// <summary>Evaluates controls and creates reports.</summary>
internal sealed class ReportService(
    Catalogues catalogues,
    FactGatherer gatherer,
    IRegistryReader registry,
    ReportAccess access,
    ReportArchive archive,
    TimeProvider clock
) : IReports
{
    private static readonly Failure NoVersion = Failure.NotFound(
        "compliance.version_not_found",
        "No model version of that name and number is visible to you."
    );

    public IReadOnlyList<string> Regulations => catalogues.Names;

    public async Task<IReadOnlyList<ControlResult>?> EvaluateAsync(
        ModelVersionRef version,
        string regulation,
        CancellationToken cancellationToken
    ) =>
        catalogues.Find(regulation) is { } catalogue
        && await gatherer.GatherAsync(version, cancellationToken) is { } facts
            ? Evaluators.Evaluate(catalogue, facts)
            : null;

    public async Task<Result<ReportView>> CreateAsync(
        Actor actor,
        string regulation,
        ModelVersionRef version,
        CancellationToken cancellationToken
    )
    {
        if (catalogues.Find(regulation) is not { } catalogue)
        {
            return Failure.Invalid(
                "compliance.unknown_regulation",
                $"There is no catalogue of that name; known are {string.Join(", ", catalogues.Names)}."
            );
        }

        var now = clock.GetUtcNow();
        if (!catalogue.IsValidOn(DateOnly.FromDateTime(now.UtcDateTime)))
        {
            return Failure.Conflict("compliance.catalogue_not_valid", "The catalogue isn't valid today.");
        }

        var rights = await access.RightsOfAsync(actor, cancellationToken);
        var target = await registry.FindVersionAsync(version, cancellationToken);
        if (target is null || !ReportAccess.Allows(rights, Permissions.ReportCreate, target.Target))
        {
            await access.LogRefusalAsync(actor, "compliance.report_refused", "", NoVersion.Code, cancellationToken);
            return NoVersion;
        }

        var facts = await gatherer.GatherAsync(version, cancellationToken);
        var after = await registry.FindVersionAsync(version, cancellationToken);
        if (
            facts is null
            || facts.Version.EvidenceSubject != after?.EvidenceSubject
            || facts.Version.UpdatedAt != after.UpdatedAt
        )
        {
            return Failure.Conflict("compliance.version_changed", "The version changed meanwhile; ask again.");
        }

        return await archive.StoreAsync(
            actor,
            new ReportContent
            {
                Id = Guid.CreateVersion7(now),
                Catalogue = catalogue,
                Facts = facts,
                Controls = Evaluators.Evaluate(catalogue, facts),
                CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(now.ToUnixTimeMilliseconds()),
                CreatedBy = actor.Id,
            },
            cancellationToken
        );
    }
}

/// <summary>Renders, signs and keeps a report: four blobs, one row and one entry, committed together.</summary>
internal sealed class ReportArchive(ISigner signer, ISignatureJournal journal, IBlobStore blobs, IWriter writer)
{
    public async Task<Result<ReportView>> StoreAsync(
        Actor actor,
        ReportContent content,
        CancellationToken cancellationToken
    )
    {
        var document = ReportJson.Of(content);
        var json = Digest.Of(CanonicalJson.Serialize(document));
        var csv = ReportCsv.Of(content);
        var pdf = ReportPdf.Of(content, json);
        var bundle = signer.SignStatement(SignedReport.Statement(content, json, Digest.Of(csv), Digest.Of(pdf)));
        var forms = new List<StoredBlob>();
        foreach (var form in new[] { SignedReport.File(document, bundle), csv, pdf, bundle })
        {
            using var stream = new MemoryStream(form, writable: false);
            var stored = await blobs.PutAsync(stream, ReportVerifier.MaxBytes, cancellationToken);
            if (!stored.Ok)
            {
                return stored.Failure;
            }

            forms.Add(stored.Value);
        }

        return await writer.WriteAsync<ReportView>(
            async (session, token) =>
            {
                foreach (var form in forms.DistinctBy(form => form.Digest))
                {
                    if (await blobs.AttachAsync(session, form, token) is { Ok: false } lost)
                    {
                        return lost.Failure;
                    }
                }

                await journal.RecordAsync(session, bundle, $"report:{content.Id:N}", token);
                session
                    .Db.Set<ReportRow>()
                    .Add(
                        new ReportRow
                        {
                            Id = content.Id.ToString("N"),
                            Regulation = content.Catalogue.Regulation,
                            Model = content.Version.Model,
                            Version = content.Version.Version,
                            OwnerId = content.Facts.Version.OwnerId,
                            CreatedAt = content.CreatedAt,
                            CreatedBy = content.CreatedBy,
                            Json = forms[0].Digest,
                            Csv = forms[1].Digest,
                            Pdf = forms[2].Digest,
                            Bundle = forms[3].Digest,
                        }
                    );
                await session.LogAsync(Entry(actor, content, json), token);
                return new ReportView(
                    content.Id,
                    content.Catalogue.Regulation,
                    content.Version,
                    content.CreatedAt,
                    content.CreatedBy
                );
            },
            cancellationToken
        );
    }

    private static LogEntry Entry(Actor actor, ReportContent content, Digest report) =>
        new("compliance.report_created", actor, Urn.Version(content.Version), LogOutcome.Done)
        {
            Details = new JsonObject
            {
                ["report"] = content.Id.ToString(),
                ["regulation"] = content.Catalogue.Regulation,
                ["catalogue_sha256"] = content.Catalogue.Digest.Hex,
                ["evidence_subject"] = content.Facts.Version.EvidenceSubject.Hex,
                ["report_sha256"] = report.Hex,
                ["met"] = content.Count(ControlState.Met),
                ["gap"] = content.Count(ControlState.Gap),
                ["not_evidenced"] = content.Count(ControlState.NotEvidenced),
            },
        };
}
