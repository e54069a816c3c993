using Governance.Scanning.Contracts;

namespace Governance.Tests.Scanning;

public sealed class MaliciousFamiliesTests
{
    public static TheoryData<string> Names => [.. MaliciousPickles.All().Select(family => family.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_hostile_file_is_never_clean_and_its_import_is_named(string name)
    {
        var family = MaliciousPickles.All().Single(candidate => candidate.Name == name);

        var report = await MemoryArtifacts.ScanAsync(family.Path, family.Content);

        Assert.NotEqual(ScanClass.Clean, report.Class);
        Assert.NotEmpty(report.Findings);
        if (family.Import is not null)
        {
            Assert.Equal(ScanClass.Malicious, report.Class);
            Assert.Contains(
                report.Findings,
                finding =>
                    finding.Class == ScanClass.Malicious
                    && finding.Detail.Contains(family.Import, StringComparison.Ordinal)
            );
        }
    }

    [Fact]
    public void There_are_enough_families() => Assert.True(MaliciousPickles.All().Count() >= 100);

    [Fact]
    public async Task The_demo_threat_is_malicious_and_names_its_import()
    {
        var report = await MemoryArtifacts.ScanAsync("model.pkl", DemoThreat.MaliciousPickle());

        Assert.Equal(ScanClass.Malicious, report.Class);
        Assert.Contains(report.Findings, finding => finding.Detail == "os.system");
        Assert.Equal(DemoThreat.MaliciousPickle(), DemoThreat.MaliciousPickle());
    }
}
