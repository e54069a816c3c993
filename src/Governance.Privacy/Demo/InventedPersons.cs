using System.Globalization;
using System.Text;
using Governance.Privacy.Contracts;

namespace Governance.Privacy.Demo;

/// <summary>
/// A table of persons who do not exist, for the demo and tests: the same seed writes the same bytes. Identifiers have valid
/// check digits so that detectors see what they would see in earnest; e-mail domains are reserved (RFC 2606).
/// </summary>
public static class InventedPersons
{
    private static readonly string[] First =
    [
        "Ana",
        "Beatriz",
        "Bruno",
        "Camila",
        "Carlos",
        "Daniela",
        "Eduardo",
        "Fernanda",
        "Gabriel",
        "Helena",
        "Igor",
        "Joana",
        "Lucas",
        "Mariana",
        "Pedro",
        "Rafael",
        "Sofia",
        "Thiago",
        "Valentina",
        "Walter",
    ];

    private static readonly string[] Last =
    [
        "Almeida",
        "Barbosa",
        "Cardoso",
        "Dias",
        "Esteves",
        "Farias",
        "Gomes",
        "Lima",
        "Moreira",
        "Nogueira",
        "Oliveira",
        "Pereira",
        "Queiroz",
        "Ribeiro",
        "Souza",
        "Teixeira",
    ];

    private static readonly string[] Streets =
    [
        "Rua das Flores",
        "Avenida Central",
        "Rua do Sol",
        "Travessa Nova",
        "Rua da Ponte",
    ];
    private static readonly string[] Occupations = ["clerk", "teacher", "engineer", "nurse", "driver", "manager"];

    /// <summary>Column names in order.</summary>
    public static readonly IReadOnlyList<string> Columns =
    [
        "full_name",
        "cpf",
        "email",
        "phone",
        "iban",
        "birth_date",
        "street",
        "zip",
        "sex",
        "age",
        "occupation",
        "hours_per_week",
        "income",
    ];

    /// <summary>Treatments under which the table of 1,000 rows or more measures k of 5 or more.</summary>
    public static readonly IReadOnlyList<ColumnTreatment> Plan =
    [
        new("full_name", "drop", ""),
        new("cpf", "tokenise", ""),
        new("email", "drop", ""),
        new("phone", "drop", ""),
        new("iban", "drop", ""),
        new("birth_date", "drop", ""),
        new("street", "drop", ""),
        new("zip", "drop", ""),
        new("sex", "keep", ""),
        new("age", "generalise", "20"),
        new("occupation", "keep", ""),
        new("hours_per_week", "keep", ""),
        new("income", "keep", ""),
    ];

    /// <summary>Writes a header and rows as CSV. Rows 1–1,000,000.</summary>
    public static void Write(TextWriter output, int rows, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, 1_000_000);
        var random = new SplitMix64(seed);
        output.Write(string.Join(',', Columns) + "\n");
        for (var i = 0; i < rows; i++)
        {
            output.Write(string.Join(',', Row(random)) + "\n");
        }
    }

    /// <summary>The table as UTF-8 bytes.</summary>
    public static byte[] Csv(int rows, ulong seed)
    {
        using var writer = new StringWriter(CultureInfo.InvariantCulture);
        Write(writer, rows, seed);
        return Encoding.UTF8.GetBytes(writer.ToString());
    }

    private static string[] Row(SplitMix64 random)
    {
        var first = First[random.Below(First.Length)];
        var last = Last[random.Below(Last.Length)];
        var age = 20 + random.Below(60);
        // The table is of the end of 2025, whenever it is written.
        var birth = new DateTime(2025 - age, 1, 1).AddDays(random.Below(365));
        var hours = 20 + (5 * random.Below(8));
        return
        [
            $"{first} {last}",
            Cpf(random),
            $"{first}.{last}{random.Below(1000)}@example.org".ToLowerInvariant(),
            $"(11) 9{Digits(random, 4)}-{Digits(random, 4)}",
            Iban(random),
            birth.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            $"{Streets[random.Below(Streets.Length)]} {1 + random.Below(900)}",
            $"{Digits(random, 5)}-{Digits(random, 3)}",
            random.Below(2) == 0 ? "F" : "M",
            age.ToString(CultureInfo.InvariantCulture),
            Occupations[random.Below(Occupations.Length)],
            hours.ToString(CultureInfo.InvariantCulture),
            (hours * (50 + random.Below(200))).ToString(CultureInfo.InvariantCulture),
        ];
    }

    private static string Cpf(SplitMix64 random)
    {
        var digits = new int[11];
        for (var i = 0; i < 9; i++)
        {
            digits[i] = random.Below(10);
        }

        digits[9] = CheckDigit(digits, 9, 10);
        digits[10] = CheckDigit(digits, 10, 11);
        var text = string.Concat(digits.Select(digit => (char)('0' + digit)));
        return $"{text[..3]}.{text[3..6]}.{text[6..9]}-{text[9..]}";
    }

    private static int CheckDigit(int[] digits, int count, int weight)
    {
        var rest = digits.Take(count).Select((digit, i) => digit * (weight - i)).Sum() % 11;
        return rest < 2 ? 0 : 11 - rest;
    }

    private static string Iban(SplitMix64 random)
    {
        var account = Digits(random, 18);
        // DE is 1314 and the two open check digits are 00 (ISO 7064 MOD 97-10).
        var check = 98 - (int)(System.Numerics.BigInteger.Parse(account + "131400", CultureInfo.InvariantCulture) % 97);
        return $"DE{check:00}{account}";
    }

    private static string Digits(SplitMix64 random, int count) =>
        string.Concat(Enumerable.Range(0, count).Select(_ => (char)('0' + random.Below(10))));

    /// <summary>Sebastiano Vigna's SplitMix64: a counter through a mixing function. For invented data only, never for secrets.</summary>
    private sealed class SplitMix64(ulong seed)
    {
        private ulong _state = seed;

        public int Below(int bound)
        {
            _state += 0x9E3779B97F4A7C15;
            var mixed = (_state ^ (_state >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            mixed ^= mixed >> 31;
            return (int)(mixed % (ulong)bound);
        }
    }
}
