using Governance.Sbom.Engine;

namespace Governance.Tests.Sbom;

public sealed class RequirementsFileTests
{
    private readonly Findings _findings = new();

    [Theory]
    [InlineData("numpy==1.24.2", "numpy", "1.24.2", "==1.24.2")]
    [InlineData("numpy == 1.24.2  # why", "numpy", "1.24.2", "== 1.24.2")]
    [InlineData("numpy===1.24-custom", "numpy", "1.24-custom", "===1.24-custom")]
    [InlineData("torch==2.1.0+cu121", "torch", "2.1.0+cu121", "==2.1.0+cu121")]
    [InlineData("numpy", "numpy", null, "")]
    [InlineData("numpy>=1.20,<2", "numpy", null, ">=1.20,<2")]
    [InlineData("numpy~=1.20", "numpy", null, "~=1.20")]
    [InlineData("numpy==1.24.*", "numpy", null, "==1.24.*")]
    [InlineData("numpy!=1.24.1", "numpy", null, "!=1.24.1")]
    [InlineData("numpy (==1.24.2)", "numpy", "1.24.2", "==1.24.2")]
    [InlineData("zope.interface==6.0", "zope.interface", "6.0", "==6.0")]
    public void Versions_are_pinned_only_by_one_exact_specifier(
        string line,
        string name,
        string? version,
        string specifier
    )
    {
        var mention = Assert.Single(Parse(line).Mentions);

        Assert.Equal((name, version, specifier), (mention.Name, mention.Version, mention.Specifier));
        Assert.Empty(_findings.Lines);
    }

    [Fact]
    public void Extras_and_markers_are_kept()
    {
        var mention = Assert.Single(Parse("uvicorn[standard, http2]==0.3 ; python_version < '3.8'").Mentions);

        Assert.Equal(["standard", "http2"], mention.Extras);
        Assert.Equal("python_version < '3.8'", mention.Marker?.Text);
    }

    [Fact]
    public void Comments_blank_lines_and_carriage_returns_are_skipped()
    {
        var parsed = Parse("# head\r\n\r\n  # indented\r\nnumpy==1.0\r\npandas==2.0#not-a-comment\r\n");

        Assert.Equal("numpy", Assert.Single(parsed.Mentions).Name);
        Assert.Equal(["requirements.txt line 5 is not a requirement that can be read."], _findings.Lines);
    }

    [Fact]
    public void Continuations_are_joined_and_numbered_by_their_first_line()
    {
        var parsed = Parse("numpy \\\n  ==1.0 \\\n  # ends here\npandas==2.0\\");

        Assert.Equal([("numpy", "1.0", 1), ("pandas", "2.0", 4)], Seen(parsed));
    }

    [Fact]
    public void Hashes_belong_to_their_requirement()
    {
        var hash = new string('a', 64);

        var mention = Assert.Single(
            Parse($"numpy==1.0 --hash=sha256:{hash} \\\n  --hash sha256:{new string('B', 64)}").Mentions
        );

        Assert.Equal([$"sha256:{hash}", $"sha256:{new string('b', 64)}"], mention.Hashes);
        Assert.Equal("1.0", mention.Version);
    }

