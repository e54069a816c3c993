using System.Net;
using System.Text.Json.Nodes;
using Governance.Gateway.Demo;
using Governance.Gateway.Hosting;

namespace Governance.Gateway.Tests.Live;

/// <summary>A new policy text over HTTP and on the command line: on a gateway of these tests alone, for it is everybody's.</summary>
public sealed class PolicyTests(LiveGateway gateway) : IClassFixture<LiveGateway>, IDisposable
{
    private const string Promotion = "/api/v1/policies/promotion";
    private readonly string _home = Directory.CreateTempSubdirectory("governance-policy-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task An_approval_under_the_old_text_is_void_under_the_new_one()
    {
        var story = new Story(gateway);
        var model = await story.ModelAsync("policy-void");
        var old = Story.RequestOf(await Story.ToStageAsync(gateway.As("sam"), model, "Production"));
        await story.ApproveAsync(old);

        var proposed = await ProposeAsync("admin", Promotion, WithHours(71));
        Assert.Equal(HttpStatusCode.Created, proposed.Status);
        var own = await DecideAsync("admin", proposed, "approve");
        var auditor = await DecideAsync("ada", proposed, "approve");
        var approved = await DecideAsync("bea", proposed, "approve");
        var again = Story.RequestOf(await Story.ToStageAsync(gateway.As("sam"), model, "Production"));

        Assert.Equal((HttpStatusCode.Forbidden, "policy.own_proposal"), (own.Status, own.Text("code")));
        Assert.Equal(HttpStatusCode.Forbidden, auditor.Status);
        Assert.Equal((HttpStatusCode.OK, "approved"), (approved.Status, approved.Text("state")));
        Assert.NotEqual(old, again);
        await story.ApproveAsync(again);
        Assert.True((await Story.ToStageAsync(gateway.As("sam"), model, "Production")).Ok);
        var shown = await gateway.As("ada").ApiGetAsync(Promotion);
        Assert.Equal((WithHours(71), proposed.Text("proposedBy")), (shown.Text("text"), shown.Text("editor")));
        var log = await gateway
            .As("ada")
            .ApiGetAsync("/api/v1/audit/entries?kind=policy.activated&outcome=done&first=200");
        Assert.Contains(proposed.Text("sha256"), log.Body.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Under_another_signer_policy_signatures_are_judged_again()
    {
        var story = new Story(gateway);
        var model = await story.ModelAsync("policy-signers");
        const string signers = "/api/v1/policies/signers";
        var text = (await gateway.As("ada").ApiGetAsync(signers)).Text("text");

        var proposed = await ProposeAsync(
            "admin",
            signers,
            text.Replace("Production: warn", "Production: enforce", StringComparison.Ordinal)
        );
        Assert.Equal(HttpStatusCode.OK, (await DecideAsync("bea", proposed, "approve")).Status);

        await story.ReadyAsync(model);
        await story.PromoteAsync(model);
    }

    [Fact]
    public async Task What_breaks_the_grammar_or_is_no_proposal_is_refused_and_nobody_else_reads_or_proposes()
    {
        var before = (await gateway.As("ada").ApiGetAsync(Promotion)).Text("sha256");
        var broken = await ProposeAsync("admin", Promotion, "version: 1\nrules: []\n");
        var unknown = await ProposeAsync("admin", "/api/v1/policies/privacy", WithHours(71));
        var more = await gateway
            .As("admin")
            .ApiPostAsync(
                $"{Promotion}/proposals",
                new JsonObject
                {
                    ["text"] = WithHours(71),
                    ["reason"] = "r",
                    ["more"] = 1,
                }
            );
        var denied = await ProposeAsync("ada", Promotion, WithHours(71));
        var hidden = await gateway.As("remy").ApiGetAsync(Promotion);
        var none = await gateway.As("ada").ApiGetAsync($"{Promotion}?sha256={new string('0', 64)}");

        Assert.Equal((HttpStatusCode.BadRequest, "policy.syntax"), (broken.Status, broken.Text("code")));
        Assert.Contains("line 1, column 1", broken.Text("detail"), StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.NotFound, "policy.unknown"), (unknown.Status, unknown.Text("code")));
        Assert.Equal((HttpStatusCode.BadRequest, "policy.bad_request"), (more.Status, more.Text("code")));
        Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.Forbidden], [denied.Status, hidden.Status]);
        Assert.Equal(HttpStatusCode.NotFound, none.Status);
        Assert.Equal(before, (await gateway.As("ada").ApiGetAsync(Promotion)).Text("sha256"));
    }

