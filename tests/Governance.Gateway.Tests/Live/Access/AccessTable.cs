using Governance.Gateway.Hosting;

namespace Governance.Gateway.Tests.Live.Access;

/// <summary>A line of <c>access-entries.tsv</c>: one way in, or some fields of one GraphQL type, with a request for it.</summary>
internal sealed record AccessEntry(string Name, string Right, string Request)
{
    public bool IsRoute => Name.Contains(" /", StringComparison.Ordinal);

    public bool IsJob => Name.StartsWith("job ", StringComparison.Ordinal);

    /// <summary>Whether it asks about an object, of which there are four kinds.</summary>
    public bool NamesObject => Request.Replace("$field", "", StringComparison.Ordinal).Contains('$');

    /// <summary>The names that the inventory has for it.</summary>
    public IEnumerable<string> Covers =>
        IsRoute || IsJob ? [Name] : Fields.Select(name => $"{Name[..Name.IndexOf('.')]}.{name}");

    public string[] Fields => Name[(Name.IndexOf('.') + 1)..].Split(',');
}

/// <summary>The two hand-written tables: which entry asks for which right, and who holds that on which object.</summary>
internal sealed class AccessTable
{
    private readonly Dictionary<string, (string Secret, Dictionary<string, string> Cells)> _rights = [];

    private static readonly string[] Roots = ["/api", "/ajax-api"];

    private AccessTable() { }

    /// <summary>own, granted, foreign and absent: the order of letters in a cell.</summary>
    public static readonly string[] Kinds = ["own", "granted", "foreign", "absent"];

    public IReadOnlyList<AccessEntry> Entries { get; private init; } = [];

    public IEnumerable<string> Rights => _rights.Keys;

    public static AccessTable Read()
    {
        var entries = Lines("access-entries.tsv").Skip(1).SelectMany(Entry).ToList();
        var table = new AccessTable { Entries = entries };
        var rights = Lines("access-rights.tsv").ToList();
        var roles = rights[0][2..];
        foreach (var line in rights.Skip(1))
        {
            Assert.True(line.Length == roles.Length + 2, $"{line[0]} has {line.Length - 2} cells.");
            table._rights.Add(line[0], (line[1], roles.Zip(line[2..]).ToDictionary(pair => pair.First, p => p.Second)));
        }

        return table;
    }

    /// <summary>
    /// The letter for a caller and a kind of object; <paramref name="second"/> for what is behind the slash. - for what is not asked.
    /// </summary>
    public char Expected(AccessEntry entry, string role, bool second, int kind)
    {
        var sides = _rights[entry.Right].Cells[role].Split('/');
        var side = second ? sides[^1] : sides[0];
        return side.Length == 1 ? side[0] : side[kind];
    }

    /// <summary>Whether an answer N must look like what is absent.</summary>
    public bool IsSecret(AccessEntry entry, bool narrow) =>
        _rights[entry.Right].Secret is var secret && (secret == "always" || (secret == "narrow" && narrow));

    private static IEnumerable<AccessEntry> Entry(string[] parts)
    {
        var (name, right, request) = (parts[0], parts[1], parts.Length > 2 ? parts[2] : "");
        return name.Contains(" ~/", StringComparison.Ordinal)
            ? Roots.Select(root => new AccessEntry(name.Replace("~", root, StringComparison.Ordinal), right, request))
            : [new AccessEntry(name, right, request)];
    }

    private static IEnumerable<string[]> Lines(string name) =>
        File.ReadLines(Path.Combine(Paths.Base, "tests", "Governance.Gateway.Tests", "Data", name))
            .Where(line => line.Length > 0 && !line.StartsWith('#'))
            .Select(line => line.Split('\t'));
}
