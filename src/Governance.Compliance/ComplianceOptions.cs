using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Governance.Compliance;

/// <summary>Settings of reports. Bound by the host from the section <c>Governance:Compliance</c>.</summary>
public sealed class ComplianceOptions
{
    /// <summary>Directory of the regulation catalogues; empty means <c>regulations</c> in the policies directory. Default empty.</summary>
    public string CataloguesDirectory { get; set; } = "";

    /// <summary>Datasets followed upwards from the inputs of a version, 1–10,000; what lies beyond counts as unknown. Default 500.</summary>
    [Range(1, 10_000)]
    public int MaxDatasets { get; set; } = 500;
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
public sealed partial class ComplianceOptionsValidator : IValidateOptions<ComplianceOptions>;
