using System.Net;
using System.Net.Sockets;
using Governance.Kernel;

namespace Governance.Registry.Engine;

/// <summary>
/// Where the gateway may send a request that somebody else configured (OWASP SSRF prevention): https to a public address.
/// What is not known to be public is not; an operator may add networks of its own.
/// </summary>
internal sealed class OutboundPolicy(IReadOnlyList<IPNetwork> allowed)
{
    public const int MaxUrl = 2048;

    // IANA special-purpose registries. IPv6 is global only within 2000::/3.
    private static readonly IPNetwork Global6 = IPNetwork.Parse("2000::/3");
    private static readonly IPNetwork[] Special =
    [
        IPNetwork.Parse("0.0.0.0/8"),
        IPNetwork.Parse("10.0.0.0/8"),
        IPNetwork.Parse("100.64.0.0/10"),
        IPNetwork.Parse("127.0.0.0/8"),
        IPNetwork.Parse("169.254.0.0/16"),
        IPNetwork.Parse("172.16.0.0/12"),
        IPNetwork.Parse("192.0.0.0/24"),
        IPNetwork.Parse("192.0.2.0/24"),
        IPNetwork.Parse("192.88.99.0/24"),
        IPNetwork.Parse("192.168.0.0/16"),
        IPNetwork.Parse("198.18.0.0/15"),
        IPNetwork.Parse("198.51.100.0/24"),
        IPNetwork.Parse("203.0.113.0/24"),
        IPNetwork.Parse("224.0.0.0/4"),
        IPNetwork.Parse("240.0.0.0/4"),
        IPNetwork.Parse("2001::/23"),
        IPNetwork.Parse("2001:db8::/32"),
        IPNetwork.Parse("2002::/16"),
        IPNetwork.Parse("3fff::/20"),
    ];

    /// <summary>Whether a connection to the address is allowed.</summary>
    public bool Allows(IPAddress address)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (allowed.Any(network => network.Contains(plain)))
        {
            return true;
        }

        return plain.AddressFamily switch
        {
            AddressFamily.InterNetwork => !Special.Any(network => network.Contains(plain)),
            AddressFamily.InterNetworkV6 => Global6.Contains(plain) && !Special.Any(network => network.Contains(plain)),
            _ => false,
        };
    }

    /// <summary>Null when requests may go to the address as far as its text tells; names are looked up when a request is sent.</summary>
    public Failure? Check(string url)
    {
        if (
            url.Length > MaxUrl
            || !Uri.TryCreate(url, UriKind.Absolute, out var uri)
            || uri.Scheme != Uri.UriSchemeHttps
            || uri.UserInfo.Length > 0
            || uri.Fragment.Length > 0
            || uri.HostNameType is not (UriHostNameType.Dns or UriHostNameType.IPv4 or UriHostNameType.IPv6)
            || url.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || c == '\\')
        )
        {
            return Failure.Invalid(
                "registry.bad_webhook_url",
                "A webhook's url is an absolute https address without user name, fragment or white space."
            );
        }

        return IPAddress.TryParse(uri.IdnHost, out var address) && !Allows(address) ? Forbidden : null;
    }

    public static readonly Failure Forbidden = Failure.Invalid(
        "registry.webhook_address",
        "The webhook's address is not public, and no setting of this gateway allows it."
    );
}
