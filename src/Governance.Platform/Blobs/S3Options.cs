using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;

namespace Governance.Platform.Blobs;

/// <summary>An S3-compatible store. Used when <see cref="Endpoint"/> is set.</summary>
public sealed class S3Options
{
    /// <summary>Address of the store, <c>https://host[:port]</c>; plain HTTP only on this machine. Empty: blobs lie on disk.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>The bucket; it must exist and be used by nothing else.</summary>
    public string Bucket { get; set; } = "";

    /// <summary>Region that requests are signed for. Default <c>us-east-1</c>.</summary>
    public string Region { get; set; } = "us-east-1";

    /// <summary>Whether the bucket stands in the path instead of the host name. Default true, as most stores of one's own want it.</summary>
    public bool PathStyle { get; set; } = true;

    /// <summary>Name of the access key.</summary>
    public string AccessKey { get; set; } = "";

    /// <summary>The secret; or <see cref="SecretKeyFile"/>.</summary>
    public string SecretKey { get; set; } = "";

    /// <summary>Absolute path of a file that holds the secret and nothing else.</summary>
    public string SecretKeyFile { get; set; } = "";

    /// <summary>Seconds that one request may take, 1–600. Default 60.</summary>
    [Range(1, 600)]
    public int TimeoutSeconds { get; set; } = 60;

    /// <summary>How often a failed request is repeated, 0–10. Default 3.</summary>
    [Range(0, 10)]
    public int Retries { get; set; } = 3;
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
public sealed partial class S3OptionsRanges : IValidateOptions<S3Options>;

/// <summary>Checks what belongs together, too.</summary>
public sealed class S3OptionsValidator : IValidateOptions<S3Options>
{
    /// <inheritdoc />
    public ValidateOptionsResult Validate(string? name, S3Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Endpoint.Length == 0)
        {
            return ValidateOptionsResult.Success;
        }

        return Problem(options) is { } problem
            ? ValidateOptionsResult.Fail(problem)
            : new S3OptionsRanges().Validate(name, options);
    }

    // Never says what a secret is, only that it is missing.
    private static string? Problem(S3Options options)
    {
        if (
            !Uri.TryCreate(options.Endpoint, UriKind.Absolute, out var endpoint)
            || !(endpoint.Scheme == Uri.UriSchemeHttps || (endpoint.Scheme == Uri.UriSchemeHttp && IsHere(endpoint)))
            || endpoint.AbsolutePath != "/"
            || endpoint.UserInfo.Length + endpoint.Query.Length + endpoint.Fragment.Length > 0
        )
        {
            return "Governance:Blobs:S3:Endpoint must be https://host[:port]; plain HTTP is for this machine only.";
        }

        if (options.Bucket.Length is < 3 or > 63 || !options.Bucket.All(IsBucketCharacter))
        {
            return "Governance:Blobs:S3:Bucket must be 3 to 63 lower-case letters, digits, dots and hyphens.";
        }

        if (options.Region.Length is 0 or > 64)
        {
            return "Governance:Blobs:S3:Region must be set.";
        }

        if (options.AccessKey.Length == 0 || (options.SecretKey.Length == 0) == (options.SecretKeyFile.Length == 0))
        {
            return "Governance:Blobs:S3 needs AccessKey and either SecretKey or SecretKeyFile.";
        }

        return options.SecretKeyFile.Length > 0 && !File.Exists(options.SecretKeyFile)
            ? "Governance:Blobs:S3:SecretKeyFile does not exist."
            : null;
    }

    private static bool IsHere(Uri address) =>
        address.Host == "localhost"
        || (IPAddress.TryParse(address.DnsSafeHost, out var ip) && IPAddress.IsLoopback(ip));

    private static bool IsBucketCharacter(char c) =>
        char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '-';
}
