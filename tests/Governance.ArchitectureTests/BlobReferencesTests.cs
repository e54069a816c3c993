using System.Reflection;

namespace Governance.ArchitectureTests;

/// <summary>Who attaches blobs says what it refers to: otherwise they would be collected as unused.</summary>
public class BlobReferencesTests
{
    [Fact]
    public void Every_module_that_attaches_blobs_says_which_ones_it_refers_to()
    {
        var attaching = Directory
            .EnumerateDirectories(Path.Combine(RankTests.Root(), "src"))
            .Where(project => Path.GetFileName(project) != "Governance.Platform")
            .Where(project =>
                Directory
                    .EnumerateFiles(project, "*.cs", SearchOption.AllDirectories)
                    .Any(file => File.ReadAllText(file).Contains(".AttachAsync(", StringComparison.Ordinal))
            )
            .Select(project => Path.GetFileName(project)!)
            .ToList();

        Assert.Equal(["Governance.Compliance", "Governance.Evidence", "Governance.Registry"], attaching.Order());
        Assert.All(
            attaching,
            name =>
                Assert.Contains(
                    Assembly.Load(name).GetTypes(),
                    type => type.GetInterface("IBlobReferences") is not null
                )
        );
    }
}
