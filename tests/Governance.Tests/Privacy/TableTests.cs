using System.Globalization;
using System.Text;
using Governance.Privacy.Contracts;
using Governance.Privacy.Demo;
using Governance.Privacy.Engine;
using Governance.Tests.Platform;

namespace Governance.Tests.Privacy;

/// <summary>Scans tables from memory under the shipped policy.</summary>
internal static class Tables
{
    public static readonly PrivacyPolicy Policy = PrivacyPolicy
        .Parse(File.ReadAllText(Path.Combine(TestDatabase.PoliciesDirectory(), "privacy.yaml")))
        .Value;

    public static string Column(string name, int rows, Func<int, string> value) =>
        name + "\n" + string.Concat(Enumerable.Range(0, rows).Select(i => value(i) + "\n"));

    public static Governance.Kernel.Result<DatasetScan> Scan(
        byte[] bytes,
        TableLimits? limits = null,
        EffectiveDeclaration? declared = null
    ) =>
        DatasetScan.Run(
            () => new MemoryStream(bytes),
            limits ?? TableLimits.Default,
            Policy,
            new Dictionary<string, Provenance>(),
            declared ?? EffectiveDeclaration.Empty,
            CancellationToken.None
        );

    public static DatasetScan Scan(string csv, EffectiveDeclaration? declared = null) =>
        Scan(Encoding.UTF8.GetBytes(csv), null, declared).Value;

    public static ColumnFinding Only(string csv) => Assert.Single(Scan(csv).Columns);
}

public sealed class CsvTableTests
{
    [Theory]
    [InlineData(',')]
    [InlineData(';')]
    [InlineData('\t')]
    [InlineData('|')]
    public void Delimiter_is_found(char delimiter)
    {
        var scan = Tables.Scan($"city{delimiter}score\r\n\"a{delimiter}b\"{delimiter}1.5\r\nc{delimiter}2.5\r\n");

        Assert.Equal(["city", "score"], scan.Columns.Select(column => column.Name));
        Assert.Equal(2, scan.Rows);
    }

    [Fact]
    public void Byte_order_mark_is_no_part_of_the_first_name()
    {
        var bytes = Encoding.UTF8.GetPreamble().Concat(Encoding.UTF8.GetBytes("email\na@example.org\n")).ToArray();

        var column = Assert.Single(Tables.Scan(bytes).Value.Columns);

        Assert.Equal("email", column.Name);
        Assert.Equal("EMAIL", column.What);
    }

    [Fact]
    public void Latin_1_is_read_when_it_is_not_utf_8()
    {
        var bytes = Encoding.Latin1.GetBytes("município;n\nSão Paulo;1\n");

        Assert.Equal("município", Tables.Scan(bytes).Value.Columns[0].Name);
    }

    [Theory]
    [InlineData("a,b\n1,2,3\n")]
    [InlineData("a,b\n1\n")]
    [InlineData("a,a\n1,2\n")]
    [InlineData("a,\n1,2\n")]
    [InlineData("")]
    [InlineData("a,b\n\"1\"x,2\n")]
    [InlineData("a\0,b\n1,2\n")]
    public void Malformed_tables_are_refused(string csv)
    {
        var result = Tables.Scan(Encoding.UTF8.GetBytes(csv));

        Assert.Equal("privacy.malformed", result.Failure?.Code);
    }

    [Fact]
    public void Unterminated_quote_is_refused()
    {
        var result = Tables.Scan(Encoding.UTF8.GetBytes("a,b\n\"1,2\n3,4\n"));

        Assert.Equal("privacy.malformed", result.Failure?.Code);
    }

    [Theory]
    [InlineData("ana@example.org,529.982.247-25\nb@example.org,111.444.777-35\n")]
    [InlineData("1979-08-12,x\n1980-01-01,y\n")]
    public void First_row_of_values_is_not_taken_for_names(string csv) =>
        Assert.Equal("privacy.no_header", Tables.Scan(Encoding.UTF8.GetBytes(csv)).Failure?.Code);

