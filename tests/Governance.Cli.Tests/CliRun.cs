using System.Security.Cryptography;
using System.Text;

namespace Governance.Cli.Tests;

/// <summary>What a run of <c>govern</c> said.</summary>
internal sealed record Answer(int Exit, string Out, string Error);

/// <summary>A folder of its own, in which <c>govern</c> is run in process.</summary>
internal sealed class CliRun : IDisposable
{
    public const string AccessToken = "test-access-token";
    private readonly string _folder = Directory.CreateTempSubdirectory("govern-").FullName;

    public string? Token { get; set; } = AccessToken;

    /// <summary>What the verbs see around them.</summary>
    internal Surroundings Surroundings =>
        new(
            () => new MemoryStream(Encoding.UTF8.GetBytes(Input)),
            name =>
                name switch
                {
                    "GOVERN_TOKEN" => Token,
                    "XDG_CONFIG_HOME" => At("config"),
                    _ => null,
                },
            TimeProvider.System
        );

    public string Input { get; set; } = "";

    public string At(string relative) => Path.Combine(_folder, relative);

    public string Write(string relative, string content) => Write(relative, Encoding.UTF8.GetBytes(content));

    public string Write(string relative, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(relative))!);
        File.WriteAllBytes(At(relative), content);
        return At(relative);
    }

    /// <summary>Writes a private key in PEM and gives back its path.</summary>
    public string Key(string relative)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return Write(relative, key.ExportPkcs8PrivateKeyPem());
    }

    public async Task<Answer> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var exit = await Govern.RunAsync(args, Surroundings, output, error, TestContext.Current.CancellationToken);
        var answer = new Answer(exit, output.ToString(), error.ToString());

        Assert.DoesNotContain("   at ", answer.Out + answer.Error);
        Assert.DoesNotContain("Exception", answer.Out + answer.Error);
        return answer;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
