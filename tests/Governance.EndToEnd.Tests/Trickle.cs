using System.Net;

namespace Governance.EndToEnd.Tests;

/// <summary>A body that is sent piece by piece, each flushed; somebody may wait, or make it wait, between two.</summary>
internal sealed class Trickle(byte[] bytes, int pieces, Func<int, Task> before) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream,
        TransportContext? context,
        CancellationToken cancellationToken
    )
    {
        var size = (bytes.Length + pieces - 1) / pieces;
        for (var piece = 0; piece < pieces; piece++)
        {
            await before(piece);
            var begin = Math.Min(piece * size, bytes.Length);
            var end = Math.Min(begin + size, bytes.Length);
            await stream.WriteAsync(bytes.AsMemory(begin, end - begin), cancellationToken);
            await stream.FlushAsync(cancellationToken);
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = bytes.Length;
        return true;
    }
}
