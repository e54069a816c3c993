using System.Text;
using Governance.Kernel;
using Governance.Platform.Blobs;

namespace Governance.Sbom.GenerateBom;

/// <summary>The text files of a source, small ones only.</summary>
internal sealed class TextFiles(IArtifactSource source)
{
    private const int MaxBytes = 1 << 20;

    private static readonly UTF8Encoding StrictUtf8 = new(
        encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true
    );

    private readonly Dictionary<string, ManifestFile> _files = source.Manifest.Files.ToDictionary(
        file => file.Path,
        StringComparer.Ordinal
    );

    public Manifest Manifest => source.Manifest;

    public bool Has(string path) => _files.ContainsKey(path);

    /// <summary>Text without byte order mark. Codes: <c>sbom.file_too_large</c>, <c>sbom.not_utf8</c>.</summary>
    public async Task<Result<string>> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var file = _files[path];
        if (file.Size > MaxBytes)
        {
            return new Failure(FailureKind.TooLarge, "sbom.file_too_large", $"{path} is larger than {MaxBytes} bytes.");
        }

        var bytes = new byte[file.Size];
        await using (var stream = await source.OpenAsync(file, cancellationToken))
        {
            await stream.ReadExactlyAsync(bytes, cancellationToken);
        }

        try
        {
            var text = StrictUtf8.GetString(bytes);
            return text.StartsWith('\uFEFF') ? text[1..] : text;
        }
        catch (DecoderFallbackException)
        {
            return Failure.Invalid("sbom.not_utf8", $"{path} is not UTF-8 text.");
        }
    }
}
