using System.Net;
using System.Net.Sockets;

namespace Governance.Platform.Web;

/// <summary>Client addresses as limits count them.</summary>
public static class ClientAddress
{
    /// <summary>One key per client: the IPv4 address, or the /64 of an IPv6 one, since whoever has one has the whole of it.</summary>
    public static string BucketOf(IPAddress? address) =>
        address is null ? ""
        : address.IsIPv4MappedToIPv6 ? address.MapToIPv4().ToString()
        : address.AddressFamily == AddressFamily.InterNetworkV6 ? Convert.ToHexString(address.GetAddressBytes(), 0, 8)
        : address.ToString();
}