    [Theory]
    [InlineData("numpy==1.0 --hash=md5:00", "has a hash that cannot be read")]
    [InlineData(
        "--index-url https://u:secret@pypi.example/simple?token=secret",
        "replaces the package index (https://pypi.example/simple)"
    )]
    [InlineData("-i https://pypi.example/simple", "replaces the package index")]
    [InlineData("--extra-index-url=https://pypi.example", "dependency confusion (https://pypi.example)")]
    [InlineData("-f https://files.example", "adds a place to find packages")]
    [InlineData("--find-links ./wheels", "adds a place to find packages")]
    [InlineData("--trusted-host pypi.example", "switches off certificate checks")]
    [InlineData("--pre", "allows pre-releases")]
    [InlineData("--no-binary :all:", "runs build code")]
    [InlineData("--secret-option secret", "has an option that is not known")]
    [InlineData("numpy==${SECRET_VERSION}", "uses an environment variable")]
    [InlineData("!!! secret", "is not a requirement that can be read")]
    [InlineData("-e .", "is an editable install")]
    [InlineData("./local/package", "installs from a local path")]
    [InlineData("https://u:secret@files.example/thing", "does not say which library it installs")]
    public void Risky_or_unreadable_lines_are_findings_without_secrets(string line, string expected)
    {
        Parse(line);

        Assert.Contains(_findings.Lines, finding => finding.Contains(expected, StringComparison.Ordinal));
        Assert.DoesNotContain(_findings.Lines, f => f.Contains("secret", StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("--no-index")]
    [InlineData("--require-hashes")]
    [InlineData("--only-binary=:all:")]
    [InlineData("--prefer-binary")]
    public void Options_that_only_restrict_are_not_findings(string line)
    {
        Parse(line);

        Assert.Empty(_findings.Lines);
    }

    [Theory]
    [InlineData(
        "https://x.example/My_Lib-1.2-py3-none-any.whl",
        "My_Lib",
        "1.2",
        "https://x.example/My_Lib-1.2-py3-none-any.whl"
    )]
    [InlineData("https://x.example/lib-1.2.tar.gz#sha256=00", "lib", "1.2", "https://x.example/lib-1.2.tar.gz")]
    [InlineData("./wheels/lib-1.2-py3-none-any.whl", "lib", "1.2", null)]
    [InlineData(
        "git+https://t:secret@x.example/r.git@v1#egg=lib&subdirectory=a",
        "lib",
        null,
        "git+https://x.example/r.git@v1"
    )]
    [InlineData("-e git+https://x.example/r.git#egg=lib[extra]", "lib", null, "git+https://x.example/r.git")]
    [InlineData(
        "lib @ https://x.example/lib-1.2.zip ; python_version > '3'",
        "lib",
        "1.2",
        "https://x.example/lib-1.2.zip"
    )]
    [InlineData("lib@git+https://x.example/r.git", "lib", null, "git+https://x.example/r.git")]
    [InlineData("lib[a]@https://x.example/x", "lib", null, "https://x.example/x")]
    public void Direct_references_are_identified_by_what_they_state(
        string line,
        string name,
        string? version,
        string? url
    )
    {
        var mention = Assert.Single(Parse(line).Mentions);

        Assert.Equal((name, version, url), (mention.Name, mention.Version, mention.Url));
        Assert.NotEmpty(_findings.Lines);
    }

    [Theory]
    [InlineData("-r other.txt", "other.txt", false)]
    [InlineData("-rother.txt", "other.txt", false)]
    [InlineData("--requirement=sub/other.txt", "sub/other.txt", false)]
    [InlineData("-c constraints.txt", "constraints.txt", true)]
    [InlineData("--constraint constraints.txt # note", "constraints.txt", true)]
    public void Includes_are_handed_to_the_reader(string line, string path, bool constraint) =>
        Assert.Equal(new Include(path, constraint, 1), Assert.Single(Parse(line).Includes));

    [Theory]
    [InlineData("numpy==")]
    [InlineData("numpy=1.0")]
    [InlineData("numpy 1.0")]
    [InlineData("numpy>=1,")]
    [InlineData("-numpy==1.0")]
    [InlineData("numpy[==1.0")]
    [InlineData("numpy[a b]==1.0")]
    [InlineData("numpy==1.0; python_version")]
    [InlineData("numpy==1.0; python_version < 3 or")]
    [InlineData("numpy @ ")]
    [InlineData("numpy~=1.*")]
    [InlineData("nümpy==1.0")]
    public void Malformed_lines_name_no_library(string line)
    {
        Assert.Empty(Parse(line).Mentions);
        Assert.NotEmpty(_findings.Lines);
    }

    [Fact]
    public void Too_many_lines_are_refused()
    {
        var parsed = RequirementsFile.Parse(new string('\n', 10_001), "r.txt", Origin.Requirements, _findings);

        Assert.Equal("sbom.too_many_requirements", parsed.Failure?.Code);
    }

    [Fact]
    public void An_endless_line_is_a_finding()
    {
        Assert.Empty(Parse(new string('a', 9_000)).Mentions);
        Assert.Contains("longer than", Assert.Single(_findings.Lines), StringComparison.Ordinal);
    }

    private Requirements Parse(string text) =>
        RequirementsFile.Parse(text, "requirements.txt", Origin.Requirements, _findings).Value;

    private static (string, string?, int?)[] Seen(Requirements parsed) =>
        [.. parsed.Mentions.Select(mention => (mention.Name, mention.Version, mention.Line))];
}
