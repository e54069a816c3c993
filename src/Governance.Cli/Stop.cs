using Governance.Kernel;

namespace Governance.Cli;

/// <summary>Exit codes: the same for every verb.</summary>
internal static class Exit
{
    /// <summary>Done, and nothing speaks against it.</summary>
    public const int Fine = 0;

    /// <summary>Refused by the server, not verified, or something was found.</summary>
    public const int Refused = 1;

    /// <summary>Wrong usage, or an input or server that cannot be read.</summary>
    public const int Unusable = 2;
}

/// <summary>Ends a verb with a code and one sentence on the error output; caught in one place, <see cref="Govern"/>.</summary>
internal sealed class Stop(int exitCode, Failure failure) : Exception(failure.Message)
{
    public int ExitCode => exitCode;

    public Failure Failure => failure;

    public static Stop Unusable(string code, string message) =>
        new(Exit.Unusable, Failure.Invalid($"cli.{code}", message));

    public static Stop Usage(string message) => Unusable("usage", message);
}

/// <summary>Unwraps results where a failure ends the verb.</summary>
internal static class Results
{
    /// <summary>The value, or the end of the verb with this exit code.</summary>
    public static T OrStop<T>(this Result<T> result, int exitCode = Exit.Unusable) =>
        result.Ok ? result.Value : throw new Stop(exitCode, result.Failure);
}
