using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Web;

namespace Governance.Cli.Server;

/// <summary>Waits on a loopback port for the browser to come back (RFC 8252 §7.3): one line of HTTP is read, one page written.</summary>
internal sealed class LoopbackCallback : IDisposable
{
    private const int MaxLine = 8 * 1024;
    private const int MaxVisitors = 100;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public LoopbackCallback() => _listener.Start();

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/callback";

    /// <summary>The parameters of the first request for the callback; other requests are answered 404.</summary>
    public async Task<IReadOnlyDictionary<string, string>> WaitAsync(CancellationToken cancellationToken)
    {
        for (var visitor = 0; visitor < MaxVisitors; visitor++)
        {
            using var client = await _listener.AcceptTcpClientAsync(cancellationToken);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(TimeSpan.FromSeconds(10));
            try
            {
                await using var stream = client.GetStream();
                var line = await ReadLineAsync(stream, patience.Token);
                var parameters = Parse(line);
                await AnswerAsync(stream, parameters is not null, patience.Token);
                if (parameters is not null)
                {
                    return parameters;
                }
            }
            catch (Exception broken)
                when (broken is IOException or SocketException
                    || (broken is OperationCanceledException && !cancellationToken.IsCancellationRequested)
                )
            {
                // Somebody else knocked, or hung up: the browser may still come.
            }
        }

        throw Stop.Unusable("no_callback", "The browser did not come back to this command.");
    }

    public void Dispose() => _listener.Dispose();

    private static Dictionary<string, string>? Parse(string line)
    {
        var parts = line.Split(' ');
        if (
            parts is not ["GET", var target, "HTTP/1.1" or "HTTP/1.0"]
            || !target.StartsWith("/callback?", StringComparison.Ordinal)
        )
        {
            return null;
        }

        var query = HttpUtility.ParseQueryString(target["/callback?".Length..]);
        return query.AllKeys.OfType<string>().ToDictionary(key => key, key => query[key] ?? "", StringComparer.Ordinal);
    }

    private static async Task<string> ReadLineAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxLine];
        var length = 0;
        while (length < buffer.Length)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken);
            length += read;
            var end = buffer.AsSpan(0, length).IndexOf("\r\n"u8);
            if (end >= 0 || read == 0)
            {
                return Encoding.ASCII.GetString(buffer, 0, Math.Max(end, 0));
            }
        }

        return "";
    }

    private static async Task AnswerAsync(NetworkStream stream, bool found, CancellationToken cancellationToken)
    {
        var text = found ? "You can close this page and go back to the command line." : "There is nothing here.";
        var body = $"<!doctype html><html lang=\"en\"><title>govern</title><main><h1>{text}</h1></main></html>";
        var status = found ? "200 OK" : "404 Not Found";
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {body.Length}\r\n"
                    + $"Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n{body}"
            ),
            cancellationToken
        );
    }
}
