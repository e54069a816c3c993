using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Text;
using Governance.Kernel;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;

namespace Governance.Registry.Remote;

/// <summary>Where a foreign MLflow server is, how to show who asks, and what is the most to take from it.</summary>
internal sealed record RemoteOptions(Uri Url)
{
    private const int MaxCredential = 16_384;

    public string CredentialFile { get; init; } = "";

    public string CredentialVariable { get; init; } = "";

    public string Authorities { get; init; } = "";

    public SslStreamCertificateContext? Identity { get; init; }

    public IReadOnlyList<IPNetwork> Networks { get; init; } = [];

    /// <summary>Largest JSON answer, bytes.</summary>
    public int MaxJsonBytes { get; init; } = 64 << 20;

    /// <summary>Most pages of one search, and most directories of one listing.</summary>
    public int MaxPages { get; init; } = 20_000;

    /// <summary>Most files of one listing.</summary>
    public int MaxFiles { get; init; } = 100_000;

    /// <summary>Most attempts of one request.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>Whether a 404 in other words than MLflow's counts only when the server answers a plain question, too.</summary>
    public bool DoubtsAbsence { get; init; }

    /// <summary>Wait before the second attempt; doubles with each, up to 30 s, unless the server asks for another within 60 s.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a JSON answer may take, and how long a stream of bytes may be behind <see cref="LeastRate"/>.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Slowest stream that is waited for, bytes per second on average.</summary>
    public int LeastRate { get; init; } = 16 << 10;

    /// <summary>Most connections at a time.</summary>
    public int Connections { get; init; } = 8;

    public static RemoteOptions Of(RemoteServer server) =>
        new(new Uri(server.Url.TrimEnd('/')))
        {
            CredentialFile = server.CredentialFile,
            CredentialVariable = server.CredentialVariable,
            Authorities = server.Authorities,
            Identity = ClientIdentity.Load(server),
            Networks = [.. server.Networks.Select(network => IPNetwork.Parse(network))],
        };

    /// <summary>Public addresses, the networks that were listed, and the address itself when the URL spells one.</summary>
    public OutboundPolicy Policy() =>
        new(
            IPAddress.TryParse(Url.IdnHost, out var literal)
                ? [.. Networks, new IPNetwork(literal, literal.GetAddressBytes().Length * 8)]
                : Networks
        );

    /// <summary>The header that shows who asks, or null. Read each time, so that it can be changed while the gateway runs.</summary>
    public async Task<Result<AuthenticationHeaderValue?>> CredentialAsync(CancellationToken cancellationToken)
    {
        string? line;
        try
        {
            if (CredentialFile.Length > 0)
            {
                line =
                    new FileInfo(CredentialFile).Length <= MaxCredential
                        ? await File.ReadAllTextAsync(CredentialFile, cancellationToken)
                        : "";
            }
            else if (CredentialVariable.Length > 0)
            {
                line = Environment.GetEnvironmentVariable(CredentialVariable) ?? "";
            }
            else
            {
                return (AuthenticationHeaderValue?)null;
            }
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return RemoteFailures.Credential;
        }

        var parts = line.Trim().Split(' ', 2, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length != 2 || parts[1].Any(char.IsControl))
        {
            return RemoteFailures.Credential;
        }

        return parts[0].ToUpperInvariant() switch
        {
            "BEARER" when !parts[1].Any(char.IsWhiteSpace) => new AuthenticationHeaderValue("Bearer", parts[1]),
            "BASIC" when parts[1].Contains(':', StringComparison.Ordinal) => new AuthenticationHeaderValue(
                "Basic",
                Convert.ToBase64String(Encoding.UTF8.GetBytes(parts[1]))
            ),
            _ => RemoteFailures.Credential,
        };
    }
}
