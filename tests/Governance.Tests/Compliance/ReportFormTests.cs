using System.Text;
using System.Text.Json.Nodes;
using Governance.Compliance.Contracts;
using Governance.Compliance.Engine;
using Governance.Compliance.Pdf;
using Governance.Kernel;

namespace Governance.Tests.Compliance;

public sealed class ReportFormTests : IDisposable
{
    private readonly FakeSigner _signer = new();
    private readonly ReportContent _content = Sample.Content("gdpr", Sample.Raw());
    private readonly byte[] _csv;
    private readonly byte[] _pdf;
    private readonly byte[] _bundle;
    private readonly byte[] _file;

    public ReportFormTests()
    {
        var document = ReportJson.Of(_content);
        var json = Digest.Of(CanonicalJson.Serialize(document));
        _csv = ReportCsv.Of(_content);
        _pdf = ReportPdf.Of(_content, json);
        _bundle = _signer.SignStatement(SignedReport.Statement(_content, json, Digest.Of(_csv), Digest.Of(_pdf)));
        _file = SignedReport.File(document, _bundle);
    }

    public void Dispose() => _signer.Dispose();

    [Fact]
    public void A_signed_report_verifies_with_only_the_trusted_root()
    {
        var result = ReportVerifier.Verify(_file, _signer.TrustedRoot, _signer);

        Assert.True(result.Ok, result.Failure?.Message);
        Assert.Equal(_content.Id, result.Value.ReportId);
        Assert.Equal(("gdpr", Sample.Version), (result.Value.Regulation, result.Value.Version));
        Assert.Equal(Sample.Time, result.Value.CreatedAt);
        Assert.NotEmpty(result.Value.Checks);
        Assert.True(ReportVerifier.IsSignedReport(_file));
    }

    [Fact]
    public void Any_one_byte_changed_fails()
    {
        var file = (byte[])_file.Clone();
        var random = new Random(7);
        // Every byte of head and tail, and of the signature; a sample of the report between.
        var signature = file.AsSpan().LastIndexOf("\"signature\":"u8);
        var places = Enumerable
            .Range(0, 200)
            .Concat(Enumerable.Range(0, 300).Select(_ => random.Next(file.Length)))
            .Concat(Enumerable.Range(signature, file.Length - signature));
        foreach (var place in places)
        {
            foreach (var mask in new[] { 0x01, 0x20, 0x80 })
            {
                file[place] ^= (byte)mask;
                Assert.False(ReportVerifier.Verify(file, _signer.TrustedRoot, _signer).Ok, $"byte {place}");
                file[place] ^= (byte)mask;
            }
        }
    }

    [Fact]
    public void The_gateways_own_signer_and_offline_verifier_agree_on_a_report()
    {
        using var signing = new Signing.SigningFixture();
        var document = ReportJson.Of(_content);
        var json = Digest.Of(CanonicalJson.Serialize(document));
        var bundle = signing.Signer.SignStatement(
            SignedReport.Statement(_content, json, Digest.Of(_csv), Digest.Of(_pdf))
        );
        var file = SignedReport.File(document, bundle);

        var result = ReportVerifier.Verify(file, signing.Root(), signing.Verifier);
        Assert.True(result.Ok, result.Failure?.Message);
        Assert.True(ReportVerifier.VerifyDetached(_pdf, bundle, signing.Root(), signing.Verifier).Ok);
        for (var place = file.AsSpan().LastIndexOf("\"signature\":"u8); place < file.Length; place++)
        {
            file[place] ^= 1;
            Assert.False(ReportVerifier.Verify(file, signing.Root(), signing.Verifier).Ok, $"byte {place}");
            file[place] ^= 1;
        }
    }

    [Fact]
    public void Bytes_added_or_cut_off_fail()
    {
        foreach (
            var changed in new[]
            {
                [.. _file, (byte)'\n'],
                [(byte)' ', .. _file],
                _file[..^1],
                [],
                (byte[])[.. _file, .. _file],
            }
        )
        {
            Assert.False(ReportVerifier.Verify(changed, _signer.TrustedRoot, _signer).Ok);
        }
    }

