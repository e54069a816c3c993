using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Compliance.Contracts;
using Governance.Evidence.Contracts;
using Governance.Gateway.GraphQl;
using Governance.Gateway.GraphQl.Guard;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Lineage.Contracts;
using Governance.Platform.Database;
using Governance.Platform.Web;
using Governance.Privacy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Gateway.Tests.GraphQl;

/// <summary>The GraphQL module over the invented world; a bearer token (or a test cookie) names the actor by its grants.</summary>
internal sealed class TestHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestHost(WebApplication app, World world)
    {
        _app = app;
        World = world;
    }

    public World World { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<TestHost> StartAsync(World? world = null, string? url = null, int? costPerMinute = null)
    {
        world ??= new World();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        if (url is null)
        {
            builder.WebHost.UseTestServer();
        }
        else
        {
            builder.WebHost.UseUrls(url);
        }

        var services = builder.Services;
        services.AddSingleton(world);
        services.AddSingleton<IAccess, FakeAccess>();
        services.AddSingleton<IStepUp, FakeStepUp>();
        services.AddSingleton<IWriter, FakeWriter>();
        services.AddSingleton<FakeRegistry>();
        services.AddSingleton<IRegistryReader>(provider => provider.GetRequiredService<FakeRegistry>());
        services.AddSingleton<IMoveGate>(provider => provider.GetRequiredService<FakeRegistry>());
        services.AddSingleton<IEvidence, FakeEvidence>();
        services.AddSingleton<IAttestations, FakeAttestations>();
        services.AddSingleton<FakeDatasets>();
        services.AddSingleton<IDatasets>(provider => provider.GetRequiredService<FakeDatasets>());
        services.AddSingleton<IPromotions, FakePromotions>();
        services.AddSingleton<IReports, FakeReports>();
        services.AddSingleton<IAuditLog, FakeAuditLog>();
        services.AddSingleton<ILineage, FakeLineage>();
        if (costPerMinute is { } budget)
        {
            services.AddSingleton(_ => new CostBudget(budget));
        }

        services.AddGraphQl();
        var app = builder.Build();
        app.Use(
            (context, next) =>
            {
                var token = AuthenticationHeaderValue.TryParse(context.Request.Headers.Authorization, out var header)
                    ? header.Parameter
                    : context.Request.Cookies["session"];
                if (!string.IsNullOrEmpty(token))
                {
                    context.SetActor(new Actor(ActorKind.Person, token));
                }

                return next(context);
            }
        );
        app.MapGraphQl();
        await app.StartAsync();
        return new TestHost(app, world);
    }

    public HttpClient Client(string? token)
    {
        var client = _app.GetTestClient();
        if (token is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return client;
    }

    /// <summary>Posts a query as this actor and gives back the parsed answer.</summary>
    public async Task<Answer> AskAsync(string query, string token = "viewer", object? variables = null)
    {
        using var client = Client(token);
        using var content = new StringContent(
            JsonSerializer.Serialize(new { query, variables }),
            Encoding.UTF8,
            "application/json"
        );
        using var request = new HttpRequestMessage(HttpMethod.Post, "/graphql") { Content = content };
        request.Headers.Accept.ParseAdd("application/graphql-response+json");
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new Answer((int)response.StatusCode, JsonNode.Parse(text)!.AsObject(), text);
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}

internal sealed record Answer(int Status, JsonObject Json, string Text)
{
    public JsonNode Data => Json["data"] ?? throw new InvalidOperationException(Text);

    public bool HasData => Json.ContainsKey("data");

    public IReadOnlyList<JsonNode> Errors => [.. (Json["errors"]?.AsArray() ?? []).Select(error => error!)];

    public IReadOnlyList<string> Codes => [.. Errors.Select(error => (string)error["extensions"]!["code"]!)];
}
