using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Registry.Upstream;

/// <summary>What of one object was touched and is to be made upstream again from the rows.</summary>
internal sealed class Touched
{
    /// <summary>Stands in the text of what was not renamed.</summary>
    public const string NoNames = "\"names\":[]";

    public bool Info { get; set; }

    /// <summary>Deleted or restored.</summary>
    public bool Life { get; set; }

    public HashSet<string> Tags { get; } = new(StringComparer.Ordinal);
    public HashSet<string> Params { get; } = new(StringComparer.Ordinal);
    public HashSet<string> Inputs { get; } = new(StringComparer.Ordinal);
    public HashSet<string> Models { get; } = new(StringComparer.Ordinal);
    public HashSet<string> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>Names that the object had before.</summary>
    public HashSet<string> Names { get; } = new(StringComparer.Ordinal);

    /// <summary>Ids of open differences that an administrator has had undone.</summary>
    public HashSet<string> Repairs { get; } = new(StringComparer.Ordinal);

    /// <summary>First and last id of metric rows; those between that are another run's are passed over.</summary>
    public List<(long First, long Last)> Metrics { get; } = [];

    public bool IsEmpty =>
        !Info
        && !Life
        && Metrics.Count == 0
        && Tags.Count + Params.Count + Inputs.Count + Models.Count + Files.Count + Names.Count + Repairs.Count == 0;

    public string ToJson()
    {
        var body = new JsonObject { ["info"] = Info, ["life"] = Life };
        foreach (var (name, keys) in Sets())
        {
            body[name] = new JsonArray([.. keys.Order(StringComparer.Ordinal).Select(key => JsonValue.Create(key))]);
        }

        // As texts: they may be larger than what a double holds.
        body["metrics"] = new JsonArray([
            .. Metrics.Select(range =>
                JsonValue.Create(string.Create(CultureInfo.InvariantCulture, $"{range.First}-{range.Last}"))
            ),
        ]);
        return body.ToJsonString();
    }

    public static Touched Of(string json)
    {
        var touched = new Touched();
        touched.Add(json);
        return touched;
    }

    /// <summary>Adds what an earlier or later change of the same object touched.</summary>
    public void Add(string json)
    {
        var body = (JsonObject)CanonicalJson.TryParse(Encoding.UTF8.GetBytes(json))!;
        Info |= (bool)body["info"]!;
        Life |= (bool)body["life"]!;
        foreach (var (name, keys) in Sets())
        {
            keys.UnionWith(body[name]!.AsArray().Select(key => (string)key!));
        }

        foreach (var range in body["metrics"]!.AsArray().Select(text => ((string)text!).Split('-')))
        {
            Metrics.Add(
                (long.Parse(range[0], CultureInfo.InvariantCulture), long.Parse(range[1], CultureInfo.InvariantCulture))
            );
        }
    }

    /// <summary>What is not made when all of it is given up.</summary>
    public IEnumerable<string> Parts() =>
        new[]
        {
            (NotTaken.Info, Info),
            (NotTaken.Life, Life),
            (NotTaken.Tags, Tags.Count > 0),
            (NotTaken.Params, Params.Count > 0),
            (NotTaken.Metrics, Metrics.Count > 0),
            (NotTaken.Inputs, Inputs.Count + Models.Count > 0),
        }
            .Where(part => part.Item2)
            .Select(part => part.Item1)
            .Concat(Files);

    private IEnumerable<(string Name, HashSet<string> Keys)> Sets() =>
        [
            ("tags", Tags),
            ("params", Params),
            ("inputs", Inputs),
            ("models", Models),
            ("files", Files),
            ("names", Names),
            ("repairs", Repairs),
        ];
}
