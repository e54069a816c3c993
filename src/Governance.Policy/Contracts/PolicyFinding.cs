namespace Governance.Policy.Contracts;

/// <summary>Something in a promotion policy that can be read, but is hardly meant.</summary>
/// <param name="Code">Stable code, e.g. <c>policy.unreachable</c>.</param>
/// <param name="Target">The rule or pattern, e.g. <c>alias:champion</c>.</param>
/// <param name="Message">One sentence.</param>
/// <param name="Serious">Whether the policy does not do what it says: a rule that is never asked, or can never be met.</param>
public sealed record PolicyFinding(string Code, string Target, string Message, bool Serious);
