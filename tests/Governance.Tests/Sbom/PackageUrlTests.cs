using Governance.Sbom.Engine;

namespace Governance.Tests.Sbom;

public sealed class PackageUrlTests
{
    [Theory]
    [InlineData("numpy", "1.24.2", "pkg:pypi/numpy@1.24.2")]
    [InlineData("Typing_Extensions", null, "pkg:pypi/typing-extensions")]
    [InlineData("zope.interface", "6.0", "pkg:pypi/zope.interface@6.0")]
    [InlineData("torch", "2.1.0+cu121", "pkg:pypi/torch@2.1.0%2Bcu121")]
    [InlineData("epoch", "1!2.0", "pkg:pypi/epoch@1%212.0")]
    public void Pypi_names_are_lower_case_with_dashes(string name, string? version, string expected) =>
        Assert.Equal(expected, PackageUrl.Pypi(name, version));

    [Fact]
    public void Pypi_addresses_are_qualifiers_with_encoded_slashes()
    {
        var purl = PackageUrl.Pypi("lib", null, ("vcs_url", "git+https://example.org/a/b.git@v1"));

        Assert.Equal("pkg:pypi/lib?vcs_url=git%2Bhttps:%2F%2Fexample.org%2Fa%2Fb.git%40v1", purl);
    }

    [Theory]
    [InlineData(
        "Income",
        "3",
        "https://registry.example:8443",
        "0a1b",
        "pkg:mlflow/Income@3?repository_url=https:%2F%2Fregistry.example:8443&run_id=0a1b"
    )]
    [InlineData("Income", "3", "", null, "pkg:mlflow/Income@3")]
    [InlineData("a b/c?d#é", "1", "", null, "pkg:mlflow/a%20b%2Fc%3Fd%23%C3%A9@1")]
    [InlineData(
        "Income",
        "3",
        "https://adb-1.0.azuredatabricks.net/api",
        null,
        "pkg:mlflow/income@3?repository_url=https:%2F%2Fadb-1.0.azuredatabricks.net%2Fapi"
    )]
    [InlineData(
        "Income",
        "3",
        "https://example.org/azuredatabricks.net",
        null,
        "pkg:mlflow/Income@3?repository_url=https:%2F%2Fexample.org%2Fazuredatabricks.net"
    )]
    public void Mlflow_names_keep_their_case_except_in_Databricks(
        string name,
        string version,
        string repository,
        string? run,
        string expected
    ) => Assert.Equal(expected, PackageUrl.Mlflow(name, version, repository, run));

    [Fact]
    public void Conda_qualifiers_are_sorted() =>
        Assert.Equal(
            "pkg:conda/numpy@1.26.4?build=py310_0&channel=conda-forge",
            PackageUrl.Conda("NumPy", "1.26.4", "py310_0", "conda-forge")
        );
}
