using System.Security.Cryptography;
using Governance.Audit.Engine;
using Governance.Kernel;
using Governance.Platform.Blobs;
using NSec.Cryptography;

namespace Governance.Audit.Witnessing;

/// <summary>
/// The Ed25519 key of a witness in a PEM file for its owner alone (mode 0600), made on the first run. It signs nothing but
/// cosignatures: the format does not say who signed, so a key of two witnesses would lend one the other's word.
/// </summary>
internal sealed class WitnessKey : IDisposable
{
    private const int MaxLength = 4096;

    private WitnessKey(Key key, string name)
    {
        Private = key;
        Public = NoteKey.Create(name, key.PublicKey, NoteKey.Witness);
    }

    public Key Private { get; }

    public NoteKey Public { get; }

    public static Result<WitnessKey> LoadOrCreate(string path, string name)
    {
        if (!File.Exists(path))
        {
            using var made = Key.Create(
                SignatureAlgorithm.Ed25519,
                new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport }
            );
            var text = made.Export(KeyBlobFormat.PkixPrivateKeyText);
            // The record of sizes first: a key without one is a key whose record was lost.
            WitnessSizes.Create(path);
            DurableFile.WriteSecret(path, text);
            CryptographicOperations.ZeroMemory(text);
        }

        const UnixFileMode others =
            UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & others) != 0)
        {
            return Failure.Invalid(
                "audit.witness_key",
                "Others may read or write the key file; its mode must be 0600."
            );
        }

        using var file = File.OpenRead(path);
        var content = new byte[Math.Min(file.Length, MaxLength)];
        file.ReadExactly(content);
        var imported = Key.TryImport(
            SignatureAlgorithm.Ed25519,
            content,
            KeyBlobFormat.PkixPrivateKeyText,
            out var key
        );
        CryptographicOperations.ZeroMemory(content);
        return imported
            ? new WitnessKey(key!, name)
            : Failure.Invalid("audit.witness_key", "The key file holds no Ed25519 private key in PEM.");
    }

    public void Dispose() => Private.Dispose();
}
