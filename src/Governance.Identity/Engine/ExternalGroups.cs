using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;

namespace Governance.Identity.Engine;

/// <summary>
/// Which external groups the claims of a validated token name. Everything is compared by its bytes; what is not exactly a text,
/// or exactly an array of texts, names no group; a claim that the provider left out because it was too large names none.
/// </summary>
internal static class ExternalGroups
{
    /// <summary>A token that names more is not asked which.</summary>
    public const int MaxValues = 1000;

    public static IReadOnlyList<ExternalClaim> Named(
        string issuer,
        JsonObject claims,
        IEnumerable<ExternalClaim> known
    ) =>
        [
            .. known.Where(group =>
                string.Equals(group.Issuer, issuer, StringComparison.Ordinal)
                && Values(claims, group.Claim).Contains(group.Value, StringComparer.Ordinal)
            ),
        ];

    private static IReadOnlyList<string> Values(JsonObject claims, string claim) =>
        claims[claim] switch
        {
            // OpenID Connect Core §5.6.2: the claim is elsewhere, so what stands here is not all of it.
            _ when claims["_claim_names"] is JsonObject elsewhere && elsewhere.ContainsKey(claim) => [],
            JsonValue value when Text(value) is { } text => [text],
            JsonArray { Count: <= MaxValues } array when array.All(item => Text(item) is not null) =>
            [
                .. array.Select(item => Text(item)!),
            ],
            _ => [],
        };

    private static string? Text(JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;
}
