using System.Buffers;
using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Governance.Registry.Artifacts;

/// <summary>
/// Sends a stored file, or one range of it, to a caller whose rights were checked. Its entity tag is its sha256, so what a client
/// holds is either the same bytes or not (RFC 9110 §8.8.3, §13, §14).
/// </summary>
internal static class ArtifactSender
{
    private const int BlockSize = 1 << 16;

    /// <summary>Every chunk is verified before a byte of it is sent; the read of what a version serves is logged first.</summary>
    public static async Task<Result<JsonObject?>> SendAsync(
        HttpContext context,
        Call call,
        ArtifactRow file,
        Holder? served
    )
    {
        var (request, response) = (context.Request, context.Response);
        var tag = $"\"{file.Digest}\"";
        response.Headers.ETag = tag;
        response.Headers.AcceptRanges = "bytes";
        if (Names(request.Headers.IfNoneMatch.ToString(), tag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return (JsonObject?)null;
        }

        var (range, satisfiable) = RangeOf(request, tag, file.Size);
        if (!satisfiable)
        {
            response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{file.Size}");
            return (JsonObject?)null;
        }

        var digest = Digest.Parse(file.Digest);
        var opened = await call.Ports.Blobs.OpenAsync(digest, range?.First ?? 0, call.Token);
        if (!opened.Ok)
        {
            return await FailAsync(context, call, digest, opened.Failure);
        }

        await using var content = opened.Value;
        var bodyless = HttpMethods.IsHead(request.Method);
        if (served is not null && !bodyless)
        {
            await context.BeginSensitiveReadAsync(call.Ports.Writer, ReadEntry(call, served, file, range));
        }

        Describe(response, file, range);
        if (!bodyless)
        {
            await CopyAsync(context, call, content, range?.Length ?? file.Size);
        }

        return (JsonObject?)null;
    }

    private static (ByteRange? Range, bool Satisfiable) RangeOf(HttpRequest request, string tag, long size)
    {
        // A range is asked of GET only; one on the condition of another entity is not asked at all. A date is no such condition.
        var condition = request.Headers.IfRange.ToString();
        return HttpMethods.IsGet(request.Method) && (condition.Length == 0 || condition == tag)
            ? ByteRange.Parse(request.Headers.Range.ToString(), size)
            : (null, true);
    }

    // Compared weakly (RFC 9110 §13.1.2): a weak form of the tag names the same bytes.
    private static bool Names(string header, string tag) =>
        header
            .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Any(known => known is "*" || known == tag || known == $"W/{tag}");

    private static async Task<Failure> FailAsync(HttpContext context, Call call, Digest digest, Failure failure)
    {
        context.Response.Headers.Remove(HeaderNames.ETag);
        context.Response.Headers.Remove(HeaderNames.AcceptRanges);
        if (failure.Kind == FailureKind.Unavailable)
        {
            return failure;
        }

        // A blob that is gone is as wrong as one that changed.
        await Corruption.ReportAsync(call.Ports, call.Actor, digest);
        return Corruption.Mismatch;
    }

    private static void Describe(HttpResponse response, ArtifactRow file, ByteRange? range)
    {
        Describe(response, file.Path[(file.Path.LastIndexOf('/') + 1)..], range?.Length ?? file.Size);
        if (range is { } part)
        {
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = part.Of(file.Size);
        }
    }

    /// <summary>A download, whatever its bytes are: no browser shows or runs it.</summary>
    public static void Describe(HttpResponse response, string name, long? length)
    {
        response.ContentType = "application/octet-stream";
        response.ContentLength = length;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.ContentSecurityPolicy = $"{AnswerHeaders.ContentSecurityPolicy}; sandbox";
        var disposition = new ContentDispositionHeaderValue("attachment");
        disposition.SetHttpFileName(name);
        response.Headers.ContentDisposition = disposition.ToString();
    }

    private static async Task CopyAsync(HttpContext context, Call call, Stream content, long length)
    {
        var block = ArrayPool<byte>.Shared.Rent(BlockSize);
        try
        {
            while (length > 0)
            {
                var most = (int)Math.Min(length, BlockSize);
                var read = await content.ReadAsync(block.AsMemory(0, most), call.Token);
                if (read == 0)
                {
                    // Fewer bytes than announced: the connection must not look like a complete answer.
                    context.Abort();
                    return;
                }

                await context.Response.Body.WriteAsync(block.AsMemory(0, read), call.Token);
                length -= read;
            }
        }
        catch (BlobCorruptException corrupt)
        {
            context.Abort();
            await Corruption.ReportAsync(call.Ports, call.Actor, corrupt.Digest);
        }
        catch (BlobsUnavailableException)
        {
            context.Abort();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }

    private static LogEntry ReadEntry(Call call, Holder served, ArtifactRow file, ByteRange? range)
    {
        var details = new JsonObject { ["sha256"] = file.Digest, ["size"] = file.Size };
        if (range is { } part)
        {
            (details["first"], details["length"]) = (part.First, part.Length);
        }

        return new("registry.artifact_read", call.Actor, Platform.Graph.Urn.Version(served.Version), LogOutcome.Begun)
        {
            Details = details,
        };
    }
}