    [Fact]
    public void Limits_on_bytes_rows_columns_and_records_hold()
    {
        var csv = Encoding.UTF8.GetBytes("a,b\n" + string.Concat(Enumerable.Repeat("1,2\n", 100)));
        var wide = Encoding.UTF8.GetBytes("a,b\n1," + new string('x', 5000) + "\n");
        var limits = TableLimits.Default;

        Assert.Equal("privacy.too_large", Tables.Scan(csv, limits with { MaxBytes = 100 }).Failure?.Code);
        Assert.Equal("privacy.too_large", Tables.Scan(csv, limits with { MaxRows = 99 }).Failure?.Code);
        Assert.Equal("privacy.too_large", Tables.Scan(csv, limits with { MaxColumns = 1 }).Failure?.Code);
        Assert.Equal("privacy.too_large", Tables.Scan(wide, limits with { MaxRecordChars = 1024 }).Failure?.Code);
        Assert.True(Tables.Scan(csv, limits).Ok);
    }
}

public sealed class ColumnClassifierTests
{
    [Theory]
    [InlineData("contact", "ana{0}@example.org", "EMAIL", "raw", "direct")]
    [InlineData("email", "a{0}***@example.org", "EMAIL", "masked", "direct")]
    [InlineData("nome", "[REDACTED]", "PERSON_NAME", "redacted", "direct")]
    [InlineData("patient_name", "Person Of{0}", "PERSON_NAME", "raw", "direct")]
    [InlineData("dob", "1970-01-0{0}", "DATE_OF_BIRTH", "raw", "direct")]
    [InlineData("birth_year", "197{0}", "BIRTH_YEAR", "generalised", "quasi")]
    [InlineData("Idade", "3{0}", "AGE", "raw", "quasi")]
    [InlineData("age_group", "3{0}-40", "AGE", "generalised", "quasi")]
    [InlineData("Geschlecht", "m", "GENDER", "raw", "quasi")]
    [InlineData("diagnosis", "I1{0}", "HEALTH", "raw", "sensitive")]
    [InlineData("passport", "X000{0}", "PASSPORT", "raw", "direct")]
    [InlineData("last_login_ip", "203.0.113.{0}", "IP_ADDRESS", "raw", "direct")]
    [InlineData("pixel", "0.3{0}", "NONE", "none", "other")]
    [InlineData("ref", "AB-{0}9-ZZ99", "UNKNOWN", "none", "unknown")]
    public void Column_gets_what_state_and_role(string name, string pattern, string what, string state, string role)
    {
        var column = Tables.Only(Tables.Column(name, 9, i => string.Format(CultureInfo.InvariantCulture, pattern, i)));

        Assert.Equal((what, state, role), (column.What, column.State, column.Role));
    }

    [Fact]
    public void Bare_numbers_with_check_digits_are_told_from_chance()
    {
        var random = new Random(1);
        string[] valid = ["52998224725", "11144477735", "39053344705", "93541134780"];

        var persons = Tables.Only(Tables.Column("x", 400, i => valid[i % 4]));
        var numbers = Tables.Only(
            Tables.Column(
                "x",
                4000,
                _ => random.NextInt64(10_000_000_000, 99_999_999_999).ToString(CultureInfo.InvariantCulture)
            )
        );

        Assert.Equal("BR_CPF", persons.What);
        Assert.StartsWith("check digits 400/400, 1 % by chance", persons.Evidence, StringComparison.Ordinal);
        Assert.Equal("UNKNOWN", numbers.What);
    }

