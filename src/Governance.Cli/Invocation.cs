using System.CommandLine;
using System.Text.Json.Nodes;

namespace Governance.Cli;

/// <summary>One run of a verb: its arguments and where its words go.</summary>
internal sealed class Invocation(ParseResult parsed, Surroundings surroundings, CancellationToken cancelled)
{
    private readonly TextWriter _output = parsed.InvocationConfiguration.Output;

    public Surroundings Surroundings => surroundings;

    public CancellationToken Cancelled => cancelled;

    public T Get<T>(Argument<T> argument) => parsed.GetValue(argument)!;

    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    public T Need<T>(Option<T> option) => parsed.GetRequiredValue(option);

    /// <summary>Whether <c>--format json</c> or <c>jsonl</c> was asked.</summary>
    public bool IsJson(Option<string> format) => parsed.GetValue(format) is "json" or "jsonl";

    /// <summary>One line for people.</summary>
    public void Say(string line) => _output.WriteLine(Visible.Of(line));

    /// <summary>One JSON value on one line.</summary>
    public void Say(JsonNode json) => _output.WriteLine(json.ToJsonString());
}

/// <summary>Options that several verbs share.</summary>
internal static class Shared
{
    public static Option<string> Format(params string[] formats) => OneOf("--format", "How to answer.", formats);

    /// <summary>One of these values; the first is the default.</summary>
    public static Option<string> OneOf(string name, string description, params string[] values)
    {
        var option = new Option<string>(name)
        {
            Description = description,
            DefaultValueFactory = _ => values[0],
            HelpName = string.Join('|', values),
        };
        option.AcceptOnlyFromAmong(values);
        return option;
    }

    public static Option<string> RequiredFile(string name, string description) =>
        new(name)
        {
            Description = description,
            HelpName = "file",
            Required = true,
        };

    public static Option<string?> File(string name, string description) =>
        new(name) { Description = description, HelpName = "file" };
}
