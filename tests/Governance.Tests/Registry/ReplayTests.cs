namespace Governance.Tests.Registry;

public sealed class ReplayTests
{
    [Theory]
    [InlineData("client-2.22.1.jsonl")]
    [InlineData("client-3.5.2.jsonl")]
    public async Task Recorded_client_traffic_gets_the_same_statuses_keys_and_types(string recording)
    {
        await using var host = await RegistryHost.StartAsync();

        var differences = await MlflowReplay.RunAsync(
            host.Client,
            MlflowReplay.Recording(recording),
            TestContext.Current.CancellationToken
        );

        Assert.True(differences.Count == 0, string.Join('\n', differences.Take(40)));
    }
}