    [Theory]
    [InlineData("cpf", "52998224725.0", "BR_CPF", "direct")]
    [InlineData("x1", "52998224725.0", "BR_CPF", "direct")]
    [InlineData("x1", "4111111111111111.00", "CREDIT_CARD", "direct")]
    [InlineData("ssn", "21909999{0}.0", "US_SSN", "direct")]
    [InlineData("phone", "1198765432{0}.0", "PHONE", "direct")]
    [InlineData("user_id", "1234{0}.0", "PERSON_KEY", "direct")]
    [InlineData("ref", "1234{0}.0", "UNKNOWN", "unknown")]
    [InlineData("ref", "1234{0}-567890", "UNKNOWN", "unknown")]
    [InlineData("length", "1234{0}.5", "NONE", "other")]
    public void Whole_numbers_that_a_data_frame_wrote_as_fractions_are_still_identifiers(
        string name,
        string pattern,
        string what,
        string role
    )
    {
        var column = Tables.Only(
            Tables.Column(name, 10, i => string.Format(CultureInfo.InvariantCulture, pattern, (i * 7) % 10))
        );

        Assert.Equal((what, role), (column.What, column.Role));
    }

    [Theory]
    [InlineData("user_id", "PERSON_KEY")]
    [InlineData("ref", "UNKNOWN")]
    public void One_fraction_among_many_keys_hides_none_of_them(string name, string what)
    {
        var csv = Tables.Column(name, 200, i => i == 7 ? "0.5" : $"{(i * 7919) + 10_000}");

        Assert.Equal(what, Tables.Only(csv).What);
    }

    [Fact]
    public void Misleading_name_does_not_make_a_measure_an_identifier()
    {
        var column = Tables.Only(Tables.Column("email", 100, i => (i % 7).ToString(CultureInfo.InvariantCulture)));

        Assert.Equal("NONE", column.What);
    }

    [Fact]
    public void Hash_of_a_neighbour_is_proven()
    {
        var csv =
            "code,key\n"
            + string.Concat(
                Enumerable.Range(0, 20).Select(i => $"Z-{i * i}-Q,{Governance.Kernel.Digest.Of($"Z-{i * i}-Q")}\n")
            );

        var key = Tables.Scan(csv).Columns[1];

        Assert.Equal((States.Hashed, Roles.Direct), (key.State, key.Role));
        Assert.Contains("unkeyed hash of column 'code'", key.Evidence, StringComparison.Ordinal);
    }

    [Fact]
    public void Hash_of_an_unknown_source_is_unknown_and_of_a_named_one_guessable()
    {
        var unknown = Tables.Only(Tables.Column("z", 20, i => Governance.Kernel.Digest.Of($"{i}").Hex));
        var named = Tables.Only(Tables.Column("cpf_hash", 20, i => Governance.Kernel.Digest.Of($"{i}").Hex));

        Assert.Equal("UNKNOWN", unknown.What);
        Assert.Equal(("BR_CPF", "hashed"), (named.What, named.State));
    }

    [Fact]
    public void Ninety_six_leaks_in_a_large_free_text_column_are_found()
    {
        // The share of 96 in 1,000,000 with a tenth of the rows; every row is read either way.
        var csv = Tables.Column(
            "comment",
            100_000,
            i =>
                i % 10_417 == 5
                    ? "please call ana@example.org about the late order"
                    : $"the order number {i % 90} came late again"
        );

        var column = Tables.Only(csv);

        Assert.Equal(("EMAIL", "raw", "free-text", 10), (column.What, column.State, column.Role, column.Matches));
    }

    [Fact]
    public void Values_never_appear_in_findings()
    {
        var scan = Tables.Scan(Encoding.UTF8.GetString(InventedPersons.Csv(200, 3)));

        var text = string.Join(
            '\n',
            scan.Columns.Select(column => column.ToString()).Concat(scan.Judge("d", Tables.Policy).Reasons)
        );

        Assert.DoesNotContain("@example.org", text, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"\d{3}\.\d{3}\.\d{3}-\d{2}", text);
    }
}

public sealed class AnonymityTests
{
    private const string Small = "age,sex,diagnosis\n30,F,a\n30,F,b\n30,M,a\n30,M,a\n,M,a\nNA,M,c\n?,M,c\n";

