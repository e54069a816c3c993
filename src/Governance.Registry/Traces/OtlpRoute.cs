using System.IO.Compression;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Web;
using Governance.Registry.Artifacts;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Registry.Traces;

/// <summary>
/// OpenTelemetry's <c>POST /v1/traces</c> as 3.x clients use it. The spans of a trace are kept as they came, as a file among the
/// artifacts of that trace, and read, authorised and deleted like those.
/// </summary>
internal static class OtlpRoute
{
    private const string Type = "application/x-protobuf";
    private const int MaxTraces = 100;

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes
            .MapPost("/v1/traces", context => ArtifactRoutes.ServeAsync(context, "export spans", ExportAsync))
            .RequirePermission(Permissions.ExperimentWrite);
        routes
            .Map("/v1/{**rest}", context => MlflowErrors.WriteAsync(context, MlflowErrors.NoEndpoint))
            .RequirePermission(Permissions.Public);
    }

    private static async Task<Result<JsonObject?>> ExportAsync(HttpContext context, Call call)
    {
        var request = context.Request;
        var experiment = request.Headers["x-mlflow-experiment-id"].ToString();
        if (experiment.Length is 0 or > 64)
        {
            return RegistryNames.MissingParameter("x-mlflow-experiment-id");
        }

        if (request.ContentType?.Split(';')[0].Trim().Equals(Type, StringComparison.OrdinalIgnoreCase) != true)
        {
            return Failure.Invalid("registry.bad_content_type", $"Bad Request. Content-Type must be {Type}.");
        }

        // Authorised before the body is read; checked again where the trace is written.
        await using (var db = await call.OpenAsync())
        {
            var allowed = await TrackingAccess.MakeInAsync(call, db, experiment);
            if (!allowed.Ok)
            {
                return allowed.Failure;
            }
        }

        var body = await BodyAsync(request, call.Ports.Options.Value.MaxJsonBytes, call.Token);
        var spans = body.Ok ? OtlpSpans.Read(body.Value) : body.Failure;
        if (!spans.Ok)
        {
            return spans.Failure;
        }

        var traces = spans.Value.GroupBy(span => span.TraceId, StringComparer.Ordinal).ToList();
        if (traces.Count > MaxTraces)
        {
            return OtlpSpans.Malformed;
        }

        foreach (var trace in traces)
        {
            var content = OtlpSpans.Write(trace);
            using var stream = new MemoryStream(content);
            var stored = await call.Ports.Blobs.PutAsync(stream, content.Length, call.Token);
            if (!stored.Ok)
            {
                return stored.Failure;
            }

            var kept = await call.WriteAsync(session => KeepAsync(call, session, experiment, [.. trace], stored.Value));
            if (!kept.Ok)
            {
                return kept.Failure;
            }
        }

        // An empty ExportTraceServiceResponse: all was taken.
        context.Response.ContentType = Type;
        context.Response.ContentLength = 0;
        return (JsonObject?)null;
    }

    private static async Task<Result<JsonObject>> KeepAsync(
        Call call,
        WriteSession session,
        string experimentId,
        IReadOnlyList<OtlpSpan> spans,
        StoredBlob blob
    )
    {
        var experiment = await TrackingAccess.MakeInAsync(call, session.Db, experimentId);
        if (!experiment.Ok)
        {
            return experiment.Failure;
        }

        var id = $"tr-{spans[0].TraceId}";
        var row = await session.Db.Set<TraceRow>().FindAsync([id], call.Token);
        if (row is not null && (row.ExperimentId != experiment.Value.Id || row.OwnerId != call.Actor.Id))
        {
            return TraceRoutes.Taken;
        }

        if (row is null)
        {
            await TraceStore.ExpireAsync(call, session, experiment.Value.Id);
            await BeginAsync(call, session, experiment.Value.Id, id, spans);
        }

        var container = ArtifactAddress.OfTrace(experiment.Value.Id, id);
        var path = $"otlp/{blob.Digest.Hex[..32]}.binpb";
        if (await session.Db.Set<ArtifactRow>().FindAsync([container, path], call.Token) is null)
        {
            await call.Ports.Blobs.AttachAsync(session, blob, call.Token);
            session.Db.Add(
                new ArtifactRow
                {
                    Container = container,
                    Path = path,
                    Digest = blob.Digest.Hex,
                    Size = blob.Size,
                }
            );
        }

        await session.Db.SaveChangesAsync(call.Token);
        await call.LogAsync(
            session,
            "registry.spans_exported",
            TraceRoutes.Subject(id),
            new()
            {
                ["experiment"] = experimentId,
                ["spans"] = spans.Count,
                ["sha256"] = blob.Digest.Hex,
            }
        );
        return new JsonObject();
    }

    // What the root span says, until the client sends the trace itself.
    private static async Task BeginAsync(
        Call call,
        WriteSession session,
        long experimentId,
        string id,
        IReadOnlyList<OtlpSpan> spans
    )
    {
        var root = spans.FirstOrDefault(span => span.ParentId.Length == 0);
        var now = session.Now.ToUnixTimeMilliseconds();
        var start = Milliseconds((root ?? spans[0]).StartNanos);
        var row = new TraceRow
        {
            TraceId = id,
            ExperimentId = experimentId,
            OwnerId = call.Actor.Id,
            TimestampMs = start,
            DurationMs = root is null ? null : Math.Max(0, Milliseconds(root.EndNanos) - start),
            State =
                root is null ? "IN_PROGRESS"
                : root.Failed ? "ERROR"
                : "OK",
            CreatedMs = now,
        };
        session.Db.Add(row);
        if (root is { Name: { Length: > 0 and <= 1000 } name } && RegistryNames.IsPlainText(name))
        {
            await Labels.SetAsync(session.Db, LabelScope.TraceTag, id, [(TraceDetail.NameTag, name)], call.Token);
        }
    }

    private static long Milliseconds(ulong nanos) => (long)Math.Min(nanos / 1_000_000, 253_402_300_799_999);

    /// <summary>The body as it is or out of gzip, and never more of it than allowed.</summary>
    private static async Task<Result<ReadOnlyMemory<byte>>> BodyAsync(
        HttpRequest request,
        int most,
        CancellationToken cancellationToken
    )
    {
        var encoding = request.Headers.ContentEncoding.ToString().ToLowerInvariant();
        if (encoding is not ("" or "identity" or "gzip"))
        {
            return Failure.Invalid("registry.bad_content_encoding", "A body comes as it is or in gzip.");
        }

        await using var unzipped =
            encoding == "gzip" ? new GZipStream(request.Body, CompressionMode.Decompress, leaveOpen: true) : null;
        var source = unzipped ?? request.Body;
        using var buffer = new MemoryStream();
        var chunk = new byte[16 << 10];
        try
        {
            int read;
            while ((read = await source.ReadAsync(chunk, cancellationToken)) > 0)
            {
                if (buffer.Length + read > most)
                {
                    return JsonBodies.TooLarge(most);
                }

                buffer.Write(chunk, 0, read);
            }
        }
        catch (InvalidDataException)
        {
            return OtlpSpans.Malformed;
        }

        return (ReadOnlyMemory<byte>)buffer.ToArray();
    }
}
