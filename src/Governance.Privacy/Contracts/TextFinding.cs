namespace Governance.Privacy.Contracts;

/// <summary>An identifier found in a text.</summary>
/// <param name="Start">First UTF-16 unit.</param>
/// <param name="End">Unit after the last.</param>
/// <param name="Kind">Identifier kind.</param>
/// <param name="Score">0–1; from 0.6 on format or context stand behind it, below only a check digit.</param>
public readonly record struct TextFinding(int Start, int End, string Kind, double Score);