    [Fact]
    public async Task The_command_line_proposes_shows_approves_and_goes_back()
    {
        var file = Path.Combine(_home, "promotion.yaml");
        await File.WriteAllTextAsync(file, WithHours(70), TestContext.Current.CancellationToken);
        var before = (await gateway.As("ada").ApiGetAsync(Promotion)).Text("sha256");

        var proposed = await GovernAsync("admin", "propose", "promotion", "--file", file, "--reason", "Shorter");
        Assert.True(proposed.ExitCode == 0, proposed.Errors);
        var id = proposed.Output.Trim().Split(' ')[^1];
        var own = await GovernAsync("admin", "approve", "promotion", id);
        var shown = await GovernAsync("bea", "show", "promotion", "--proposal", id);
        var approved = await GovernAsync("bea", "approve", "promotion", id);
        var twice = await GovernAsync("bea", "reject", "promotion", id);
        var back = await GovernAsync("bea", "propose", "promotion", "--rollback", before, "--reason", "Too short");
        var list = await GovernAsync("ada", "proposals", "promotion");
        var withdrawn = await GovernAsync("bea", "withdraw", "promotion", back.Output.Trim().Split(' ')[^1]);
        var history = await GovernAsync("ada", "history", "promotion");
        var text = await GovernAsync("ada", "show", "promotion");
        await File.WriteAllTextAsync(file, "version: 7\n", TestContext.Current.CancellationToken);
        var broken = await GovernAsync("admin", "propose", "promotion", "--file", file, "--reason", "Broken");
        var neither = await GovernAsync("admin", "propose", "promotion", "--reason", "Nothing");

        Assert.Contains("\n+  lifetime_hours: 70\n", shown.Output, StringComparison.Ordinal);
        Assert.Contains("why: Shorter", shown.Output, StringComparison.Ordinal);
        Assert.Equal([1, 0, 0, 1], [own.ExitCode, shown.ExitCode, approved.ExitCode, twice.ExitCode]);
        Assert.Contains("policy.own_proposal", own.Errors, StringComparison.Ordinal);
        Assert.Contains("policy.no_proposal", twice.Errors, StringComparison.Ordinal);
        Assert.Equal(["open", "approved"], Words(list, 1));
        Assert.True(withdrawn.ExitCode == 0, withdrawn.Errors);
        Assert.Equal(["active", "past"], Words(history, 0));
        Assert.Contains("lifetime_hours: 70", text.Output, StringComparison.Ordinal);
        Assert.Equal([1, 2], [broken.ExitCode, neither.ExitCode]);
        Assert.Contains("line 1, column 10", broken.Errors, StringComparison.Ordinal);
    }

    private static string WithHours(int hours) =>
        File.ReadAllText(Path.Combine(Paths.Base, "policies", "promotion.yaml"))
            .Replace("lifetime_hours: 72", $"lifetime_hours: {hours}", StringComparison.Ordinal);

    // Of the two newest lines.
    private static IEnumerable<string> Words(ChildProcess said, int place) =>
        said.Output.Trim().Split('\n').Take(2).Select(line => line.Split(' ')[place]);

    private Task<Answer> ProposeAsync(string by, string policy, string text) =>
        gateway.As(by).ApiPostAsync($"{policy}/proposals", new JsonObject { ["text"] = text, ["reason"] = "Because." });

    private Task<Answer> DecideAsync(string by, Answer proposed, string verb) =>
        gateway
            .As(by)
            .ApiPostAsync($"/api/v1/policies/{proposed.Text("name")}/proposals/{proposed.Text("id")}/{verb}", []);

    private Task<ChildProcess> GovernAsync(string by, params string[] args) =>
        GovernProgram.RunAsync(gateway, _home, gateway.TokenOf(by), null, ["policy", .. args]);
}
