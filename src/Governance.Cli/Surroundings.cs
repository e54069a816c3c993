namespace Governance.Cli;

/// <summary>What a process lends to its verbs; tests lend something else.</summary>
/// <param name="Input">Opens standard input.</param>
/// <param name="Variable">Reads an environment variable.</param>
/// <param name="Clock">The time.</param>
internal sealed record Surroundings(Func<Stream> Input, Func<string, string?> Variable, TimeProvider Clock)
{
    public static Surroundings OfProcess() =>
        new(Console.OpenStandardInput, Environment.GetEnvironmentVariable, TimeProvider.System);
}
