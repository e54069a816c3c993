using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Governance.ArchitectureTests;

/// <summary>docs/reference/configuration.md has a row for every setting of one value, with its true default.</summary>
public sealed partial class ConfigurationPageTests
{
    private static readonly Dictionary<string, string> Sections = new()
    {
        ["Governance.Gateway.GatewayOptions"] = "Governance",
        ["Governance.Platform.Database.DatabaseOptions"] = "Governance:Database",
        ["Governance.Identity.IdentityOptions"] = "Governance:Identity",
        ["Governance.Gateway.Tls.MutualTlsOptions"] = "Governance:MutualTls",
        ["Governance.Gateway.Tls.TlsOptions"] = "Governance:Tls",
        ["Governance.Gateway.Hosting.LimitOptions"] = "Governance:Limits",
        ["Governance.Audit.AuditOptions"] = "Governance:Audit",
        ["Governance.Signing.SigningOptions"] = "Governance:Signing",
        ["Governance.Scanning.ScanningOptions"] = "Governance:Scanning",
        ["Governance.Privacy.PrivacyOptions"] = "Governance:Privacy",
        ["Governance.Registry.RegistryOptions"] = "Governance:Registry",
        ["Governance.Platform.Blobs.BlobOptions"] = "Governance:Blobs",
        ["Governance.Platform.Blobs.S3Options"] = "Governance:Blobs:S3",
        ["Governance.Compliance.ComplianceOptions"] = "Governance:Compliance",
        ["Governance.Platform.Jobs.JobOptions"] = "Governance:Jobs",
        ["Governance.Platform.Keys.SubjectKeyOptions"] = "Governance:SubjectKeys",
        ["Governance.Platform.Keys.KeyOptions"] = "Governance:Keys",
        ["Governance.Platform.Keys.Pkcs11Options"] = "Governance:Keys:Pkcs11",
        ["Governance.Platform.Keys.AwsKmsOptions"] = "Governance:Keys:AwsKms",
    };

    // Set by the host, as the page says, or by tests alone.
    private static readonly string[] NoSettings =
    [
        "Governance:Identity:Demo",
        "Governance:Identity:MutualTlsUrl",
        "Governance:Database:Rehearse",
    ];

    private static readonly Dictionary<string, string> Page = File.ReadLines(
            Path.Combine(RankTests.Root(), "docs", "reference", "configuration.md")
        )
        .Select(line => Row().Match(line))
        .Where(row => row.Success)
        .ToDictionary(row => row.Groups["key"].Value, row => row.Groups["default"].Value);

    [Fact]
    public void Every_setting_is_on_the_page_with_its_default()
    {
        var wrong = Settings()
            .Where(setting => !Page.TryGetValue(setting.Key, out var written) || !Says(written, setting.Default))
            .Select(setting => $"{setting.Key} is {setting.Default}, {Page.GetValueOrDefault(setting.Key)} is written");

        Assert.True(Settings().Count() > 80);
        Assert.Empty(wrong);
    }

    [Fact]
    public void Nothing_on_the_page_is_no_setting() =>
        // One row stands for as many settings as there are tasks.
        Assert.Empty(Page.Keys.Except(Settings().Select(setting => setting.Key).Append("Governance:Keys:Tasks:TASK")));

    private static IEnumerable<(string Key, object? Default)> Settings() =>
        from section in Sections
        let type = Load(section.Key)
        let options = Activator.CreateInstance(type, nonPublic: true)
        from property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        where property.CanWrite && (property.PropertyType.IsValueType || property.PropertyType == typeof(string))
        let key = $"{section.Value}:{property.Name}"
        where !NoSettings.Contains(key)
        select (key, property.GetValue(options));

    // What a text is when nothing is set is told in words.
    private static bool Says(string written, object? value) =>
        value switch
        {
            bool truth => written == (truth ? "true" : "false"),
            Enum name => written == $"`{name}`",
            string => written.Length > 0,
            IFormattable number => Number().Match(written).Value.Replace(",", "", StringComparison.Ordinal)
                == number.ToString(null, CultureInfo.InvariantCulture),
            _ => false,
        };

    private static Type Load(string name)
    {
        var module = string.Join('.', name.Split('.')[..2]);
        return Assembly.Load(module).GetType(name, throwOnError: true)!;
    }

    [GeneratedRegex(
        @"^\| `(?<key>Governance(:[A-Z][a-zA-Z0-9]*[a-z0-9])+)` \| `[^`]+` \| (?<default>[^|]*?) \|",
        RegexOptions.None,
        1000
    )]
    private static partial Regex Row();

    [GeneratedRegex("^[0-9,]+", RegexOptions.None, 1000)]
    private static partial Regex Number();
}
