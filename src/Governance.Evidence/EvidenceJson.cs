using System.Text.Json.Serialization;
using Governance.Evidence.Produce;

namespace Governance.Evidence;

/// <summary>JSON of this module.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false
)]
[JsonSerializable(typeof(IReadOnlyList<string>))]
[JsonSerializable(typeof(EvidenceJob))]
internal sealed partial class EvidenceJson : JsonSerializerContext;
