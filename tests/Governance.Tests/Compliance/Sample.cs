using Governance.Compliance.Contracts;
using Governance.Compliance.Engine;
using Governance.Compliance.Reports;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Privacy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;
using Governance.Tests.Platform;

namespace Governance.Tests.Compliance;

/// <summary>A version whose evidence is in order; tests change one thing at a time.</summary>
internal static class Sample
{
    public static readonly DateTimeOffset Time = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);
    public static readonly ModelVersionRef Version = new("income", 2);
    public static readonly Digest Policy = Digest.Of("policy");
    public static readonly Digest Manifest = Digest.Of("manifest");
    public static readonly Digest Subject = Digest.Of("subject");
    public const string Checkpoint =
        "localhost/governance/log\n42\nq83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=\n\n— localhost AAAA\n";

    public static Catalogues Catalogues() => new(Path.Combine(TestDatabase.PoliciesDirectory(), "regulations"));

    public static Catalogue Catalogue(string regulation) => Catalogues().Find(regulation)!;

    public static ControlResult Control(VersionFacts facts, string id) =>
        Evaluators.Evaluate(Catalogue(id.Split('-')[0].ToLowerInvariant()), facts).Single(control => control.Id == id);

    public static ColumnFinding Column(
        string name,
        string what = "NONE",
        string state = "none",
        string role = "other"
    ) => new(name, what, state, role, "name", what == "NONE" || state == "none" ? 0 : 100, 100);

    public static DatasetView Dataset(string name = "persons-anonymised", params ColumnFinding[] columns) =>
        new()
        {
            Sha256 = Digest.Of(name),
            Name = name,
            OwnerId = "p-owner",
            Format = "csv",
            Size = 1000,
            Rows = 100,
            ScanState = "SCANNED",
            Verdict = new PrivacyVerdict(PrivacyOutcome.Pass, [], "privacy-1"),
            Columns = columns.Length > 0 ? columns : [Column("hours"), Column("income")],
            Anonymity = new AnonymityMeasure(["education", "region"], "policy", 12, 8, 100, 0, 5, 2),
            LegalBasis = "contract",
            Purpose = "credit scoring",
            DerivedFrom = [],
            CreatedAt = Time,
            Retained = true,
        };

    public static InputFact Input(DatasetView dataset) => new(dataset.Name, "training", dataset.Sha256, dataset);

    public static EvidenceItem Item(EvidenceKind kind, EvidenceOutcome outcome = EvidenceOutcome.Passed) =>
        new()
        {
            Kind = kind,
            Outcome = outcome,
            Subject = kind is EvidenceKind.Privacy ? Subject : Manifest,
            RulesVersion = "rules-1",
            Class = outcome == EvidenceOutcome.Passed ? "clean" : "bad",
            Summary = "",
            Reasons = [],
            Document = Digest.Of(kind.ToString()),
            ProducedAt = Time,
            EntryId = Entry((int)kind + 1),
        };

    public static Guid Entry(int number) => new(number, 0, 0, new byte[8]);

    public static VersionEvidence EvidenceOf(params EvidenceItem[] changed) =>
        new(
            Version,
            Subject,
            Manifest,
            [
                .. Enum.GetValues<EvidenceKind>()
                    .Select(kind => changed.FirstOrDefault(item => item.Kind == kind) ?? Item(kind)),
            ],
            Digest.Of("evidence")
        );

    public static VersionView View(ModelVersionRef? version = null) =>
        new()
        {
            Ref = version ?? Version,
            ModelId = new Guid(9, 9, 9, new byte[8]),
            OwnerId = "p-owner",
            RegisteredBy = "p-author",
            Status = VersionStatus.Ready,
            StatusMessage = "",
            Quarantined = false,
            Stage = "Production",
            Aliases = ["champion"],
            Source = "runs:/r/model",
            RunId = "0123456789abcdef0123456789abcdef",
            LoggedModelId = null,
            Description = "",
            Tags = new Dictionary<string, string> { [RecordEvaluators.PurposeTag] = "Credit scoring" },
            ManifestDigest = Manifest,
            EvidenceSubject = Subject,
            CreatedAt = Time,
            UpdatedAt = Time,
        };

    public static DecisionView Decision(string target, string verdict = "allow") =>
        new(
            Digest.Of(target + verdict).ToBytes()[..16] is var bytes ? new Guid(bytes) : default,
            Version,
            target,
            verdict,
            verdict == "allow" ? [] : ["policy.privacy: column email holds personal data in clear"],
            Policy,
            "{}",
            Time,
            "p-manager",
            Entry(50)
        );

    public static VersionFacts Facts(params DatasetView[] inputs) =>
        new()
        {
            Version = View(),
            Evidence = EvidenceOf(),
            SignatureVerified = true,
            Inputs = inputs.Length > 0 ? [.. inputs.Select(Input)] : [Input(Dataset())],
            Ancestors = [],
            UnknownAncestors = [],
            Derivations = [],
            Decisions =
            [
                new DecisionFact(Decision("stage:Production"), true),
                new DecisionFact(Decision("stage:Production", "deny"), true),
            ],
            Requests = [],
            Receipts = [new Guid(7, 7, 7, new byte[8])],
            ProtectedHoldings = ["stage:Production"],
            PolicyDigest = Policy,
            Log = Log(),
        };

    public static LogFacts Log() =>
        new()
        {
            Checkpoint = Checkpoint,
            Named = [Entry(1), Entry(2)],
            Absent = [],
            Unproven = [],
            Done = 7,
            Anonymous = 0,
        };

    public static VersionFacts NoInputs() => Facts() with { Inputs = [] };

    /// <summary>Trained on a raw table of persons, as at the start of the demonstration.</summary>
    public static VersionFacts Raw()
    {
        var raw = Dataset(
            "persons-raw",
            Column("name", "PERSON_NAME", "raw", "direct"),
            Column("email", "EMAIL", "raw", "direct"),
            Column("phone", "PHONE", "raw", "direct"),
            Column("ssn", "US_SSN", "raw", "direct"),
            Column("cpf", "BR_CPF", "raw", "direct"),
            Column("iban", "IBAN", "raw", "direct"),
            Column("ip", "IP_ADDRESS", "raw", "direct"),
            Column("born", "DATE_OF_BIRTH", "raw", "quasi"),
            Column("zip", "POSTAL_CODE", "raw", "quasi"),
            Column("race", "RACE", "raw", "sensitive"),
            Column("income")
        ) with
        {
            LegalBasis = null,
            Purpose = null,
            Verdict = new PrivacyVerdict(
                PrivacyOutcome.Fail,
                ["persons-raw.email holds 100 e-mail addresses"],
                "privacy-1"
            ),
            Anonymity = new AnonymityMeasure(["born", "zip"], "policy", 1, 98, 100, 96, 5, 1),
        };
        return Facts(raw) with
        {
            Version = View() with { Stage = "None", Aliases = [] },
            ProtectedHoldings = [],
            Receipts = [],
            Evidence = EvidenceOf(Item(EvidenceKind.Privacy, EvidenceOutcome.Failed)),
            Decisions = [new DecisionFact(Decision("stage:Production", "deny"), true)],
        };
    }

    public static ReportContent Content(string regulation, VersionFacts? facts = null)
    {
        var catalogue = Catalogue(regulation);
        return new ReportContent
        {
            Id = new Guid("019ab000-0000-7000-8000-000000000001"),
            Catalogue = catalogue,
            Facts = facts ?? Facts(),
            Controls = Evaluators.Evaluate(catalogue, facts ?? Facts()),
            CreatedAt = Time,
            CreatedBy = "p-auditor",
        };
    }
}
