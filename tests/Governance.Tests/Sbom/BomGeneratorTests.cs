using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Sbom;
using Governance.Sbom.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Sbom;

public sealed class BomGeneratorTests
{
    private const string Folder = "tests/Governance.Tests/Sbom";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };

    internal static readonly BomSubject Subject = new()
    {
        Model = "income",
        Version = "2",
        Description = "Predicts an income class.",
        RepositoryUrl = "https://localhost:8443",
        RunId = "0123456789abcdef0123456789abcdef",
        CreatedAt = new DateTimeOffset(2026, 11, 22, 16, 0, 0, TimeSpan.Zero),
        Subject = Digest.Of("subject"),
        Params = new Dictionary<string, string> { ["solver"] = "lbfgs", ["C"] = "1.0" },
        Metrics = new Dictionary<string, double>
        {
            ["f1"] = 0.5,
            ["accuracy"] = 0.8125,
            ["loss"] = double.NaN,
        },
        Tags = new Dictionary<string, string>
        {
            ["task"] = "classification",
            ["approach"] = "supervised",
            ["license"] = "Apache-2.0",
        },
        Datasets =
        [
            new("people", Digest.Of("people"), "a1b2c3d4", "training", ["NAME", "EMAIL"], "personal data"),
            new("people", null, "ffff0000", "eval", [], "not assessed"),
        ],
    };

    [Fact]
    public async Task The_document_of_a_logged_model_is_as_reviewed()
    {
        var bom = (await GenerateAsync(IncomeModel())).Value;

        var text = JsonNode.Parse(bom.Json)!.ToJsonString(Indented) + "\n";
        Golden.Verify($"{Folder}/Golden/income-logreg.cdx.json", text);
    }

    [Fact]
    public async Task The_document_of_a_messy_folder_is_as_reviewed()
    {
        var source = new MemorySource(
            (
                "requirements.txt",
                """
                -c constraints.txt
                --extra-index-url https://user:password@index.example/simple
                uvicorn[standard]>=0.20 ; sys_platform != 'win32'
                torch==2.1.0+cu121
                old==1.0 ; python_version < '3.8'
                lib @ git+https://example.org/lib.git@v1
                numpy==1.24.2 --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000
                not a requirement
                """
            ),
            ("constraints.txt", "uvicorn==0.23.2"),
            (
                "conda.yaml",
                "channels: ['https://c.example/x']\ndependencies:\n- python=3.10\n- numpy=1.26.0=py310_0\n- conda-forge::zlib"
            ),
            ("python_env.yaml", "python: 3.11.2"),
            ("weights/model \u00e9.bin", "x")
        );
        var bare = new BomSubject
        {
            Model = "A model/\u00e9",
            Version = "folder",
            CreatedAt = Subject.CreatedAt,
            Subject = source.Manifest.Digest,
        };

        var bom = (await GenerateAsync(source, bare)).Value;

        Golden.Verify($"{Folder}/Golden/messy.cdx.json", JsonNode.Parse(bom.Json)!.ToJsonString(Indented) + "\n");
    }

    [Fact]
    public async Task The_same_input_gives_the_same_bytes()
    {
        var shuffled = Subject with
        {
            Metrics = Subject.Metrics.Reverse().ToDictionary(),
            Params = Subject.Params.Reverse().ToDictionary(),
            Datasets = [.. Subject.Datasets.Reverse()],
        };

        var first = (await GenerateAsync(IncomeModel())).Value;
        var second = (await GenerateAsync(IncomeModel(), shuffled)).Value;

        Assert.Equal(first.Json, second.Json);
    }

    [Fact]
    public async Task References_are_unique_resolvable_and_cover_every_component()
    {
        var bom = (await GenerateAsync(IncomeModel())).Value;
        var root = JsonNode.Parse(bom.Json)!;
        var model = root["metadata"]!["component"]!;
        var components = new[] { model }
            .Concat(model["components"]!.AsArray())
            .Concat(root["components"]!.AsArray())
            .Select(component => component!["bom-ref"]!.GetValue<string>())
            .ToList();
        var entries = root["dependencies"]!.AsArray().Select(entry => entry!["ref"]!.GetValue<string>()).ToList();

        Assert.Equal(components.Count, components.Distinct().Count());
        Assert.Equal(components.Order(), entries.Order());
        Assert.Equal(components.Count, bom.Components);
        Assert.All(
            root["dependencies"]!.AsArray(),
            entry =>
                Assert.All(
                    entry!["dependsOn"]!.AsArray(),
                    target =>
                    {
                        Assert.Contains(target!.GetValue<string>(), components);
                        Assert.NotEqual(entry["ref"]!.GetValue<string>(), target.GetValue<string>());
                    }
                )
        );
    }

    [Fact]
    public async Task Every_artifact_is_a_file_component_with_its_digest()
    {
        var source = IncomeModel();

        var files = (await DocumentAsync(source))["metadata"]!["component"]!["components"]!
            .AsArray()
            .Select(file => (Name(file!), file!["hashes"]![0]!["content"]!.GetValue<string>()));

        Assert.Equal(source.Manifest.Files.Select(file => (file.Path, file.Digest.Hex)), files);
    }

    [Fact]
    public async Task Requirements_win_over_conda_and_disagreement_is_a_finding()
    {
        var bom = await GenerateAsync(
            new MemorySource(
                ("requirements.txt", "Foo_Bar==1.0"),
                ("conda.yaml", "dependencies:\n- foo.bar=2.0.0=x\n- pip:\n  - foo-bar==1.0.0")
            )
        );

        var library = Assert.Single(Libraries(bom.Value));
        Assert.Equal(("Foo_Bar", "pkg:pypi/foo-bar@1.0"), (Name(library), Purl(library)));
        Assert.Contains("foo-bar: requirements.txt line 1 says 1.0, conda.yaml says 2.0.0.", bom.Value.Findings);
        Assert.DoesNotContain(bom.Value.Findings, f => f.Contains("conda.yaml pip", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Unpinned_libraries_have_no_version()
    {
        var bom = (await GenerateAsync(new MemorySource(("requirements.txt", "numpy>=1.2")))).Value;

        var library = Assert.Single(Libraries(bom));
        Assert.Null(library["version"]);
        Assert.Equal("pkg:pypi/numpy", Purl(library));
        Assert.Contains("numpy is not pinned to one version.", bom.Findings);
    }

    [Fact]
    public async Task Constraints_pin_what_is_asked_for_and_add_nothing()
    {
        var bom = (
            await GenerateAsync(
                new MemorySource(
                    ("requirements.txt", "-c sub/constraints.txt\nnumpy"),
                    ("sub/constraints.txt", "numpy==1.2\nother==3")
                )
            )
        ).Value;

        Assert.Equal("pkg:pypi/numpy@1.2", Purl(Assert.Single(Libraries(bom))));
    }

    [Fact]
    public async Task Libraries_whose_marker_excludes_them_are_marked_excluded()
    {
        var bom = (
            await GenerateAsync(
                new MemorySource(
                    ("python_env.yaml", "python: 3.11.2"),
                    ("requirements.txt", "old==1 ; python_version < '3.8'\nnew==1 ; python_version < '4'")
                )
            )
        ).Value;

        Assert.Equal(
            [("new", "required"), ("old", "excluded")],
            Libraries(bom).Select(library => (Name(library), library["scope"]!.GetValue<string>()))
        );
    }

    [Fact]
    public async Task Packages_that_only_conda_names_are_conda_packages()
    {
        var bom = (
            await GenerateAsync(new MemorySource(("conda.yaml", "dependencies: [conda-forge::zlib=1.2.13]")))
        ).Value;

        Assert.Equal("pkg:conda/zlib@1.2.13?channel=conda-forge", Purl(Assert.Single(Libraries(bom))));
    }

    [Theory]
    [InlineData("-r ../other.txt", "sbom.include_refused")]
    [InlineData("-r sub/../../other.txt", "sbom.include_refused")]
    [InlineData("-r /etc/passwd", "sbom.include_refused")]
    [InlineData("-r https://x.example/r.txt", "sbom.include_refused")]
    [InlineData("-r file:///etc/passwd", "sbom.include_refused")]
    [InlineData("-r ..\\other.txt", "sbom.include_refused")]
    [InlineData("-r ~/r.txt", "sbom.include_refused")]
    [InlineData("-r ${HOME}/r.txt", "sbom.include_refused")]
    [InlineData("-r %2e%2e/r.txt", "sbom.include_refused")]
    [InlineData("-r requirements.txt", "sbom.include_cycle")]
    [InlineData("-c ./sub/../requirements.txt", "sbom.include_cycle")]
    public async Task Includes_never_leave_the_folder_or_run_in_circles(string line, string code) =>
        Assert.Equal(code, (await GenerateAsync(new MemorySource(("requirements.txt", line)))).Failure?.Code);

    [Fact]
    public async Task Long_chains_of_includes_are_refused()
    {
        var files = Enumerable
            .Range(0, 12)
            .Select(i => (i == 0 ? "requirements.txt" : $"r{i}.txt", $"-r r{i + 1}.txt"));

        Assert.Equal("sbom.include_depth", (await GenerateAsync(new MemorySource([.. files]))).Failure?.Code);
    }

    [Fact]
    public async Task Too_many_included_files_are_refused()
    {
        var names = Enumerable.Range(0, 80).Select(i => $"r{i}.txt").ToList();
        var files = names
            .Select(name => (name, ""))
            .Append(("requirements.txt", string.Join('\n', names.Select(name => $"-r {name}"))));

        Assert.Equal("sbom.too_many_includes", (await GenerateAsync(new MemorySource([.. files]))).Failure?.Code);
    }

    [Fact]
    public async Task A_missing_include_is_a_finding()
    {
        var bom = (await GenerateAsync(new MemorySource(("sub/x", ""), ("requirements.txt", "-r sub/no.txt")))).Value;

        Assert.Contains("requirements.txt includes sub/no.txt, which is not there.", bom.Findings);
    }

    [Theory]
    [InlineData("env: ../conda.yaml")]
    [InlineData("env: {virtualenv: /etc/passwd}")]
    public async Task An_environment_outside_of_the_folder_is_refused(string env)
    {
        var source = new MemorySource(("MLmodel", $"flavors:\n  python_function:\n    {env}"));

        Assert.Equal("sbom.include_refused", (await GenerateAsync(source)).Failure?.Code);
    }

    [Theory]
    [InlineData("MLmodel")]
    [InlineData("conda.yaml")]
    [InlineData("python_env.yaml")]
    [InlineData("requirements.txt")]
    public async Task Large_and_undecodable_files_are_refused(string path)
    {
        var large = new MemorySource(new Dictionary<string, byte[]> { [path] = new byte[(1 << 20) + 1] });
        var latin = new MemorySource(new Dictionary<string, byte[]> { [path] = [0xE9, 0x00, 0xFF] });

        Assert.Equal("sbom.file_too_large", (await GenerateAsync(large)).Failure?.Code);
        Assert.Equal("sbom.not_utf8", (await GenerateAsync(latin)).Failure?.Code);
    }

    [Fact]
    public async Task A_byte_order_mark_is_not_part_of_the_first_name()
    {
        var bom = (await GenerateAsync(new MemorySource(("requirements.txt", "\uFEFFnumpy==1.0")))).Value;

        Assert.Equal("pkg:pypi/numpy@1.0", Purl(Assert.Single(Libraries(bom))));
    }

    [Fact]
    public async Task Credentials_in_addresses_stay_out_of_the_document()
    {
        var bom = (
            await GenerateAsync(
                new MemorySource(
                    (
                        "requirements.txt",
                        "--index-url https://u:hunter2@i.example/s?t=hunter2\na @ https://u:hunter2@x.example/a-1.zip?sig=hunter2\ngit+https://hunter2@x.example/r#egg=b"
                    )
                )
            )
        ).Value;

        Assert.Equal(2, Libraries(bom).Count);
        Assert.DoesNotContain("hunter2", System.Text.Encoding.UTF8.GetString(bom.Json), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_approach_is_a_finding_and_not_in_the_card()
    {
        var subject = Subject with { Tags = new Dictionary<string, string> { ["approach"] = "magic" } };

        var bom = (await GenerateAsync(new MemorySource(("a", "")), subject)).Value;

        Assert.Contains(bom.Findings, finding => finding.Contains("magic", StringComparison.Ordinal));
        Assert.Null(JsonNode.Parse(bom.Json)!["metadata"]!["component"]!["modelCard"]!["modelParameters"]!["approach"]);
    }

    [Fact]
    public async Task Text_that_is_not_well_formed_still_gives_a_document()
    {
        var subject = Subject with { Datasets = [new("\uD800", null, null, "", ["\uD800"], "x")] };

        Assert.True((await GenerateAsync(new MemorySource(("a", "")), subject)).Ok);
    }

    [Fact]
    public void The_module_registers_the_generator()
    {
        using var services = new ServiceCollection().AddSbom().BuildServiceProvider();

        Assert.Equal(SbomModule.RulesVersion, services.GetRequiredService<IBomGenerator>().RulesVersion);
    }

    internal static MemorySource IncomeModel()
    {
        var folder = Path.Combine(Golden.Repository, Folder, "Data/income-logreg");
        var files = Directory.GetFiles(folder).ToDictionary(file => Path.GetFileName(file), File.ReadAllBytes);
        files["model.pkl"] = [.. Enumerable.Range(0, 4096).Select(i => (byte)(i * 31))];
        return new MemorySource(files);
    }

    private static Task<Result<Bom>> GenerateAsync(MemorySource source, BomSubject? subject = null) =>
        SbomModule.GenerateAsync(subject ?? Subject, source, TestContext.Current.CancellationToken);

    private static async Task<JsonNode> DocumentAsync(MemorySource source) =>
        JsonNode.Parse((await GenerateAsync(source)).Value.Json)!;

    private static List<JsonNode> Libraries(Bom bom) =>
        [
            .. JsonNode.Parse(bom.Json)!["components"]!
                .AsArray()
                .Where(component => component!["type"]!.GetValue<string>() == "library")
                .Select(component => component!),
        ];

    private static string Name(JsonNode component) => component["name"]!.GetValue<string>();

    private static string Purl(JsonNode component) => component["purl"]!.GetValue<string>();
}
