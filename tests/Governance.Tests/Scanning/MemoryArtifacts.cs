using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Scanning;
using Governance.Scanning.Contracts;

namespace Governance.Tests.Scanning;

/// <summary>Files in memory as a source of artifacts.</summary>
internal sealed class MemoryArtifacts(params (string Path, byte[] Content)[] files) : IArtifactSource
{
    public Manifest Manifest { get; } =
        Manifest
            .Create(files.Select(file => new ManifestFile(file.Path, file.Content.Length, Digest.Of(file.Content))))
            .Value;

    public Task<Stream> OpenAsync(ManifestFile file, CancellationToken cancellationToken) =>
        Task.FromResult<Stream>(new MemoryStream(files.Single(f => f.Path == file.Path).Content, writable: false));

    public static MemoryArtifacts OfFolder(string folder) =>
        new([
            .. Directory
                .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
                .Select(path => (Path.GetRelativePath(folder, path).Replace('\\', '/'), File.ReadAllBytes(path))),
        ]);

    public static Task<ScanReport> ScanAsync(string path, byte[] content, ScanningOptions? options = null) =>
        ScanningModule
            .CreateScanner(options)
            .ScanAsync(new MemoryArtifacts((path, content)), TestContext.Current.CancellationToken);

    public static Task<ScanReport> ScanTextAsync(string path, string content) =>
        ScanAsync(path, System.Text.Encoding.UTF8.GetBytes(content));
}
