using Governance.Compliance.Contracts;
using Governance.Compliance.Engine;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Privacy.Contracts;
using static Governance.Tests.Compliance.Sample;

namespace Governance.Tests.Compliance;

public sealed class EvaluatorTests
{
    [Theory]
    [InlineData("GDPR-4.1")]
    [InlineData("GDPR-4.5")]
    [InlineData("GDPR-R26-SO")]
    [InlineData("GDPR-R26-IN")]
    [InlineData("GDPR-5.1a")]
    [InlineData("GDPR-5.1b")]
    [InlineData("GDPR-5.1c")]
    [InlineData("GDPR-5.1f")]
    [InlineData("GDPR-5.2")]
    [InlineData("GDPR-25")]
    [InlineData("GDPR-32")]
    [InlineData("GDPR-33")]
    [InlineData("GDPR-AI-3")]
    [InlineData("LGPD-5.I")]
    [InlineData("LGPD-5.III")]
    [InlineData("LGPD-7")]
    [InlineData("LGPD-46")]
    [InlineData("LGPD-50")]
    [InlineData("HIPAA-514b2A")]
    [InlineData("HIPAA-514b2B")]
    [InlineData("HIPAA-514b2C")]
    [InlineData("HIPAA-514b2D")]
    [InlineData("HIPAA-514b2F")]
    [InlineData("HIPAA-514b2G")]
    [InlineData("HIPAA-514b2J")]
    [InlineData("HIPAA-514b2O")]
    [InlineData("HIPAA-514c")]
    [InlineData("HIPAA-312b")]
    [InlineData("HIPAA-312c")]
    [InlineData("HIPAA-312d")]
    [InlineData("HIPAA-404")]
    public void Evidence_in_order_is_met(string id)
    {
        var control = Control(Facts(), id);

        Assert.True(control.State == ControlState.Met, control.Explanation);
        Assert.NotEmpty(control.Evidence);
    }

    [Theory]
    [InlineData("GDPR-R26-SO")]
    [InlineData("GDPR-R26-LK")]
    [InlineData("GDPR-R26-IN")]
    [InlineData("GDPR-5.1a")]
    [InlineData("GDPR-5.1b")]
    [InlineData("GDPR-5.1c")]
    [InlineData("GDPR-9")]
    [InlineData("GDPR-30")]
    [InlineData("LGPD-5.II")]
    [InlineData("LGPD-5.III")]
    [InlineData("LGPD-6")]
    [InlineData("LGPD-7")]
    [InlineData("LGPD-37")]
    [InlineData("HIPAA-502b")]
    [InlineData("HIPAA-514a")]
    [InlineData("HIPAA-514b2A")]
    [InlineData("HIPAA-514b2B")]
    [InlineData("HIPAA-514b2C")]
    [InlineData("HIPAA-514b2D")]
    [InlineData("HIPAA-514b2F")]
    [InlineData("HIPAA-514b2G")]
    [InlineData("HIPAA-514b2J")]
    [InlineData("HIPAA-514b2O")]
    [InlineData("HIPAA-514b2R")]
    [InlineData("HIPAA-514b2ii")]
    [InlineData("HIPAA-514e")]
    public void A_raw_table_of_persons_is_a_gap(string id)
    {
        Assert.Equal(ControlState.Gap, Control(Raw(), id).State);
    }

    [Theory]
    [InlineData("GDPR-5.1d")]
    [InlineData("GDPR-17")]
    [InlineData("GDPR-AI-1")]
    [InlineData("LGPD-14")]
    [InlineData("LGPD-41")]
    [InlineData("HIPAA-514b1")]
    [InlineData("HIPAA-514b2E")]
    [InlineData("HIPAA-514b2H")]
    [InlineData("HIPAA-514b2I")]
    [InlineData("HIPAA-514b2K")]
    [InlineData("HIPAA-514b2L")]
    [InlineData("HIPAA-514b2M")]
    [InlineData("HIPAA-514b2N")]
    [InlineData("HIPAA-514b2P")]
    [InlineData("HIPAA-514b2Q")]
    [InlineData("HIPAA-514b2R")]
    public void What_nothing_looks_for_is_not_evidenced_even_when_all_else_is_in_order(string id)
    {
        Assert.Equal(ControlState.NotEvidenced, Control(Facts(), id).State);
    }

