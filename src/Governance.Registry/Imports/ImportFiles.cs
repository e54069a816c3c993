using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Registry.Artifacts;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Imports;

/// <summary>Files that were fetched and wait for the unit that makes them visible, and what all files of their object amount to.</summary>
internal sealed record FetchedFiles(IReadOnlyList<(string Path, StoredBlob Blob)> Waiting, long Files, long Bytes);

/// <summary>
/// Fetches the artifacts of a run or logged model: streamed, hashed, never a file in memory. Large ones are attached in parts as
/// they come, under an address that nothing shows yet, so that a killed import does not fetch them again.
/// </summary>
internal static class ImportFiles
{
    private const int PartFiles = 100;
    private const long PartBytes = 256L << 20;

    /// <summary>Where the source keeps files of an object: in its artifact proxy if it says so, else wherever it fetches them from.</summary>
    public static RemotePlace PlaceOf(string artifactUri, RemotePlace otherwise)
    {
        const string scheme = "mlflow-artifacts:";
        if (!artifactUri.StartsWith(scheme, StringComparison.Ordinal))
        {
            return otherwise;
        }

        var rest = artifactUri[scheme.Length..];
        rest = rest.StartsWith("///", StringComparison.Ordinal) ? rest[3..] : rest.TrimStart('/');
        return
            !artifactUri.StartsWith($"{scheme}//", StringComparison.Ordinal)
            || artifactUri.StartsWith($"{scheme}///", StringComparison.Ordinal)
            ? ArtifactPath.TryParse(rest.TrimEnd('/'), out var path) && !path.IsRoot
                ? new RemotePlace.Proxy(path)
                : otherwise
            : otherwise;
    }

    public static async Task<Result<FetchedFiles>> FetchAsync(
        ImportUnits units,
        RemotePlace place,
        string container,
        Func<Call, WriteSession, Task> stage,
        CancellationToken cancellationToken
    )
    {
        var listed = await units.Remote.FilesAsync(place, cancellationToken);
        if (!listed.Ok)
        {
            return listed.Failure;
        }

        var paths = listed.Value.Select(file => file.Path.Value).ToHashSet(StringComparer.Ordinal);
        if (paths.Any(path => Ancestors(path).Any(paths.Contains)))
        {
            return RemoteFailures.BadAnswer("a file and a directory have the same path.");
        }

        var here = await HereAsync(units, container, cancellationToken);
        var waiting = new List<(string Path, StoredBlob Blob)>();
        foreach (var file in listed.Value)
        {
            if (here.TryGetValue(file.Path.Value, out var size) && (file.Size ?? size) == size)
            {
                continue;
            }

            var stored = await StoreAsync(units, place, file.Path, cancellationToken);
            if (!stored.Ok || (file.Size ?? stored.Value.Size) != stored.Value.Size)
            {
                return stored.Failure ?? ImportFailures.Size;
            }

            waiting.Add((file.Path.Value, stored.Value));
            here[file.Path.Value] = stored.Value.Size;
            if (waiting.Count >= PartFiles || waiting.Sum(one => one.Blob.Size) >= PartBytes)
            {
                var part = waiting;
                var kept = await units.WriteAsync<Unit>(
                    async (call, session) =>
                    {
                        await stage(call, session);
                        return await AttachAsync(call, session, container, part) is { } lost ? lost : default(Unit);
                    },
                    cancellationToken
                );
                if (!kept.Ok)
                {
                    return kept.Failure;
                }

                waiting = [];
            }
        }

        return new FetchedFiles(waiting, paths.Count, paths.Sum(path => here[path]));
    }

    private static async Task<Result<StoredBlob>> StoreAsync(
        ImportUnits units,
        RemotePlace place,
        ArtifactPath path,
        CancellationToken cancellationToken
    )
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, units.FileDeadline);
        try
        {
            return await units.Remote.ReadAsync(
                place,
                path,
                (bytes, token) => units.Ports.Blobs.PutAsync(bytes, units.Ports.Options.Value.MaxArtifactBytes, token),
                limited.Token
            );
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ImportFailures.Slow;
        }
    }

    /// <summary>Makes files visible under an address. Frozen ones stay as they are.</summary>
    public static async Task<Failure?> AttachAsync(
        Call call,
        WriteSession session,
        string container,
        IReadOnlyList<(string Path, StoredBlob Blob)> files
    )
    {
        if (files.Count == 0)
        {
            return null;
        }

        var holders = await Holders.OfAsync(session.Db, container, call.Token);
        foreach (var (path, blob) in files)
        {
            var row = await session.Db.Set<ArtifactRow>().FindAsync([container, path], call.Token);
            if (row?.Digest == blob.Digest.Hex)
            {
                continue;
            }

            if (holders.Exists(holder => holder.Freezes(path)))
            {
                return ArtifactRoutes.Frozen;
            }

            if (await call.Ports.Blobs.AttachAsync(session, blob, call.Token) is { Ok: false } lost)
            {
                return lost.Failure;
            }

            if (row is null)
            {
                row = new ArtifactRow { Container = container, Path = path };
                session.Db.Add(row);
            }

            (row.Digest, row.Size) = (blob.Digest.Hex, blob.Size);
        }

        await session.Db.SaveChangesAsync(call.Token);
        return null;
    }

    private static async Task<Dictionary<string, long>> HereAsync(
        ImportUnits units,
        string container,
        CancellationToken cancellationToken
    )
    {
        await using var db = await units.Ports.Databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<ArtifactRow>()
            .Where(row => row.Container == container)
            .ToDictionaryAsync(row => row.Path, row => row.Size, StringComparer.Ordinal, cancellationToken);
    }

    private static IEnumerable<string> Ancestors(string path)
    {
        for (var slash = path.LastIndexOf('/'); slash > 0; slash = path.LastIndexOf('/', slash - 1))
        {
            yield return path[..slash];
        }
    }
}
