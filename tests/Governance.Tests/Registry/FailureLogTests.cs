using Governance.Registry.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Tests.Registry;

public sealed class FailureLogTests
{
    [Fact]
    public async Task A_bug_is_logged_by_type_and_place_without_its_text()
    {
        await using var host = await RegistryHost.StartAsync();
        var logger = new Recording();
        await using var services = new ServiceCollection()
            .AddSingleton(host.Database.Get<RegistryPorts>() with { Logger = logger })
            .BuildServiceProvider();
        var context = new DefaultHttpContext { RequestServices = services };

        await Dispatcher.GuardAsync(context, _ => throw new IOException("row 7: Jane Doe"));

        var line = Assert.Single(logger.Lines);
        Assert.Contains("IOException", line, StringComparison.Ordinal);
        Assert.DoesNotContain("Jane", line, StringComparison.Ordinal);
        Assert.Equal(500, context.Response.StatusCode);
    }

    private sealed class Recording : ILogger<RegistryPorts>
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Lines.Add($"{formatter(state, exception)} {exception}");
    }
}
