using System.ComponentModel.DataAnnotations;
using Governance.Signing.Contracts;
using Microsoft.Extensions.Options;

namespace Governance.Signing;

/// <summary>Settings of signing.</summary>
public sealed class SigningOptions
{
    /// <summary>How versions are signed when they are registered. Bundles of either mode verify in both. Default <c>Identity</c>.</summary>
    [EnumDataType(typeof(SigningMode))]
    public SigningMode Mode { get; set; } = SigningMode.Identity;

    /// <summary>
    /// How long a new key is published before it signs, 0–3600 seconds; longer than the 2 seconds in which gateways learn of it.
    /// Default 10.
    /// </summary>
    [Range(0, 3600)]
    public int RotationLeadSeconds { get; set; } = 10;
}

/// <summary>Validates <see cref="SigningOptions"/> at start.</summary>
[OptionsValidator]
public sealed partial class SigningOptionsValidator : IValidateOptions<SigningOptions>;
