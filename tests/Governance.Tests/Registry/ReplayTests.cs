using Governance.Tests.Platform;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Registry;

public sealed class ReplayTests
{
    [Theory]
    [InlineData("client-2.22.1.jsonl", false)]
    [InlineData("client-3.5.2.jsonl", false)]
    [InlineData("client-2.22.1.jsonl", true)]
    [InlineData("client-3.5.2.jsonl", true)]
    public async Task Recorded_client_traffic_gets_the_same_statuses_keys_and_types(string recording, bool inBucket)
    {
        await using var server = inBucket ? await S3Server.StartAsync() : null;
        await using var host = await RegistryHost.StartAsync(services =>
        {
            if (server is not null)
            {
                services.AddSingleton(server.Options);
            }
        });

        var differences = await MlflowReplay.RunAsync(
            host.Client,
            MlflowReplay.Recording(recording),
            TestContext.Current.CancellationToken
        );

        Assert.True(differences.Count == 0, string.Join('\n', differences.Take(40)));
    }
}
