using Governance.Identity.Access;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenIddict.Abstractions;

namespace Governance.Identity.Startup;

/// <summary>Deletes expired token rows and spent authorizations a day after they ended, and used proofs that are too old anyway; once an hour.</summary>
internal sealed partial class TokenPruner(
    IServiceScopeFactory scopes,
    ReplayStore replays,
    TimeProvider clock,
    ILogger<TokenPruner> logger
) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                var before = clock.GetUtcNow().AddDays(-1);
                var services = scope.ServiceProvider;
                await services.GetRequiredService<IOpenIddictTokenManager>().PruneAsync(before, stoppingToken);
                await services.GetRequiredService<IOpenIddictAuthorizationManager>().PruneAsync(before, stoppingToken);
                await replays.ForgetAsync(clock.GetUtcNow(), stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                LogFailed(exception.GetType().Name);
            }
        }
    }

    [LoggerMessage(3002, LogLevel.Warning, "Expired tokens could not be deleted ({Error}); the next try is in an hour")]
    private partial void LogFailed(string error);
}
