using System.Text.Json.Nodes;
using Governance.Compliance.Contracts;
using Governance.Evidence.Contracts;
using Governance.Privacy.Contracts;

namespace Governance.Compliance.Engine;

/// <summary>The report as a document; its RFC 8785 bytes are what is signed.</summary>
internal static class ReportJson
{
    public static JsonObject Of(ReportContent content) =>
        new()
        {
            ["kind"] = ReportContent.Kind,
            ["id"] = content.Id.ToString(),
            ["note"] = ReportContent.Note,
            ["created_at"] = ReportContent.Text(content.CreatedAt),
            ["created_by"] = content.CreatedBy,
            ["regulation"] = content.Catalogue.Regulation,
            ["catalogue"] = CatalogueOf(content.Catalogue),
            ["version"] = VersionOf(content.Facts),
            ["policy_sha256"] = content.Facts.PolicyDigest.Hex,
            ["summary"] = new JsonObject
            {
                ["met"] = content.Count(ControlState.Met),
                ["gap"] = content.Count(ControlState.Gap),
                ["not_evidenced"] = content.Count(ControlState.NotEvidenced),
            },
            ["controls"] = List(
                content.Controls.Zip(
                    content.Catalogue.Controls,
                    (result, control) =>
                        new JsonObject
                        {
                            ["id"] = result.Id,
                            ["article"] = result.Article,
                            ["requirement"] = result.Requirement,
                            ["source"] = control.Source,
                            ["evaluator"] = control.Evaluator,
                            ["state"] = ReportContent.Word(result.State),
                            ["explanation"] = result.Explanation,
                            ["evidence"] = Texts(result.Evidence),
                        }
                )
            ),
            ["evidence"] = List((content.Facts.Evidence?.Items ?? []).Select(EvidenceOf)),
            ["inputs"] = List(content.Facts.Inputs.Select(InputOf)),
            ["ancestors"] = List(content.Facts.Ancestors.Select(DatasetOf)),
            ["derivations"] = List(content.Facts.Derivations.Select(DerivationOf)),
            ["decisions"] = List(content.Facts.Decisions.Select(DecisionOf)),
            ["approvals"] = List(
                content.Facts.Requests.SelectMany(request =>
                    request.Approvals.Select(approval => new JsonObject
                    {
                        ["request"] = request.Id.ToString(),
                        ["target"] = request.Target,
                        ["by"] = approval.PersonId,
                        ["approves"] = approval.Approves,
                        ["at"] = ReportContent.Text(approval.At),
                        ["entry"] = approval.EntryId.ToString(),
                    })
                )
            ),
            ["receipts"] = Texts(content.Facts.Receipts.Select(id => id.ToString())),
            ["log_checkpoint"] = content.Facts.Log.Checkpoint,
        };

    private static JsonObject CatalogueOf(Catalogue catalogue) =>
        new()
        {
            ["title"] = catalogue.Title,
            ["version"] = catalogue.Version,
            ["valid_from"] = ReportContent.Text(catalogue.ValidFrom),
            ["valid_until"] = catalogue.ValidUntil is { } day ? ReportContent.Text(day) : null,
            ["sha256"] = catalogue.Digest.Hex,
            ["sources"] = new JsonObject(
                catalogue.Sources.Select(source => KeyValuePair.Create(source.Key, (JsonNode?)source.Value))
            ),
        };

    private static JsonObject VersionOf(VersionFacts facts) =>
        new()
        {
            ["model"] = facts.Version.Ref.Model,
            ["number"] = facts.Version.Ref.Version,
            ["model_id"] = facts.Version.ModelId.ToString(),
            ["manifest_sha256"] = facts.Version.ManifestDigest.Hex,
            ["evidence_subject"] = facts.Version.EvidenceSubject.Hex,
            ["evidence_sha256"] = facts.Evidence?.Digest.Hex,
            ["status"] = facts.Version.Status.ToString(),
            ["quarantined"] = facts.Version.Quarantined,
            ["stage"] = facts.Version.Stage,
            ["aliases"] = Texts(facts.Version.Aliases.Order(StringComparer.Ordinal)),
            ["run"] = facts.Version.RunId,
            ["registered_by"] = facts.Version.RegisteredBy,
            ["registered_at"] = ReportContent.Text(facts.Version.CreatedAt),
        };