    [Fact]
    public void Without_known_inputs_no_control_on_data_is_met()
    {
        string[] evaluators =
        [
            "identifier-absent",
            "personal-data-decided",
            "pseudonymisation",
            "singling-out",
            "linkability",
            "inference",
            "anonymised",
            "minimisation",
            "breach-facts",
            "legal-basis",
            "legitimate-interest",
            "purpose",
            "principles",
            "processing-record",
            "special-categories-gdpr",
            "special-categories-lgpd",
            "criminal-records",
            "minimum-necessary",
            "de-identified",
            "no-known-reidentification",
            "reidentification-code",
            "limited-data-set",
        ];
        VersionFacts[] unknowns =
        [
            NoInputs(),
            Facts() with
            {
                Inputs = [new InputFact("elsewhere", "training", null, null)],
            },
            Facts(
                Dataset() with
                {
                    ScanState = "PENDING",
                    Columns = [],
                    Rows = null,
                    Anonymity = null,
                    LegalBasis = null,
                    Purpose = null,
                }
            ),
        ];
        foreach (var facts in unknowns)
        {
            foreach (var name in new[] { "gdpr", "lgpd", "hipaa" })
            {
                var catalogue = Catalogue(name);
                var met = Evaluators
                    .Evaluate(catalogue, facts)
                    .Zip(catalogue.Controls)
                    .Where(pair => evaluators.Contains(pair.Second.Evaluator) && pair.First.State == ControlState.Met)
                    .Select(pair => pair.First.Id);

                Assert.Empty(met);
            }
        }
    }

    [Fact]
    public void One_unclassified_column_leaves_every_identifier_class_open()
    {
        var facts = Facts(Dataset("d", Column("x1", IdentifierClasses.Unknown, "raw", "unknown")));

        Assert.All(
            Evaluators.Evaluate(Catalogue("hipaa"), facts).Where(control => control.Id.StartsWith("HIPAA-514b2")),
            control => Assert.Equal(ControlState.NotEvidenced, control.State)
        );
        Assert.Equal(ControlState.Gap, Control(facts, "GDPR-4.1").State);
    }

    [Fact]
    public void A_declared_column_of_a_class_without_detector_is_a_gap()
    {
        Assert.Equal(
            ControlState.Gap,
            Control(Facts(Dataset("d", Column("record", "MRN", "raw", "direct"))), "HIPAA-514b2H").State
        );
    }

    [Theory]
    [InlineData("masked")]
    [InlineData("hashed")]
    [InlineData("keyed-hash")]
    [InlineData("token")]
    public void An_altered_identifier_is_still_one_under_safe_harbor(string state)
    {
        var facts = Facts(Dataset("d", Column("ssn", "US_SSN", state, "direct")));

        Assert.Equal(ControlState.Gap, Control(facts, "HIPAA-514b2G").State);
    }

    [Fact]
    public void A_redacted_identifier_is_gone()
    {
        var facts = Facts(Dataset("d", Column("ssn", "US_SSN", "redacted", "direct") with { Matches = 0 }));

        Assert.Equal(ControlState.Met, Control(facts, "HIPAA-514b2G").State);
    }

    [Theory]
    [InlineData("AGE", "raw", "HIPAA-514b2C")]
    [InlineData("DATE_OF_BIRTH", "generalised", "HIPAA-514b2C")]
    [InlineData("POSTAL_CODE", "truncated", "HIPAA-514b2B")]
    public void Coarse_dates_and_places_are_open_because_coarseness_is_not_measured(
        string kind,
        string state,
        string id
    )
    {
        Assert.Equal(
            ControlState.NotEvidenced,
            Control(Facts(Dataset("d", Column("c", kind, state, "quasi"))), id).State
        );
    }

    [Fact]
    public void Free_text_leaves_identifiers_open()
    {
        Assert.Equal(
            ControlState.NotEvidenced,
            Control(Facts(Dataset("d", Column("notes", "TEXT", "raw", "free-text"))), "HIPAA-514b2A").State
        );
    }

