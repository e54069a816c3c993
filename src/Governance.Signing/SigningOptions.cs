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
}

/// <summary>Validates <see cref="SigningOptions"/> at start.</summary>
[OptionsValidator]
public sealed partial class SigningOptionsValidator : IValidateOptions<SigningOptions>;
