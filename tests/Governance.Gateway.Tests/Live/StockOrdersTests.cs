namespace Governance.Gateway.Tests.Live;

/// <summary>The stand-alone client: the call orders of 2.x and 3.x clients over TLS, with a real token, against the live gateway.</summary>
[Collection(GatewayTests.Name)]
public sealed class StockOrdersTests(LiveGateway gateway)
{
    [Theory]
    [InlineData("2", 10)]
    [InlineData("3", 10)]
    public async Task The_call_orders_of_stock_clients_are_gone_through(string series, int steps)
    {
        var script = Path.Combine(Hosting.Paths.Base, "tests", "clients", "mlflow_orders.py");

        var ran = await ChildProcess.RunAsync(
            "python3",
            [script, gateway.Url, "--ca", gateway.AuthorityPath, "--series", series, "--token-stdin"],
            TimeSpan.FromMinutes(5),
            gateway.TokenOf("dana")
        );

        Assert.True(ran.ExitCode == 0, ran.Output + ran.Errors);
        Assert.Equal(steps, ran.Output.Split('\n').Count(line => line.StartsWith("ok ", StringComparison.Ordinal)));
    }
}
