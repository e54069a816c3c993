using System.Globalization;
using System.Text;

namespace Governance.Sbom.Engine;

/// <summary>Writes package URLs in canonical form: purl specification 1.0, "How to build"; types pypi, conda, mlflow, generic.</summary>
internal static class PackageUrl
{
    /// <summary>pypi: lower case, underscore becomes dash, dots stay (pypi type definition).</summary>
    public static string Pypi(
        string name,
        string? version,
        params ReadOnlySpan<(string Key, string? Value)> qualifiers
    ) => Build("pypi", name.ToLowerInvariant().Replace('_', '-'), version, qualifiers);

    /// <summary>conda: lower case.</summary>
    public static string Conda(string name, string? version, string? build, string? channel) =>
        Build("conda", name.ToLowerInvariant(), version, [("build", build), ("channel", channel)]);

    /// <summary>mlflow: the name keeps its case except in Databricks, whose registries ignore case (mlflow type definition).</summary>
    public static string Mlflow(string name, string version, string repositoryUrl, string? runId) =>
        Build(
            "mlflow",
            IsDatabricks(repositoryUrl) ? name.ToLowerInvariant() : name,
            version,
            [("repository_url", repositoryUrl), ("run_id", runId)]
        );

    /// <summary>generic: no rules.</summary>
    public static string Generic(string name, string? version) => Build("generic", name, version, []);

    private static string Build(
        string type,
        string name,
        string? version,
        ReadOnlySpan<(string Key, string? Value)> qualifiers
    )
    {
        var text = new StringBuilder("pkg:").Append(type).Append('/').Append(Encode(name));
        if (!string.IsNullOrEmpty(version))
        {
            text.Append('@').Append(Encode(version));
        }

        var separator = '?';
        foreach (var (key, value) in qualifiers.ToArray().OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (!string.IsNullOrEmpty(value))
            {
                text.Append(separator).Append(key).Append('=').Append(Encode(value));
                separator = '&';
            }
        }

        return text.ToString();
    }

    private static string Encode(string text)
    {
        var encoded = new StringBuilder(text.Length);
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            var c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '~' or ':')
            {
                encoded.Append(c);
            }
            else
            {
                encoded.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
            }
        }

        return encoded.ToString();
    }

    private static bool IsDatabricks(string repositoryUrl) =>
        Uri.TryCreate(repositoryUrl, UriKind.Absolute, out var uri)
        && (
            uri.Host.EndsWith(".azuredatabricks.net", StringComparison.OrdinalIgnoreCase)
            || uri.Host.EndsWith(".databricks.com", StringComparison.OrdinalIgnoreCase)
        );
}
