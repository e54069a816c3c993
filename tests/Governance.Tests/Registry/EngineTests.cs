using Governance.Kernel;
using Governance.Registry.Engine;
using Governance.Registry.Runs;

namespace Governance.Tests.Registry;

public sealed class EngineTests
{
    private static readonly SearchVocabulary Vocabulary = new(
        ["name", "run_id"],
        ["version_number"],
        ["name"],
        [SearchEntity.Tag, SearchEntity.Metric]
    )
    {
        Listed = ["run_id"],
        ListsExclude = true,
    };

    [Theory]
    [InlineData("name = 'a'")]
    [InlineData("name='a' and tags.k = 'v'")]
    [InlineData("name LIKE 'a%' AND tag.`mlflow.x.y` != 'true'")]
    [InlineData("tags.\"a b\" ilike 'x'")]
    [InlineData("version_number >= 3 AND version_number < 10")]
    [InlineData("run_id IN ('a', 'b')")]
    [InlineData("run_id NOT IN ('a')")]
    [InlineData("metrics.loss/val <= -1.5e-3")]
    [InlineData("  ")]
    public void Filters_of_the_grammar_parse(string filter) => Assert.True(Search.ParseFilter(filter, Vocabulary).Ok);

    [Theory]
    [InlineData("name = 'a' OR name = 'b'")]
    [InlineData("(name = 'a')")]
    [InlineData("name = a")]
    [InlineData("name > 'a'")]
    [InlineData("name = 'a")]
    [InlineData("version_number = 'a'")]
    [InlineData("version_number LIKE 3")]
    [InlineData("current_stage = 'Production'")]
    [InlineData("run_id IN ()")]
    [InlineData("name IN ('a')")]
    [InlineData("tags.a IN ('a')")]
    [InlineData("run_id IN ('a'")]
    [InlineData("name = 'a'; DROP TABLE x")]
    [InlineData("name = 'a' AND")]
    [InlineData("params.x = '1'")]
    [InlineData("=")]
    public void Filters_outside_the_grammar_are_refused(string filter) =>
        Assert.Equal(FailureKind.Invalid, Search.ParseFilter(filter, Vocabulary).Failure?.Kind);

    [Fact]
    public void A_filter_of_too_many_comparisons_is_refused() =>
        Assert.False(Search.ParseFilter(string.Join(" and ", Enumerable.Repeat("name = 'a'", 51)), Vocabulary).Ok);

