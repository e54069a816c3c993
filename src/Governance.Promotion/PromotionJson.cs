using System.Text.Json.Serialization;

namespace Governance.Promotion;

/// <summary>JSON of this module.</summary>
[JsonSerializable(typeof(IReadOnlyList<string>))]
[JsonSerializable(typeof(ReceiptList))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class PromotionJson : JsonSerializerContext;

/// <summary>Receipts of a version.</summary>
/// <param name="Receipts">Ids, newest first.</param>
internal sealed record ReceiptList(IReadOnlyList<Guid> Receipts);