    [Theory]
    [InlineData(1, 3, ControlState.Gap)]
    [InlineData(4, 0, ControlState.Gap)]
    [InlineData(5, 0, ControlState.Met)]
    public void Singling_out_asks_for_the_least_k(long k, long unique, ControlState expected)
    {
        var measure = new AnonymityMeasure(["age"], "policy", k, 9, 100, unique, 5, null);

        Assert.Equal(expected, Control(Facts(Dataset() with { Anonymity = measure }), "GDPR-R26-SO").State);
    }

    [Fact]
    public void Without_quasi_identifiers_singling_out_is_not_evidenced()
    {
        Assert.Equal(
            ControlState.NotEvidenced,
            Control(Facts(Dataset() with { Anonymity = null }), "GDPR-R26-SO").State
        );
    }

    [Fact]
    public void A_group_with_one_sensitive_value_is_a_gap_in_inference()
    {
        var measure = Dataset().Anonymity! with { L = 1 };

        Assert.Equal(ControlState.Gap, Control(Facts(Dataset() with { Anonymity = measure }), "GDPR-R26-IN").State);
    }

    [Fact]
    public void Codes_shared_by_two_tables_of_the_lineage_can_be_linked()
    {
        var code = Column("email", "EMAIL", "token", "direct");
        var facts = Facts(Dataset("a", code)) with { Ancestors = [Dataset("b", code)] };

        Assert.Equal(ControlState.Gap, Control(facts, "GDPR-R26-LK").State);
        Assert.Equal(ControlState.Gap, Control(facts, "LGPD-12.2").State);
    }

    [Theory]
    [InlineData("consent", ControlState.Gap)]
    [InlineData("consent: form 2024-17", ControlState.Met)]
    [InlineData(null, ControlState.Gap)]
    [InlineData("contract", ControlState.Met)]
    public void Every_dataset_needs_a_basis_and_consent_a_record(string? basis, ControlState expected)
    {
        Assert.Equal(expected, Control(Facts(Dataset() with { LegalBasis = basis }), "GDPR-5.1a").State);
    }

    [Fact]
    public void A_source_of_an_input_needs_a_basis_too()
    {
        var facts = Facts() with { Ancestors = [Dataset("raw") with { LegalBasis = null }] };

        Assert.Equal(ControlState.Gap, Control(facts, "GDPR-5.1a").State);
    }

    [Fact]
    public void An_ancestor_that_is_not_held_here_leaves_the_basis_open()
    {
        var facts = Facts() with { UnknownAncestors = [Digest.Of("lost")] };

        Assert.Equal(ControlState.NotEvidenced, Control(facts, "GDPR-5.1a").State);
    }

    [Theory]
    [InlineData("legitimate interest", ControlState.Gap)]
    [InlineData("Legitimate-Interest: assessment 12", ControlState.Met)]
    [InlineData("Art. 6(1)(f)", ControlState.Gap)]
    public void Legitimate_interest_names_its_assessment(string basis, ControlState expected)
    {
        Assert.Equal(expected, Control(Facts(Dataset() with { LegalBasis = basis }), "GDPR-AI-3").State);
    }

    [Fact]
    public void Another_purpose_than_that_of_the_data_is_a_gap()
    {
        Assert.Equal(ControlState.Gap, Control(Facts(Dataset() with { Purpose = "research" }), "GDPR-5.1b").State);
    }

    [Fact]
    public void Sensitive_data_need_their_exception_and_never_rest_on_interest_in_brazil()
    {
        var health = Dataset("d", Column("diagnosis", "HEALTH", "raw", "sensitive"));

        Assert.Equal(ControlState.Gap, Control(Facts(health), "GDPR-9").State);
        Assert.Equal(
            ControlState.Met,
            Control(Facts(health with { LegalBasis = "Art. 9(2)(j): protocol 4" }), "GDPR-9").State
        );
        Assert.Equal(
            ControlState.Gap,
            Control(Facts(health with { LegalBasis = "legitimate interest: Art. 11" }), "LGPD-5.II").State
        );
    }

