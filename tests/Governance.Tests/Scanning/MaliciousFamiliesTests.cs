using Governance.Scanning.Contracts;
using static Governance.Tests.Scanning.PickleAssembler;

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

    [Theory]
    [InlineData("_make_function", "x", ScanClass.Suspicious)]
    [InlineData("subimport", "os", ScanClass.Suspicious)]
    [InlineData("_builtin_type", "new_class", ScanClass.Suspicious)]
    [InlineData("_builtin_type", "CodeType", ScanClass.ContainsCode)]
    public async Task Only_what_cloudpickle_itself_calls_is_code_by_design(
        string maker,
        string argument,
        ScanClass expected
    )
    {
        var pickle = Proto(4)
            .StackGlobal("cloudpickle.cloudpickle", maker)
            .Text(argument)
            .Raw(0x85)
            .Op('R')
            .Op(')')
            .Op('R')
            .Stop();

        var report = await MemoryArtifacts.ScanAsync("python_model.pkl", pickle);

        Assert.Equal(expected, report.Class);
    }

    [Theory]
    [InlineData("mlflow.pyfunc.model", "PythonModel", ScanClass.ContainsCode)]
    [InlineData("mlflow.pyfunc.model", "PythonModel.__init__", ScanClass.Malicious)]
    [InlineData("mlflow.pyfunc.model", "_load_pyfunc", ScanClass.Malicious)]
    [InlineData("mlflow.pyfunc", "load_model", ScanClass.Malicious)]
    [InlineData("mlflow.models.signature", "infer_signature", ScanClass.Malicious)]
    public async Task Of_mlflow_only_the_bases_of_models_may_be_named(string module, string name, ScanClass expected)
    {
        var report = await MemoryArtifacts.ScanAsync("python_model.pkl", Proto(4).StackGlobal(module, name).Stop());

        Assert.Equal(expected, report.Class);
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
