namespace Governance.Policy.Engine;

/// <summary>A policy text breaks its grammar; says where and what to write instead.</summary>
/// <param name="line">Line, from 1.</param>
/// <param name="column">Column, from 1.</param>
/// <param name="problem">What is wrong and how to mend it.</param>
public sealed class PolicySyntaxException(long line, long column, string problem)
    : Exception($"line {line}, column {column}: {problem}")
{
    /// <summary>Line, from 1.</summary>
    public long Line { get; } = line;

    /// <summary>Column, from 1.</summary>
    public long Column { get; } = column;
}