    [Fact]
    public void Bytes_that_changed_a_bad_signature_or_none_are_gaps_in_integrity()
    {
        var facts = Facts();

        Assert.Equal(ControlState.Gap, State(facts with { Version = facts.Version with { Quarantined = true } }));
        Assert.Equal(ControlState.Gap, State(facts with { SignatureVerified = false }));
        Assert.Equal(
            ControlState.Gap,
            State(
                facts with
                {
                    Evidence = EvidenceOf(Item(EvidenceKind.Signature, EvidenceOutcome.Missing)),
                    SignatureVerified = null,
                }
            )
        );
        Assert.Equal(ControlState.NotEvidenced, State(facts with { SignatureVerified = null }));

        static ControlState State(VersionFacts facts) => Control(facts, "HIPAA-312c").State;
    }

    [Fact]
    public void The_log_has_every_named_entry_under_a_checkpoint()
    {
        Assert.Equal(ControlState.Gap, State(Log() with { Absent = [Entry(1)] }));
        Assert.Equal(ControlState.NotEvidenced, State(Log() with { Unproven = [Entry(1)] }));
        Assert.Equal(ControlState.NotEvidenced, State(Log() with { Checkpoint = null }));

        static ControlState State(LogFacts log) => Control(Facts() with { Log = log }, "HIPAA-312b").State;
    }

    [Fact]
    public void An_action_without_authenticated_actor_is_a_gap()
    {
        Assert.Equal(
            ControlState.Gap,
            Control(Facts() with { Log = Log() with { Anonymous = 1 } }, "HIPAA-312d").State
        );
    }

    [Fact]
    public void A_decision_that_replays_differently_is_a_gap_and_a_lost_policy_is_open()
    {
        Assert.Equal(ControlState.Gap, State(false));
        Assert.Equal(ControlState.NotEvidenced, State(null));

        static ControlState State(bool? replays) =>
            Control(
                Facts() with
                {
                    Decisions = [new DecisionFact(Decision("stage:Production"), replays)],
                },
                "GDPR-5.2"
            ).State;
    }

    [Fact]
    public void Holding_a_protected_stage_without_an_allow_is_a_gap()
    {
        var facts = Facts() with { Decisions = [new DecisionFact(Decision("stage:Production", "deny"), true)] };

        Assert.Equal(ControlState.Gap, Control(facts, "GDPR-25").State);
    }

    [Fact]
    public void A_refused_version_shows_that_the_gate_holds()
    {
        Assert.Equal(ControlState.Met, Control(Raw(), "GDPR-25").State);
    }

    [Theory]
    [InlineData(EvidenceOutcome.Failed, ControlState.Gap)]
    [InlineData(EvidenceOutcome.Missing, ControlState.NotEvidenced)]
    public void Security_needs_scan_and_bill_of_materials(EvidenceOutcome outcome, ControlState expected)
    {
        Assert.Equal(
            expected,
            Control(Facts() with { Evidence = EvidenceOf(Item(EvidenceKind.Scan, outcome)) }, "GDPR-32").State
        );
        Assert.Equal(
            expected,
            Control(Facts() with { Evidence = EvidenceOf(Item(EvidenceKind.Sbom, outcome)) }, "LGPD-46").State
        );
    }

    [Theory]
    [InlineData("gdpr")]
    [InlineData("lgpd")]
    [InlineData("hipaa")]
    public void Each_regulation_reaches_met_gap_and_not_evidenced(string regulation)
    {
        var states = Evaluators.Evaluate(Catalogue(regulation), Raw()).Select(control => control.State).ToHashSet();

        Assert.Equal(3, states.Count);
    }

    [Fact]
    public void Every_finding_explains_itself()
    {
        foreach (var facts in new[] { Facts(), Raw(), NoInputs() })
        {
            foreach (var name in new[] { "gdpr", "lgpd", "hipaa" })
            {
                Assert.All(
                    Evaluators.Evaluate(Catalogue(name), facts),
                    control => Assert.False(string.IsNullOrWhiteSpace(control.Explanation), control.Id)
                );
            }
        }
    }
}
