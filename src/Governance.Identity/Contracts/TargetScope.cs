namespace Governance.Identity.Contracts;

/// <summary>
/// Which stages and aliases a grant reaches when something moves. Entries are <c>stage:NAME</c>, <c>alias:PATTERN</c>,
/// <c>rename:PATTERN</c>, <c>delete-version</c> and <c>delete-model</c>; <c>*</c> stands for any run of characters.
/// </summary>
/// <param name="Only">What it reaches; empty for everything.</param>
/// <param name="Except">What it does not reach in spite of that; matched in any letter case.</param>
public sealed record TargetScope(IReadOnlyList<string> Only, IReadOnlyList<string> Except)
{
    /// <summary>Everything.</summary>
    public static readonly TargetScope All = new([], []);

    /// <summary>Whether nothing is left out.</summary>
    public bool IsAll => Only.Count == 0 && Except.Count == 0;

    /// <summary>Whether it reaches what a move touches, see <see cref="Kernel.AccessTarget.Touches"/>.</summary>
    public bool Reaches(string touched) =>
        (Only.Count == 0 || Only.Any(pattern => NamePattern.Matches(pattern, touched)))
        && !Except.Any(pattern =>
            NamePattern.Matches(pattern, touched)
            || NamePattern.Matches(pattern.ToUpperInvariant(), touched.ToUpperInvariant())
        );
}
