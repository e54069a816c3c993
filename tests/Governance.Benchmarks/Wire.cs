using System.Diagnostics;
using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Governance.Benchmarks;

/// <summary>One connection over TLS with nothing between it and the clock: what a patient attacker on the same machine has.</summary>
internal sealed class Wire : IAsyncDisposable
{
    private readonly TcpClient _tcp = new() { NoDelay = true };
    private readonly byte[] _buffer = new byte[64 << 10];
    private SslStream? _tls;

    public static async Task<Wire> OpenAsync(Uri url, string authority)
    {
        var wire = new Wire();
        await wire._tcp.ConnectAsync("localhost", url.Port);
        wire._tls = new SslStream(wire._tcp.GetStream());
        await wire._tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { X509CertificateLoader.LoadCertificateFromFile(authority) },
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            }
        );
        return wire;
    }

    /// <summary>Sends a request; gives back the microseconds until the answer was there, and its status and body.</summary>
    public async Task<(double Microseconds, string Answer)> AskAsync(byte[] request)
    {
        var started = Stopwatch.GetTimestamp();
        await _tls!.WriteAsync(request);
        var length = await _tls.ReadAsync(_buffer);
        while (length > 0 && !IsWhole(_buffer.AsSpan(0, length)))
        {
            var more = await _tls.ReadAsync(_buffer.AsMemory(length));
            length = more == 0 ? throw new IOException("The gateway closed the connection.") : length + more;
        }

        var took = Stopwatch.GetElapsedTime(started).TotalMicroseconds;
        var text = Encoding.UTF8.GetString(_buffer, 0, length);
        return (took, $"{text.AsSpan(9, 3)} {text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_tls is not null)
        {
            await _tls.DisposeAsync();
        }

        _tcp.Dispose();
    }

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        var name = "Content-Length: "u8;
        var at = answer[..end].IndexOf(name);
        if (at < 0)
        {
            return answer.EndsWith("0\r\n\r\n"u8);
        }

        var value = answer[(at + name.Length)..];
        return answer.Length - end - 4
            >= int.Parse(value[..value.IndexOf((byte)'\r')], NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