    [Fact]
    public void Classes_uniques_k_and_l_are_counted()
    {
        var measure = Tables.Scan("age,sex,diagnosis\n30,F,a\n30,F,b\n30,M,a\n30,M,a\n40,M,c\n").Measure!;

        Assert.Equal(["age", "sex"], measure.QuasiIdentifiers);
        Assert.Equal((1, 3, 5, 1), (measure.K, measure.Classes, measure.Rows, measure.UniqueRows));
        Assert.Equal(1, measure.L);
        Assert.Equal("policy", measure.SetBy);
    }

    [Fact]
    public void Missing_values_are_one_value_of_their_own()
    {
        var measure = Tables.Scan(Small).Measure!;

        Assert.Equal((2, 3), (measure.K, measure.Classes));
    }

    [Fact]
    public void Officer_sets_the_quasi_identifiers_and_what_masks_leave_joins_them()
    {
        var declared = EffectiveDeclaration.Empty with { Quasi = ["sex"], QuasiSetBy = "officer" };

        var measure = Tables.Scan("age,sex,card\n1,F,****1111\n2,F,****2222\n", declared).Measure!;

        Assert.Equal(["sex", "card"], measure.QuasiIdentifiers);
        Assert.Equal("officer", measure.SetBy);
        Assert.Equal(1, measure.K);
    }
}

public sealed class DatasetJudgeTests
{
    private static PrivacyVerdict Judge(string csv, EffectiveDeclaration? declared = null) =>
        Tables.Scan(csv, declared).Judge("t", Tables.Policy);

    [Fact]
    public void Plain_measures_and_categories_pass()
    {
        var csv =
            "length,kind\n" + string.Concat(Enumerable.Range(0, 60).Select(i => $"{i / 7.0:0.00},{"abc"[i % 3]}\n"));

        Assert.Equal(PrivacyOutcome.Pass, Judge(csv).Outcome);
    }

