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
    /// <summary>Most findings of one version in one look: whoever puts a hundred thousand files there is found by the first.</summary>
    private const int MaxFindings = 200;

    private sealed record Held(string Model, int Number, string Container, string Prefix, string ManifestDigest);

    /// <summary>Looks at every protected version; null when upstream said everything.</summary>
    public async Task<Failure?> SweepAsync(bool bytes, CancellationToken cancellationToken)
    {
        Failure? left = null;
        foreach (var held in await HeldAsync(cancellationToken))
        {
            if (await CheckAsync(held, bytes, cancellationToken) is { } failure)
            {
                left = failure;
                if (!await client.IsAliveAsync(cancellationToken))
                {
                    break;
                }
            }
        }

        return left;
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
        if (!listed.Ok && UpstreamFailures.OfReading(listed.Failure) != UpstreamFailures.Unreadable)
        {
            return listed.Failure;
        }

        Manifest manifest;
        bool hidden;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            // An upload that is still on its way says nothing.
            var lane = Lanes.OfArtifacts(held.Container);
            if (await db.Set<UpstreamWorkRow>().AnyAsync(row => row.Lane == lane, cancellationToken))
            {
                return null;
            }

            var unreadable = Drift.Name(DifferenceKind.Unreadable);
            hidden = await db.Set<UpstreamDriftRow>()
                .AnyAsync(
                    row => row.Model == held.Model && row.Version == held.Number && row.Kind == unreadable,
                    cancellationToken
                );
            manifest = await RegistryReader.ManifestAsync(db, held.ManifestDigest, cancellationToken);
        }

        IReadOnlyList<Difference> found = listed.Ok
            ? FileDifferences.Of(
                held.Number,
                manifest.Files,
                listed.Value.ToDictionary(file => file.Path.Value, file => file.Size)
            )
            : [new(DifferenceKind.Unreadable, held.Number, "", "", null)];
        if (bytes && listed.Ok)
        {
            var read = await BytesAsync(held, place, manifest, found, cancellationToken);
            if (!read.Ok)
            {
                return read.Failure;
            }

            found = [.. read.Value, .. found];
        }

        if (found.Count == 0 && !hidden)
        {
            return null;
        }

        await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                foreach (var difference in found.Take(MaxFindings))
                {
                    await Drift.OpenAsync(session, held.Model, difference, token);
                }

                if (listed.Ok)
                {
                    await Drift.CloseReadableAsync(session, held.Model, held.Number, token);
                }

                return default(Unit);
            },
            cancellationToken
        );
        return null;
    }

    private async Task<Result<List<Difference>>> BytesAsync(
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
            if (digest.Failure is { Kind: FailureKind.Unavailable } away)
            {
                return away;
            }

            // What is listed and not given is as little what was frozen.
            var there = digest.Ok ? digest.Value : null;
            if (there != file.Digest.Hex)
            {
                found.Add(new Difference(DifferenceKind.FileBytes, held.Number, file.Path, file.Digest.Hex, there));
            }
        }

        return found;
    }
}