    [Theory]
    [InlineData("a%", "abc", false, true)]
    [InlineData("A%", "abc", false, false)]
    [InlineData("A%", "abc", true, true)]
    [InlineData("_b_", "abc", false, true)]
    [InlineData("%c", "abc", false, true)]
    [InlineData("", "a", false, false)]
    [InlineData("%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, false)]
    public void Like_matches_as_sql_does(string pattern, string text, bool ignoreCase, bool expected) =>
        Assert.Equal(expected, LikePattern.Matches(pattern, text, ignoreCase));

    [Theory]
    [InlineData("name", true)]
    [InlineData("name DESC", true)]
    [InlineData("name asc", true)]
    [InlineData("run_id", false)]
    [InlineData("name sideways", false)]
    [InlineData("", false)]
    public void Order_by_takes_the_listed_keys_only(string text, bool ok) =>
        Assert.Equal(ok, Search.ParseOrder([text], Vocabulary).Ok);

    [Theory]
    [InlineData("bm9wZQ==")]
    [InlineData("!!")]
    [InlineData("eyJvZmZzZXQiOiAtMX0=")]
    [InlineData("eyJvZmZzZXQiOiJhIn0=")]
    [InlineData("W10=")]
    public void A_bad_page_token_is_refused(string token) => Assert.False(PageTokens.Read(token).Ok);

    [Fact]
    public void A_page_token_is_what_mlflow_writes()
    {
        Assert.Equal("eyJvZmZzZXQiOiAzfQ==", PageTokens.Write(3));
        Assert.Equal(3, PageTokens.Read("eyJvZmZzZXQiOiAzfQ==").Value);
    }

    [Theory]
    [InlineData("file:///etc")]
    [InlineData("/etc")]
    [InlineData("../../etc")]
    [InlineData("file://127.0.0.1/etc")]
    [InlineData("http://127.0.0.1:1/x")]
    [InlineData("s3://bucket/x")]
    [InlineData("mlflow-artifacts:/../../etc")]
    [InlineData("mlflow-artifacts:/1/%2e%2e/artifacts")]
    [InlineData("mlflow-artifacts:/1/0123456789abcdef0123456789abcdef/artifacts/a?b")]
    [InlineData("mlflow-artifacts:/1/0123456789abcdef0123456789abcdef/artifacts/a#b")]
    [InlineData("mlflow-artifacts:/1/0123456789abcdef0123456789abcdef/artifacts/a\\b")]
    [InlineData("mlflow-artifacts:/1/0123456789abcdef0123456789abcdef")]
    [InlineData("mlflow-artifacts://host/1/0123456789abcdef0123456789abcdef/artifacts")]
    [InlineData("mlflow-artifacts:/01/0123456789abcdef0123456789abcdef/artifacts")]
    [InlineData("models:/../x")]
    [InlineData("models:/a/../1")]
    [InlineData("models:/a/latest")]
    [InlineData("models:/a@champion")]
    [InlineData("models:/a/0")]
    [InlineData("runs:/x/model")]
    [InlineData("runs:/0123456789abcdef0123456789abcdef/../x")]
    [InlineData("")]
    public void A_source_elsewhere_is_refused(string source) => Assert.False(ModelSource.Parse(source).Ok);

    [Theory]
    [InlineData("mlflow-artifacts:/1/0123456789abcdef0123456789abcdef/artifacts/model")]
    [InlineData("mlflow-artifacts:/1/models/m-0123456789abcdef0123456789abcdef/artifacts")]
    [InlineData("runs:/0123456789abcdef0123456789abcdef/model")]
    [InlineData("models:/m-0123456789abcdef0123456789abcdef")]
    [InlineData("models:/a/b:c/12")]
    public void Sources_that_are_stored_here_parse(string source) => Assert.True(ModelSource.Parse(source).Ok);

    [Theory]
    [InlineData("latest")]
    [InlineData("LATEST")]
    [InlineData("v1")]
    [InlineData("V22")]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a/b")]
    public void Reserved_and_malformed_aliases_are_refused(string alias) =>
        Assert.NotNull(RegistryNames.CheckAlias(alias));

    [Theory]
    [InlineData("champion")]
    [InlineData("v")]
    [InlineData("v1a")]
    [InlineData("a_b-c")]
    public void Plain_aliases_are_allowed(string alias) => Assert.Null(RegistryNames.CheckAlias(alias));

    [Theory]
    [InlineData("a\u200bb")]
    [InlineData("a\u202eb")]
    [InlineData("a\ufeff")]
    [InlineData("a\u00adb")]
    [InlineData("mode\u0300le")]
    [InlineData("a\u034fb")]
    [InlineData("a\ufe0fb")]
    [InlineData("a\u3164")]
    public void Invisible_and_composing_characters_are_refused_in_names_and_keys(string text)
    {
        Assert.NotNull(RegistryNames.CheckName("model", text));
        Assert.NotNull(RegistryNames.CheckAlias(text));
        Assert.False(RegistryNames.IsPlainText(text));
    }

    [Theory]
    [InlineData("\uff41bc")]
    [InlineData("a\u00a0b")]
    [InlineData("\ufb01t")]
    [InlineData("\U0001d400")]
    public void Other_spellings_of_plain_characters_are_refused_in_names(string name) =>
        Assert.NotNull(RegistryNames.CheckName("model", name));

    [Theory]
    [InlineData("Modèle élégant")]
    [InlineData("модель-1")]
    [InlineData("模型")]
    [InlineData("हिन्दी")]
    [InlineData("🚀 rocket")]
    public void Ordinary_names_of_every_script_are_allowed(string name) =>
        Assert.Null(RegistryNames.CheckName("model", name));

    [Fact]
    public void The_evidence_subject_is_a_published_value()
    {
        var subject = EvidenceSubjects.Compute(
            new Guid("0190a0b0-c0d0-7000-8000-000000000001"),
            3,
            Digest.Of("manifest"),
            "0123456789abcdef0123456789abcdef",
            [
                new SubjectInput("training", "declared", new string('b', 64)),
                new SubjectInput("eval", "declared", "mlflow:t@1234"),
            ]
        );

        // {"inputs":[{"context":"eval","grade":"declared","sha256":"mlflow:t@1234"},{"context":"training",…}],"manifest":…,"model":…,"run":…,"version":3}
        var canonical =
            """{"inputs":[{"context":"eval","grade":"declared","sha256":"mlflow:t@1234"},{"context":"training","grade":"declared","sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}],"manifest":"""
            + $"\"{Digest.Of("manifest")}\""
            + ""","model":"0190a0b0-c0d0-7000-8000-000000000001","run":"0123456789abcdef0123456789abcdef","version":3}""";
        Assert.Equal(Digest.Of(canonical), subject);
    }

    [Fact]
    public void Another_context_order_or_repetition_of_inputs_keeps_or_changes_the_subject_as_it_should()
    {
        var a = new SubjectInput("training", "declared", new string('a', 64));
        var b = new SubjectInput("eval", "declared", new string('b', 64));

        Assert.Equal(Of(a, b), Of(b, a, b));
        Assert.NotEqual(Of(a), Of(a with { Context = "eval" }));
        Assert.NotEqual(Of(a), Of());

        static Digest Of(params SubjectInput[] inputs) =>
            EvidenceSubjects.Compute(Guid.Empty, 1, Digest.Of("m"), null, inputs);
    }

    [Fact]
    public void A_dataset_source_of_this_gateway_is_read_and_a_malformed_one_refused()
    {
        var hex = new string('a', 64);

        Assert.Equal(hex, DatasetSource.Read($"governance:/datasets/sha256:{hex}").Value?.Hex);
        Assert.Equal(hex, DatasetSource.Read($$"""{"uri": "governance:/datasets/sha256:{{hex}}"}""").Value?.Hex);
        Assert.Null(DatasetSource.Read("""{"uri": "/data/train.csv"}""").Value);
        Assert.False(DatasetSource.Read("governance:/datasets/sha256:zz").Ok);
        Assert.False(DatasetSource.Read("""{"uri": "Governance:/x"}""").Ok);
    }
}
