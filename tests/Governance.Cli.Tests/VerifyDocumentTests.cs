using System.Text;
using Governance.Kernel;

namespace Governance.Cli.Tests;

public sealed class VerifyDocumentTests : IDisposable
{
    private readonly CliRun _cli = new();
    private readonly Trust _trust = new();

    public VerifyDocumentTests() => _cli.Write("root.json", _trust.Root);

    [Fact]
    public async Task A_receipt_verifies_with_the_trusted_root_only()
    {
        var answer = await VerifyAsync(_cli.Write("receipt.json", _trust.Receipt()));

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Contains("promotion.carried_out of version:fraud/1 by p-1", answer.Out);
    }

    [Fact]
    public async Task A_changed_receipt_does_not_verify()
    {
        var receipt = Encoding.UTF8.GetString(_trust.Receipt()).Replace("fraud/1", "fraud/2", StringComparison.Ordinal);

        var answer = await VerifyAsync(_cli.Write("receipt.json", receipt));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("audit.entry_mismatch:", answer.Error);
    }

    [Fact]
    public async Task A_receipt_of_another_gateway_does_not_verify()
    {
        using var other = new Trust();

        var answer = await VerifyAsync(_cli.Write("receipt.json", other.Receipt()));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("signing.unknown_log:", answer.Error);
    }

    [Fact]
    public async Task A_report_verifies()
    {
        var answer = await VerifyAsync(_cli.Write("report.json", _trust.Report()));

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Contains("(gdpr) about models:/fraud/1", answer.Out);
    }

    [Fact]
    public async Task A_changed_report_does_not_verify()
    {
        var report = Encoding.UTF8.GetString(_trust.Report()).Replace("Evidence", "Incident", StringComparison.Ordinal);

        var answer = await VerifyAsync(_cli.Write("report.json", report));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("compliance.report_changed:", answer.Error);
    }

    [Theory]
    [InlineData("%PDF-1.7 the report", 0)]
    [InlineData("%PDF-1.7 the resort", 1)]
    public async Task A_pdf_verifies_with_its_bundle_and_not_when_changed(string pdf, int exit)
    {
        var bundle = _cli.Write("bundle.json", _trust.ReportBundle("%PDF-1.7 the report"));

        var answer = await VerifyAsync(_cli.Write("report.pdf", pdf), "--bundle", bundle);

        Assert.Equal(exit, answer.Exit);
    }

    [Fact]
    public async Task A_model_bundle_of_the_gateway_verifies_with_the_trusted_root()
    {
        _cli.Write("model/file", "x");
        var manifest = Manifest.Create([new ManifestFile("file", 1, Digest.Of("x"))]).Value;
        var bundle = _cli.Write("model.json", _trust.Signer.SignModel("fraud", manifest));

        var answer = await VerifyAsync(_cli.At("model"), "--bundle", bundle);

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Contains("signed under the name fraud;", answer.Out);
    }

    [Fact]
    public async Task A_receipt_is_not_verified_by_a_key()
    {
        var answer = await _cli.RunAsync(
            "verify",
            _cli.Write("receipt.json", _trust.Receipt()),
            "--key",
            _cli.Write("pub.pem", _trust.Signer.PublicKeyPem)
        );

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("cli.usage:", answer.Error);
    }

    public void Dispose()
    {
        _cli.Dispose();
        _trust.Dispose();
    }

    private Task<Answer> VerifyAsync(string path, params string[] more) =>
        _cli.RunAsync(["verify", path, "--trusted-root", _cli.At("root.json"), .. more]);
}
