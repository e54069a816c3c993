using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Governance.Cli.Commands;
using Governance.Kernel;

namespace Governance.Cli;

/// <summary>The command line: parses, runs one verb, and is the one place where a failure becomes an exit code.</summary>
internal static class Govern
{
    public static RootCommand CreateRoot(Surroundings surroundings)
    {
        var root = new RootCommand(
            "Checks, signs and governs machine-learning models. Works offline except where --server is named.\n"
                + "Exit codes: 0 fine; 1 refused, not verified or something found; 2 wrong usage or unreadable input."
        )
        {
            VerifyCommand.Create(surroundings),
            SignCommand.Create(surroundings),
            KitCommand.Create(surroundings),
            SbomCommand.Create(surroundings),
            ScanCommand.Create(surroundings),
            PrivacyCommands.Create(surroundings),
            PolicyCommands.Create(surroundings),
            AuditCommands.Create(surroundings),
            WitnessCommand.Create(surroundings),
            KeyCommands.Create(surroundings),
            SubjectCommands.Create(surroundings),
            WhoAmICommand.Create(surroundings),
            DatasetCommands.Create(surroundings),
            LineageCommand.Create(surroundings),
            ReportCommands.Create(surroundings),
            ImportCommand.Create(surroundings),
        };
        foreach (
            var verb in SignInCommands
                .Create(surroundings)
                .Concat(PromotionCommands.Create(surroundings))
                .Concat(AccessCommands.Create(surroundings))
                .Concat(PersonCommands.Create(surroundings))
                .Concat(ServiceCommands.Create(surroundings))
        )
        {
            root.Add(verb);
        }

        root.HelpName = "govern";
        root.Directives.Clear();
        root.Options.OfType<HelpOption>().Single().Action = new HelpWithExamples();
        return root;
    }

    public static async Task<int> RunAsync(
        IReadOnlyList<string> args,
        Surroundings surroundings,
        TextWriter output,
        TextWriter error,
        CancellationToken cancellationToken
    )
    {
        // An argument that starts with @ is a name like any other, not a file of further arguments.
        var parsed = CreateRoot(surroundings).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Action is ParseErrorAction)
        {
            var verb = string.Join(' ', Path(parsed.CommandResult.Command));
            // An unknown verb is reported after the missing one that it stands for.
            var said =
                parsed.UnmatchedTokens is [var token, ..] && parsed.CommandResult.Command.Subcommands.Count > 0
                    ? $"'{token}' is not a command."
                    : parsed.Errors[0].Message;
            return Say(error, Stop.Usage($"{said} See {verb} --help."));
        }

        var configuration = new InvocationConfiguration
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,
        };
        try
        {
            return await parsed.InvokeAsync(configuration, cancellationToken);
        }
        catch (Stop stop)
        {
            return Say(error, stop);
        }
        catch (OperationCanceledException)
        {
            return Say(error, Stop.Unusable("cancelled", "Stopped before the end; nothing was decided."));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Say(error, Stop.Unusable("unreadable", "A file cannot be read or written."));
        }
        catch (Exception exception)
        {
            // Fail closed, and without a trace of paths or data: the type is enough to report a bug.
            return Say(error, Stop.Unusable("unexpected", $"Something went wrong: {exception.GetType().Name}."));
        }
    }

    private static int Say(TextWriter error, Stop stop)
    {
        error.WriteLine(Visible.Of($"{stop.Failure.Code}: {stop.Failure.Message}"));
        foreach (var reason in stop.Failure.Reasons)
        {
            error.WriteLine(Visible.Of($"  - {reason}"));
        }

        return stop.ExitCode;
    }

    private static IEnumerable<string> Path(Command command) =>
        (command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? Path(parent) : []).Append(
            command is RootCommand ? "govern" : command.Name
        );
}
