using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Governance.Tests;

/// <summary>Ports of loopback for servers that have to know theirs before they start.</summary>
public static class FreePort
{
    // Below those that systems give to whoever connects: of these, some connection would take one before the server does, or while
    // it is down.
    private const int First = 15_000;
    private const int End = 32_000;

    /// <summary>One that nobody listened on a moment ago; drawn, so that processes that run side by side hardly get the same one.</summary>
    public static int Find()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(First, End);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // somebody's
            }
        }
    }
}
