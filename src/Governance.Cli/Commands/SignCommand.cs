using System.CommandLine;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Cli.Commands;

/// <summary><c>govern sign</c>: OpenSSF Model Signing with a key of one's own.</summary>
internal static class SignCommand
{
    private static readonly Argument<string> Folder = new("dir") { Description = "Model folder, or one file." };

    private static readonly Option<string> Key = Shared.RequiredFile(
        "--key",
        "ECDSA P-256 private key in PEM, unencrypted."
    );

    private static readonly Option<string> Out = Shared.RequiredFile(
        "--out",
        "Bundle to write (Sigstore v0.3). Inside the folder it is not part of its own scope."
    );

    private static readonly Option<string?> PublicKey = Shared.File(
        "--public-key",
        "Also write the public key in PEM, for those who verify. Not inside the folder."
    );

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "sign",
            "Signs every file of a model folder (OpenSSF Model Signing v1.0).",
            "openssl ecparam -name prime256v1 -genkey -noout -out signer.pem",
            "govern sign model/ --key signer.pem --out model.sigstore.json --public-key signer.pub.pem"
        )
        {
            Folder,
            Key,
            Out,
            PublicKey,
        }.Runs(surroundings, RunAsync);

    private static async Task<int> RunAsync(Invocation run)
    {
        var (path, output) = (run.Get(Folder), run.Need(Out));
        if (run.Get(PublicKey) is { } beside && ModelFolder.RelativeInside(path, beside) is not null)
        {
            throw Stop.Usage("The public key would become an unsigned file of the folder; write it elsewhere.");
        }

        using var signer = ModelSigner.FromPem(new Secret(InputFile.ReadText(run.Need(Key)))).OrStop();
        var model = await ModelFolder.OpenAsync(path, output, Exit.Unusable, run.Cancelled);
        if (model.Manifest.Files.Count == 0)
        {
            throw Stop.Unusable("empty", "The folder holds no file to sign.");
        }

        OutputFile.Write(output, signer.SignModel(ModelFolder.NameOf(path), model.Manifest));
        if (run.Get(PublicKey) is { } publicKey)
        {
            OutputFile.Write(publicKey, System.Text.Encoding.ASCII.GetBytes(signer.PublicKeyPem));
        }

        run.Say(
            $"Signed {model.Manifest.Files.Count} files, manifest sha256:{model.Manifest.Digest}, key {signer.KeyHint[..16]}…."
        );
        run.Say($"Wrote {output}.");
        return Exit.Fine;
    }
}
