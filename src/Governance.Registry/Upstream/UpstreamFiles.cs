using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Registry.Artifacts;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Governance.Registry.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.EntityFrameworkCore;
using Yarp.ReverseProxy.Forwarder;

namespace Governance.Registry.Upstream;

/// <summary>
/// Files that upstream has. What is registered is copied, hashed and served from here for ever; what nobody registered is
/// streamed through to whoever may read it.
/// </summary>
internal sealed class UpstreamFiles(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    IBlobStore blobs,
    IHttpForwarder forwarder,
    UpstreamClient client
)
{
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Copies what upstream has under the source and the gateway has not; null when everything is here with the size that
    /// upstream says. Who may not read the source learns nothing here: registering itself refuses.
    /// </summary>
    public async Task<Failure?> FetchAsync(Call call, ModelSource source)
    {
        if (await PlaceAsync(call, source) is not { } place)
        {
            return null;
        }

        var (container, prefix) = place;
        if (!ArtifactPath.TryParse(container, out var root))
        {
            return null;
        }

        var theirs = await client.Reader.FilesAsync(new RemotePlace.Proxy(root.Combine(prefix)), call.Token);
        if (!theirs.Ok)
        {
            return theirs.Failure == RemoteFailures.NotFound ? null : UpstreamFailures.OfReading(theirs.Failure);
        }

        var most = call.Ports.Options.Value.MaxFilesPerVersion;
        if (theirs.Value.Count > most)
        {
            return RegisterVersion.TooManyFiles(most);
        }

        Dictionary<string, long> ours;
        bool adopted;
        await using (var db = await databases.CreateDbContextAsync(call.Token))
        {
            adopted = await IsAdoptedAsync(db, container, call.Token);
            ours = await db.Set<ArtifactRow>()
                .Where(row => row.Container == container)
                .ToDictionaryAsync(row => row.Path, row => row.Size, call.Token);
        }

        foreach (var file in theirs.Value)
        {
            var path = prefix.Combine(file.Path);
            if (ours.TryGetValue(path.Value, out var size))
            {
                if (file.Size is { } there && there != size)
                {
                    return UpstreamFailures.ArtifactDiffers;
                }
            }
            // What lies beside files of a run of this gateway, and came not through it, is nobody's here.
            else if (adopted && await CopyAsync(call, container, root, path, file.Size) is { } failure)
            {
                return failure;
            }
        }

        return null;
    }

    /// <summary>Whether files of a storage root may lie upstream only.</summary>
    public static Task<bool> IsAdoptedAsync(GovernanceDb db, string container, CancellationToken cancellationToken) =>
        db.Set<UpstreamAdoptedRow>().AnyAsync(row => row.Container == container, cancellationToken);

    /// <summary>What is in a directory of an adopted storage root, by its path in the root; a directory ends with a slash.</summary>
    public async Task<Result<IReadOnlyList<(string Path, long Size)>>> ListAsync(
        ArtifactAddress address,
        CancellationToken cancellationToken
    )
    {
        if (!ArtifactPath.TryParse(address.Container, out var root))
        {
            return Array.Empty<(string, long)>();
        }

        var listed = await client.Reader.ChildrenAsync(
            new RemotePlace.Proxy(root.Combine(address.Path)),
            cancellationToken
        );
        // Half a list is taken for the whole by whoever downloads what it names.
        return listed.Ok
                ? listed
                    .Value.Select(child =>
                        (address.Path.Combine(child.Path).Value + (child.IsDirectory ? "/" : ""), child.Size ?? 0)
                    )
                    .ToList()
            : listed.Failure == RemoteFailures.NotFound ? Array.Empty<(string, long)>()
            : UpstreamFailures.OfReading(listed.Failure) == UpstreamFailures.Unreadable ? UpstreamFailures.Unreadable
            : UpstreamFailures.Away;
    }

    /// <summary>Streams a file of an adopted storage root to a caller who was found to be allowed.</summary>
    public async Task<Failure?> PassAsync(
        HttpContext context,
        ArtifactAddress address,
        CancellationToken cancellationToken
    )
    {
        var credential = await client.CredentialAsync(cancellationToken);
        if (!credential.Ok)
        {
            return UpstreamFailures.Away;
        }

        var transformer = new Pass(
            client.ArtifactUri(address.Container, address.Path.Value),
            credential.Value,
            address.Path.Name
        );
        var error = await forwarder.SendAsync(
            context,
            "https://upstream.invalid/",
            client.Invoker,
            new ForwarderRequestConfig { ActivityTimeout = Silence, AllowResponseBuffering = false },
            transformer,
            cancellationToken
        );
        if (context.Response.HasStarted || transformer.Sent)
        {
            return null;
        }

        context.Response.Clear();
        return error == ForwarderError.None && transformer.Absent ? ArtifactRoutes.NoArtifact : UpstreamFailures.Away;
    }

    private static async Task<(string Container, ArtifactPath Prefix)?> PlaceAsync(Call call, ModelSource source)
    {
        await using var db = await call.OpenAsync();
        switch (source)
        {
            case ModelSource.Stored { Address: { RunId: { } run } address }:
                return await RunAsync(call, db, run, address.Path);
            case ModelSource.OfRun of:
                return await RunAsync(call, db, of.RunId, of.Path);
            case ModelSource.Stored { Address: { LoggedModelId: { } model } address }:
                return await LoggedModelAsync(call, db, model, address.Path);
            case ModelSource.LoggedModel of:
                return await LoggedModelAsync(call, db, of.ModelId, ArtifactPath.Root);
            default:
                return null;
        }
    }

    private static async Task<(string, ArtifactPath)?> RunAsync(
        Call call,
        GovernanceDb db,
        string id,
        ArtifactPath path
    )
    {
        var found = await TrackingAccess.RunAsync(call, db, id, Permissions.ExperimentRead);
        return found.Ok ? (ArtifactAddress.OfRun(found.Value.Run.ExperimentId, id), path) : null;
    }

    private static async Task<(string, ArtifactPath)?> LoggedModelAsync(
        Call call,
        GovernanceDb db,
        string id,
        ArtifactPath path
    )
    {
        var found = await TrackingAccess.LoggedModelAsync(call, db, id, Permissions.ExperimentRead);
        return found.Ok ? (ArtifactAddress.OfLoggedModel(found.Value.Model.ExperimentId, id), path) : null;
    }

    private async Task<Failure?> CopyAsync(
        Call call,
        string container,
        ArtifactPath root,
        ArtifactPath path,
        long? size
    )
    {
        var most = call.Ports.Options.Value.MaxArtifactBytes;
        var stored = await client.Reader.ReadAsync(
            new RemotePlace.Proxy(root),
            path,
            (bytes, token) => blobs.PutAsync(bytes, most, token),
            call.Token
        );
        if (!stored.Ok)
        {
            return stored.Failure == RemoteFailures.NotFound ? UpstreamFailures.Unreadable
                : stored.Failure.Code.StartsWith("registry.remote", StringComparison.Ordinal)
                    ? UpstreamFailures.OfReading(stored.Failure)
                : stored.Failure;
        }

        if (size is { } listed && listed != stored.Value.Size)
        {
            return UpstreamFailures.ArtifactDiffers;
        }

        var kept = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (await session.Db.Set<ArtifactRow>().FindAsync([container, path.Value], token) is not null)
                {
                    return default(Unit);
                }

                if (await blobs.AttachAsync(session, stored.Value, token) is { Ok: false } lost)
                {
                    return lost.Failure;
                }

                session.Db.Add(
                    new ArtifactRow
                    {
                        Container = container,
                        Path = path.Value,
                        Size = stored.Value.Size,
                        Digest = stored.Value.Digest.Hex,
                    }
                );
                await session.LogAsync(
                    new LogEntry("upstream.artifact_copied", call.Actor, $"artifacts:{container}", LogOutcome.Done)
                    {
                        Details = new JsonObject { ["sha256"] = stored.Value.Digest.Hex, ["size"] = stored.Value.Size },
                    },
                    token
                );
                return default(Unit);
            },
            call.Token
        );
        return kept.Failure;
    }

    /// <summary>A request made here and an answer of which only the bytes and their length are taken.</summary>
    private sealed class Pass(Uri address, System.Net.Http.Headers.AuthenticationHeaderValue? credential, string name)
        : HttpTransformer
    {
        public bool Sent { get; private set; }

        public bool Absent { get; private set; }

        public override ValueTask TransformRequestAsync(
            HttpContext httpContext,
            HttpRequestMessage proxyRequest,
            string destinationPrefix,
            CancellationToken cancellationToken
        )
        {
            // Nothing of the client's request but its method, which the route limits to GET and HEAD.
            proxyRequest.RequestUri = address;
            proxyRequest.Content = null;
            proxyRequest.Headers.Clear();
            proxyRequest.Headers.Authorization = credential;
            return ValueTask.CompletedTask;
        }

        public override ValueTask<bool> TransformResponseAsync(
            HttpContext httpContext,
            HttpResponseMessage? proxyResponse,
            CancellationToken cancellationToken
        )
        {
            if (proxyResponse is not { StatusCode: System.Net.HttpStatusCode.OK })
            {
                Absent = proxyResponse is { StatusCode: System.Net.HttpStatusCode.NotFound };
                return new ValueTask<bool>(false);
            }

            Sent = true;
            // The server's own words for a status are its bytes too.
            httpContext.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = null;
            ArtifactSender.Describe(httpContext.Response, name, proxyResponse.Content.Headers.ContentLength);
            return new ValueTask<bool>(true);
        }

        public override ValueTask TransformResponseTrailersAsync(
            HttpContext httpContext,
            HttpResponseMessage proxyResponse,
            CancellationToken cancellationToken
        ) => ValueTask.CompletedTask;
    }
}
