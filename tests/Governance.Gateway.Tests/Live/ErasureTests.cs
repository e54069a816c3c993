using System.Net;
using System.Text.Json.Nodes;
using Governance.Audit.Sequencing;
using Governance.Gateway.Demo;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>Erasures and legal holds over HTTP and on the command line, on a whole gateway.</summary>
[Collection(GatewayTests.Name)]
public sealed class ErasureTests(LiveGateway gateway) : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("governance-erasure-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task A_person_is_held_then_erased_by_two_administrators_and_the_proof_verifies()
    {
        var id = await gateway.EnrolAsync("erika.erased");
        var hold = await gateway.As("paul").ApiPostAsync($"{Path(id)}/holds", Reason("Case 12"));
        var denied = await gateway.As("admin").ApiPostAsync($"{Path(id)}/holds", Reason("Case 12"));
        var prevented = await gateway.AskToEraseAsync("admin", id);
        var listed = await gateway.As("paul").ApiGetAsync($"{Path(id)}/holds");
        var lifted = await GovernAsync("paul", "subjects", "release", id, hold.Text("id"), "--reason", "Settled");

        var asked = await gateway.AskToEraseAsync("admin", id);
        var waiting = await gateway.As("admin").ApiGetAsync($"{Path(id)}/erasure");
        await gateway.As("bea").GraphQlAsync($"mutation{{confirm(id:\"{asked.Text("confirmation")}\")}}");
        var done = await gateway.ErasedAsync(id);
        var root = System.IO.Path.Combine(_home, "trusted_root.json");
        await File.WriteAllBytesAsync(
            root,
            await gateway.Anonymous().GetByteArrayAsync("/.well-known/governance/trusted_root.json", Token),
            Token
        );
        var proof = System.IO.Path.Combine(_home, "erased.json");
        var proved = await GovernAsync("ada", "subjects", "proof", id, "--trusted-root", root, "--out", proof);
        var names = await gateway.As("admin").ApiGetAsync($"/api/v1/subjects?first=200");

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.Forbidden), (hold.Status, denied.Status));
        Assert.Equal((HttpStatusCode.Conflict, "identity.legal_hold"), (prevented.Status, prevented.Text("code")));
        Assert.Contains("Case 12", listed.Body.ToJsonString(), StringComparison.Ordinal);
        Assert.True(lifted.ExitCode == 0, lifted.Errors);
        Assert.Equal((HttpStatusCode.Accepted, "waiting"), (asked.Status, waiting.Text("state")));
        Assert.NotNull(done["proof"]);
        Assert.True(proved.ExitCode == 0, proved.Errors);
        Assert.Contains("identity.erased", await File.ReadAllTextAsync(proof, Token), StringComparison.Ordinal);
        Assert.DoesNotContain("erika", names.Body.ToJsonString(), StringComparison.OrdinalIgnoreCase);
        var check = await gateway.Services.GetRequiredService<CheckLog>().RunAsync(Token);
        Assert.True(check.Ok, $"{check.Failure?.Code} {string.Join(' ', check.Failure?.Reasons ?? [])}");
        Assert.True(check.Value.Erased > 0);
    }

    [Fact]
    public async Task An_erased_entry_is_told_apart_when_it_is_read_and_cannot_be_proved()
    {
        var id = await gateway.EnrolAsync("egon.erased");
        var entries = $"/api/v1/audit/entries?subject={Uri.EscapeDataString($"subject:{id}")}";
        var before = (await gateway.As("ada").ApiGetAsync(entries)).Body["entries"]![0]!;
        var asked = await gateway.AskToEraseAsync("bea", id);
        await gateway.As("admin").GraphQlAsync($"mutation{{confirm(id:\"{asked.Text("confirmation")}\")}}");
        var done = await gateway.ErasedAsync(id);

        var after = (await gateway.As("ada").ApiGetAsync($"/api/v1/audit/entries?id={before["id"]}")).Body["entries"]![
            0
        ]!;
        var root = System.IO.Path.Combine(_home, "trusted_root.json");
        await File.WriteAllBytesAsync(
            root,
            await gateway.Anonymous().GetByteArrayAsync("/.well-known/governance/trusted_root.json", Token),
            Token
        );
        var proved = await GovernAsync(
            "ada",
            "audit",
            "prove",
            $"{before["id"]}",
            "--trusted-root",
            root,
            "--out",
            System.IO.Path.Combine(_home, "entry.json")
        );

        Assert.NotNull(before["salt"]);
        Assert.Null(after["salt"]);
        Assert.Equal($"{done["entry"]}", $"{after["erasedBy"]}");
        Assert.Equal($"{before["entry"]}", $"{after["entry"]}");
        Assert.Equal(1, proved.ExitCode);
        Assert.Contains("audit.erased", proved.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "identity.bad_json")]
    [InlineData("""{"ground":"because"}""", "identity.bad_ground")]
    [InlineData("""{"ground":"objection","more":1}""", "identity.bad_json")]
    public async Task An_erasure_that_makes_no_sense_is_refused(string body, string code)
    {
        var id = new string('0', 32);

        var refused = await gateway.As("admin").ApiPostAsync($"{Path(id)}/erasure", JsonNode.Parse(body)!.AsObject());

        Assert.Equal((HttpStatusCode.BadRequest, code), (refused.Status, refused.Text("code")));
    }

    private static string Path(string id) => $"/api/v1/subjects/{id}";

    private static JsonObject Reason(string text) => new() { ["reason"] = text };

    private Task<ChildProcess> GovernAsync(string account, params string[] args) =>
        GovernProgram.RunAsync(gateway, _home, gateway.TokenOf(account), null, args);
}
