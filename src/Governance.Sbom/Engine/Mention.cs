namespace Governance.Sbom.Engine;

/// <summary>Where a library was named; in order of trust, the first that pins a version decides.</summary>
internal enum Origin
{
    Requirements,
    PythonEnv,
    CondaPip,
    Conda,
    Build,
    Flavor,

    /// <summary>A constraint limits a version but asks for nothing.</summary>
    Constraint,
}

/// <summary>One place that names a library.</summary>
internal sealed record Mention
{
    public required string Name { get; init; }

    public required Origin Origin { get; init; }

    public required string Source { get; init; }

    public int? Line { get; init; }

    /// <summary>The one version it allows, or null.</summary>
    public string? Version { get; init; }

    /// <summary>Version specifiers as written, or empty.</summary>
    public string Specifier { get; init; } = "";

    public IReadOnlyList<string> Extras { get; init; } = [];

    /// <summary>PEP 508 environment marker, or null.</summary>
    public Marker? Marker { get; init; }

    /// <summary>Redacted address of a direct reference, or null.</summary>
    public string? Url { get; init; }

    /// <summary><c>alg:hex</c> of accepted distributions.</summary>
    public IReadOnlyList<string> Hashes { get; init; } = [];

    public string? CondaBuild { get; init; }

    public string? CondaChannel { get; init; }

    public string Place => Line is null ? Source : $"{Source} line {Line}";
}
