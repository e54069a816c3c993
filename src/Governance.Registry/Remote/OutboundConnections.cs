using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Governance.Registry.Engine;

namespace Governance.Registry.Remote;

/// <summary>Port to the name service.</summary>
internal interface IHostAddresses
{
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);
}

internal sealed class SystemHostAddresses : IHostAddresses
{
    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
        Dns.GetHostAddressesAsync(host, cancellationToken);
}

/// <summary>An address that the policy forbids, found only when it was looked up.</summary>
internal sealed class ForbiddenAddressException() : IOException(OutboundPolicy.Forbidden.Code);

/// <summary>
/// Makes what sends requests: the only code of the registry that opens a connection. A name is looked up for each connection,
/// every address it has is checked, and the connection goes to a checked one, so that a name that changes its mind gains
/// nothing. No proxy, no cookie, no redirect, no decompression.
/// </summary>
internal static class OutboundConnections
{
    /// <summary>A handler whose connections follow the policy; authorities name a PEM file, or are empty for the system's.</summary>
    public static SocketsHttpHandler Handler(
        IHostAddresses hosts,
        OutboundPolicy policy,
        string authorities,
        SslStreamCertificateContext? identity = null
    )
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            PooledConnectionLifetime = TimeSpan.Zero,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            MaxResponseHeadersLength = 16,
            ConnectCallback = (context, token) => ConnectAsync(hosts, policy, context.DnsEndPoint, token),
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
        OutboundPolicy policy,
        DnsEndPoint end,
        CancellationToken cancellationToken
    )
    {
        var addresses = IPAddress.TryParse(end.Host, out var literal)
            ? [literal]
            : await hosts.ResolveAsync(end.Host, cancellationToken);
        // One forbidden address among public ones is how a name is made to point inside every now and then.
        if (addresses.Length == 0 || !addresses.All(policy.Allows))
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
