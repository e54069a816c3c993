using System.Collections.Concurrent;
using System.Net;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Connections;

namespace Governance.Gateway.Hosting;

/// <summary>Bounds how many connections one address holds open, before any of them costs a handshake.</summary>
internal sealed class ConnectionCount(LimitOptions limits, Proxies proxies)
{
    private readonly ConcurrentDictionary<string, int> _open = new(StringComparer.Ordinal);

    /// <summary>A connection's middleware: one over the limit is closed without a word.</summary>
    public async Task CountAsync(ConnectionContext connection, Func<Task> next)
    {
        var address = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        if (proxies.Contains(address))
        {
            await next();
            return;
        }

        var bucket = ClientAddress.BucketOf(address);
        try
        {
            if (_open.AddOrUpdate(bucket, 1, static (_, count) => count + 1) <= limits.ConnectionsPerAddress)
            {
                await next();
            }
            else
            {
                connection.Abort();
            }
        }
        finally
        {
            if (_open.AddOrUpdate(bucket, 0, static (_, count) => count - 1) == 0)
            {
                _open.TryRemove(KeyValuePair.Create(bucket, 0));
            }
        }
    }
}
