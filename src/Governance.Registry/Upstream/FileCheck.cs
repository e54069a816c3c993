using System.Globalization;
using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Upstream;

/// <summary>
/// Compares the frozen files of protected versions with upstream's: names and sizes by lists, bytes by reading them. Readers get
/// our copy whatever upstream has; what this finds is that somebody changed what others read there.
/// </summary>
internal sealed class FileCheck(IDbContextFactory<GovernanceDb> databases, IWriter writer, UpstreamClient client)
{
    private sealed record Held(string Model, int Number, string Container, string Prefix, string ManifestDigest);

    /// <summary>Looks at every protected version; null when upstream said everything.</summary>
    public async Task<Failure?> SweepAsync(bool bytes, CancellationToken cancellationToken)
    {
        foreach (var held in await HeldAsync(cancellationToken))
        {
            if (await CheckAsync(held, bytes, cancellationToken) is { } failure)
            {
                return failure;
            }
        }

        return null;
    }

    private async Task<List<Held>> HeldAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await VersionStore
            .Active(db)
            .Where(join =>
                join.Version.Container != ""
                && (
                    join.Version.Stage == "Production"
                    || join.Version.Stage == "Staging"
                    || db.Set<AliasRow>()
                        .Any(alias => alias.ModelId == join.Version.ModelId && alias.Number == join.Version.Number)
                )
            )
            .OrderBy(join => join.Model.Name)
            .ThenBy(join => join.Version.Number)
            .Select(join => new Held(
                join.Model.Name,
                join.Version.Number,
                join.Version.Container,
                join.Version.Prefix,
                join.Version.ManifestDigest
            ))
            .ToListAsync(cancellationToken);
    }

    private async Task<Failure?> CheckAsync(Held held, bool bytes, CancellationToken cancellationToken)
    {
        if (!ArtifactPath.TryParse(held.Container, out var root) || !ArtifactPath.TryParse(held.Prefix, out var prefix))
        {
            return null;
        }

        var place = new RemotePlace.Proxy(root.Combine(prefix));
        var listed = await client.Reader.FilesAsync(place, cancellationToken);
        if (!listed.Ok)
        {
            return listed.Failure;
        }

        Manifest manifest;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            // An upload that is still on its way says nothing.
            var lane = Lanes.OfArtifacts(held.Container);
            if (await db.Set<UpstreamWorkRow>().AnyAsync(row => row.Lane == lane, cancellationToken))
            {
                return null;
            }

            manifest = await RegistryReader.ManifestAsync(db, held.ManifestDigest, cancellationToken);
        }

        var found = FileDifferences.Of(
            held.Number,
            manifest.Files,
            listed.Value.ToDictionary(file => file.Path.Value, file => file.Size)
        );
        if (bytes)
        {
            found = [.. found, .. await BytesAsync(held, place, manifest, found, cancellationToken)];
        }

        if (found.Count > 0)
        {
            await writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    foreach (var difference in found)
                    {
                        await Drift.OpenAsync(session, held.Model, difference, token);
                    }

                    return default(Unit);
                },
                cancellationToken
            );
        }

        return null;
    }

    private async Task<List<Difference>> BytesAsync(
        Held held,
        RemotePlace place,
        Manifest manifest,
        IReadOnlyList<Difference> known,
        CancellationToken cancellationToken
    )
    {
        var found = new List<Difference>();
        foreach (var file in manifest.Files.Where(file => !known.Any(other => other.Key == file.Path)))
        {
            if (!ArtifactPath.TryParse(file.Path, out var path))
            {
                continue;
            }

            var digest = await client.Reader.ReadAsync<string>(
                place,
                path,
                async (stream, token) => Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, token)),
                cancellationToken
            );
            if (digest.Ok && digest.Value != file.Digest.Hex)
            {
                found.Add(
                    new Difference(DifferenceKind.FileBytes, held.Number, file.Path, file.Digest.Hex, digest.Value)
                );
            }
        }

        return found;
    }
}
