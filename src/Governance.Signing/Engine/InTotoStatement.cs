using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>The outer form of an in-toto Statement v1.</summary>
internal static class InTotoStatement
{
    public const string Type = "https://in-toto.io/Statement/v1";

    public static Result<JsonObject> Read(ReadOnlySpan<byte> payload)
    {
        if (Json.TryParse(payload) is not JsonObject statement)
        {
            return SigningFailure.Of("statement_malformed", "The payload is not a JSON object, or has a key twice.");
        }

        return IsStatement(statement)
            ? statement
            : SigningFailure.Of(
                "statement_type",
                "The payload is not an in-toto statement v1 with a subject and a predicate."
            );
    }

    public static bool IsStatement(JsonObject statement) =>
        statement.Exactly(["_type", "subject", "predicateType", "predicate"]) is not null
        && statement["_type"].Text() == Type
        && statement["subject"] is JsonArray { Count: > 0 } subjects
        && subjects.All(subject => subject is JsonObject members && members["digest"] is JsonObject { Count: > 0 })
        && statement["predicateType"].Text() is { Length: > 0 }
        && statement["predicate"] is JsonObject;
}
