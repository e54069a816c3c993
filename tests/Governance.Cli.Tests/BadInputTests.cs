namespace Governance.Cli.Tests;

/// <summary>Whatever is wrong with an input: exit 2, a code, one sentence.</summary>
public sealed class BadInputTests : IDisposable
{
    private readonly CliRun _cli = new();

    [Theory]
    [InlineData("", "cli.usage")]
    [InlineData("frobnicate", "cli.usage: 'frobnicate' is not a command.")]
    [InlineData("privacy frobnicate", "cli.usage: 'frobnicate' is not a command.")]
    [InlineData("scan", "cli.usage")]
    [InlineData("scan . --format xml", "cli.usage")]
    [InlineData("scan {missing}", "folder.not_found")]
    [InlineData("verify {missing}", "cli.unreadable")]
    [InlineData("verify {garbage}", "cli.unknown_input")]
    [InlineData("verify {empty}", "cli.unknown_input")]
    [InlineData("verify {deep}", "cli.unknown_input")]
    [InlineData("verify {huge}", "cli.too_large")]
    [InlineData("verify {model}", "cli.usage")]
    [InlineData("verify {model} --bundle {garbage} --key {pub}", "signing.bundle_malformed")]
    [InlineData("verify {model} --bundle {deep} --key {pub}", "signing.bundle_malformed")]
    [InlineData("verify {model} --bundle {huge} --key {pub}", "cli.too_large")]
    [InlineData("verify {model} --bundle {missing} --key {pub}", "cli.unreadable")]
    [InlineData("verify {model} --bundle {garbage} --key {garbage}", "cli.not_utf8")]
    [InlineData("verify {model} --bundle {garbage} --key {empty}", "signing.bad_key")]
    [InlineData("verify {model} --bundle {garbage} --trusted-root {garbage}", "signing.trusted_root")]
    [InlineData("verify {model} --bundle {garbage} --trusted-root {huge}", "cli.too_large")]
    [InlineData("sign {model} --key {empty} --out {out}", "signing.bad_key")]
    [InlineData("sign {model} --key {missing} --out {out}", "cli.unreadable")]
    [InlineData("sign {none} --key {key} --out {out}", "cli.empty")]
    [InlineData("sign {model} --key {key} --out {missing}/x/y", "cli.unwritable")]
    [InlineData("sbom {missing} --out {out}", "folder.not_found")]
    [InlineData("privacy scan {missing}", "cli.unreadable")]
    [InlineData("privacy scan {model}", "cli.unreadable")]
    [InlineData("privacy scan {garbage}", "privacy.")]
    [InlineData("privacy scan {empty}", "privacy.")]
    [InlineData("privacy anonymity {csv} --quasi nothere", "privacy.")]
    [InlineData("privacy anonymise {csv} --plan a --out {out}", "cli.usage")]
    [InlineData("privacy anonymise {csv} --plan a=explode,b=keep --out {out}", "privacy.")]
    [InlineData("privacy text {garbage}", "cli.not_utf8")]
    [InlineData("privacy text {csv} --input jsonl", "cli.bad_line")]
    [InlineData("policy lint --file {missing}", "cli.unreadable")]
    [InlineData("whoami --server http://localhost:1", "cli.usage")]
    [InlineData("whoami --server https://user:secret@localhost:1", "cli.usage")]
    [InlineData("whoami --server https://example.org --insecure", "cli.usage")]
    [InlineData("whoami --server https://localhost:1 --ca {empty}", "cli.bad_ca")]
    [InlineData("whoami --server https://localhost:1 --insecure", "server.unreachable")]
    [InlineData("request fraud --to stage:Production --server https://localhost:1", "cli.usage")]
    [InlineData("request fraud/0 --to stage:Production --server https://localhost:1", "cli.usage")]
    [InlineData("promote fraud/1 --to stage:Shadow --server https://localhost:1", "cli.usage")]
    [InlineData("report create --regulation gdpr --out {out} --server https://localhost:1", "cli.usage")]
    [InlineData(
        "report create --regulation gdpr --scope a/1 --model a --out {out} --server https://localhost:1",
        "cli.usage"
    )]
    [InlineData("audit verify --server https://localhost:1 --trusted-root {garbage}", "signing.trusted_root")]
    public async Task Is_refused_with_a_code(string line, string code)
    {
        _cli.Write("model/file", "x");
        Directory.CreateDirectory(_cli.At("none"));
        _cli.Write("garbage", [0xff, 0xfe, 0x00, 0x80, (byte)'\n', 0x01]);
        _cli.Write("empty", "");
        _cli.Write("deep", new string('[', 200_000));
        _cli.Write("csv", "a,b\n1,2\n");
        _cli.Key("key");
        using (var huge = File.Create(_cli.At("huge")))
        {
            huge.SetLength(200L << 20);
        }

        await _cli.RunAsync(
            "sign",
            _cli.At("csv"),
            "--key",
            _cli.At("key"),
            "--out",
            _cli.At("b"),
            "--public-key",
            _cli.At("pub")
        );

        var answer = await _cli.RunAsync([
            .. line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(word => word.StartsWith('{') ? _cli.At(word.Replace("{", "").Replace("}", "")) : word),
        ]);

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith(code, answer.Error);
        Assert.Single(answer.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.False(File.Exists(_cli.At("out")));
    }

    [Theory]
    [InlineData(null, "cli.no_token")]
    [InlineData("two\nlines", "cli.bad_token")]
    public async Task A_verb_that_asks_the_gateway_needs_a_token_of_the_environment(string? token, string code)
    {
        _cli.Token = token;

        var answer = await _cli.RunAsync("whoami", "--server", "https://localhost:1");

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith(code, answer.Error);
    }

    [Fact]
    public async Task An_argument_is_never_a_file_of_arguments()
    {
        var file = _cli.Write("args", "--help");

        var answer = await _cli.RunAsync("scan", $"@{file}");

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("folder.not_found", answer.Error);
    }

    public void Dispose() => _cli.Dispose();
}
