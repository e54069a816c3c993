using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;

namespace Governance.Gateway.Tls;

/// <summary>
/// Looks at the certificate every few seconds: renews the private one in time, takes files that the operator replaced, and says
/// so. Files are read, not watched: a watch misses what arrives by renamed directories and on network file systems.
/// </summary>
internal sealed partial class CertificateWatch(
    ServerCertificates certificates,
    TlsOptions options,
    IWriter writer,
    TimeProvider clock,
    ILogger<CertificateWatch> logger
) : BackgroundService
{
    private static readonly TimeSpan Soon = TimeSpan.FromDays(14);
    private DateTimeOffset _warned;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(options.ReloadSeconds), clock);
        do
        {
            await LookAsync(stoppingToken);
        } while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (certificates.Refresh())
            {
                var thumbprint = Digest.Of(certificates.Server.RawData).Hex;
                Changed(thumbprint, certificates.ValidTo);
                await writer.LogAsync(
                    new LogEntry("gateway.certificate_changed", Actor.System, "", LogOutcome.Done)
                    {
                        Details = new() { ["sha256"] = thumbprint, ["files"] = certificates.FromFiles },
                    },
                    cancellationToken
                );
            }
        }
        catch (InvalidOperationException problem)
        {
            Kept(problem.Message);
        }
        catch (Exception problem) when (problem is not OperationCanceledException)
        {
            Failed(problem.GetType().Name);
        }

        var now = clock.GetUtcNow();
        if (certificates.ValidTo - now < Soon && now - _warned > TimeSpan.FromDays(1))
        {
            _warned = now;
            Expiring(certificates.ValidTo);
        }
    }

    [LoggerMessage(
        9010,
        LogLevel.Information,
        "The server presents another certificate, {Sha256}, valid to {NotAfter}"
    )]
    private partial void Changed(string sha256, DateTimeOffset notAfter);

    [LoggerMessage(
        9011,
        LogLevel.Error,
        "The certificate files changed but cannot be used; the one before stays. {Why}"
    )]
    private partial void Kept(string why);

    [LoggerMessage(9013, LogLevel.Error, "Looking after the certificate failed: {Problem}")]
    private partial void Failed(string problem);

    [LoggerMessage(
        9012,
        LogLevel.Warning,
        "The certificate of the server is valid to {NotAfter} only: replace its files"
    )]
    private partial void Expiring(DateTimeOffset notAfter);
}
