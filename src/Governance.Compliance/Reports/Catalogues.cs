using Governance.Compliance.Engine;
using Governance.Platform;
using Microsoft.Extensions.Hosting;

namespace Governance.Compliance.Reports;

/// <summary>The catalogues of the directory, read once at start. One bad file is a start-up error.</summary>
internal sealed class Catalogues
{
    private const int MaxFileBytes = 1 << 20;
    private readonly SortedDictionary<string, Catalogue> _byName = new(StringComparer.Ordinal);

    public Catalogues(PlatformOptions platform, ComplianceOptions options)
        : this(
            options.CataloguesDirectory.Length > 0
                ? options.CataloguesDirectory
                : Path.Combine(platform.PoliciesDirectory, "regulations")
        ) { }

    public Catalogues(string directory)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var path in Directory.EnumerateFiles(directory, "*.yaml").Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(path);
            using var file = File.OpenRead(path);
            if (file.Length > MaxFileBytes)
            {
                throw new CatalogueException(name, 1, 1, "The file is larger than 1 MiB.");
            }

            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            var catalogue = CatalogueReader.Read(name, bytes);
            var repeated = catalogue.Controls.FirstOrDefault(control => !ids.Add(control.Id));
            if (repeated is not null)
            {
                throw new CatalogueException(name, 1, 1, $"The control {repeated.Id} stands in another catalogue too.");
            }

            if (!_byName.TryAdd(catalogue.Regulation, catalogue))
            {
                throw new CatalogueException(name, 1, 1, $"Another file holds the regulation {catalogue.Regulation}.");
            }
        }

        if (_byName.Count == 0)
        {
            throw new CatalogueException(directory, 1, 1, "There is no catalogue here.");
        }
    }

    public IReadOnlyList<string> Names => [.. _byName.Keys];

    public Catalogue? Find(string regulation) => _byName.GetValueOrDefault(regulation);
}

/// <summary>Reads the catalogues when the host starts, so that a bad one stops it.</summary>
internal sealed class CatalogueStartupCheck(Catalogues catalogues) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) =>
        catalogues.Names.Count > 0 ? Task.CompletedTask : throw new InvalidOperationException("No catalogues.");

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
