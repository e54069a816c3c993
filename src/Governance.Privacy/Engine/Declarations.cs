using Governance.Kernel;
using Governance.Privacy.Contracts;

namespace Governance.Privacy.Engine;

/// <summary>What privacy officers have said about a dataset so far; the last word on each thing holds.</summary>
internal sealed record EffectiveDeclaration
{
    public static readonly EffectiveDeclaration Empty = new();

    public IReadOnlyDictionary<string, string> Columns { get; init; } = new Dictionary<string, string>();
    public IReadOnlyList<string>? Quasi { get; init; }
    public string? QuasiSetBy { get; init; }
    public IReadOnlyList<string>? Sensitive { get; init; }
    public int? LeastK { get; init; }
    public string? LegalBasis { get; init; }
    public string? Purpose { get; init; }

    /// <summary>What officers said about the tables that this one was made of.</summary>
    public Bound Above { get; init; } = Bound.Nothing;

    /// <summary>The least k asked: an officer's word on this dataset comes before one on what it was made of.</summary>
    public int AskedK => LeastK ?? Above.LeastK;

    /// <summary>Adds a later declaration.</summary>
    public EffectiveDeclaration With(string officer, DatasetDeclaration later)
    {
        var columns = new Dictionary<string, string>(Columns, StringComparer.Ordinal);
        foreach (var (column, kind) in later.Columns)
        {
            columns[column] = kind;
        }

        return this with
        {
            Columns = columns,
            Quasi = later.QuasiIdentifiers ?? Quasi,
            QuasiSetBy = later.QuasiIdentifiers is null ? QuasiSetBy : officer,
            Sensitive = later.SensitiveColumns ?? Sensitive,
            LeastK = later.LeastK ?? LeastK,
            LegalBasis = later.LegalBasis ?? LegalBasis,
            Purpose = later.Purpose ?? Purpose,
        };
    }
}

