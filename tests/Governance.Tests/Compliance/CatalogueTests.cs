using System.Text;
using Governance.Compliance.Engine;
using Governance.Compliance.Reports;

namespace Governance.Tests.Compliance;

public sealed class CatalogueTests
{
    private const string Good = """
        regulation: test
        title: A law
        version: 1
        valid-from: 2020-01-01
        sources:
          law: The law of 1 January 2020
        controls:
          - id: T-1
            article: Art. 1
            requirement: Something holds.
            source: law
            evaluator: integrity
          - id: T-2
            article: Art. 2
            requirement: Something else holds.
            source: law
            evaluator: none
            missing: Nobody records it.

        """;

    private static readonly string[] Gdpr =
    [
        "GDPR-4.1",
        "GDPR-4.5",
        "GDPR-R26-SO",
        "GDPR-R26-LK",
        "GDPR-R26-IN",
        "GDPR-5.1a",
        "GDPR-5.1b",
        "GDPR-5.1c",
        "GDPR-5.1d",
        "GDPR-5.1e",
        "GDPR-5.1f",
        "GDPR-5.2",
        "GDPR-9",
        "GDPR-10",
        "GDPR-15",
        "GDPR-17",
        "GDPR-21",
        "GDPR-22",
        "GDPR-25",
        "GDPR-28",
        "GDPR-30",
        "GDPR-32",
        "GDPR-33",
        "GDPR-35",
        "GDPR-44",
        "GDPR-AI-1",
        "GDPR-AI-2",
        "GDPR-AI-3",
    ];

    private static readonly string[] Lgpd =
    [
        "LGPD-5.I",
        "LGPD-5.II",
        "LGPD-5.III",
        "LGPD-12.2",
        "LGPD-13",
        "LGPD-6",
        "LGPD-7",
        "LGPD-14",
        "LGPD-15/16",
        "LGPD-18",
        "LGPD-20",
        "LGPD-33",
        "LGPD-37",
        "LGPD-38",
        "LGPD-39",
        "LGPD-41",
        "LGPD-46",
        "LGPD-48",
        "LGPD-50",
    ];

    private static readonly string[] Hipaa =
    [
        "HIPAA-502b",
        "HIPAA-514a",
        "HIPAA-514b1",
        "HIPAA-514b2A",
        "HIPAA-514b2B",
        "HIPAA-514b2C",
        "HIPAA-514b2D",
        "HIPAA-514b2E",
        "HIPAA-514b2F",
        "HIPAA-514b2G",
        "HIPAA-514b2H",
        "HIPAA-514b2I",
        "HIPAA-514b2J",
        "HIPAA-514b2K",
        "HIPAA-514b2L",
        "HIPAA-514b2M",
        "HIPAA-514b2N",
        "HIPAA-514b2O",
        "HIPAA-514b2P",
        "HIPAA-514b2Q",
        "HIPAA-514b2R",
        "HIPAA-514b2ii",
        "HIPAA-514c",
        "HIPAA-514e",
        "HIPAA-308",
        "HIPAA-308a1D",
        "HIPAA-312a",
        "HIPAA-312b",
        "HIPAA-312c",
        "HIPAA-312d",
        "HIPAA-312e",
        "HIPAA-316",
        "HIPAA-504e",
        "HIPAA-528",
        "HIPAA-404",
    ];

    [Fact]
    public void Every_control_of_the_three_regulations_is_in_its_catalogue()
    {
        Assert.Equal(Gdpr, Sample.Catalogue("gdpr").Controls.Select(control => control.Id));
        Assert.Equal(Lgpd, Sample.Catalogue("lgpd").Controls.Select(control => control.Id));
        Assert.Equal(Hipaa, Sample.Catalogue("hipaa").Controls.Select(control => control.Id));
    }

    [Fact]
    public void Every_evaluator_of_the_closed_set_is_used_by_a_catalogue()
    {
        var used = Sample
            .Catalogues()
            .Names.SelectMany(name => Sample.Catalogue(name).Controls)
            .Select(control => control.Evaluator);

        Assert.Empty(Evaluators.ByName.Keys.Except(used));
    }

    [Fact]
    public void A_good_catalogue_is_read_with_its_digest()
    {
        var catalogue = Read(Good);

        Assert.Equal(Governance.Kernel.Digest.Of(Good), catalogue.Digest);
        Assert.Equal("Nobody records it.", catalogue.Controls[1].Missing);
        Assert.False(catalogue.IsValidOn(new DateOnly(2019, 12, 31)));
        Assert.True(catalogue.IsValidOn(new DateOnly(2020, 1, 1)));
    }

    [Theory]
    [InlineData("evaluator: integrity", "evaluator: integrety", 12, 16)]
    [InlineData("id: T-2", "id: T-1", 13, 9)]
    [InlineData("source: law\n    evaluator: none", "source: lore\n    evaluator: none", 16, 13)]
    [InlineData("missing: Nobody records it.", "mising: Nobody records it.", 18, 5)]
    [InlineData("    missing: Nobody records it.\n", "", 17, 16)]
    [InlineData("evaluator: integrity", "evaluator: integrity\n    missing: x", 13, 14)]
    [InlineData("evaluator: integrity", "evaluator: identifier-absent\n    identifiers: shoe-sizes", 13, 18)]
    [InlineData("evaluator: integrity", "evaluator: identifier-absent", 12, 16)]
    [InlineData("version: 1", "version: 0", 3, 10)]
    [InlineData("version: 1", "version: 1\nversion: 2", 4, 1)]
    [InlineData("valid-from: 2020-01-01", "valid-from: yesterday", 4, 13)]
    [InlineData("title: A law", "title: &a A law", 2, 8)]
    [InlineData("title: A law", "title: !!str A law", 2, 8)]
    [InlineData("title: A law", "title: [a]", 2, 8)]
    [InlineData("title: A law", "title: \"\"", 2, 8)]
    public void A_bad_catalogue_is_refused_with_line_and_column(string from, string to, long line, long column)
    {
        var error = Assert.Throws<CatalogueException>(() => Read(Good.Replace(from, to)));

        Assert.Equal((line, column), (error.Line, error.Column));
        Assert.StartsWith($"test.yaml:{line}:{column}: ", error.Message);
    }

    [Theory]
    [InlineData("regulation: test\n")]
    [InlineData("- a\n")]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("a: *b\n")]
    public void What_is_no_catalogue_is_refused(string text)
    {
        Assert.Throws<CatalogueException>(() => Read(text));
    }

    [Fact]
    public void A_second_document_is_refused()
    {
        Assert.Throws<CatalogueException>(() => Read(Good + "---\n" + Good));
    }

    [Fact]
    public void A_control_may_stand_in_one_catalogue_only()
    {
        var directory = Directory.CreateTempSubdirectory("governance-test-");
        try
        {
            File.WriteAllText(Path.Combine(directory.FullName, "a.yaml"), Good);
            File.WriteAllText(
                Path.Combine(directory.FullName, "b.yaml"),
                Good.Replace("regulation: test", "regulation: other")
            );

            Assert.Throws<CatalogueException>(() => new Catalogues(directory.FullName));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static Catalogue Read(string text) => CatalogueReader.Read("test.yaml", Encoding.UTF8.GetBytes(text));
}