    private static JsonObject EvidenceOf(EvidenceItem item) =>
        new()
        {
            ["kind"] = Data.Word(item.Kind),
            ["outcome"] = item.Outcome.ToString().ToLowerInvariant(),
            ["class"] = item.Class,
            ["subject"] = item.Subject.Hex,
            ["rules_version"] = item.RulesVersion,
            ["document_sha256"] = item.Document?.Hex,
            ["produced_at"] = ReportContent.Text(item.ProducedAt),
            ["entry"] = item.EntryId.ToString(),
        };

    private static JsonObject InputOf(InputFact input) =>
        new()
        {
            ["name"] = input.Name,
            ["context"] = input.Context,
            ["sha256"] = input.Sha256?.Hex,
            ["dataset"] = input.Dataset is { } dataset ? DatasetOf(dataset) : null,
        };

    private static JsonObject DatasetOf(DatasetView dataset) =>
        new()
        {
            ["name"] = dataset.Name,
            ["sha256"] = dataset.Sha256.Hex,
            ["rows"] = dataset.Rows,
            ["scan_state"] = dataset.ScanState,
            ["verdict"] = dataset.Verdict.Outcome.ToString().ToLowerInvariant(),
            ["reasons"] = Texts(dataset.Verdict.Reasons),
            ["rules_version"] = dataset.Verdict.RulesVersion,
            ["legal_basis"] = dataset.LegalBasis,
            ["purpose"] = dataset.Purpose,
            ["anonymity"] = dataset.Anonymity is { } measure ? AnonymityOf(measure) : null,
            ["derived_from"] = Texts(dataset.DerivedFrom.Select(digest => digest.Hex).Order(StringComparer.Ordinal)),
            ["columns"] = List(
                dataset.Columns.Select(column => new JsonObject
                {
                    ["name"] = column.Name,
                    ["what"] = column.What,
                    ["state"] = column.State,
                    ["role"] = column.Role,
                    ["how"] = column.Evidence,
                    ["matches"] = column.Matches,
                    ["rows"] = column.Rows,
                })
            ),
        };

    private static JsonObject AnonymityOf(AnonymityMeasure measure) =>
        new()
        {
            ["quasi_identifiers"] = Texts(measure.QuasiIdentifiers),
            ["set_by"] = measure.SetBy,
            ["k"] = measure.K,
            ["least_k"] = measure.LeastK,
            ["classes"] = measure.Classes,
            ["rows"] = measure.Rows,
            ["unique_rows"] = measure.UniqueRows,
            ["l"] = measure.L,
        };

    private static JsonObject DerivationOf(DerivationView derivation) =>
        new()
        {
            ["id"] = derivation.Id.ToString(),
            ["inputs"] = Texts(derivation.Inputs.Select(digest => digest.Hex)),
            ["output"] = derivation.Output.Hex,
            ["description"] = derivation.Description,
            ["grade"] = derivation.Grade,
        };

    private static JsonObject DecisionOf(DecisionFact fact) =>
        new()
        {
            ["id"] = fact.Decision.Id.ToString(),
            ["target"] = fact.Decision.Target,
            ["verdict"] = fact.Decision.Verdict,
            ["unmet"] = Texts(fact.Decision.Unmet),
            ["policy_sha256"] = fact.Decision.PolicyDigest.Hex,
            ["replays"] = fact.Replays,
            ["at"] = ReportContent.Text(fact.Decision.At),
            ["by"] = fact.Decision.ActorId,
            ["entry"] = fact.Decision.EntryId.ToString(),
        };

    private static JsonArray List(IEnumerable<JsonObject> items) => new([.. items.Select(item => (JsonNode?)item)]);

    private static JsonArray Texts(IEnumerable<string> items) =>
        new([.. items.Select(item => (JsonNode?)JsonValue.Create(item))]);
}
