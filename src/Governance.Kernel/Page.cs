namespace Governance.Kernel;

/// <summary>One page of a keyset-paged list.</summary>
/// <param name="Items">At most the requested number of items.</param>
/// <param name="NextToken">Opaque token of the next page, or null on the last one.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? NextToken);
