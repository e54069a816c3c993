using Governance.Sbom.Engine;

namespace Governance.Tests.Sbom;

public sealed class MlModelFileTests
{
    private readonly Findings _findings = new();

    [Fact]
    public void Every_kind_of_column_gets_a_readable_format()
    {
        var model = Parse(
            """
            signature:
              inputs: '[{"name": "a", "type": "long", "required": true}, {"name": "b", "type": "string", "required": false},
                {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}},
                {"name": "c", "type": "array", "items": {"type": "object", "properties": {"d": {"type": "map", "values": {"type": "double"}}}}}]'
              params: '[{"name": "t", "type": "double"}]'
            """
        );

        Assert.Equal(
            ["a: long", "b: string (optional)", "tensor(float32)[-1,3]", "c: array<object{d: map<double>}>"],
            model.Inputs
        );
        Assert.Contains(("mlflow:signature:param", "t: double"), model.Properties);
    }

    [Theory]
    [InlineData("'not json'")]
    [InlineData("'{}'")]
    [InlineData("'[{\"a\":1,\"a\":2}]'")]
    [InlineData("'[{\"name\":\"\\ud800\"}]'")]
    [InlineData("'[{\"type\":\"\\udc00\"}]'")]
    public void An_unreadable_signature_is_a_finding(string json)
    {
        Assert.Empty(Parse($"signature:\n  inputs: {json}").Inputs);
        Assert.Equal(["MLmodel has a signature whose inputs cannot be read."], _findings.Lines);
    }

    [Fact]
    public void Only_known_version_keys_name_libraries()
    {
        var model = Parse("flavors:\n  sklearn:\n    sklearn_version: 1.2.1\n  odd:\n    odd_version: 9");

        var mention = Assert.Single(model.Versions);
        Assert.Equal(("scikit-learn", "1.2.1"), (mention.Name, mention.Version));
        Assert.Contains(("mlflow:odd:odd_version", "9"), model.Properties);
    }

    [Fact]
    public void A_custom_loader_is_a_finding()
    {
        Parse("flavors:\n  python_function:\n    loader_module: my.loader");

        Assert.Equal(["MLmodel loads the model with the custom module my.loader."], _findings.Lines);
    }

    [Theory]
    [InlineData("env: conda.yaml", "conda.yaml", null)]
    [InlineData("env: {conda: c.yaml, virtualenv: v.yaml}", "c.yaml", "v.yaml")]
    public void Both_forms_of_the_environment_are_read(string env, string? conda, string? virtualenv)
    {
        var model = Parse($"flavors:\n  python_function:\n    {env}");

        Assert.Equal((conda, virtualenv), (model.CondaPath, model.VirtualenvPath));
    }

    private MlModel Parse(string text) => MlModelFile.Parse(text, "MLmodel", _findings).Value;
}
