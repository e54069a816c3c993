using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using GraphQL;
using GraphQL.Types;

namespace Governance.Gateway.Tests.Live.Access;

/// <summary>The request of an entry about one object.</summary>
internal sealed partial class AccessRequest
{
    private readonly Dictionary<string, string> _path = [];
    private readonly List<(string Name, string Value)> _headers = [];
    private string _query = "";
    private string? _body;
    private string _type = "application/json";

    private AccessRequest() { }

    /// <summary>What the answer has to name, or empty.</summary>
    public string Shows { get; private set; } = "";

    /// <summary>Codes of refusals that say the caller was let through to the object, whose state or content then says no.</summary>
    public IReadOnlyList<string> Lets { get; private set; } = [];

    /// <summary>Whether it changes something.</summary>
    public bool Changes { get; private set; }

    /// <summary>The fields that lead to what a GraphQL request asks for; empty for a route.</summary>
    public IReadOnlyList<string> Steps { get; private set; } = [];

    public static AccessRequest Of(AccessEntry entry, ISchema schema, Func<string, string> fill)
    {
        var request = new AccessRequest();
        var text = fill(entry.Request.Replace("$field", "\u0001", StringComparison.Ordinal));
        if (entry.IsRoute)
        {
            request.ReadRoute(text);
            request.Changes = entry.Name.Split(' ')[0] is not ("GET" or "HEAD" or "*");
        }
        else
        {
            request.ReadSelection(entry, schema, text);
        }

        return request;
    }

    public HttpRequestMessage Message(AccessEntry entry)
    {
        var (verb, pattern) = entry.IsRoute
            ? (entry.Name[..entry.Name.IndexOf(' ')], entry.Name[(entry.Name.IndexOf(' ') + 1)..])
            : ("POST", "/graphql");
        var method =
            verb != "*" ? new HttpMethod(verb)
            : _body is null ? HttpMethod.Get
            : HttpMethod.Post;
        var path = Parameter()
            .Replace(
                pattern,
                match =>
                    _path.TryGetValue(match.Groups["name"].Value, out var value)
                        ? string.Join('/', value.Split('/').Select(Uri.EscapeDataString))
                        : throw new FormatException($"{entry.Name} needs {match.Groups["name"].Value}=.")
            );
        var message = new HttpRequestMessage(method, new Uri(path + _query, UriKind.Relative));
        if (_body is not null)
        {
            message.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(_body));
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(_type);
        }

        foreach (var (name, value) in _headers)
        {
            message.Headers.Add(name, value);
        }

        return message;
    }

    private void ReadRoute(string text)
    {
        var json = text.IndexOf('{', StringComparison.Ordinal);
        _body = json < 0 ? null : text[json..];
        foreach (var part in (json < 0 ? text : text[..json]).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var end = part.IndexOfAny(['=', ':']);
            var (name, value) = (part[..Math.Max(end, 0)], part[(end + 1)..]);
            switch (name)
            {
                case "" or _ when part[0] == '?':
                    _query = part;
                    break;
                case "shows":
                    Shows = value;
                    break;
                case "lets":
                    Lets = value.Split(',');
                    break;
                case "header":
                    _headers.Add((value.Split('=')[0], value.Split('=')[1]));
                    break;
                case "type":
                    _type = value;
                    break;
                case "raw":
                    (_body, _type) = (value, _type == "application/json" ? "text/csv" : _type);
                    break;
                case "form":
                    (_body, _type) = (value, "application/x-www-form-urlencoded");
                    break;
                default:
                    _path[name] = value;
                    break;
            }
        }
    }

    private void ReadSelection(AccessEntry entry, ISchema schema, string text)
    {
        var lets = text.Split(" lets=");
        Lets = lets.Length > 1 ? lets[1].Split(',') : [];
        var parts = lets[0].Split(" shows=");
        Shows = parts.Length > 1 ? parts[1] : "";
        var type = (IObjectGraphType)schema.AllTypes[entry.Name[..entry.Name.IndexOf('.')]]!;
        var fields = entry.Fields.Select(name =>
            type.Fields.Find(name)?.ResolvedType?.GetNamedType() is IComplexGraphType ? $"{name}{{__typename}}" : name
        );
        var selection = parts[0].Replace("\u0001", string.Join(' ', fields), StringComparison.Ordinal);
        Steps =
        [
            .. Chain().Match(Arguments().Replace(selection, "")).Groups["name"].Captures.Select(name => name.Value),
        ];
        Changes = schema.Mutation!.Fields.Find(Steps[0]) is not null;
        var operation = Changes ? "mutation" : "query";
        _body = new JsonObject { ["query"] = $"{operation}{{{selection}}}" }.ToJsonString();
    }

    [GeneratedRegex(@"\{\**(?<name>\w+)(:\w+)?\}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\([^)]*\)", RegexOptions.None, 1000)]
    private static partial Regex Arguments();

    [GeneratedRegex(@"^(?<name>\w+)(\{(?<name>\w+))*", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Chain();
}
