using Governance.Platform.Blobs;

namespace Governance.Scanning.Contracts;

/// <summary>Classes of what a scan found, in rising severity.</summary>
public enum ScanClass
{
    /// <summary>Nothing but data and known framework constructors.</summary>
    Clean,

    /// <summary>Carries code by design (cloudpickle functions, code paths): only if policy names the class.</summary>
    ContainsCode,

    /// <summary>A callable or construct that no rule knows: only if policy names the class.</summary>
    Suspicious,

    /// <summary>Could not be parsed to its end: refused.</summary>
    Unparsable,

    /// <summary>Hit the time or size budget: refused.</summary>
    TimedOut,

    /// <summary>Would run or reach something dangerous: refused.</summary>
    Malicious,
}

/// <summary>One finding.</summary>
/// <param name="Path">File, with members of archives after <c>!</c>.</param>
/// <param name="Class">Severity.</param>
/// <param name="Rule">Stable rule id, e.g. <c>pickle.dangerous-import</c>.</param>
/// <param name="Detail">What was found, e.g. <c>os.system</c>; at most 200 characters, printable.</param>
/// <param name="Offset">Byte offset in the file or member, or null.</param>
public sealed record ScanFinding(string Path, ScanClass Class, string Rule, string Detail, long? Offset);

/// <summary>Result of scanning one version.</summary>
/// <param name="Class">The worst class of any finding.</param>
/// <param name="Findings">At most 1,000, worst first.</param>
/// <param name="RulesVersion">Version of the rules, changes with them.</param>
/// <param name="FilesScanned">Files looked at.</param>
/// <param name="BytesScanned">Bytes read.</param>
public sealed record ScanReport(
    ScanClass Class,
    IReadOnlyList<ScanFinding> Findings,
    string RulesVersion,
    int FilesScanned,
    long BytesScanned
);

/// <summary>Scans artifacts without ever loading them.</summary>
public interface IArtifactScanner
{
    /// <summary>The version of the rules in force.</summary>
    string RulesVersion { get; }

    /// <summary>Scans every file of a source within time and size budgets; never throws for hostile content.</summary>
    Task<ScanReport> ScanAsync(IArtifactSource source, CancellationToken cancellationToken);
}
