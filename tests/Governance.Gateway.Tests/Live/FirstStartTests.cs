using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Gateway.Tests.Live;

/// <summary>What stands in the log of a gateway of which nothing is wrong.</summary>
public sealed class FirstStartTests
{
    [Fact]
    public async Task A_first_start_and_a_page_with_a_form_warn_of_nothing()
    {
        using var warnings = new Warnings();
        await using var gateway = new LiveGateway
        {
            Accounts = false,
            Settings = new Dictionary<string, string?>
            {
                ["Logging:LogLevel:Default"] = "Warning",
                ["Logging:LogLevel:Microsoft"] = "Warning",
                ["Logging:LogLevel:OpenIddict"] = "Warning",
            },
            Add = services => services.AddSingleton<ILoggerProvider>(warnings),
        };
        await gateway.InitializeAsync();

        using var page = await gateway
            .Anonymous()
            .GetAsync(new Uri("/signin", UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.Contains(
            "<form",
            await page.Content.ReadAsStringAsync(TestContext.Current.CancellationToken),
            StringComparison.Ordinal
        );
        Assert.Equal("no-store", page.Headers.CacheControl!.ToString());
        Assert.Empty(warnings.Told);
    }

    private sealed class Warnings : ILoggerProvider
    {
        public ConcurrentQueue<string> Told { get; } = [];

        public ILogger CreateLogger(string categoryName) => new Logger(categoryName, Told);

        public void Dispose() { }

        private sealed class Logger(string category, ConcurrentQueue<string> told) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

            public void Log<TState>(
                LogLevel logLevel,
                EventId eventId,
                TState state,
                Exception? exception,
                Func<TState, Exception?, string> formatter
            )
            {
                if (IsEnabled(logLevel))
                {
                    told.Enqueue($"{category} {eventId.Id}: {formatter(state, exception)}");
                }
            }
        }
    }
}
