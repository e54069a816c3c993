using System.CommandLine;
using Governance.Audit.Contracts;

namespace Governance.Cli.Commands;

/// <summary>Options that ask for cosignatures of witnesses, and what is said about them.</summary>
internal static class Witnesses
{
    private static readonly Option<string[]> Keys = new("--witness")
    {
        Description = "Verifier keys of witnesses that you trust, from them and not from the gateway.",
        HelpName = "vkey",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<int?> AtLeast = new("--witnesses")
    {
        Description = "How many of them must have cosigned. Left out: all of them.",
        HelpName = "count",
    };

    /// <summary>Adds the options to a verb.</summary>
    public static Verb WithWitnesses(this Verb verb)
    {
        verb.Add(Keys);
        verb.Add(AtLeast);
        return verb;
    }

    public static bool AreAsked(Invocation run) => run.Get(Keys)!.Length > 0 || run.Get(AtLeast) is not null;

    /// <summary>A sentence for each that cosigned, or the end of the verb; one sentence when nobody was asked for.</summary>
    public static IReadOnlyList<string> Check(Invocation run, string checkpoint)
    {
        var keys = run.Get(Keys)!;
        if (!AreAsked(run))
        {
            return ["No witness was asked for: what the log's owner could do alone is not excluded."];
        }

        var atLeast = run.Get(AtLeast) ?? keys.Length;
        if (atLeast < 1 || atLeast > keys.Length)
        {
            throw Stop.Usage("--witnesses is 1 to the number of --witness keys.");
        }

        return
        [
            .. CosignatureVerifier
                .Verify(checkpoint, keys, atLeast)
                .OrStop(Exit.Refused)
                .Select(seen => $"Witness {seen.Name} saw that checkpoint at {seen.At:yyyy-MM-dd HH:mm:ss}Z."),
        ];
    }
}
