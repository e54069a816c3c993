using Governance.Scanning.Contracts;

namespace Governance.Cli.Tests;

public sealed class VerifyModelTests : IDisposable
{
    private readonly CliRun _cli = new();

    public VerifyModelTests()
    {
        _cli.Write("model/MLmodel", "flavors: {}");
        _cli.Write("model/data/weights.bin", [1, 2, 3]);
    }

    [Fact]
    public async Task What_was_signed_verifies()
    {
        await SignAsync(_cli.At("bundle.json"));

        var answer = await VerifyAsync(_cli.At("bundle.json"));

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Contains("unchanged: 2 of 2", answer.Out);
        Assert.EndsWith($"Verified.{Environment.NewLine}", answer.Out);
    }

    [Fact]
    public async Task A_bundle_inside_the_folder_is_not_part_of_its_own_scope()
    {
        var bundle = _cli.At("model/model.sigstore.json");
        await SignAsync(bundle);
        await SignAsync(bundle);

        var answer = await VerifyAsync(bundle);

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
    }

    [Fact]
    public async Task Another_file_called_like_the_bundle_is_not_left_out()
    {
        await SignAsync(_cli.At("bundle.json"));
        _cli.Write("model/data/bundle.json", "{}");

        var answer = await VerifyAsync(_cli.At("bundle.json"));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("signing.file_extra: The file data/bundle.json", answer.Error);
    }

    [Fact]
    public async Task A_changed_file_is_named()
    {
        await SignAsync(_cli.At("bundle.json"));
        _cli.Write("model/data/weights.bin", [1, 2, 4]);

        var answer = await VerifyAsync(_cli.At("bundle.json"));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("signing.file_changed: The file data/weights.bin", answer.Error);
        Assert.DoesNotContain("Verified.", answer.Out);
    }

    [Fact]
    public async Task A_missing_file_is_named()
    {
        await SignAsync(_cli.At("bundle.json"));
        File.Delete(_cli.At("model/MLmodel"));

        var answer = await VerifyAsync(_cli.At("bundle.json"));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("signing.file_missing: The signed file MLmodel", answer.Error);
    }

    [Fact]
    public async Task Another_key_does_not_verify()
    {
        await SignAsync(_cli.At("bundle.json"));
        await _cli.RunAsync(
            "sign",
            _cli.Write("other/file", "x"),
            "--key",
            _cli.Key("other.pem"),
            "--out",
            _cli.At("other.json"),
            "--public-key",
            _cli.At("signer.pub.pem")
        );

        var answer = await VerifyAsync(_cli.At("bundle.json"));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("signing.unknown_key:", answer.Error);
    }

    [Fact]
    public async Task A_link_in_the_folder_does_not_verify()
    {
        await SignAsync(_cli.At("bundle.json"));
        File.CreateSymbolicLink(_cli.At("model/link"), _cli.At("signer.pem"));

        var answer = await VerifyAsync(_cli.At("bundle.json"));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("folder.link:", answer.Error);
    }

    [Fact]
    public async Task Machines_get_the_verdict_as_json()
    {
        await SignAsync(_cli.At("bundle.json"));
        _cli.Write("model/extra", "x");

        var answer = await VerifyAsync(_cli.At("bundle.json"), "--format", "json");

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("{\"verified\":false,\"code\":\"signing.file_extra\"", answer.Out);
    }

    [Fact]
    public async Task A_single_file_can_be_signed_and_verified()
    {
        var file = _cli.Write("one.pkl", DemoThreat.MaliciousPickle());
        await _cli.RunAsync(
            "sign",
            file,
            "--key",
            _cli.Key("signer.pem"),
            "--out",
            _cli.At("one.json"),
            "--public-key",
            _cli.At("signer.pub.pem")
        );

        var answer = await _cli.RunAsync(
            "verify",
            file,
            "--bundle",
            _cli.At("one.json"),
            "--key",
            _cli.At("signer.pub.pem")
        );

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
    }

    [Fact]
    public async Task A_public_key_is_not_written_into_the_signed_folder()
    {
        var answer = await _cli.RunAsync(
            "sign",
            _cli.At("model"),
            "--key",
            _cli.Key("signer.pem"),
            "--out",
            _cli.At("bundle.json"),
            "--public-key",
            _cli.At("model/pub.pem")
        );

        Assert.Equal(2, answer.Exit);
        Assert.False(File.Exists(_cli.At("bundle.json")));
    }

    [Fact]
    public async Task A_model_is_not_verified_without_somebody_to_trust()
    {
        await SignAsync(_cli.At("bundle.json"));

        var answer = await _cli.RunAsync("verify", _cli.At("model"), "--bundle", _cli.At("bundle.json"));

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("cli.usage:", answer.Error);
    }

    public void Dispose() => _cli.Dispose();

    private async Task SignAsync(string bundle)
    {
        var key = File.Exists(_cli.At("signer.pem")) ? _cli.At("signer.pem") : _cli.Key("signer.pem");
        var answer = await _cli.RunAsync(
            "sign",
            _cli.At("model"),
            "--key",
            key,
            "--out",
            bundle,
            "--public-key",
            _cli.At("signer.pub.pem")
        );
        Assert.Equal((0, ""), (answer.Exit, answer.Error));
    }

    private Task<Answer> VerifyAsync(string bundle, params string[] more) =>
        _cli.RunAsync(["verify", _cli.At("model"), "--bundle", bundle, "--key", _cli.At("signer.pub.pem"), .. more]);
}
