using Governance.Tests.Signing;

namespace Governance.Cli.Tests;

/// <summary>Models that a gateway signed for somebody.</summary>
public sealed class VerifyIdentityTests : IDisposable
{
    private readonly CliRun _cli = new();
    private readonly IdentityFixture _fixture = new();

    public VerifyIdentityTests()
    {
        _cli.Write("model/MLmodel", "flavors: {}");
        _cli.Write("model/model/model.pkl", "bytes");
        _cli.Write("model/model/empty", "");
        _cli.Write("bundle.json", _fixture.Bundle().ToJsonString());
        _cli.Write("root.json", IdentityFixture.Write(_fixture.Trust));
    }

    public void Dispose()
    {
        _fixture.Dispose();
        _cli.Dispose();
    }

    [Fact]
    public async Task Whoever_was_asked_for_is_confirmed_with_the_time()
    {
        var answer = await VerifyAsync(
            "--identity",
            IdentityFixture.Identity.Subject,
            "--issuer",
            IdentityFixture.Identity.Issuer
        );

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Contains($"signed for {IdentityFixture.Identity.Subject}, who was asked for", answer.Out);
        Assert.Contains("at 2026-06-01 00:00:00Z", answer.Out);
        Assert.EndsWith($"Verified.{Environment.NewLine}", answer.Out);
    }

    [Fact]
    public async Task When_nobody_was_asked_for_the_output_says_so()
    {
        var answer = await VerifyAsync();

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Contains("whoever that is: no --identity was asked for", answer.Out);
        Assert.Contains("whoever that is: no --issuer was asked for", answer.Out);
    }

    [Theory]
    [InlineData("--identity", "https://localhost:8443/signers/p-2", "signing.identity_mismatch")]
    [InlineData("--identity", "", "signing.identity_mismatch")]
    [InlineData("--issuer", "https://elsewhere.example", "signing.issuer_mismatch")]
    public async Task Somebody_else_does_not_verify(string option, string value, string code)
    {
        var answer = await VerifyAsync(option, value);

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith($"{code}:", answer.Error);
        Assert.DoesNotContain("Verified.", answer.Out);
    }

    [Fact]
    public async Task A_planted_empty_file_does_not_verify()
    {
        _cli.Write("model/model/__init__.py", "");

        var answer = await VerifyAsync();

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("signing.file_extra: The file model/__init__.py", answer.Error);
    }

    [Fact]
    public async Task An_expired_certificate_does_not_verify()
    {
        var expired = _fixture.Bundle(new() { CertifiedAt = IdentityFixture.Now.AddHours(-1) });
        _cli.Write("bundle.json", expired.ToJsonString());

        var answer = await VerifyAsync();

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("signing.certificate_not_valid:", answer.Error);
    }

    [Fact]
    public async Task A_key_names_nobody_to_ask_for()
    {
        var answer = await _cli.RunAsync(
            "verify",
            _cli.At("model"),
            "--bundle",
            _cli.At("bundle.json"),
            "--key",
            _cli.At("root.json"),
            "--identity",
            "x"
        );

        Assert.Equal(2, answer.Exit);
        Assert.Contains("--identity and --issuer are of a certificate", answer.Error);
    }

    private Task<Answer> VerifyAsync(params string[] more) =>
        _cli.RunAsync([
            "verify",
            _cli.At("model"),
            "--bundle",
            _cli.At("bundle.json"),
            "--trusted-root",
            _cli.At("root.json"),
            .. more,
        ]);
}
