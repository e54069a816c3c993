using System.Buffers.Binary;
using System.Net.Security;
using System.Text;

namespace Governance.Gateway.Tests.Live;

/// <summary>HTTP/2 frames by hand (RFC 9113): what a library would not send.</summary>
internal sealed class Http2Wire(SslStream connection) : IAsyncDisposable
{
    public const byte Data = 0,
        Headers = 1,
        Priority = 2,
        ResetStream = 3,
        Settings = 4,
        PushPromise = 5,
        Ping = 6,
        GoAway = 7,
        WindowUpdate = 8,
        Continuation = 9;
    public const byte EndStream = 1,
        EndHeaders = 4;

    public static async Task<Http2Wire> OpenAsync(LiveGateway gateway, CancellationToken cancellationToken)
    {
        var wire = new Http2Wire(await gateway.ConnectAsync(SslApplicationProtocol.Http2, cancellationToken));
        await wire.SendAsync([.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(Settings, 0, 0, [])]);
        return wire;
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();

    public async Task SendAsync(byte[] bytes) => await connection.WriteAsync(bytes);

    /// <summary>What the server says until it closes, ends stream 1, or <paramref name="limit"/> passes.</summary>
    public async Task<IReadOnlyList<(byte Type, byte Flags, int Stream, byte[] Payload)>> ReadAsync(TimeSpan limit)
    {
        var frames = new List<(byte, byte, int, byte[])>();
        using var timeout = new CancellationTokenSource(limit);
        var head = new byte[9];
        try
        {
            while (true)
            {
                await connection.ReadExactlyAsync(head, timeout.Token);
                var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
                await connection.ReadExactlyAsync(payload, timeout.Token);
                var stream = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & int.MaxValue;
                frames.Add((head[3], head[4], stream, payload));
                if (head[3] == GoAway || (stream == 1 && head[3] is ResetStream) || (stream == 1 && (head[4] & 1) == 1))
                {
                    return frames;
                }
            }
        }
        catch (Exception ended) when (ended is IOException or OperationCanceledException)
        {
            return frames;
        }
    }

    public static byte[] Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[9 + payload.Length];
        (frame[0], frame[1], frame[2]) = (
            (byte)(payload.Length >> 16),
            (byte)(payload.Length >> 8),
            (byte)payload.Length
        );
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }

    /// <summary>Header lines as literals without indexing (RFC 7541 §6.2.2), names as given.</summary>
    public static byte[] Block(params (string Name, string Value)[] headers) =>
        [.. headers.SelectMany(header => (byte[])[0, .. Text(header.Name), .. Text(header.Value)])];

    private static byte[] Text(string text)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        if (bytes.Length < 127)
        {
            return [(byte)bytes.Length, .. bytes];
        }

        var length = new List<byte> { 127 };
        var rest = bytes.Length - 127;
        for (; rest >= 128; rest >>= 7)
        {
            length.Add((byte)(rest | 128));
        }

        length.Add((byte)rest);
        return [.. length, .. bytes];
    }
}
