using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Governance.Gateway.Hosting;

/// <summary>What one connection, address or caller may take. Bound from the section <c>Governance:Limits</c>.</summary>
public sealed class LimitOptions
{
    /// <summary>Bytes of a request's line and headers together, 4096–131072. Default 32768.</summary>
    [Range(4096, 131_072)]
    public int HeaderBytes { get; set; } = 32 << 10;

    /// <summary>Header lines of a request, 16–500. Default 100.</summary>
    [Range(16, 500)]
    public int HeaderCount { get; set; } = 100;

    /// <summary>Seconds until the headers of a request are complete, 1–120. Default 15.</summary>
    [Range(1, 120)]
    public int HeaderSeconds { get; set; } = 15;

    /// <summary>Bytes of a body on routes that set no limit of their own, 65536–67108864. Default 1048576.</summary>
    [Range(65_536, 67_108_864)]
    public int BodyBytes { get; set; } = 1 << 20;

    /// <summary>Slowest that a client may send a body or read an answer, in bytes per second after <see cref="GraceSeconds"/>, 1–1048576. Default 4096.</summary>
    [Range(1, 1 << 20)]
    public int BytesPerSecond { get; set; } = 4096;

    /// <summary>Seconds in which a slow client is borne with, 2–60. Default 5.</summary>
    [Range(2, 60)]
    public int GraceSeconds { get; set; } = 5;

    /// <summary>Seconds that a connection may be idle between requests, 5–3600. Default 120.</summary>
    [Range(5, 3600)]
    public int IdleSeconds { get; set; } = 120;

    /// <summary>Seconds until a TLS handshake is complete, 1–60. Default 10.</summary>
    [Range(1, 60)]
    public int HandshakeSeconds { get; set; } = 10;

    /// <summary>Connections open at a time, 10–100000. Default 4096.</summary>
    [Range(10, 100_000)]
    public int Connections { get; set; } = 4096;

    /// <summary>
    /// Connections open at a time from one address (of IPv6, from one /64), 1–100000; named proxies are not counted. Default 512.
    /// </summary>
    [Range(1, 100_000)]
    public int ConnectionsPerAddress { get; set; } = 512;

    /// <summary>Requests that one HTTP/2 connection may have open, 1–1000. Default 100.</summary>
    [Range(1, 1000)]
    public int StreamsPerConnection { get; set; } = 100;

    /// <summary>
    /// Points that one signed-in caller may spend in a minute, 100–100000000. A read costs 1, a change 2, a search 5, a model
    /// version or dataset 20, a report 50, each 16 MiB of a body 1. Default 240000; as many may be spent at once.
    /// </summary>
    [Range(100, 100_000_000)]
    public int PointsPerMinute { get; set; } = 240_000;

    /// <summary>Points that one address may spend in a minute on what needs no signing in, 100–100000000. Default 12000.</summary>
    [Range(100, 100_000_000)]
    public int AnonymousPointsPerMinute { get; set; } = 12_000;
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
internal sealed partial class LimitOptionsValidator : IValidateOptions<LimitOptions>;
