using System.Net;
using Microsoft.AspNetCore.HttpOverrides;

namespace Governance.Gateway.Hosting;

/// <summary>The proxies that the operator named: only their word about a client's address counts, and only about that.</summary>
internal sealed class Proxies(GatewayOptions options)
{
    private readonly IReadOnlyList<System.Net.IPNetwork> _networks =
    [
        .. Parse(options.Proxies).OfType<System.Net.IPNetwork>(),
    ];

    /// <summary>Addresses and networks of a comma-separated list; null where a part is neither.</summary>
    public static IEnumerable<System.Net.IPNetwork?> Parse(string list) =>
        list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(part =>
                System.Net.IPNetwork.TryParse(part, out var network) ? network
                : IPAddress.TryParse(part, out var address)
                    ? new System.Net.IPNetwork(address, address.GetAddressBytes().Length * 8)
                : (System.Net.IPNetwork?)null
            );

    public bool Contains(IPAddress? address) =>
        address is not null
        && _networks.Any(network => network.Contains(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address));

    /// <summary>
    /// Takes the client's address from <c>X-Forwarded-For</c>, read from the right for as long as proxies are named; scheme and
    /// host never come from a request.
    /// </summary>
    public void Use(IApplicationBuilder app)
    {
        if (_networks.Count == 0)
        {
            return;
        }

        var forwarded = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor,
            ForwardLimit = 8,
        };
        forwarded.KnownProxies.Clear();
        forwarded.KnownIPNetworks.Clear();
        foreach (var network in _networks)
        {
            forwarded.KnownIPNetworks.Add(network);
        }

        app.UseForwardedHeaders(forwarded);
    }
}
