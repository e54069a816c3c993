using System.Text.Json.Nodes;
using Governance.Policy.Contracts;

namespace Governance.Policy.Engine;

/// <summary>Facts as canonical JSON and back, member by member, so that what is recorded is exactly what was decided on.</summary>
internal sealed class DecisionCodec : IDecisionCodec
{
    public JsonObject Encode(Facts facts) =>
        new()
        {
            ["approvals"] = new JsonArray([
                .. facts.Approvals.Select(approval => new JsonObject
                {
                    ["person"] = approval.PersonId,
                    ["roles"] = Array(approval.Roles),
                }),
            ]),
            ["callerMayWrite"] = facts.CallerMayWrite,
            ["callerRoles"] = Array(facts.CallerRoles),
            ["eligibleApprovers"] = facts.EligibleApprovers,
            ["excludedApprovers"] = Array(facts.ExcludedApprovers),
            ["fromStage"] = facts.FromStage,
            ["holdsProtected"] = facts.HoldsProtected,
            ["lineage"] = facts.Lineage,
            ["privacy"] = facts.Privacy,
            ["privacyReasons"] = Array(facts.PrivacyReasons),
            ["quarantined"] = facts.Quarantined,
            ["sbom"] = facts.Sbom,
            ["scanClass"] = facts.ScanClass,
            ["signatureReasons"] = Array(facts.SignatureReasons),
            ["signatureVerified"] = facts.SignatureVerified,
            ["status"] = facts.Status,
            ["target"] = facts.Target,
        };

    public Facts Decode(JsonObject json) =>
        new()
        {
            Approvals =
            [
                .. json["approvals"]!
                    .AsArray()
                    .Select(item => new ApprovalFact(Text(item!, "person"), List(item!, "roles"))),
            ],
            CallerMayWrite = Flag(json, "callerMayWrite"),
            CallerRoles = List(json, "callerRoles"),
            EligibleApprovers = json["eligibleApprovers"]!.GetValue<int>(),
            ExcludedApprovers = List(json, "excludedApprovers"),
            FromStage = Text(json, "fromStage"),
            HoldsProtected = Flag(json, "holdsProtected"),
            Lineage = Flag(json, "lineage"),
            Privacy = Text(json, "privacy"),
            PrivacyReasons = List(json, "privacyReasons"),
            Quarantined = Flag(json, "quarantined"),
            Sbom = Flag(json, "sbom"),
            ScanClass = Text(json, "scanClass"),
            // Decisions of earlier versions have none.
            SignatureReasons = json.ContainsKey("signatureReasons") ? List(json, "signatureReasons") : [],
            SignatureVerified = Flag(json, "signatureVerified"),
            Status = Text(json, "status"),
            Target = Text(json, "target"),
        };

    private static JsonArray Array(IEnumerable<string> items) => [.. items.Select(item => (JsonNode)item)];

    private static string Text(JsonNode node, string name) => node[name]!.GetValue<string>();

    private static bool Flag(JsonNode node, string name) => node[name]!.GetValue<bool>();

    private static List<string> List(JsonNode node, string name) =>
        [.. node[name]!.AsArray().Select(item => item!.GetValue<string>())];
}
