using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Governance.Gateway.GraphQl.Http;

/// <summary>Content negotiation of GraphQL over HTTP: quality first, then how specific the range is.</summary>
internal static class MediaTypes
{
    public const string Json = "application/json";
    public const string Response = "application/graphql-response+json";

    /// <summary>The media type to answer in; <see cref="Json"/> when the client does not say; null when none is acceptable.</summary>
    public static string? Negotiate(StringValues accept)
    {
        if (StringValues.IsNullOrEmpty(accept) || !MediaTypeHeaderValue.TryParseList(accept, out var ranges))
        {
            return Json;
        }

        return ranges
            .Where(range => range.Quality is not 0 && IsUtf8(range))
            .Select(range => (Type: Match(range), Quality: range.Quality ?? 1, Specific: Specificity(range)))
            .Where(candidate => candidate.Type is not null)
            .OrderByDescending(candidate => candidate.Quality)
            .ThenByDescending(candidate => candidate.Specific)
            .FirstOrDefault()
            .Type;
    }

    /// <summary>Whether no charset but UTF-8 is named.</summary>
    public static bool IsUtf8(MediaTypeHeaderValue type) =>
        !type.Charset.HasValue || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase);

    private static string? Match(MediaTypeHeaderValue range) =>
        range.MatchesAllTypes || range.MediaType.Equals(Json, StringComparison.OrdinalIgnoreCase) ? Json
        : range.MediaType.Equals(Response, StringComparison.OrdinalIgnoreCase) ? Response
        : range.MatchesAllSubTypes && range.Type.Equals("application", StringComparison.OrdinalIgnoreCase) ? Json
        : null;

    private static int Specificity(MediaTypeHeaderValue range) =>
        range.MatchesAllTypes ? 0
        : range.MatchesAllSubTypes ? 1
        : 2;
}
