using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Governance.Platform.Outbound;

/// <summary>Port to the name service.</summary>
public interface IHostAddresses
{
    /// <summary>The addresses of a host name.</summary>
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);
}

internal sealed class SystemHostAddresses : IHostAddresses
{
    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
        Dns.GetHostAddressesAsync(host, cancellationToken);
}

/// <summary>An address that may not be connected to, found only when it was looked up.</summary>
public sealed class ForbiddenAddressException : IOException
{
    /// <summary>Names no address: it may be inside.</summary>
    public ForbiddenAddressException()
        : base("The address may not be connected to.") { }
}

/// <summary>
/// Makes what sends requests: the only code that opens a connection to what somebody configured. A name is looked up for each connection,
/// every address it has is checked, and the connection goes to a checked one, so that a name that changes its mind gains
/// nothing. No proxy, no cookie, no redirect, no decompression.
/// </summary>
public static class OutboundConnections
{
    /// <summary>A handler that connects to allowed addresses only; authorities name a PEM file, or are empty for the system's.</summary>
    public static SocketsHttpHandler Handler(
        IHostAddresses hosts,
        Func<IPAddress, bool> allows,
        string authorities,
        SslStreamCertificateContext? identity = null
    )
    {
        ArgumentNullException.ThrowIfNull(authorities);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            PooledConnectionLifetime = TimeSpan.Zero,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            MaxResponseHeadersLength = 16,
            ConnectCallback = (context, token) => ConnectAsync(hosts, allows, context.DnsEndPoint, token),
        };
        handler.SslOptions.ClientCertificateContext = identity;
        handler.SslOptions.EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
        if (authorities.Length > 0)
        {
            handler.SslOptions.CertificateChainPolicy = Trusting(authorities);
        }

        return handler;
    }

    /// <summary>An exception and what caused it, outermost first.</summary>
    public static IEnumerable<Exception> Chain(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            yield return exception;
        }
    }

    private static async ValueTask<Stream> ConnectAsync(
        IHostAddresses hosts,
        Func<IPAddress, bool> allows,
        DnsEndPoint end,
        CancellationToken cancellationToken
    )
    {
        var addresses = IPAddress.TryParse(end.Host, out var literal)
            ? [literal]
            : await hosts.ResolveAsync(end.Host, cancellationToken);
        // One forbidden address among public ones is how a name is made to point inside every now and then.
        if (addresses.Length == 0 || !addresses.All(allows))
        {
            throw new ForbiddenAddressException();
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, end.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static X509ChainPolicy Trusting(string file)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.ImportFromPemFile(file);
        return policy;
    }
}
