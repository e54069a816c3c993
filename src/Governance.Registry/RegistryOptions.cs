using System.ComponentModel.DataAnnotations;
using Governance.Registry.Contracts;
using Microsoft.Extensions.Options;

namespace Governance.Registry;

/// <summary>Settings of the registry. Bound from <c>Governance:Registry</c>.</summary>
public sealed class RegistryOptions
{
    /// <summary>Largest single artifact in bytes, 1 KiB–10 TiB. Default 1 TiB.</summary>
    [Range(1024L, 10L << 40)]
    public long MaxArtifactBytes { get; set; } = 1L << 40;

    /// <summary>Largest JSON request body in bytes, 64 KiB–64 MiB. Default 4 MiB.</summary>
    [Range(64 << 10, 64 << 20)]
    public int MaxJsonBytes { get; set; } = 4 << 20;

    /// <summary>Most files of one version, 1–100,000. Default 10,000.</summary>
    [Range(1, 100_000)]
    public int MaxFilesPerVersion { get; set; } = 10_000;

    /// <summary>Most rows one search request looks at before it answers with a page token, 100–1,000,000. Default 20,000.</summary>
    [Range(100, 1_000_000)]
    public int MaxRowsPerSearch { get; set; } = 20_000;

    /// <summary>Days that a trace is kept after its arrival, 1–3650. Default 90.</summary>
    [Range(1, 3650)]
    public int TraceDays { get; set; } = 90;

    /// <summary>Most traces of one experiment; the oldest go first, 100–10,000,000. Default 100,000.</summary>
    [Range(100, 10_000_000)]
    public int MaxTracesPerExperiment { get; set; } = 100_000;

    /// <summary>
    /// Networks, e.g. <c>10.1.0.0/16</c>, to which webhooks may go although they are not public. Default none.
    /// </summary>
    public IList<string> WebhookNetworks { get; } = [];

    /// <summary>PEM file of the authorities that webhook receivers' certificates must come from; empty for the system's. Default empty.</summary>
    public string WebhookAuthorities { get; set; } = "";

    /// <summary>Seconds that one delivery to a webhook may take, 1–60. Default 10.</summary>
    [Range(1, 60)]
    public int WebhookTimeoutSeconds { get; set; } = 10;

    /// <summary>Hours that a delivery is tried again after its event, 1–168. Default 24.</summary>
    [Range(1, 168)]
    public int WebhookRetryHours { get; set; } = 24;

    /// <summary>
    /// MLflow servers that an import may read, by a name of 1 to 64 letters, digits, <c>-</c>, <c>_</c> and <c>.</c>. A name stands for one server for ever:
    /// what came from it is remembered under it. Default none.
    /// </summary>
    public IDictionary<string, Contracts.RemoteServer> ImportSources { get; } =
        new Dictionary<string, Contracts.RemoteServer>(StringComparer.Ordinal);

    /// <summary>An MLflow server behind the gateway. Default none.</summary>
    [ValidateObjectMembers]
    public UpstreamOptions Upstream { get; } = new();
}

[OptionsValidator]
internal sealed partial class RegistryOptionsValidator : IValidateOptions<RegistryOptions>;

/// <summary>What attributes cannot say of the settings.</summary>
internal sealed class WebhookOptionsValidator : IValidateOptions<RegistryOptions>
{
    public ValidateOptionsResult Validate(string? name, RegistryOptions options)
    {
        var wrong = options.WebhookNetworks.FirstOrDefault(text => !System.Net.IPNetwork.TryParse(text, out _));
        return wrong is not null ? ValidateOptionsResult.Fail($"WebhookNetworks: '{wrong}' is no network in CIDR form.")
            : options.WebhookAuthorities.Length > 0 && !File.Exists(options.WebhookAuthorities)
                ? ValidateOptionsResult.Fail("WebhookAuthorities: there is no such file.")
            : options.Upstream.IsOn && options.Upstream.Server.Wrong() is { } why
                ? ValidateOptionsResult.Fail($"Upstream:Server:{why}")
            : ValidateOptionsResult.Success;
    }
}

/// <summary>Refuses sources of imports that could not be asked, or asked only in a way that nobody chose.</summary>
internal sealed class ImportOptionsValidator : IValidateOptions<RegistryOptions>
{
    public ValidateOptionsResult Validate(string? name, RegistryOptions options)
    {
        var wrong = options
            .ImportSources.Select(source =>
                source.Key.Length is 0 or > 64
                || !source.Key.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
                    ? $"ImportSources: a name has 1 to 64 letters, digits, hyphens, underscores and dots."
                : source.Value.Wrong() is { } reason ? $"ImportSources:{source.Key}: {reason}"
                : null
            )
            .OfType<string>()
            .ToList();
        if (options.Upstream.IsOn && options.ImportSources.Count > 0)
        {
            wrong.Add("ImportSources: with an upstream, what it has is taken over; nothing else is imported.");
        }

        return wrong.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(wrong);
    }
}
