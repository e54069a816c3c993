using System.Net;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Registry.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>A gateway that keeps carrying promotions out for tokens that are bound to a key or certificate.</summary>
public sealed class BindingGateway : IAsyncLifetime
{
    public LiveGateway Gateway { get; } =
        new()
        {
            Settings = new Dictionary<string, string?>
            {
                ["Governance:Identity:BoundPermissions"] = "promotion:carry-out",
            },
        };

    public ValueTask InitializeAsync() => Gateway.InitializeAsync();

    public ValueTask DisposeAsync() => Gateway.DisposeAsync();
}

/// <summary>What policy governs moves by a bound token only, whichever route it is asked on.</summary>
public sealed class BoundMoveTests(BindingGateway binding) : IClassFixture<BindingGateway>
{
    private readonly LiveGateway _gateway = binding.Gateway;

    [Fact]
    public async Task An_MLflow_client_with_a_bearer_token_carries_nothing_out_and_moves_what_is_free()
    {
        var story = new Story(_gateway);
        var model = await story.ModelAsync("bound-move");
        // What opens the route is the one role, what policy asks for is the other.
        var both = await _gateway.PersonAsync(
            "both",
            new RoleGrant("data-scientist", ObjectKind.Model, model),
            new RoleGrant("release-manager", ObjectKind.None, "")
        );
        using var content = new StringContent(
            new JsonObject
            {
                ["name"] = model,
                ["version"] = "1",
                ["stage"] = "Staging",
            }.ToJsonString(),
            System.Text.Encoding.UTF8,
            "application/json"
        );

        using var refused = await _gateway
            .Http("both")
            .PostAsync(
                new Uri("/api/2.0/mlflow/model-versions/transition-stage", UriKind.Relative),
                content,
                TestContext.Current.CancellationToken
            );
        var stage = await story.StageAsync(model);
        var free = await Story.SetAliasAsync(_gateway.As("dana"), model, "dev-1");
        var bound = await _gateway
            .Services.GetRequiredService<IMoveGate>()
            .MoveAsync(
                new Actor(ActorKind.Person, both) { SenderConstrained = true },
                new Move(new ModelVersionRef(model, 1), MoveKind.SetStage, "Staging", false),
                TestContext.Current.CancellationToken
            );

        var body = JsonNode.Parse(await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
        Assert.Equal(
            (HttpStatusCode.Unauthorized, "identity.bound_token_needed"),
            (refused.StatusCode, body["code"]!.ToString())
        );
        Assert.StartsWith("DPoP ", refused.Headers.WwwAuthenticate.First().ToString(), StringComparison.Ordinal);
        Assert.Equal("None", stage);
        Assert.True(free.Ok, free.Body.ToJsonString());
        Assert.True(bound.Ok, bound.Failure?.Message);
        Assert.Equal("Staging", await story.StageAsync(model));
    }
}