    [Fact]
    public void Identifier_in_clear_fails_naming_dataset_column_kind_and_count()
    {
        var verdict = Judge("contact\na@example.org\nb@example.org\n");

        Assert.Equal(PrivacyOutcome.Fail, verdict.Outcome);
        Assert.Contains(
            "Dataset 't', column 'contact' holds EMAIL in clear: 2 of 2 values",
            verdict.Reasons[0],
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Hashed_identifier_fails() =>
        Assert.Equal(
            PrivacyOutcome.Fail,
            Judge(Tables.Column("ssn_hash", 20, i => Governance.Kernel.Digest.Of($"{i}").Hex)).Outcome
        );

    [Fact]
    public void Unknown_column_is_incomplete_until_declared()
    {
        var csv = Tables.Column("ref", 20, i => $"AB-{i}9-ZZ99");
        var declared = EffectiveDeclaration.Empty with
        {
            Columns = new Dictionary<string, string> { ["ref"] = "NONE" },
        };

        Assert.Equal(PrivacyOutcome.Incomplete, Judge(csv).Outcome);
        Assert.Contains("'ref'", Judge(csv).Reasons[0], StringComparison.Ordinal);
        Assert.Equal(PrivacyOutcome.Pass, Judge(csv, declared).Outcome);
    }

    [Fact]
    public void Free_text_without_findings_is_incomplete() =>
        Assert.Equal(
            PrivacyOutcome.Incomplete,
            Judge(Tables.Column("note", 200, i => $"the order number {i} came late again")).Outcome
        );

    [Fact]
    public void Declaration_cannot_talk_away_what_a_detector_found()
    {
        var declared = EffectiveDeclaration.Empty with
        {
            Columns = new Dictionary<string, string> { ["contact"] = "NONE" },
        };

        Assert.Equal(PrivacyOutcome.Fail, Judge("contact\na@example.org\nb@example.org\n", declared).Outcome);
    }

    [Theory]
    [InlineData(4, PrivacyOutcome.Fail)]
    [InlineData(5, PrivacyOutcome.Pass)]
    public void Least_k_decides(int size, PrivacyOutcome outcome) =>
        Assert.Equal(outcome, Judge("sex\n" + string.Concat(Enumerable.Repeat("F\nM\n", size))).Outcome);

    [Fact]
    public void Group_with_one_sensitive_value_fails()
    {
        var verdict = Judge("sex,religion\n" + string.Concat(Enumerable.Repeat("F,x\nM,x\nM,y\n", 6)));

        Assert.Equal(PrivacyOutcome.Fail, verdict.Outcome);
        Assert.Contains("distinct l 1", verdict.Reasons[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Empty_table_is_incomplete() => Assert.Equal(PrivacyOutcome.Incomplete, Judge("length\n").Outcome);
}

public sealed class AnonymiserTests
{
    [Fact]
    public void Invented_persons_fail_raw_and_the_same_seed_writes_the_same_bytes()
    {
        var csv = InventedPersons.Csv(500, 42);
        var verdict = Tables.Scan(csv).Value.Judge("persons", Tables.Policy);

        Assert.Equal(csv, InventedPersons.Csv(500, 42));
        Assert.Equal(PrivacyOutcome.Fail, verdict.Outcome);
        foreach (var kind in new[] { "PERSON_NAME", "BR_CPF", "EMAIL", "PHONE", "IBAN", "DATE_OF_BIRTH", "ADDRESS" })
        {
            Assert.Contains(verdict.Reasons, reason => reason.Contains(kind, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Every_column_needs_a_treatment()
    {
        var plan = Anonymiser.Plan(["a", "b"], [new("a", "keep", "")], new byte[32]);

        Assert.Equal("privacy.bad_treatment", plan.Failure?.Code);
    }

    [Theory]
    [InlineData("mask", "2", "abcdefgh", "****gh")]
    [InlineData("mask", "", "abcdefgh", "****")]
    [InlineData("mask", "4", "abcdefgh", "****")]
    [InlineData("generalise", "10", "37", "30-39")]
    [InlineData("generalise", "10", "37.5", "30-39")]
    [InlineData("generalise", "10", "-3", "\"[-10,0)\"")]
    [InlineData("generalise", "10", "Ana Lima", "")]
    [InlineData("generalise", "year", "1979-08-12", "1979")]
    [InlineData("generalise", "year", "12/08/1979", "1979")]
    [InlineData("generalise", "year", "in summer", "")]
    [InlineData("generalise", "prefix:3", "01310-100", "013*")]
    [InlineData("generalise", "prefix:3", "013", "")]
    [InlineData("keep", "", "=1+1", "=1+1")]
    [InlineData("keep", "", "a\"b,c", "\"a\"\"b,c\"")]
    public void Treatment_of_one_value(string method, string parameter, string value, string expected)
    {
        var csv = "v\n\"" + value.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"\n";
        var table = CsvTable
            .Open(() => new MemoryStream(Encoding.UTF8.GetBytes(csv)), TableLimits.Default, default)
            .Value;
        using var output = new MemoryStream();

        Anonymiser.Plan(["v"], [new("v", method, parameter)], new byte[32]).Value.Write(table, output, default);

        Assert.Equal(
            "v\n" + (expected.Length == 0 ? "\"\"" : expected) + "\n",
            Encoding.UTF8.GetString(output.ToArray())
        );
    }

    [Fact]
    public void Tokens_are_the_same_under_one_key_and_differ_under_another()
    {
        static string Token(byte[] key)
        {
            var table = CsvTable
                .Open(() => new MemoryStream("v\nx\nx\n"u8.ToArray()), TableLimits.Default, default)
                .Value;
            using var output = new MemoryStream();
            Anonymiser.Plan(["v"], [new("v", "tokenise", "")], key).Value.Write(table, output, default);
            return Encoding.UTF8.GetString(output.ToArray());
        }

        var lines = Token(new byte[32]).Split('\n');

        Assert.Equal(lines[1], lines[2]);
        Assert.StartsWith("tok_", lines[1], StringComparison.Ordinal);
        Assert.NotEqual(Token(new byte[32]), Token([.. Enumerable.Repeat((byte)1, 32)]));
    }
}
