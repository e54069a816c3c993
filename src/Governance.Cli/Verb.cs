using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Governance.Cli;

/// <summary>A verb with examples, shown below its help.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples => examples;

    /// <summary>Sets what the verb does.</summary>
    public Verb Runs(Surroundings surroundings, Func<Invocation, Task<int>> run)
    {
        SetAction((parsed, cancelled) => run(new Invocation(parsed, surroundings, cancelled)));
        return this;
    }

    /// <summary>Sets what the verb does, without waiting for anything.</summary>
    public Verb Runs(Surroundings surroundings, Func<Invocation, int> run) =>
        Runs(surroundings, invocation => Task.FromResult(run(invocation)));
}

/// <summary>The library's help at a fixed width, and the verb's examples.</summary>
internal sealed class HelpWithExamples : SynchronousCommandLineAction
{
    private const int Width = 110;
    private readonly HelpAction _help = new() { MaxWidth = Width };

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        _help.Invoke(parseResult);
        if (parseResult.CommandResult.Command is Verb { Examples.Count: > 0 } verb)
        {
            var output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (var example in verb.Examples)
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
        }

        return Exit.Fine;
    }
}
