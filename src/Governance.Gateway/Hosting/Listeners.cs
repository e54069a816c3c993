using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Governance.Gateway.Hosting;

/// <summary>Looks at what is really listened on, however it came to be configured.</summary>
internal static class Listeners
{
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
