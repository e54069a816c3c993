using System.Text;
using Governance.Kernel;
using Governance.Platform.Blobs;

namespace Governance.Tests.Sbom;

internal sealed class MemorySource : IArtifactSource
{
    private readonly Dictionary<string, byte[]> _files;

    public MemorySource(params (string Path, string Text)[] files)
        : this(files.ToDictionary(file => file.Path, file => Encoding.UTF8.GetBytes(file.Text))) { }

    public MemorySource(Dictionary<string, byte[]> files)
    {
        _files = files;
        Manifest = Manifest
            .Create(files.Select(file => new ManifestFile(file.Key, file.Value.Length, Digest.Of(file.Value))))
            .Value;
    }

    public Manifest Manifest { get; }

    public Task<Stream> OpenAsync(ManifestFile file, CancellationToken cancellationToken) =>
        Task.FromResult<Stream>(new MemoryStream(_files[file.Path], writable: false));
}
