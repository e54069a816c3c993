using System.Text.Json.Nodes;
using Governance.Gateway.Demo;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>Persons who are there to be erased, by the two administrators of the tests.</summary>
internal static class ErasedPersons
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A viewer; gives back the pseudonym.</summary>
    public static async Task<string> EnrolAsync(this LiveGateway gateway, string name) =>
        (
            await gateway
                .Services.GetRequiredService<ISubjects>()
                .EnrolPersonAsync(
                    name,
                    $"{name} of the tests",
                    new Secret("seven wet otters juggle"),
                    [new RoleGrant("viewer", ObjectKind.None, "")],
                    Token
                )
        )
            .Value
            .Id;

    /// <summary>An administrator asks for it.</summary>
    public static Task<Answer> AskToEraseAsync(this LiveGateway gateway, string account, string id) =>
        gateway
            .As(account)
            .ApiPostAsync($"/api/v1/subjects/{id}/erasure", new JsonObject { ["ground"] = "no-longer-needed" });

    /// <summary>Waits until it is done; gives back what the gateway says of it.</summary>
    public static async Task<JsonObject> ErasedAsync(this LiveGateway gateway, string id)
    {
        for (var tries = 0; ; tries++)
        {
            var found = await gateway.As("admin").ApiGetAsync($"/api/v1/subjects/{id}/erasure");
            if (found.Text("state") == "done")
            {
                return (JsonObject)found.Body;
            }

            Assert.True(tries < 300, found.Body.ToJsonString());
            await Task.Delay(100, Token);
        }
    }

    /// <summary>Enrols somebody and has them erased; gives back the pseudonym.</summary>
    public static async Task<string> EraseAsync(this LiveGateway gateway, string name)
    {
        var id = await gateway.EnrolAsync(name);
        var asked = await gateway.AskToEraseAsync("admin", id);
        await gateway.As("bea").GraphQlAsync($"mutation{{confirm(id:\"{asked.Text("confirmation")}\")}}");
        await gateway.ErasedAsync(id);
        return id;
    }
}
