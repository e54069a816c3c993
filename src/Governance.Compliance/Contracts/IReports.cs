using Governance.Kernel;

namespace Governance.Compliance.Contracts;

/// <summary>How a control came out.</summary>
public enum ControlState
{
    /// <summary>Evidence shows it.</summary>
    Met,

    /// <summary>Evidence speaks against it.</summary>
    Gap,

    /// <summary>No evidence either way, or no evaluator yet.</summary>
    NotEvidenced,
}

/// <summary>One control of one version.</summary>
/// <param name="Id">Control id, e.g. <c>GDPR-4.1</c>.</param>
/// <param name="Article">Clause.</param>
/// <param name="Requirement">In our own words.</param>
/// <param name="State">Outcome.</param>
/// <param name="Explanation">Why, one or two sentences.</param>
/// <param name="Evidence">References: evidence kind with digest, log entry, decision.</param>
public sealed record ControlResult(
    string Id,
    string Article,
    string Requirement,
    ControlState State,
    string Explanation,
    IReadOnlyList<string> Evidence
);

/// <summary>A report that exists.</summary>
/// <param name="Id">Id.</param>
/// <param name="Regulation">gdpr, lgpd or hipaa.</param>
/// <param name="Version">Scope.</param>
/// <param name="CreatedAt">UTC.</param>
/// <param name="CreatedBy">Pseudonym.</param>
public sealed record ReportView(
    Guid Id,
    string Regulation,
    ModelVersionRef Version,
    DateTimeOffset CreatedAt,
    string CreatedBy
);

/// <summary>Controls and reports. Methods with an actor authorise it.</summary>
public interface IReports
{
    /// <summary>The regulations known.</summary>
    IReadOnlyList<string> Regulations { get; }

    /// <summary>Evaluates every control of a regulation for a version now; null when the version is unknown.</summary>
    Task<IReadOnlyList<ControlResult>?> EvaluateAsync(
        ModelVersionRef version,
        string regulation,
        CancellationToken cancellationToken
    );

    /// <summary>Creates a report, signed and logged. Codes <c>compliance.*</c>.</summary>
    Task<Result<ReportView>> CreateAsync(
        Actor actor,
        string regulation,
        ModelVersionRef version,
        CancellationToken cancellationToken
    );
}
