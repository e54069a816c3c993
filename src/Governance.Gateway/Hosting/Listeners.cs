using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Governance.Gateway.Hosting;

/// <summary>Looks at what is really listened on, however it came to be configured.</summary>
internal static class Listeners
{
    /// <summary>Says in one sentence that a port is taken; the server would say it in three stack traces.</summary>
    public static void RequireFree(string urls)
    {
        var address = BindingAddress.Parse(urls);
        var ip =
            address.Host == "localhost" ? IPAddress.Loopback
            : IPAddress.TryParse(address.Host, out var parsed) ? parsed
            : IPAddress.Any;
        try
        {
            using var probe = new TcpListener(ip, address.Port);
            probe.Start();
        }
        catch (SocketException problem) when (problem.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new InvalidOperationException(
                $"Port {address.Port} is in use by another program. End it, or choose another: Governance__Urls=https://localhost:9443",
                problem
            );
        }
        catch (SocketException)
        {
            // The server says better what is wrong with the address when it opens it.
        }
    }

    /// <summary>Ends the process when a listener is not HTTPS, or not on loopback in demo mode.</summary>
    public static void Require(WebApplication app, bool demo)
    {
        var addresses =
            app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        foreach (var address in addresses)
        {
            var parsed = BindingAddress.Parse(address);
            var loopback = parsed.Host is "localhost" or "127.0.0.1" or "[::1]";
            if (parsed.Scheme != Uri.UriSchemeHttps || (demo && !loopback))
            {
                Environment.FailFast($"The gateway listens on {address}, which is not allowed.");
            }
        }
    }
}
