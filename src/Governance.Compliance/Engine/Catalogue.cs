using Governance.Kernel;

namespace Governance.Compliance.Engine;

/// <summary>One control of a catalogue.</summary>
/// <param name="Id">Id, unique over all catalogues.</param>
/// <param name="Article">Clause.</param>
/// <param name="Requirement">In our own words.</param>
/// <param name="Source">Key of the dated law text.</param>
/// <param name="Evaluator">Name of the closed set in <see cref="Evaluators"/>.</param>
/// <param name="Identifiers">Class of identifiers, for <see cref="Evaluators.IdentifierAbsent"/> only; else empty.</param>
/// <param name="Missing">What evidence isn't held, for <see cref="Evaluators.None"/> only; else empty.</param>
internal sealed record Control(
    string Id,
    string Article,
    string Requirement,
    string Source,
    string Evaluator,
    string Identifiers,
    string Missing
);

/// <summary>The controls of one regulation, versioned data.</summary>
internal sealed record Catalogue
{
    /// <summary>gdpr, lgpd, hipaa.</summary>
    public required string Regulation { get; init; }

    /// <summary>Name of the law for people.</summary>
    public required string Title { get; init; }

    /// <summary>Version of this file, from 1.</summary>
    public required int Version { get; init; }

    /// <summary>Day from which the law texts apply.</summary>
    public required DateOnly ValidFrom { get; init; }

    /// <summary>Last day on which the catalogue may be used, or null.</summary>
    public required DateOnly? ValidUntil { get; init; }

    /// <summary>Dated law texts by key.</summary>
    public required IReadOnlyDictionary<string, string> Sources { get; init; }

    /// <summary>Controls in the order of the file.</summary>
    public required IReadOnlyList<Control> Controls { get; init; }

    /// <summary>SHA-256 of the file.</summary>
    public required Digest Digest { get; init; }

    /// <summary>Whether the catalogue may be used on this day.</summary>
    public bool IsValidOn(DateOnly day) => day >= ValidFrom && (ValidUntil is null || day <= ValidUntil);
}

/// <summary>A catalogue can't be used. The message names file, line and column.</summary>
internal sealed class CatalogueException(string file, long line, long column, string message)
    : Exception($"{file}:{line}:{column}: {message}")
{
    public long Line { get; } = line;

    public long Column { get; } = column;
}