/// <summary>What binds a dataset because officers said it of its parents, by this dataset's own column names.</summary>
/// <param name="Kinds">Column and kind; a column may have several.</param>
/// <param name="Quasi">Columns made of declared quasi-identifiers.</param>
/// <param name="Sensitive">Columns made of declared sensitive ones.</param>
/// <param name="LeastK">0 when nobody asked.</param>
/// <param name="QuasiSetBy">Who declared the quasi-identifiers.</param>
internal sealed record Bound(
    IReadOnlySet<(string Column, string Kind)> Kinds,
    IReadOnlySet<string> Quasi,
    IReadOnlySet<string> Sensitive,
    int LeastK,
    string? QuasiSetBy
)
{
    public static readonly Bound Nothing = new(
        new HashSet<(string, string)>(),
        new HashSet<string>(),
        new HashSet<string>(),
        0,
        null
    );

    /// <summary>
    /// What a dataset passes on. Where an officer spoke about the dataset itself that holds instead of what came from above;
    /// where several copies of the same bytes were spoken about, all of it holds.
    /// </summary>
    public static Bound PassedOn(IReadOnlyList<EffectiveDeclaration> copies, Bound above)
    {
        var spoken = copies.SelectMany(copy => copy.Columns.Keys).ToHashSet(StringComparer.Ordinal);
        var kinds = copies
            .SelectMany(copy => copy.Columns)
            .Where(pair => pair.Value != Engine.Kinds.None)
            .Select(pair => (pair.Key, pair.Value));
        return new Bound(
            kinds.Concat(above.Kinds.Where(pair => !spoken.Contains(pair.Column))).ToHashSet(),
            copies.Any(copy => copy.Quasi is not null) ? Union(copy => copy.Quasi) : above.Quasi,
            copies.Any(copy => copy.Sensitive is not null) ? Union(copy => copy.Sensitive) : above.Sensitive,
            copies.Max(copy => copy.LeastK) ?? above.LeastK,
            copies.Select(copy => copy.QuasiSetBy).FirstOrDefault(officer => officer is not null) ?? above.QuasiSetBy
        );

        HashSet<string> Union(Func<EffectiveDeclaration, IReadOnlyList<string>?> list) =>
            copies.SelectMany(copy => list(copy) ?? []).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>The same through a derivation: from the parent's column names to the child's.</summary>
    public Bound Through(Func<string, IEnumerable<string>> children, Func<string, bool> keepsState) =>
        new(
            Kinds
                .SelectMany(pair =>
                    children(pair.Column)
                        // That a token is one is known only of the very same values.
                        .Select(child => (child, keepsState(child) ? pair.Kind : pair.Kind.Split('/')[0]))
                )
                .ToHashSet(),
            Quasi.SelectMany(children).ToHashSet(StringComparer.Ordinal),
            Sensitive.SelectMany(children).ToHashSet(StringComparer.Ordinal),
            LeastK,
            QuasiSetBy
        );

    /// <summary>Everything that either asks.</summary>
    public Bound And(Bound other) =>
        new(
            Kinds.Union(other.Kinds).ToHashSet(),
            Quasi.Union(other.Quasi).ToHashSet(StringComparer.Ordinal),
            Sensitive.Union(other.Sensitive).ToHashSet(StringComparer.Ordinal),
            Math.Max(LeastK, other.LeastK),
            QuasiSetBy ?? other.QuasiSetBy
        );
}

/// <summary>What is known about a column beside its own scan: where it came from.</summary>
/// <param name="Parent">Finding of the column it was made of.</param>
/// <param name="ParentDataset">Start of the digest of that dataset: its name may belong to somebody else.</param>
/// <param name="Method">Treatment by the gateway itself, or null when the derivation is only declared.</param>
internal sealed record Provenance(ColumnFinding Parent, string ParentDataset, string? Method);

/// <summary>Combines scan, provenance and declarations. Content found by a detector is never talked away.</summary>
internal static class Declarations
{
    private const int MaxEntries = 1000;
    private const int MaxText = 200;

    /// <summary>Final findings.</summary>
    public static IReadOnlyList<ColumnFinding> Apply(
        IReadOnlyList<ColumnFinding> scanned,
        IReadOnlyDictionary<string, Provenance> provenance,
        EffectiveDeclaration declared,
        PrivacyPolicy policy
    ) =>
        [
            .. scanned.Select(column =>
            {
                var known = provenance.TryGetValue(column.Name, out var source) ? Inherit(column, source) : column;
                return IsProven(known) ? known
                    : declared.Columns.TryGetValue(column.Name, out var text) ? Declare(known, text, "declared", policy)
                    : declared
                        .Above.Kinds.Where(pair => pair.Column == column.Name)
                        .OrderBy(pair => pair.Kind, StringComparer.Ordinal)
                        .Aggregate(known, (worst, pair) => Bind(worst, pair.Kind, policy));
            }),
        ];

    // Somebody else's word on another table can only make things worse here.
    private static ColumnFinding Bind(ColumnFinding column, string text, PrivacyPolicy policy)
    {
        var bound = Declare(column, text, "declared on a dataset that it was made of", policy);
        return column.What is Kinds.Unknown or Kinds.None || Weight(bound.Role) > Weight(column.Role) ? bound : column;
    }

    private static int Weight(string role) =>
        role switch
        {
            Roles.Direct => 4,
            Roles.FreeText => 3,
            Roles.Quasi => 2,
            Roles.Sensitive => 1,
            _ => 0,
        };

    /// <summary>Refuses what a declaration may not say. Codes <c>privacy.*</c>.</summary>
    public static Failure? Check(
        DatasetDeclaration declaration,
        IReadOnlyList<ColumnFinding> columns,
        PrivacyPolicy policy
    )
    {
        var names = columns.Select(column => column.Name).ToHashSet(StringComparer.Ordinal);
        var mentioned = declaration
            .Columns.Keys.Concat(declaration.QuasiIdentifiers ?? [])
            .Concat(declaration.SensitiveColumns ?? [])
            .ToList();
        if (mentioned.Count > MaxEntries || !mentioned.TrueForAll(names.Contains))
        {
            return Failure.Invalid(
                "privacy.unknown_column",
                "The declaration names a column that the dataset does not have."
            );
        }

        if (declaration.Columns.Values.Any(text => !TryParse(text, policy, out _, out _, out _)))
        {
            return Failure.Invalid(
                "privacy.unknown_kind",
                "A column kind is NONE or a kind of the policy, with /raw, /token or /keyed-hash after it if needed."
            );
        }

        if (declaration.LeastK is { } k && (k < policy.LeastK || k > 1_000_000))
        {
            return Failure.Invalid("privacy.least_k", $"The least k is {policy.LeastK} or more.");
        }

        return
            declaration.QuasiIdentifiers?.Distinct(StringComparer.Ordinal).Count()
                != declaration.QuasiIdentifiers?.Count
            || (declaration.LegalBasis?.Length ?? 0) > MaxText
            || (declaration.Purpose?.Length ?? 0) > MaxText
            ? Failure.Invalid("privacy.bad_declaration", "A column is named twice, or a text is over 200 characters.")
            : null;
    }

    private static ColumnFinding Inherit(ColumnFinding column, Provenance source)
    {
        var parent = source.Parent;
        if (parent.What is Kinds.None || IsProven(column))
        {
            return column;
        }

        if (source.Method == "tokenise")
        {
            return column with
            {
                What = parent.What,
                State = States.Token,
                Role = Roles.Direct,
                Evidence = "tokenised by the gateway under a key of its own (observed)",
                Matches = column.Rows,
            };
        }

        // Bands can be as narrow as the values: they make nothing known that was not.
        if (source.Method == "generalise" && parent.What == Kinds.Unknown && column.What == Kinds.None)
        {
            return column with
            {
                What = Kinds.Unknown,
                Role = Roles.Unknown,
                Evidence = $"generalised from column '{parent.Name}', which is neither classified nor declared",
            };
        }

        // Labels flow down to what the child's own scan can't answer.
        return column.What != Kinds.Unknown || parent.What == Kinds.Unknown
            ? column
            : column with
            {
                What = parent.What,
                Role = parent.Role == Roles.FreeText ? Roles.Direct : parent.Role,
                State =
                    column.State != States.None ? column.State
                    : column.Evidence.StartsWith("hashes", StringComparison.Ordinal) ? States.Hashed
                    : source.Method == "generalise" ? States.Generalised
                    : States.Raw,
                Evidence = $"inherited from column '{parent.Name}' of dataset sha256:{source.ParentDataset}…",
                Matches = column.Rows,
            };
    }

    private static ColumnFinding Declare(ColumnFinding column, string text, string evidence, PrivacyPolicy policy)
    {
        if (!TryParse(text, policy, out var kind, out var state, out var role))
        {
            return column;
        }

        return kind == Kinds.None
            ? column with
            {
                What = kind,
                State = States.None,
                Role = Roles.Other,
                Evidence = evidence,
                Matches = 0,
            }
            : column with
            {
                What = kind,
                State = state ?? (column.State == States.None ? States.Raw : column.State),
                Role = role,
                Evidence = evidence,
                Matches = column.Rows,
            };
    }

    private static bool TryParse(string text, PrivacyPolicy policy, out string kind, out string? state, out string role)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        kind = slash < 0 ? text : text[..slash];
        state = slash < 0 ? null : text[(slash + 1)..];
        role = kind == Kinds.None ? Roles.Other : policy.RoleOf(kind) ?? "";
        return role.Length > 0 && state is null or States.Raw or States.Token or States.KeyedHash;
    }

    // A detector proved it on the values: e-mail form, check digits, a hash that was reproduced.
    private static bool IsProven(ColumnFinding column) =>
        column.What != Kinds.PersonName
        && (
            column.Evidence.StartsWith("format", StringComparison.Ordinal)
            || column.Evidence.StartsWith("check digits", StringComparison.Ordinal)
            || column.Evidence.StartsWith("unkeyed hash", StringComparison.Ordinal)
        );
}
