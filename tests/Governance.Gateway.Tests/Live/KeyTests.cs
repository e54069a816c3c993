using System.Net;
using System.Text.Json.Nodes;
using Governance.Gateway.Demo;

namespace Governance.Gateway.Tests.Live;

/// <summary>Keys over HTTP and on the command line: who learns what they signed, and what is refused.</summary>
[Collection(GatewayTests.Name)]
public sealed class KeyTests(LiveGateway gateway) : IDisposable
{
    private const string Keys = "/api/v1/keys";
    private readonly string _home = Directory.CreateTempSubdirectory("governance-keys-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task What_a_key_and_a_person_signed_is_told_to_auditors_in_pages_and_that_is_on_record()
    {
        await new Story(gateway).ModelAsync("keys-signed");
        var issuer = await KeyAsync("ca-signers");

        var all = (await gateway.As("ada").ApiGetAsync($"{Keys}/signatures?key={issuer}&first=200")).Body;
        var signed = all["items"]!.AsArray().Single(use => $"{use!["subject"]}" == "version:keys-signed/1")!;
        var mine = $"{Keys}/signatures?identity={Uri.EscapeDataString($"{signed["identity"]}")}";
        var page = (await gateway.As("ada").ApiGetAsync($"{mine}&first=1")).Body;
        var later = await gateway.As("ada").ApiGetAsync($"{mine}&from=2099-01-01T00:00:00Z");
        var denied = await gateway.As("dana").ApiGetAsync($"{Keys}/signatures?key={issuer}");
        var log = await gateway.As("ada").ApiGetAsync("/api/v1/audit/entries?kind=signing.signatures_read&first=200");

        Assert.Equal("ca-signers", $"{signed["role"]}");
        Assert.Contains("/signers/", $"{signed["identity"]}", StringComparison.Ordinal);
        Assert.Single(page["items"]!.AsArray());
        Assert.Empty(later.Body["items"]!.AsArray());
        Assert.Equal(HttpStatusCode.Forbidden, denied.Status);
        // Three reads, each begun and ended.
        Assert.True(log.Body["entries"]!.AsArray().Count >= 6, log.Body.ToJsonString());
    }

    [Theory]
    [InlineData("signatures")]
    [InlineData("signatures?key=a&identity=b")]
    [InlineData("signatures?key=a&from=yesterday")]
    public async Task A_question_that_is_none_is_refused(string question) =>
        Assert.Equal(HttpStatusCode.BadRequest, (await gateway.As("ada").ApiGetAsync($"{Keys}/{question}")).Status);

    [Theory]
    [InlineData("nothing/rotate", "{}", HttpStatusCode.NotFound, "keys.unknown")]
    [InlineData("revoke", "{}", HttpStatusCode.BadRequest, "keys.bad_request")]
    [InlineData(
        "revoke",
        """{"key":"a","from":"2026-01-31","reason":"b"}""",
        HttpStatusCode.BadRequest,
        "keys.bad_request"
    )]
    [InlineData(
        "revoke",
        """{"key":"a","from":"2026-01-31T12:00:00Z","reason":"b","more":1}""",
        HttpStatusCode.BadRequest,
        "keys.bad_request"
    )]
    [InlineData(
        "revoke",
        """{"key":"a","from":"2026-01-31T12:00:00Z","reason":"b"}""",
        HttpStatusCode.NotFound,
        "keys.unknown"
    )]
    public async Task A_change_that_makes_no_sense_is_refused(
        string route,
        string body,
        HttpStatusCode status,
        string code
    )
    {
        var change = JsonNode.Parse(body)!.AsObject();

        var refused = await gateway.As("admin").ApiPostAsync($"{Keys}/{route}", change);
        var denied = await gateway.As("ada").ApiPostAsync($"{Keys}/{route}", change);

        Assert.Equal((status, code), (refused.Status, refused.Text("code")));
        Assert.Equal(HttpStatusCode.Forbidden, denied.Status);
    }

    [Fact]
    public async Task A_key_is_not_revoked_without_a_reason_or_from_a_time_to_come()
    {
        var key = await KeyAsync("timestamp");

        var unsaid = await RevokeAsync(key, "2026-01-31T12:00:00Z", " ");
        var early = await RevokeAsync(key, "2099-01-31T12:00:00Z", "Stolen.");

        Assert.Equal((HttpStatusCode.BadRequest, "keys.no_reason"), (unsaid.Status, unsaid.Text("code")));
        Assert.Equal((HttpStatusCode.BadRequest, "keys.bad_time"), (early.Status, early.Text("code")));
        Assert.Equal(key, await KeyAsync("timestamp"));
    }

    [Fact]
    public async Task The_command_line_lists_keys_and_what_they_signed()
    {
        await new Story(gateway).ModelAsync("keys-listed");

        var list = await GovernAsync("keys", "list");
        var uses = await GovernAsync("keys", "signatures", "--key", await KeyAsync("signature-log"));

        Assert.True(list.ExitCode == 0, list.Errors);
        foreach (var name in new[] { "signing", "ca-signers", "certificate-log", "timestamp", "signature-log" })
        {
            Assert.Contains($"{name} ", list.Output, StringComparison.Ordinal);
        }

        Assert.True(uses.ExitCode == 0, uses.Errors);
        Assert.Contains("signature-log version:keys-listed/1 https://", uses.Output, StringComparison.Ordinal);
    }

    private async Task<string> KeyAsync(string name)
    {
        var keys = (await gateway.As("ada").ApiGetAsync(Keys)).Body["items"]!.AsArray();
        return $"{keys.Last(key => $"{key!["name"]}" == name && $"{key["state"]}" == "active")!["id"]}";
    }

    private Task<Answer> RevokeAsync(string key, string from, string reason) =>
        gateway
            .As("admin")
            .ApiPostAsync(
                $"{Keys}/revoke",
                new JsonObject
                {
                    ["key"] = key,
                    ["from"] = from,
                    ["reason"] = reason,
                }
            );

    private Task<ChildProcess> GovernAsync(params string[] args) =>
        GovernProgram.RunAsync(gateway, _home, gateway.TokenOf("ada"), null, args);
}