    [Theory]
    [InlineData("controls")]
    [InlineData("summary")]
    [InlineData("catalogue")]
    [InlineData("version")]
    [InlineData("inputs")]
    [InlineData("evidence")]
    [InlineData("decisions")]
    [InlineData("log_checkpoint")]
    [InlineData("policy_sha256")]
    [InlineData("created_at")]
    [InlineData("created_by")]
    [InlineData("note")]
    [InlineData("receipts")]
    public void Each_section_removed_or_replaced_fails_even_in_canonical_form(string section)
    {
        foreach (
            var change in new Action<JsonObject>[] { report => report.Remove(section), report => report[section] = "x" }
        )
        {
            var file = CanonicalJson.TryParse(_file)!.AsObject();
            change(file["report"]!.AsObject());

            Assert.Equal(
                "compliance.report_changed",
                ReportVerifier.Verify(CanonicalJson.Serialize(file), _signer.TrustedRoot, _signer).Failure?.Code
            );
        }
    }

    [Fact]
    public void A_gap_turned_into_met_fails()
    {
        var file = CanonicalJson.TryParse(_file)!.AsObject();
        var control = file["report"]!["controls"]!
            .AsArray()
            .First(item => item!["state"]!.GetValue<string>() == "gap")!;
        control["state"] = "met";

        Assert.Equal(
            "compliance.report_changed",
            ReportVerifier.Verify(CanonicalJson.Serialize(file), _signer.TrustedRoot, _signer).Failure?.Code
        );
    }

    [Fact]
    public void Unknown_members_duplicate_keys_and_other_spellings_fail()
    {
        var text = Encoding.UTF8.GetString(_file);
        string[] changed =
        [
            text[..^1] + ",\"z\":1}",
            "{\"kind\":\"governance.signed-report/v1\"," + text[1..],
            text.Replace("\"gap\"", "\"\\u0067ap\""),
            text.Replace("\"summary\":", "\"summary\" :"),
            "[" + text + "]",
        ];
        foreach (var file in changed)
        {
            Assert.NotEqual(text, file);
            Assert.False(ReportVerifier.Verify(Encoding.UTF8.GetBytes(file), _signer.TrustedRoot, _signer).Ok);
        }
    }

    [Fact]
    public void A_member_added_to_the_bundle_fails_although_the_signature_would_not_notice()
    {
        var file = CanonicalJson.TryParse(_file)!.AsObject();
        file["signature"]!["mediaType"] = "something else";

        Assert.Equal(
            "compliance.report_signature_changed",
            ReportVerifier.Verify(CanonicalJson.Serialize(file), _signer.TrustedRoot, _signer).Failure?.Code
        );
    }

    [Fact]
    public void Another_key_or_another_statement_is_no_signature_of_a_report()
    {
        using var stranger = new FakeSigner();
        var other = SignedReport.File(
            ReportJson.Of(_content),
            _signer.SignStatement(
                new JsonObject { ["_type"] = "https://in-toto.io/Statement/v1", ["predicateType"] = "x" }
            )
        );

        Assert.False(ReportVerifier.Verify(_file, stranger.TrustedRoot, _signer).Ok);
        Assert.Equal(
            "compliance.not_a_report",
            ReportVerifier.Verify(other, _signer.TrustedRoot, _signer).Failure?.Code
        );
    }

    [Fact]
    public void Csv_and_pdf_verify_with_the_bundle_beside_them_and_fail_when_changed()
    {
        foreach (var (form, subject) in new[] { (_pdf, "report.pdf"), (_csv, "report.csv") })
        {
            Assert.Equal(
                subject,
                ReportVerifier.VerifyDetached(form, _bundle, _signer.TrustedRoot, _signer).Value.Subject
            );
            form[form.Length / 2] ^= 1;
            Assert.Equal(
                "compliance.report_changed",
                ReportVerifier.VerifyDetached(form, _bundle, _signer.TrustedRoot, _signer).Failure?.Code
            );
        }
    }

