using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Governance.Gateway.Tests.Live.Access;

/// <summary>What came back: a letter of the table, and the whole as text for comparing with another.</summary>
internal sealed record AccessAnswer(char Letter, string Said, string Whole)
{
    /// <summary>How long it took.</summary>
    public TimeSpan Took { get; init; }

    /// <summary>Whether it says that something is not there, rather than leaving it out of a list.</summary>
    public bool IsMissing =>
        Said.StartsWith("404", StringComparison.Ordinal) || Whole.EndsWith(":null}}", StringComparison.Ordinal);

    // Refusals of a person, an owner or a role that are told by a code rather than by 403.
    private static readonly HashSet<string> Forbidden =
    [
        "PERMISSION_DENIED",
        "identity.denied",
        "identity.persons_only",
        "identity.self_grant",
        "privacy.own_dataset",
        "privacy.denied",
        "promotion.may_not_approve",
        "promotion.may_not_request",
        "promotion.persons_only",
        "promotion.refused",
        "promotion.self_approval",
        "registry.denied",
    ];

    private static readonly HashSet<string> Absent =
    [
        "identity.no_confirmation",
        "identity.no_grant",
        "identity.no_group",
        "identity.no_login",
        "identity.no_subject",
    ];

    public static async Task<AccessAnswer> OfAsync(
        HttpResponseMessage answer,
        AccessRequest request,
        char expected,
        CancellationToken cancellationToken
    )
    {
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        var json = Parse(answer, body);
        var code =
            (json as JsonObject)?["errors"] is JsonArray { Count: > 0 } errors
                ? errors[0]!["extensions"]?["code"]?.ToString() ?? "?"
            : answer.StatusCode >= HttpStatusCode.BadRequest ? (json as JsonObject)?["code"]?.ToString() ?? ""
            : "";
        var letter =
            (int)answer.StatusCode >= 500 && answer.StatusCode != HttpStatusCode.NotImplemented ? '!'
            : expected == 'O' ? Open(answer)
            : expected == 'C' ? Client(answer, json)
            : LetterOf(answer, code, body, json, request);
        var headers = answer
            .Headers.Concat(answer.Content.Headers)
            .Where(header => header.Key is not ("Date" or "Content-Length"))
            .Select(header => $"{header.Key}: {string.Join(", ", header.Value)}")
            .Order(StringComparer.Ordinal);
        return new AccessAnswer(
            letter,
            $"{(int)answer.StatusCode} {code}",
            $"{(int)answer.StatusCode}\n{string.Join('\n', headers)}\n\n{body}"
        );
    }

    private static char Open(HttpResponseMessage answer) =>
        answer.StatusCode switch
        {
            HttpStatusCode.Unauthorized => 'U',
            HttpStatusCode.Forbidden => 'F',
            _ => 'O',
        };

    private static char Client(HttpResponseMessage answer, JsonNode? json) =>
        answer.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized
        && json?["error"]?.ToString() is "invalid_client" or "invalid_request"
            ? 'C'
            : '!';

    private static char LetterOf(
        HttpResponseMessage answer,
        string code,
        string body,
        JsonNode? json,
        AccessRequest request
    )
    {
        if (code == "identity.reauthentication_needed")
        {
            return 'S';
        }

        if (answer.StatusCode == HttpStatusCode.Unauthorized || LeadsToSignIn(answer))
        {
            return 'U';
        }

        if (request.Lets.Contains(code, StringComparer.Ordinal))
        {
            return 'A';
        }

        if (answer.StatusCode == HttpStatusCode.Forbidden || Forbidden.Contains(code))
        {
            return 'F';
        }

        if (
            answer.StatusCode == HttpStatusCode.NotFound
            || Absent.Contains(code)
            || code.EndsWith("not_found", StringComparison.Ordinal)
        )
        {
            return 'N';
        }

        if (code is "registry.model_exists" or "registry.experiment_exists")
        {
            return 'E';
        }

        // Any other refusal is nobody's expectation: it may come before the question of who asks.
        if (code.Length > 0 || answer.StatusCode >= HttpStatusCode.BadRequest)
        {
            return '!';
        }

        var there =
            request.Shows.Length > 0
                ? body.Contains(request.Shows, StringComparison.Ordinal)
                : request.Steps.Count == 0 || IsThere(json?["data"], request.Steps);
        return there ? 'A' : 'N';
    }

    private static bool LeadsToSignIn(HttpResponseMessage answer) =>
        answer.StatusCode is HttpStatusCode.Found or HttpStatusCode.SeeOther
        && answer.Headers.Location?.OriginalString is { } to
        && (
            to.Contains("/connect/authorize", StringComparison.Ordinal)
            || to.StartsWith("/signin", StringComparison.Ordinal)
        );

    private static bool IsThere(JsonNode? node, IReadOnlyList<string> steps)
    {
        for (var i = 0; i < steps.Count; i++)
        {
            if (node is JsonArray list)
            {
                node = list.Count > 0 ? list[0] : null;
            }

            node = (node as JsonObject)?[steps[i]];
            if (node is null)
            {
                return false;
            }
        }

        return true;
    }

    private static JsonNode? Parse(HttpResponseMessage answer, string body)
    {
        try
        {
            return answer.Content.Headers.ContentType?.MediaType?.Contains("json", StringComparison.Ordinal) == true
                ? JsonNode.Parse(body)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
