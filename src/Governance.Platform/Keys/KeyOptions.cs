using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Governance.Platform.Keys;

/// <summary>Where the keys that sign are made. Keys that are there stay where they are until they are replaced.</summary>
public sealed class KeyOptions
{
    /// <summary>
    /// <c>file</c>: in their files, encrypted; <c>pkcs11</c>: in a token; <c>aws-kms</c>: in AWS KMS. Default <c>file</c>.
    /// </summary>
    public string Provider { get; set; } = PrivateKeys.InFiles;

    /// <summary>Other places for single tasks, such as <c>ca-root</c>. Default none.</summary>
    public Dictionary<string, string> Tasks { get; } = new(StringComparer.Ordinal);

    /// <summary>
    /// How the file with the key-encryption key is made on the first run: <c>file</c>, in clear, or <c>pkcs11</c>, encrypted by a key
    /// of the token. A file that is there is read as it is. Default <c>file</c>.
    /// </summary>
    public string KeyEncryption { get; set; } = PrivateKeys.InFiles;

    /// <summary>Seconds that making a key or a signature may take in all, 1–60. Default 10.</summary>
    [Range(1, 60)]
    public int TimeoutSeconds { get; set; } = 10;

    /// <summary>Signatures that a token or service makes at a time for this gateway, 1–64: its sessions or connections. Default 8.</summary>
    [Range(1, 64)]
    public int Concurrency { get; set; } = 8;

    /// <summary>The token.</summary>
    public Pkcs11Options Pkcs11 { get; set; } = new();

    /// <summary>The service.</summary>
    [ValidateObjectMembers]
    public AwsKmsOptions AwsKms { get; set; } = new();

    /// <summary>Tasks that have a key; the name of a key's file begins with one.</summary>
    internal static IReadOnlyList<string> TaskNames { get; } =
    ["signing", "ca-root", "ca-signers", "certificate-log", "timestamp", "signature-log"];

    /// <summary>Every place that is chosen for something.</summary>
    internal IEnumerable<string> Chosen => Tasks.Values.Append(Provider).Distinct(StringComparer.Ordinal);

    internal TimeSpan Timeout => TimeSpan.FromSeconds(TimeoutSeconds);

    internal string PlaceOf(string task) => Tasks.GetValueOrDefault(task, Provider);
}

/// <summary>A token of the OASIS PKCS#11 interface.</summary>
public sealed class Pkcs11Options
{
    /// <summary>Absolute path of the library that the maker of the token provides.</summary>
    public string Module { get; set; } = "";

    /// <summary>Label of the token; only one may have it.</summary>
    public string Token { get; set; } = "";

    /// <summary>Absolute path of a file whose first line is the user's PIN.</summary>
    public string PinFile { get; set; } = "";

    /// <summary>Environment variable with the PIN, instead of the file.</summary>
    public string PinVariable { get; set; } = "";
}

/// <summary>AWS KMS, or what speaks its interface.</summary>
public sealed class AwsKmsOptions
{
    /// <summary>Region, such as <c>eu-central-1</c>.</summary>
    public string Region { get; set; } = "";

    /// <summary>Address, <c>https://host[:port]</c>. Default <c>https://kms.REGION.amazonaws.com</c>.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>
    /// Absolute path of a file with two or three lines: access key, secret key and, when they are short-lived, session token. Read
    /// for each request.
    /// </summary>
    public string CredentialFile { get; set; } = "";

    /// <summary>Environment variable with the same, instead of the file.</summary>
    public string CredentialVariable { get; set; } = "";

    /// <summary>Absolute path of a PEM file with the authorities that its certificate must come from. Default: the system's.</summary>
    public string Authorities { get; set; } = "";

    /// <summary>How often a request that failed or was throttled is repeated, 0–10. Default 3.</summary>
    [Range(0, 10)]
    public int Retries { get; set; } = 3;
}

/// <summary>Checks the ranges.</summary>
[OptionsValidator]
public sealed partial class KeyOptionsRanges : IValidateOptions<KeyOptions>;

/// <summary>Checks the settings at start.</summary>
public sealed class KeyOptionsValidator : IValidateOptions<KeyOptions>
{
    private static readonly string[] Places = [PrivateKeys.InFiles, Pkcs11Keys.ProviderName, AwsKmsKeys.ProviderName];

    /// <inheritdoc />
    public ValidateOptionsResult Validate(string? name, KeyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Problem(options) is { } problem
            ? ValidateOptionsResult.Fail(problem)
            : new KeyOptionsRanges().Validate(name, options);
    }

    // Never says what a secret is, only that it is missing.
    private static string? Problem(KeyOptions options)
    {
        if (options.Chosen.FirstOrDefault(place => !Places.Contains(place, StringComparer.Ordinal)) is { } unknown)
        {
            return $"Governance:Keys knows file, pkcs11 and aws-kms, not '{unknown}'.";
        }

        if (options.Tasks.Keys.FirstOrDefault(task => !KeyOptions.TaskNames.Contains(task)) is { } task)
        {
            return $"Governance:Keys:Tasks knows {string.Join(", ", KeyOptions.TaskNames)}, not '{task}'.";
        }

        if (options.KeyEncryption is not (PrivateKeys.InFiles or Pkcs11Keys.ProviderName))
        {
            return $"Governance:Keys:KeyEncryption is file or pkcs11, not '{options.KeyEncryption}'.";
        }

        return Problem(options, options.Pkcs11) ?? Problem(options, options.AwsKms);
    }

    private static string? Problem(KeyOptions options, Pkcs11Options token)
    {
        var chosen = options.Chosen.Append(options.KeyEncryption);
        if (token.Module.Length == 0 && !chosen.Contains(Pkcs11Keys.ProviderName, StringComparer.Ordinal))
        {
            return null;
        }

        if (token.Module.Length == 0 || token.Token.Length == 0)
        {
            return "Governance:Keys:Pkcs11 needs Module, the token's library, and Token, its label.";
        }

        if ((token.PinFile.Length == 0) == (token.PinVariable.Length == 0))
        {
            return "Governance:Keys:Pkcs11 needs either PinFile or PinVariable.";
        }

        return Missing(token.Module, token.PinFile);
    }

    private static string? Problem(KeyOptions options, AwsKmsOptions service)
    {
        if (service.Region.Length == 0 && !options.Chosen.Contains(AwsKmsKeys.ProviderName, StringComparer.Ordinal))
        {
            return null;
        }

        if (service.Region.Length is 0 or > 64 || !service.Region.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'))
        {
            return "Governance:Keys:AwsKms:Region must be the name of a region, such as eu-central-1.";
        }

        if (
            service.Endpoint.Length > 0
            && !(
                Uri.TryCreate(service.Endpoint, UriKind.Absolute, out var address)
                && address is { Scheme: "https", PathAndQuery: "/", Fragment: "", UserInfo: "" }
            )
        )
        {
            return "Governance:Keys:AwsKms:Endpoint must be https://host[:port].";
        }

        if ((service.CredentialFile.Length == 0) == (service.CredentialVariable.Length == 0))
        {
            return "Governance:Keys:AwsKms needs either CredentialFile or CredentialVariable.";
        }

        return Missing(service.CredentialFile, service.Authorities);
    }

    private static string? Missing(params string[] files) =>
        files.FirstOrDefault(file => file.Length > 0 && !File.Exists(file)) is { } missing
            ? $"Governance:Keys names {missing}, which is not there."
            : null;
}