    [Fact]
    public void The_same_facts_give_the_same_document()
    {
        Assert.Equal(
            CanonicalJson.Serialize(ReportJson.Of(_content)),
            CanonicalJson.Serialize(ReportJson.Of(Sample.Content("gdpr", Sample.Raw())))
        );
    }

    [Fact]
    public void No_form_calls_anything_compliant()
    {
        foreach (var regulation in new[] { "gdpr", "lgpd", "hipaa" })
        {
            foreach (var facts in new[] { Sample.Facts(), Sample.Raw(), Sample.NoInputs() })
            {
                var text = ReportJson.Of(Sample.Content(regulation, facts)).ToJsonString();
                Assert.DoesNotContain("compliant", text, StringComparison.OrdinalIgnoreCase);
            }
        }
    }

    [Fact]
    public void A_table_has_one_row_per_control_and_one_shape()
    {
        var rows = Rows(Encoding.UTF8.GetString(_csv));

        Assert.Equal(_content.Controls.Count + 1, rows.Count);
        Assert.All(rows, row => Assert.Equal(rows[0].Count, row.Count));
        Assert.Equal(_content.Controls.Select(control => control.Id), rows.Skip(1).Select(row => row[7]));
    }

    [Theory]
    [InlineData("=1+1")]
    [InlineData("+1")]
    [InlineData("-1")]
    [InlineData("@SUM(A1)")]
    [InlineData("\t=1")]
    [InlineData("\r=1")]
    [InlineData("\n=1")]
    [InlineData("\0=1")]
    [InlineData("＝1+1")]
    [InlineData("＋1")]
    [InlineData("－1")]
    [InlineData("＠A1")]
    [InlineData("  =1+1")]
    [InlineData("=cmd|' /C calc'!A0")]
    [InlineData("=HYPERLINK(\"x\",\"y\")")]
    public void A_formula_in_a_field_is_text(string payload)
    {
        Assert.StartsWith("\"'", ReportCsv.Field(payload));

        var facts = Sample.Facts(Sample.Dataset(payload));
        facts = facts with { Version = facts.Version with { Ref = new ModelVersionRef(payload, 1) } };
        var rows = Rows(Encoding.UTF8.GetString(ReportCsv.Of(Sample.Content("gdpr", facts))));

        Assert.All(
            rows.SelectMany(row => row),
            cell => Assert.DoesNotContain(cell.FirstOrDefault(), "=+-@\t\r\n＝＋－＠")
        );
    }

    [Theory]
    [InlineData("a\"b", "\"a\"\"b\"")]
    [InlineData("a,b", "\"a,b\"")]
    [InlineData("a\r\nb", "\"a[U+000D][U+000A]b\"")]
    [InlineData("plain - text", "\"plain - text\"")]
    public void Fields_are_quoted(string value, string expected)
    {
        Assert.Equal(expected, ReportCsv.Field(value));
    }

    // An RFC 4180 reader of its own, so that the writer isn't tested by itself.
    private static List<List<string>> Rows(string text)
    {
        var rows = new List<List<string>> { new() };
        var i = 0;
        while (i < text.Length)
        {
            Assert.Equal('"', text[i++]);
            var field = new StringBuilder();
            while (text[i] != '"' || (i + 1 < text.Length && text[i + 1] == '"'))
            {
                i += text[i] == '"' ? 1 : 0;
                field.Append(text[i++]);
            }

            rows[^1].Add(field.ToString());
            i++;
            if (text[i] == ',')
            {
                i++;
                continue;
            }

            Assert.Equal("\r\n", text[i..(i + 2)]);
            i += 2;
            if (i < text.Length)
            {
                rows.Add([]);
            }
        }

        return rows;
    }
}
