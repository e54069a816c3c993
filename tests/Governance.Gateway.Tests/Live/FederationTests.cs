using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Web;
using Governance.Gateway.Demo;
using Governance.Gateway.Tests.Live.Access;
using Governance.Gateway.Tls;
using Governance.Identity;
using Governance.Identity.Contracts;
using Governance.Identity.Federation;
using Governance.Kernel;
using Governance.Platform;
using Governance.Tests;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Governance.Gateway.Tests.Live;

/// <summary>A gateway that knows one external provider.</summary>
public sealed class FederatedGateway : IAsyncLifetime
{
    private readonly int _port = FreePort.Find();

    public FederatedGateway()
    {
        Peer = new OidcPeer(_port);
        const string issuer = "Governance:Identity:Issuers:0:";
        Gateway = new LiveGateway
        {
            Port = _port,
            Settings = new Dictionary<string, string?>
            {
                [issuer + "Name"] = "peer",
                [issuer + "DisplayName"] = "The Peer <&>",
                [issuer + "Authority"] = Peer.Issuer,
                [issuer + "AuthorityFile"] = Peer.AuthorityFile,
                [issuer + "ClientId"] = OidcPeer.ConsoleClient,
                [issuer + "ClientSecretFile"] = Peer.SecretFile,
                [issuer + "Audience"] = OidcPeer.Audience,
                [issuer + "Clients"] = "robot, app",
                [issuer + "InteractiveAcr"] = "urn:test:strong",
                [issuer + "InteractiveAmr"] = "hwk",
                ["Governance:Identity:RecentSignInMinutes"] = "30",
            },
        };
    }

    internal OidcPeer Peer { get; }

    public LiveGateway Gateway { get; }

    public async ValueTask InitializeAsync()
    {
        await Peer.StartAsync();
        await Gateway.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Peer.DisposeAsync();
    }
}

/// <summary>Logins and tokens of a real external provider: what counts, and what of it nobody can bend.</summary>
public sealed class FederationTests(FederatedGateway federated) : IClassFixture<FederatedGateway>
{
    private readonly OidcPeer _peer = federated.Peer;
    private readonly LiveGateway _gateway = federated.Gateway;

    [Fact]
    public async Task An_access_token_of_the_provider_is_a_service_without_roles_until_an_administrator_grants_one()
    {
        var robot = As(await _peer.RobotTokenAsync());

        var me = await robot.ApiGetAsync("/api/v1/whoami");
        Assert.True(me.Ok, me.Body.ToJsonString());
        Assert.Equal("service", me.Text("kind"), ignoreCase: true);
        Assert.Equal(HttpStatusCode.Forbidden, (await SearchAsync(robot)).Status);

        var granted = await _gateway
            .As("admin")
            .ApiPostAsync("/api/v1/grants", new JsonObject { ["subject"] = me.Text("id"), ["role"] = "viewer" });
        Assert.True(granted.Status is HttpStatusCode.Created or HttpStatusCode.OK, granted.Body.ToJsonString());
        Assert.True((await SearchAsync(robot)).Ok);
        Assert.Equal(me.Text("id"), (await As(await _peer.RobotTokenAsync()).ApiGetAsync("/api/v1/whoami")).Text("id"));
    }

    [Fact]
    public async Task A_browser_signs_in_at_the_provider_and_the_answer_works_once_and_in_that_browser_only()
    {
        var maria = await PersonAsync("maria", "maria-at-peer");
        await _peer.NextLoginAsync(
            new JsonObject
            {
                ["sub"] = "maria-at-peer",
                ["acr"] = "urn:test:strong",
                ["amr"] = new JsonArray("pwd", "otp"),
                ["claims"] = new JsonObject { ["email"] = "admin@example.com", ["groups"] = new JsonArray("admin") },
            }
        );
        using var browser = Browser();
        var page = await browser.GetStringAsync(
            new Uri($"{_gateway.Url}/signin"),
            TestContext.Current.CancellationToken
        );
        Assert.Contains("href=\"/signin/external/peer?returnUrl=%2F\"", page, StringComparison.Ordinal);
        Assert.Contains("Sign in with The Peer &lt;&amp;&gt;", page, StringComparison.Ordinal);

        var begun = await browser.GetAsync(
            new Uri($"{_gateway.Url}/signin/external/peer"),
            TestContext.Current.CancellationToken
        );
        var authorize = begun.Headers.Location!;
        Assert.StartsWith($"{_peer.Issuer}/auth?", authorize.ToString(), StringComparison.Ordinal);
        // Pushed: nothing of the request can be changed in the browser.
        Assert.NotNull(HttpUtility.ParseQueryString(authorize.Query)["request_uri"]);
        var callback = await FollowAsync(browser, authorize);
        var query = HttpUtility.ParseQueryString(callback.Query);
        Assert.Equal(_peer.Issuer, query["iss"]);

        foreach (var wrong in WrongAnswers(callback, query))
        {
            using var refused = await browser.GetAsync(wrong, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }

        using (var stranger = Browser())
        using (var refused = await stranger.GetAsync(callback, TestContext.Current.CancellationToken))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }

        // Each wrong answer spent the correlation of this browser, so a fresh one shows the right way.
        using var second = Browser();
        var again = await second.GetAsync(
            new Uri($"{_gateway.Url}/signin/external/peer"),
            TestContext.Current.CancellationToken
        );
        var answer = await FollowAsync(second, again.Headers.Location!);
        using var signedIn = await second.GetAsync(answer, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Redirect, signedIn.StatusCode);
        var home = await HomeAsync(second);
        Assert.Contains($"<code>{maria}</code>", home, StringComparison.Ordinal);
        Assert.Contains("as a person", home, StringComparison.Ordinal);
        using var replayed = await second.GetAsync(answer, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, replayed.StatusCode);
    }

    [Fact]
    public async Task A_linked_login_is_the_person_only_while_the_provider_proves_that_they_were_there()
    {
        var enrolled = await _gateway
            .Services.GetRequiredService<ISubjects>()
            .EnrolPersonAsync(
                "lena",
                "Lena of the tests",
                new Secret(DemoAccounts.Password),
                [new RoleGrant("reviewer", ObjectKind.None, "")],
                TestContext.Current.CancellationToken
            );
        var lena = enrolled.Value.Id;
        var (_, stranger) = await WhoAsync(Strong("lena-at-peer"));
        var asked = await LinkAsync(lena, "lena-at-peer");
        var waiting = await WhoAsync(Strong("lena-at-peer"));
        await ConfirmAsync(asked);

        Assert.Equal(("service", stranger), waiting);
        Assert.Equal(("person", lena), await WhoAsync(Strong("lena-at-peer")));
        Assert.Equal(("person", lena), await WhoAsync(Strong("lena-at-peer", minutesAgo: 479)));
        Assert.Equal(
            ("person", lena),
            await WhoAsync(
                Strong(
                    "lena-at-peer",
                    change: claims =>
                    {
                        claims.Remove("acr");
                        claims["amr"] = new JsonArray("pwd", "hwk");
                    }
                )
            )
        );
        Assert.Equal(("person", lena), await WhoAsync(await _peer.PersonTokenAsync(Login("lena-at-peer"))));
        var unproven = new Dictionary<string, string>
        {
            ["no time"] = Strong("lena-at-peer", change: claims => claims.Remove("auth_time")),
            ["time as a text"] = Strong("lena-at-peer", change: claims => claims["auth_time"] = $"{Now}"),
            ["time in the future"] = Strong("lena-at-peer", minutesAgo: -10),
            ["too long ago"] = Strong("lena-at-peer", minutesAgo: 481),
            ["another client"] = Strong("lena-at-peer", change: claims => claims["client_id"] = "game"),
            ["a client in capitals"] = Strong("lena-at-peer", change: claims => claims["client_id"] = "ROBOT"),
            ["another party"] = Strong("lena-at-peer", change: claims => claims["azp"] = "game"),
            ["a list of clients"] = Strong(
                "lena-at-peer",
                change: claims => claims["client_id"] = new JsonArray("robot")
            ),
            ["no client"] = Strong("lena-at-peer", change: claims => claims.Remove("client_id")),
            ["no class"] = Strong("lena-at-peer", change: claims => claims.Remove("acr")),
            ["weak class"] = await _peer.PersonTokenAsync(Login("lena-at-peer", "urn:test:weak")),
            ["class in capitals"] = Strong("lena-at-peer", change: claims => claims["acr"] = "URN:TEST:STRONG"),
            ["class in an array"] = Strong(
                "lena-at-peer",
                change: claims => claims["acr"] = new JsonArray("urn:test:strong")
            ),
            ["class in a list"] = Strong("lena-at-peer", change: claims => claims["acr"] = "urn:test:strong x"),
            ["method as a text"] = Strong(
                "lena-at-peer",
                change: claims =>
                {
                    claims.Remove("acr");
                    claims["amr"] = "hwk";
                }
            ),
            ["other methods"] = Strong(
                "lena-at-peer",
                change: claims =>
                {
                    claims.Remove("acr");
                    claims["amr"] = new JsonArray("pwd", "otp", "HWK");
                }
            ),
        };
        foreach (var (name, token) in unproven)
        {
            Assert.Equal((name, "service", lena), (name, (await WhoAsync(token)).Kind, (await WhoAsync(token)).Id));
            Assert.DoesNotContain("reviewer", (await As(token).ApiGetAsync("/api/v1/whoami")).Body.ToJsonString());
        }

        foreach (var other in new[] { "Lena-at-peer", "lena-at-peer ", "lena\u2010at-peer" })
        {
            Assert.Equal("service", (await WhoAsync(Strong(other))).Kind);
        }

        // Whoever is shut out is so with every token of the login; a login that is unlinked is shut out.
        var links = await _gateway.As("admin").ApiGetAsync($"/api/v1/persons/{lena}/logins");
        using var unlinked = await _gateway
            .Http("admin")
            .DeleteAsync(
                new Uri($"/api/v1/persons/{lena}/logins/{links.Body["items"]![0]!["id"]}", UriKind.Relative),
                TestContext.Current.CancellationToken
            );
        Assert.Equal(HttpStatusCode.NoContent, unlinked.StatusCode);
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            (await As(Strong("lena-at-peer")).ApiGetAsync("/api/v1/whoami")).Status
        );
        await ConfirmAsync(await LinkAsync(lena, "lena-at-peer"));
        Assert.Equal(("person", lena), await WhoAsync(Strong("lena-at-peer")));
        using var shut = await _gateway
            .Http("admin")
            .PostAsync(
                new Uri($"/api/v1/subjects/{lena}/enabled", UriKind.Relative),
                new StringContent("""{"enabled":false}""", Encoding.UTF8, "application/json"),
                TestContext.Current.CancellationToken
            );
        foreach (var token in new[] { Strong("lena-at-peer"), Token(claims => claims["sub"] = "lena-at-peer") })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await As(token).ApiGetAsync("/api/v1/whoami")).Status);
        }
    }

    [Fact]
    public async Task Who_registers_by_a_token_that_does_not_prove_them_does_not_approve_that_in_the_browser()
    {
        await PersonAsync("maren", "maren-at-peer", "reviewer", "data-scientist");
        var machine = As(Token(claims => claims["sub"] = "maren-at-peer"));
        var made = await AccessWorld.MakeAsync(machine, "maren-model");
        await ReadyAsync(machine, made["model"]);

        var request = await RequestAsync(await AskerAsync("maren"), made["model"]);
        var own = await ApproveAsync(As(Strong("maren-at-peer")), request);
        var asked = await RequestAsync(machine, made["model"]);
        var others = await ApproveAsync(_gateway.As("rita"), asked);

        Assert.Equal("promotion.self_approval", own["errors"]![0]!["extensions"]!["code"]!.ToString());
        Assert.True(others["errors"] is null, others.ToJsonString());
    }

    [Fact]
    public async Task What_a_login_did_before_it_was_linked_is_its_owners_for_approvals_also_when_it_is_theirs_no_more()
    {
        var machine = As(Token(claims => claims["sub"] = "mira-at-peer"));
        var stranger = (await machine.ApiGetAsync("/api/v1/whoami")).Text("id");
        var granted = await _gateway
            .As("admin")
            .ApiPostAsync("/api/v1/grants", new JsonObject { ["subject"] = stranger, ["role"] = "data-scientist" });
        Assert.Equal(HttpStatusCode.Created, granted.Status);
        var made = await AccessWorld.MakeAsync(machine, "mira-model");
        await ReadyAsync(machine, made["model"]);
        var asked = await RequestAsync(machine, made["model"]);
        var mira = await PersonAsync("mira", "mira-at-peer");

        var registered = await ApproveAsync(
            As(Strong("mira-at-peer")),
            await RequestAsync(await AskerAsync("mira"), made["model"])
        );
        var requested = await ApproveAsync(As(Strong("mira-at-peer")), asked);
        var links = await _gateway.As("admin").ApiGetAsync($"/api/v1/persons/{mira}/logins");
        Assert.Equal(HttpStatusCode.NoContent, await UnlinkAsync(mira, links.Body["items"]![0]!["id"]!.ToString()));
        await ConfirmAsync(await LinkAsync(mira, "mira-at-peer-too"));
        var unlinked = await ApproveAsync(As(Strong("mira-at-peer-too")), asked);

        Assert.NotEqual(stranger, mira);
        foreach (var refused in new[] { registered, requested, unlinked })
        {
            Assert.Equal("promotion.self_approval", refused["errors"]![0]!["extensions"]!["code"]!.ToString());
        }
    }

    [Fact]
    public async Task Who_approves_does_not_carry_out_by_a_login_that_waits_to_be_theirs()
    {
        var machine = As(Token(claims => claims["sub"] = "mona-at-peer"));
        var stranger = (await machine.ApiGetAsync("/api/v1/whoami")).Text("id");
        await ConfirmAsync(
            await _gateway
                .As("admin")
                .ApiPostAsync("/api/v1/grants", new JsonObject { ["subject"] = stranger, ["role"] = "release-manager" })
        );
        await _gateway.PersonAsync("mona", new RoleGrant("reviewer", ObjectKind.None, ""));
        var mona = (await _gateway.As("mona").ApiGetAsync("/api/v1/whoami")).Text("id");
        var link = await LinkAsync(mona, "mona-at-peer");
        var model = await new Story(_gateway).ModelAsync("mona-carried");
        var request = Story.RequestOf(await Story.ToStageAsync(_gateway.As("sam"), model, "Production"));
        var approved = await ApproveAsync(_gateway.As("mona"), request);
        Assert.True(approved["errors"] is null, approved.ToJsonString());

        var own = await Story.ToStageAsync(machine, model, "Production");
        Assert.Equal(HttpStatusCode.NoContent, await UnlinkAsync(mona, link.Text("id")));
        var others = await Story.ToStageAsync(machine, model, "Production");

        Assert.Equal(HttpStatusCode.Forbidden, own.Status);
        Assert.True(others.Ok, others.Body.ToJsonString());
    }

    [Fact]
    public async Task Unlinking_the_login_of_somebody_who_is_shut_out_opens_nothing_whatever_groups_its_token_names()
    {
        await GroupAsync("closers", _peer.Issuer, "closers", "release-manager");
        var vroni = await PersonAsync("vroni", "vroni-at-peer");
        var token = Strong("vroni-at-peer", change: claims => claims["groups"] = new JsonArray("closers"));
        var stranger = _gateway.Services.GetRequiredService<LoginNames>().Of(_peer.Issuer, "vroni-at-peer");
        await EnableAsync(vroni, false);
        var links = await _gateway.As("admin").ApiGetAsync($"/api/v1/persons/{vroni}/logins");

        var unlinked = await UnlinkAsync(vroni, links.Body["items"]![0]!["id"]!.ToString());
        var after = await As(token).ApiGetAsync("/api/v1/whoami");
        await EnableAsync(stranger, true);
        var alone = await As(token).ApiGetAsync("/api/v1/whoami");

        Assert.Equal(HttpStatusCode.NoContent, unlinked);
        Assert.Equal(HttpStatusCode.Unauthorized, after.Status);
        Assert.Equal((stranger, true), (alone.Text("id"), alone.Body["awaitsConfirmation"]!.GetValue<bool>()));
        Assert.Empty(alone.Body["roles"]!.AsArray());
    }

    [Fact]
    public async Task The_command_line_links_lists_and_unlinks_logins()
    {
        var person = await _gateway.PersonAsync("linked-by-command", new RoleGrant("viewer", ObjectKind.None, ""));
        var home = Directory.CreateTempSubdirectory("govern-home-");
        string[] whose = ["--issuer", _peer.Issuer, "--subject", "linked-by-command"];

        var linked = await GovernAsync(["person", "link", person, .. whose]);
        var list = await GovernAsync(["person", "logins", person]);
        var login = list.Output.Split(' ')[0];
        var unlinked = await GovernAsync(["person", "unlink", person, login]);
        var after = await GovernAsync(["person", "logins", person]);
        home.Delete(recursive: true);

        Assert.True(linked.ExitCode == 0, linked.Errors);
        Assert.StartsWith(
            "Held until another administrator confirms: govern confirm",
            linked.Output,
            StringComparison.Ordinal
        );
        Assert.EndsWith("linked-by-command (waits for a confirmation)\n", list.Output, StringComparison.Ordinal);
        Assert.Equal((0, "Done.\n"), (unlinked.ExitCode, unlinked.Output));
        Assert.Equal((0, ""), (after.ExitCode, after.Output));

        Task<ChildProcess> GovernAsync(string[] args) =>
            GovernProgram.RunAsync(_gateway, home.FullName, _gateway.TokenOf("admin"), null, args);
    }

    [Fact]
    public async Task Logins_are_linked_listed_and_unlinked_through_GraphQL_and_reading_them_is_on_record()
    {
        var person = await _gateway.PersonAsync("linked-by-graph", new RoleGrant("viewer", ObjectKind.None, ""));
        var admin = _gateway.As("admin");
        var link =
            $"mutation($issuer:String!){{linkLogin(person:\"{person}\",issuer:$issuer,externalId:\"graph-at-peer\"){{login confirmation}}}}";

        var unknown = await admin.GraphQlAsync(link, new JsonObject { ["issuer"] = "https://elsewhere.example" });
        var linked = (await admin.GraphQlAsync(link, new JsonObject { ["issuer"] = _peer.Issuer }))["data"]![
            "linkLogin"
        ]!;
        var own = await admin.GraphQlAsync($"mutation{{confirm(id:\"{linked["confirmation"]}\")}}");
        var before = await WhoAsync(Strong("graph-at-peer"));
        var confirmed = await _gateway.As("bea").GraphQlAsync($"mutation{{confirm(id:\"{linked["confirmation"]}\")}}");
        var after = await WhoAsync(Strong("graph-at-peer"));
        var list = await admin.GraphQlAsync($"{{logins(person:\"{person}\"){{id issuer externalId confirmed}}}}");
        var read = await _gateway
            .As("ada")
            .GraphQlAsync(
                $"{{logEntries(first:1,kindPrefix:\"identity.names_read\",subject:\"subject:{person}\"){{items{{outcome}}}}}}"
            );
        var unlinked = await admin.GraphQlAsync(
            $"mutation{{unlinkLogin(person:\"{person}\",login:\"{linked["login"]}\")}}"
        );
        var gone = await As(Strong("graph-at-peer")).ApiGetAsync("/api/v1/whoami");

        Assert.Equal("identity.unknown_issuer", unknown["errors"]![0]!["extensions"]!["code"]!.ToString());
        Assert.Equal("identity.own_confirmation", own["errors"]![0]!["extensions"]!["code"]!.ToString());
        Assert.Equal("service", before.Kind);
        Assert.True(confirmed["errors"] is null, confirmed.ToJsonString());
        Assert.Equal(("person", person), after);
        var login = list["data"]!["logins"]!.AsArray().Single()!;
        Assert.Equal(
            (linked["login"]!.ToString(), _peer.Issuer, "graph-at-peer", true),
            (
                login["id"]!.ToString(),
                login["issuer"]!.ToString(),
                login["externalId"]!.ToString(),
                login["confirmed"]!.GetValue<bool>()
            )
        );
        Assert.Single(read["data"]!["logEntries"]!["items"]!.AsArray());
        Assert.True(unlinked["errors"] is null, unlinked.ToJsonString());
        Assert.Equal(HttpStatusCode.Unauthorized, gone.Status);
    }

    private async Task<HttpStatusCode> UnlinkAsync(string person, string login)
    {
        using var answer = await _gateway
            .Http("admin")
            .DeleteAsync(
                new Uri($"/api/v1/persons/{person}/logins/{login}", UriKind.Relative),
                TestContext.Current.CancellationToken
            );
        return answer.StatusCode;
    }

    private async Task EnableAsync(string subject, bool enabled)
    {
        var answer = await _gateway
            .As("admin")
            .ApiPostAsync($"/api/v1/subjects/{subject}/enabled", new JsonObject { ["enabled"] = enabled });
        Assert.Equal(HttpStatusCode.NoContent, answer.Status);
    }

    /// <summary>Somebody who may ask for promotions of what others registered.</summary>
    private async Task<DemoClient> AskerAsync(string name)
    {
        var grant = new RoleGrant("data-scientist", ObjectKind.Model, $"{name}-*");
        await _gateway.PersonAsync($"asker-of-{name}", grant);
        return _gateway.As($"asker-of-{name}");
    }

    private static async Task ReadyAsync(DemoClient client, string model)
    {
        for (var i = 0; ; i++)
        {
            var version = await client.GetAsync($"model-versions/get?name={model}&version=1");
            if (version.Text("model_version", "status") == "READY")
            {
                return;
            }

            Assert.True(i < 600, version.Body.ToJsonString());
            await Task.Delay(200, TestContext.Current.CancellationToken);
        }
    }

    private static async Task<string> RequestAsync(DemoClient client, string model)
    {
        var answer = await client.GraphQlAsync(
            "mutation($m:String!){requestPromotion(model:$m,version:1,target:{stage:PRODUCTION}){id}}",
            new JsonObject { ["m"] = model }
        );
        Assert.True(answer["errors"] is null, answer.ToJsonString());
        return answer["data"]!["requestPromotion"]!["id"]!.ToString();
    }

    private static Task<JsonNode> ApproveAsync(DemoClient client, string request) =>
        client.GraphQlAsync("mutation($id:ID!){approveRequest(id:$id){state}}", new JsonObject { ["id"] = request });

    [Fact]
    public async Task A_person_through_a_provider_has_their_roles_and_signs_in_as_lately_as_the_provider_says()
    {
        var olga = await PersonAsync("olga", "olga-at-peer", "admin");
        var group = new JsonObject { ["name"] = "olgas" };

        var old = await As(Strong("olga-at-peer", minutesAgo: 31)).ApiPostAsync("/api/v1/groups", group);
        var service = await As(Token(claims => claims["sub"] = "olga-at-peer")).ApiPostAsync("/api/v1/groups", group);
        var now = await As(Strong("olga-at-peer")).ApiPostAsync("/api/v1/groups", group);

        Assert.Equal("identity.reauthentication_needed", old.Text("code"));
        Assert.Equal(HttpStatusCode.Forbidden, service.Status);
        Assert.Equal(HttpStatusCode.Created, now.Status);
        Assert.Equal(("person", olga), await WhoAsync(Strong("olga-at-peer")));
    }

    [Fact]
    public async Task Unlinking_ends_what_came_of_the_login_sessions_and_places_in_groups()
    {
        await GroupAsync("linked-readers", _peer.Issuer, "linked-readers");
        var greta = await PersonAsync("greta", "greta-at-peer");
        await _peer.NextLoginAsync(Login("greta-at-peer"));
        using var browser = Browser();
        using var signedIn = await SignInAsync(browser, "/signin/external/peer");
        Assert.Contains($"<code>{greta}</code>", await HomeAsync(browser), StringComparison.Ordinal);
        var member = Strong("greta-at-peer", change: claims => claims["groups"] = new JsonArray("linked-readers"));
        Assert.Equal(("person", greta), await WhoAsync(member));
        Assert.Contains("viewer", await RolesAsync(greta));

        var links = await _gateway.As("admin").ApiGetAsync($"/api/v1/persons/{greta}/logins");
        using var unlinked = await _gateway
            .Http("admin")
            .DeleteAsync(
                new Uri($"/api/v1/persons/{greta}/logins/{links.Body["items"]![0]!["id"]}", UriKind.Relative),
                TestContext.Current.CancellationToken
            );

        Assert.Equal(HttpStatusCode.NoContent, unlinked.StatusCode);
        Assert.Equal("", await HomeAsync(browser));
        Assert.Equal(["reviewer"], await RolesAsync(greta));
    }

    private async Task<IEnumerable<string>> RolesAsync(string person) =>
        (
            await _gateway
                .Services.GetRequiredService<IAccess>()
                .RightsNowAsync(new Actor(ActorKind.Person, person), TestContext.Current.CancellationToken)
        ).Grants.Select(grant => grant.Role);

    [Theory]
    [InlineData("nobody-at-peer", "urn:test:strong")]
    [InlineData("nina-at-peer", "urn:test:weak")]
    public async Task Only_a_linked_person_who_was_there_gets_a_session(string login, string acr)
    {
        if (login == "nina-at-peer")
        {
            await PersonAsync("nina", login);
        }

        await _peer.NextLoginAsync(Login(login, acr));
        using var browser = Browser();

        using var refused = await SignInAsync(browser, "/signin/external/peer");

        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal("", await HomeAsync(browser));
    }

    [Fact]
    public async Task A_login_that_lets_nobody_in_is_told_what_it_is_called_and_never_why()
    {
        await PersonAsync("nora", "nora-at-peer");
        await EnableAsync(await PersonAsync("norma", "norma-at-peer"), false);
        var pages = new List<string>();
        foreach (
            var (login, acr) in new[]
            {
                ("unheard-at-peer<&>", "urn:test:strong"),
                ("nora-at-peer", "urn:test:weak"),
                ("norma-at-peer", "urn:test:strong"),
            }
        )
        {
            await _peer.NextLoginAsync(Login(login, acr));
            using var browser = Browser();
            using var refused = await SignInAsync(browser, "/signin/external/peer");
            var page = await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.Contains($"<dd><code>{_peer.Issuer}</code></dd>", page, StringComparison.Ordinal);
            Assert.Contains($"<dd><code>{HttpUtility.HtmlEncode(login)}</code></dd>", page, StringComparison.Ordinal);
            pages.Add(page.Replace(HttpUtility.HtmlEncode(login), "", StringComparison.Ordinal));
        }

        using var stranger = Browser();
        using var foreign = await stranger.GetAsync(
            new Uri($"{_gateway.Url}/signin/external/peer/callback?code=x&state=x&iss={_peer.Issuer}"),
            TestContext.Current.CancellationToken
        );
        var told = await foreign.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        Assert.Single(pages.Distinct());
        Assert.DoesNotContain("<dd>", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Signing_in_at_the_provider_leads_back_to_the_command_line_and_says_when_it_was()
    {
        var clara = await PersonAsync("clara", "clara-at-peer");
        await _peer.NextLoginAsync(Login("clara-at-peer"));
        using var browser = Browser();
        var verifier = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var challenge = System.Buffers.Text.Base64Url.EncodeToString(
            SHA256.HashData(Encoding.ASCII.GetBytes(verifier))
        );
        const string redirect = "http://127.0.0.1:7777/callback";
        using var request = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["client_id"] = "governance-cli",
                ["response_type"] = "code",
                ["scope"] = "openid",
                ["redirect_uri"] = redirect,
                ["code_challenge"] = challenge,
                ["code_challenge_method"] = "S256",
            }
        );
        using var pushed = await browser.PostAsync(
            new Uri($"{_gateway.Url}/connect/par"),
            request,
            TestContext.Current.CancellationToken
        );
        var pushedBody = await pushed.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        var reference = JsonNode.Parse(pushedBody)!["request_uri"]!.ToString();
        var authorize = $"/connect/authorize?client_id=governance-cli&request_uri={Uri.EscapeDataString(reference)}";

        // The provider still knows the browser, so what counts is when the person showed who they are there.
        using (await SignInAsync(browser, "/signin/external/peer"))
        {
            await Task.Delay(2_100, TestContext.Current.CancellationToken);
        }

        using var back = await SignInAsync(
            browser,
            $"/signin/external/peer?returnUrl={Uri.EscapeDataString(authorize)}"
        );
        Assert.Equal(authorize, back.Headers.Location!.ToString());
        var question = await browser.GetStringAsync(
            new Uri(_gateway.Url + authorize),
            TestContext.Current.CancellationToken
        );
        using var decision = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["client_id"] = "governance-cli",
                ["request_uri"] = reference,
                ["decision"] = "allow",
                ["__RequestVerificationToken"] = HttpUtility.HtmlDecode(
                    question.Split("__RequestVerificationToken\" value=\"")[1].Split('"')[0]
                ),
            }
        );
        using var code = await browser.PostAsync(
            new Uri($"{_gateway.Url}/connect/authorize"),
            decision,
            TestContext.Current.CancellationToken
        );
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["grant_type"] = "authorization_code",
                ["client_id"] = "governance-cli",
                ["code"] = HttpUtility.ParseQueryString(code.Headers.Location!.Query)["code"]!,
                ["code_verifier"] = verifier,
                ["redirect_uri"] = redirect,
            }
        );
        using var issued = await browser.PostAsync(
            new Uri($"{_gateway.Url}/connect/token"),
            form,
            TestContext.Current.CancellationToken
        );
        var body = JsonNode.Parse(await issued.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
        var token = body["access_token"]!.ToString();
        var said = StrictJson.Part(token.Split('.')[1])!;

        Assert.Equal(("person", clara), await WhoAsync(token));
        Assert.Equal("external", said["amr"] is JsonArray methods ? methods.Single()!.ToString() : said.Text("amr"));
        Assert.InRange(Now - long.Parse(said["auth_time"]!.ToString(), CultureInfo.InvariantCulture), 2, 60);
    }

    [Fact]
    public async Task Signing_in_anew_asks_the_provider_to_ask_and_signing_out_ends_the_session_there_too()
    {
        await PersonAsync("petra", "petra-at-peer");
        await _peer.NextLoginAsync(Login("petra-at-peer"));
        using var browser = Browser();
        using var signedIn = await SignInAsync(browser, "/signin/external/peer");
        Assert.Contains("as a person", await HomeAsync(browser), StringComparison.Ordinal);
        var again = await browser.GetStringAsync(
            new Uri($"{_gateway.Url}/signin"),
            TestContext.Current.CancellationToken
        );
        Assert.Contains("/signin/external/peer?returnUrl=%2F&amp;fresh", again, StringComparison.Ordinal);
        Assert.True(await KnowsAsync(browser));
        Assert.False(await KnowsAsync(browser, "?fresh"));
        using var foreign = await browser.GetAsync(
            new Uri($"{_gateway.Url}/signout-oidc?iss={Uri.EscapeDataString(_peer.Issuer)}"),
            TestContext.Current.CancellationToken
        );
        Assert.Equal(HttpStatusCode.NotFound, foreign.StatusCode);
        Assert.Contains("as a person", await HomeAsync(browser), StringComparison.Ordinal);

        var form = await browser.GetStringAsync(
            new Uri($"{_gateway.Url}/signout"),
            TestContext.Current.CancellationToken
        );
        using var signedOut = await PostAsync(
            browser,
            new Uri($"{_gateway.Url}/signout"),
            form,
            "__RequestVerificationToken"
        );
        Assert.Equal("0;url=/signin/external/peer/signout", signedOut.Headers.GetValues("Refresh").Single());
        using var leaving = await browser.GetAsync(
            new Uri($"{_gateway.Url}/signin/external/peer/signout"),
            TestContext.Current.CancellationToken
        );
        Assert.StartsWith(
            $"{_peer.Issuer}/session/end?",
            leaving.Headers.Location!.ToString(),
            StringComparison.Ordinal
        );
        var question = await browser.GetStringAsync(leaving.Headers.Location, TestContext.Current.CancellationToken);
        using var ended = await PostAsync(
            browser,
            new Uri($"{_peer.Issuer}/session/end/confirm"),
            question,
            "xsrf",
            "logout"
        );
        using var home = await browser.GetAsync(ended.Headers.Location, TestContext.Current.CancellationToken);

        Assert.Equal("/signin", home.Headers.Location!.ToString());
        Assert.Equal("", await HomeAsync(browser));
        Assert.False(await KnowsAsync(browser));
    }

    /// <summary>Whether the provider still knows who is at this browser, and so asks nothing.</summary>
    private async Task<bool> KnowsAsync(HttpClient browser, string query = "")
    {
        using var begun = await browser.GetAsync(
            new Uri($"{_gateway.Url}/signin/external/peer{query}"),
            TestContext.Current.CancellationToken
        );
        using var there = await browser.GetAsync(begun.Headers.Location, TestContext.Current.CancellationToken);
        return !there.Headers.Location!.ToString().Contains("/interaction/", StringComparison.Ordinal);
    }

    private static async Task<HttpResponseMessage> PostAsync(
        HttpClient browser,
        Uri address,
        string page,
        string hidden,
        string? pressed = null
    )
    {
        var value = System.Text.RegularExpressions.Regex.Match(
            page,
            $"name=\"{hidden}\" value=\"([^\"]*)\"",
            System.Text.RegularExpressions.RegexOptions.None,
            TimeSpan.FromSeconds(1)
        );
        Assert.True(value.Success, page);
        var fields = new Dictionary<string, string> { [hidden] = HttpUtility.HtmlDecode(value.Groups[1].Value) };
        if (pressed is not null)
        {
            fields[pressed] = "yes";
        }

        using var form = new FormUrlEncodedContent(fields);
        return await browser.PostAsync(address, form, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task No_forged_or_misused_token_is_accepted()
    {
        var sound = As(Token());
        Assert.True((await sound.ApiGetAsync("/api/v1/whoami")).Ok);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var ours = _gateway.TokenOf("dana");
        var forged = new Dictionary<string, string>
        {
            ["issuer in capitals"] = Token(claims => claims["iss"] = _peer.Issuer.ToUpperInvariant()),
            ["issuer with a slash"] = Token(claims => claims["iss"] = _peer.Issuer + "/"),
            ["issuer with a look-alike"] = Token(claims =>
                claims["iss"] = _peer.Issuer.Replace("o", "\u043e", StringComparison.Ordinal)
            ),
            ["our issuer"] = Token(claims => claims["iss"] = _gateway.Url),
            ["our issuer and a slash"] = Token(claims => claims["iss"] = _gateway.Url + "/"),
            ["issuer in an array"] = Token(claims => claims["iss"] = new JsonArray(_peer.Issuer)),
            ["no issuer"] = Token(claims => claims.Remove("iss")),
            ["other audience"] = Token(claims => claims["aud"] = "https://other.test"),
            ["real token for another audience"] = await _peer.RobotTokenAsync("https://other.test"),
            ["audience of the pages"] = Token(claims => claims["aud"] = OidcPeer.ConsoleClient),
            ["audience in capitals"] = Token(claims => claims["aud"] = OidcPeer.Audience.ToUpperInvariant()),
            ["our audience"] = Token(claims => claims["aud"] = "governance"),
            ["no audience"] = Token(claims => claims.Remove("aud")),
            ["expired"] = Token(claims => claims["exp"] = Now - 60),
            ["no end"] = Token(claims => claims.Remove("exp")),
            ["end as a text"] = Token(claims => claims["exp"] = $"{Now + 600}"),
            ["not yet"] = Token(claims => claims["nbf"] = Now + 600),
            ["issued in the future"] = Token(claims => claims["iat"] = Now + 600),
            ["no time of issue"] = Token(claims => claims.Remove("iat")),
            ["no subject"] = Token(claims => claims.Remove("sub")),
            ["empty subject"] = Token(claims => claims["sub"] = ""),
            ["subject as a number"] = Token(claims => claims["sub"] = 1),
            ["subject in an array"] = Token(claims => claims["sub"] = new JsonArray("a")),
            ["subject with a control character"] = Token(claims => claims["sub"] = "a\u0000b"),
            ["endless subject"] = Token(claims => claims["sub"] = new string('a', 257)),
            ["ID token"] = Token(header: header => header["typ"] = "JWT"),
            ["no type"] = Token(header: header => header.Remove("typ")),
            ["logout token"] = Token(header: header => header["typ"] = "logout+jwt"),
            ["no algorithm"] =
                $"{OidcPeer.Encode("""{"alg":"none","typ":"at+jwt","kid":"key-1"}""")}.{OidcPeer.Encode(_peer.Claims().ToJsonString())}.",
            ["algorithm none, signed"] = Token(header: header => header["alg"] = "none"),
            ["HS256 with the public key"] = Hs256(),
            ["RS256 on a curve"] = Token(header: header => header["alg"] = "RS256"),
            ["ES384"] = Token(header: header => header["alg"] = "ES384"),
            ["algorithm in small letters"] = Token(header: header => header["alg"] = "es256"),
            ["no key id"] = Token(header: header => header.Remove("kid")),
            ["unknown key id"] = Token(header: header => header["kid"] = "key-2"),
            ["key id of our issuer"] = Token(header: header =>
                header["kid"] = StrictJson.Part(ours.Split('.')[0])!.Text("kid")
            ),
            ["key id as a path"] = Token(header: header => header["kid"] = "../../../../dev/null"),
            ["key id as a number"] = Token(header: header => header["kid"] = 1),
            ["own key in the header"] = _peer.Sign(WithKey(other), _peer.Claims().ToJsonString(), other),
            ["key address"] = Token(header: header => header["jku"] = "https://evil.example/jwks"),
            ["certificate address"] = Token(header: header => header["x5u"] = "https://evil.example/c"),
            ["certificate"] = Token(header: header => header["x5c"] = new JsonArray("MIIB")),
            ["critical extension"] = Token(header: header => header["crit"] = new JsonArray("b64")),
            ["unencoded payload"] = Token(header: header => header["b64"] = false),
            ["compressed"] = Token(header: header => header["zip"] = "DEF"),
            ["other key"] = _peer.Sign(_peer.Header().ToJsonString(), _peer.Claims().ToJsonString(), other),
            ["subject twice"] = _peer.Sign(
                _peer.Header().ToJsonString(),
                _peer.Claims().ToJsonString().Replace("\"sub\":", "\"sub\":\"x\",\"sub\":", StringComparison.Ordinal)
            ),
            ["issuer twice"] = _peer.Sign(
                _peer.Header().ToJsonString(),
                _peer.Claims().ToJsonString().Replace("\"iss\":", "\"iss\":\"x\",\"iss\":", StringComparison.Ordinal)
            ),
            ["algorithm twice"] = _peer.Sign(
                _peer.Header().ToJsonString().Replace("{", "{\"alg\":\"none\",", StringComparison.Ordinal),
                _peer.Claims().ToJsonString()
            ),
            ["no signature"] = Token()[..(Token().LastIndexOf('.') + 1)],
            ["signature of zeroes"] = string.Join('.', Token().Split('.')[..2]) + "." + new string('A', 86),
            ["signature of our token"] = string.Join('.', Token().Split('.')[..2]) + "." + ours.Split('.')[2],
            ["our claims under its signature"] = _peer.Sign(_peer.Header().ToJsonString(), Payload(ours)),
            ["nested"] = _peer.Sign("""{"alg":"ES256","typ":"at+jwt","cty":"JWT","kid":"key-1"}""", Token()),
            ["half a character in the issuer"] = Unread("{\"iss\":\"\\ud800\"}"),
            ["half a character in a name, bound to a key"] = _peer.Sign(
                _peer.Header().ToJsonString(),
                _peer
                    .Claims()
                    .ToJsonString()
                    .Replace("{", "{\"name\":\"\\ud800\",\"cnf\":{\"jkt\":\"a\"},", StringComparison.Ordinal)
            ),
            ["five parts"] = Token() + ".a.b",
        };

        string Unread(string claims) =>
            $"{OidcPeer.Encode(_peer.Header().ToJsonString())}.{OidcPeer.Encode(claims)}.AAAA";

        foreach (var (name, token) in forged)
        {
            using var client = _gateway.Anonymous();
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/api/v1/whoami", UriKind.Relative));
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
            using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

            Assert.True(answer.StatusCode == HttpStatusCode.Unauthorized, $"{name}: {answer.StatusCode}");
            Assert.Contains("invalid_token", answer.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        }

        Assert.True(forged.Count >= 50, $"{forged.Count}");
    }

    [Theory]
    [InlineData("""{"roles":["admin"]}""")]
    [InlineData("""{"role":"admin","groups":"admin"}""")]
    [InlineData("""{"groups":["admin","auditor","viewer"]}""")]
    [InlineData("""{"groups":[["admin"]],"wids":["admin"]}""")]
    [InlineData("""{"groups":{"admin":true},"permissions":["identity:manage"]}""")]
    [InlineData("""{"scope":"admin identity:manage","scp":"admin","realm_access":{"roles":["admin"]}}""")]
    [InlineData("""{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://evil.example"}}}""")]
    [InlineData("""{"email":"admin@example.com","email_verified":true,"preferred_username":"admin"}""")]
    [InlineData("""{"amr":["pwd","mfa"],"acr":"urn:test:strong","auth_time":4102444800}""")]
    public async Task Nothing_that_a_provider_says_of_itself_is_a_role_or_a_person(string said)
    {
        var claims = _peer.Claims("claimant");
        foreach (var (name, value) in JsonNode.Parse(said)!.AsObject())
        {
            claims[name] = value?.DeepClone();
        }

        var claimant = As(_peer.Sign(_peer.Header().ToJsonString(), claims.ToJsonString()));

        var me = await claimant.ApiGetAsync("/api/v1/whoami");
        Assert.True(me.Ok, me.Body.ToJsonString());
        Assert.Equal("service", me.Text("kind"), ignoreCase: true);
        Assert.Equal(HttpStatusCode.Forbidden, (await SearchAsync(claimant)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await claimant.ApiGetAsync("/api/v1/subjects")).Status);
    }

    [Fact]
    public async Task A_group_of_the_provider_gives_its_roles_for_as_long_as_a_token_says_so_and_by_its_bytes_only()
    {
        const string value = "6f1c0e2a-Viewers";
        await GroupAsync("federated", _peer.Issuer, value);
        await GroupAsync("elsewhere", "https://other.example", "elsewhere");
        var member = new JsonArray("a", value);

        Assert.True(await ReadsAsync("member", claims => claims["groups"] = member.DeepClone()));
        Assert.True(await ReadsAsync("alone", claims => claims["groups"] = value));
        var refused = new Dictionary<string, Action<JsonObject>>
        {
            ["small letters"] = claims => claims["groups"] = new JsonArray(value.ToLowerInvariant()),
            ["look-alike"] = claims => claims["groups"] = new JsonArray(value.Replace('e', '\u0435')),
            ["full width"] = claims => claims["groups"] = new JsonArray(value.Replace('V', '\uFF36')),
            ["blank"] = claims => claims["groups"] = new JsonArray(value + " "),
            ["zero width"] = claims => claims["groups"] = new JsonArray(value + "\u200b"),
            ["list in a text"] = claims => claims["groups"] = $"a,{value}",
            ["blanks in a text"] = claims => claims["groups"] = $"a {value}",
            ["JSON in a text"] = claims => claims["groups"] = $"[\"{value}\"]",
            ["nested"] = claims => claims["groups"] = new JsonArray(new JsonArray(value)),
            ["nested beside"] = claims => claims["groups"] = new JsonArray(value, new JsonArray("a")),
            ["number beside"] = claims => claims["groups"] = new JsonArray(value, 1),
            ["null beside"] = claims => claims["groups"] = new JsonArray(value, null),
            ["object"] = claims => claims["groups"] = new JsonObject { [value] = true },
            ["pattern"] = claims => claims["groups"] = new JsonArray("*"),
            ["other claim"] = claims => claims["roles"] = new JsonArray(value),
            ["claim in capitals"] = claims => claims["Groups"] = new JsonArray(value),
            ["group of another issuer"] = claims => claims["groups"] = new JsonArray("elsewhere"),
            ["name of the group"] = claims => claims["groups"] = new JsonArray("federated"),
            ["overage"] = claims =>
            {
                claims["groups"] = new JsonArray(value);
                claims["_claim_names"] = new JsonObject { ["groups"] = "src1" };
            },
            ["old token"] = claims =>
            {
                claims["groups"] = new JsonArray(value);
                claims["iat"] = Now - 7200;
            },
        };
        foreach (var (name, change) in refused)
        {
            Assert.False(await ReadsAsync($"not-{name}", change), name);
        }

        // The same login with a newer token that no longer names the group loses it at once.
        var older = Token(claims =>
        {
            claims["sub"] = "leaver";
            claims["groups"] = new JsonArray(value);
            claims["iat"] = Now - 60;
        });
        Assert.True((await SearchAsync(As(older))).Ok);
        var newer = Token(claims => claims["sub"] = "leaver");
        Assert.Equal(HttpStatusCode.Forbidden, (await SearchAsync(As(newer))).Status);
    }

    [Fact]
    public async Task A_login_is_the_same_only_by_the_bytes_of_its_name()
    {
        var ids = new List<string>();
        foreach (var subject in new[] { "anna", "Anna", "anna ", "аnna", "a\u030Anna", "\u00E5nna" })
        {
            ids.Add((await As(Token(claims => claims["sub"] = subject)).ApiGetAsync("/api/v1/whoami")).Text("id"));
        }

        Assert.Equal(6, ids.Distinct(StringComparer.Ordinal).Count());
        Assert.DoesNotContain("", ids);
    }

    [Fact]
    public async Task Keys_roll_over_and_a_provider_that_is_down_counts_for_a_bounded_time()
    {
        await using var peer = new OidcPeer(1);
        await peer.StartAsync();
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        using var tokens = Tokens(peer, clock);
        var first = LongLived(peer);
        Assert.NotNull(await ReadAsync(tokens, first));

        await peer.RollOverAsync("key-2");
        var second = LongLived(peer);
        Assert.Null(await ReadAsync(tokens, second)); // looked half a minute ago at most
        clock.Advance(TimeSpan.FromSeconds(31));
        Assert.NotNull(await ReadAsync(tokens, second));
        Assert.Null(await ReadAsync(tokens, first));

        await peer.StopAsync();
        clock.Advance(TimeSpan.FromHours(11));
        Assert.NotNull(await ReadAsync(tokens, second));
        clock.Advance(TimeSpan.FromHours(2));
        Assert.Null(await ReadAsync(tokens, second));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/other")]
    public async Task Metadata_that_names_another_issuer_counts_for_nothing(string suffix)
    {
        using var tokens = Tokens(_peer, TimeProvider.System, suffix);
        var token = Token(claims => claims["iss"] = _peer.Issuer + suffix);

        Assert.NotNull(tokens.IssuerOf(token));
        Assert.Null(await ReadAsync(tokens, token));
    }

    [Theory]
    [InlineData("https://localhost:1/keys")]
    [InlineData("http://localhost/keys")]
    [InlineData("https://evil.example/keys")]
    public async Task Nothing_but_the_configured_host_is_asked(string address)
    {
        using var client = AuthorityOnly.For(new ExternalIssuer { Name = "x", Authority = "https://localhost:2" });

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() =>
            client.GetAsync(new Uri(address), TestContext.Current.CancellationToken)
        );
        Assert.Contains("not configured", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sub", "RS256", "x", "y", "")]
    [InlineData("email", "RS256", "x", "y", "SubjectClaim")]
    [InlineData("preferred_username", "RS256", "x", "y", "SubjectClaim")]
    [InlineData("sub", "HS256", "x", "y", "Algorithms")]
    [InlineData("sub", "none", "x", "y", "Algorithms")]
    [InlineData("sub", "RS256", "", "", "ClientId")]
    [InlineData("sub", "RS256", "x", "x", "Audience must differ")]
    public void A_provider_is_configured_soundly_or_not_at_all(
        string subject,
        string algorithms,
        string client,
        string audience,
        string complaint
    )
    {
        var issuer = new ExternalIssuer
        {
            Name = "peer",
            Authority = "https://idp.example",
            SubjectClaim = subject,
            Algorithms = algorithms,
            ClientId = client,
            Audience = audience,
        };

        var problems = issuer.Validate(new System.ComponentModel.DataAnnotations.ValidationContext(issuer)).ToList();

        Assert.Equal(complaint.Length == 0, problems.Count == 0);
        Assert.Contains(complaint, string.Concat(problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_grant_to_a_group_of_the_provider_gives_nothing_to_whoever_confirmed_it()
    {
        var cleo = await PersonAsync("cleo", "cleo-at-peer", "admin");
        var other = await PersonAsync("otto", "otto-at-peer", "admin");
        await GroupAsync("deciders", _peer.Issuer, "deciders", "reviewer", As(Strong("cleo-at-peer")));
        var member = (string login) => Strong(login, change: claims => claims["groups"] = new JsonArray("deciders"));

        Assert.Equal(("person", cleo), await WhoAsync(member("cleo-at-peer")));
        Assert.Equal(("person", other), await WhoAsync(member("otto-at-peer")));

        Assert.Equal(["admin"], await RolesAsync(cleo));
        Assert.Equal(["admin", "reviewer"], (await RolesAsync(other)).Order());
    }

    private async Task GroupAsync(
        string name,
        string issuer,
        string value,
        string role = "viewer",
        DemoClient? confirming = null
    )
    {
        var admin = _gateway.As("admin");
        var made = await admin.ApiPostAsync(
            "/api/v1/groups",
            new JsonObject
            {
                ["name"] = name,
                ["external"] = new JsonObject
                {
                    ["issuer"] = issuer,
                    ["claim"] = "groups",
                    ["value"] = value,
                },
            }
        );
        Assert.True(made.Status is HttpStatusCode.Created or HttpStatusCode.OK, made.Body.ToJsonString());
        var granted = await admin.ApiPostAsync(
            "/api/v1/grants",
            new JsonObject { ["group"] = made.Text("id"), ["role"] = role }
        );
        await ConfirmAsync(granted, confirming);
    }

    private async Task ConfirmAsync(Answer asked, DemoClient? confirming = null)
    {
        Assert.True(asked.Status is HttpStatusCode.Created, asked.Body.ToJsonString());
        var confirmed = await (confirming ?? _gateway.As("bea")).ApiPostAsync(
            $"/api/v1/confirmations/{asked.Text("confirmation")}/confirm",
            new JsonObject()
        );
        Assert.Equal(HttpStatusCode.NoContent, confirmed.Status);
    }

    /// <summary>A person with a role, to whom a login at the provider is linked by two administrators.</summary>
    private async Task<string> PersonAsync(string name, string login, params string[] roles)
    {
        var enrolled = await _gateway
            .Services.GetRequiredService<ISubjects>()
            .EnrolPersonAsync(
                name,
                $"{name} of the tests",
                new Secret(DemoAccounts.Password),
                [.. roles.DefaultIfEmpty("reviewer").Select(role => new RoleGrant(role, ObjectKind.None, ""))],
                TestContext.Current.CancellationToken
            );
        await ConfirmAsync(await LinkAsync(enrolled.Value.Id, login));
        return enrolled.Value.Id;
    }

    private Task<Answer> LinkAsync(string person, string login) =>
        _gateway
            .As("admin")
            .ApiPostAsync(
                $"/api/v1/persons/{person}/logins",
                new JsonObject { ["issuer"] = _peer.Issuer, ["subject"] = login }
            );

    private string Strong(string login, int minutesAgo = 0, Action<JsonObject>? change = null) =>
        Token(claims =>
        {
            claims["sub"] = login;
            claims["acr"] = "urn:test:strong";
            claims["auth_time"] = Now - (minutesAgo * 60);
            change?.Invoke(claims);
        });

    private async Task<(string Kind, string Id)> WhoAsync(string token)
    {
        var me = await As(token).ApiGetAsync("/api/v1/whoami");
        return (me.Text("kind"), me.Text("id"));
    }

    /// <summary>The home page, through the gateway's own sign-in; nothing when it asks who is there.</summary>
    private async Task<string> HomeAsync(HttpClient browser)
    {
        var address = new Uri($"{_gateway.Url}/");
        for (var hops = 0; hops < 10; hops++)
        {
            using var answer = await browser.GetAsync(address, TestContext.Current.CancellationToken);
            if (answer.Headers.Location is not { } next)
            {
                var page = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                return address.AbsolutePath == "/" ? page : "";
            }

            address = new Uri(address, next);
        }

        throw new InvalidOperationException("It goes round in circles.");
    }

    /// <summary>Signs a browser in at the provider; the answer of the gateway.</summary>
    private async Task<HttpResponseMessage> SignInAsync(HttpClient browser, string from)
    {
        using var begun = await browser.GetAsync(new Uri(_gateway.Url + from), TestContext.Current.CancellationToken);
        var callback = await FollowAsync(browser, begun.Headers.Location!);
        return await browser.GetAsync(callback, TestContext.Current.CancellationToken);
    }

    private static JsonObject Login(string subject, string acr = "urn:test:strong") =>
        new()
        {
            ["sub"] = subject,
            ["acr"] = acr,
            ["claims"] = new JsonObject { ["acr"] = acr, ["auth_time"] = Now },
        };

    private async Task<bool> ReadsAsync(string subject, Action<JsonObject> change)
    {
        var client = As(
            Token(claims =>
            {
                claims["sub"] = subject;
                change(claims);
            })
        );
        Assert.True((await client.ApiGetAsync("/api/v1/whoami")).Ok, subject);
        return (await SearchAsync(client)).Ok;
    }

    private static long Now => DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private string Token(Action<JsonObject>? change = null, Action<JsonObject>? header = null)
    {
        var (head, claims) = (_peer.Header(), _peer.Claims());
        change?.Invoke(claims);
        header?.Invoke(head);
        return _peer.Sign(head.ToJsonString(), claims.ToJsonString());
    }

    private static string LongLived(OidcPeer peer)
    {
        var claims = peer.Claims();
        claims["exp"] = Now + 7 * 86_400;
        return peer.Sign(peer.Header().ToJsonString(), claims.ToJsonString());
    }

    private string Hs256()
    {
        var text =
            $"{OidcPeer.Encode("""{"alg":"HS256","typ":"at+jwt","kid":"key-1"}""")}.{OidcPeer.Encode(_peer.Claims().ToJsonString())}";
        var mac = HMACSHA256.HashData(
            Encoding.ASCII.GetBytes(_peer.Key.ExportSubjectPublicKeyInfoPem()),
            Encoding.ASCII.GetBytes(text)
        );
        return $"{text}.{System.Buffers.Text.Base64Url.EncodeToString(mac)}";
    }

    private string WithKey(ECDsa key)
    {
        var point = key.ExportParameters(false).Q;
        var header = _peer.Header();
        header["jwk"] = new JsonObject
        {
            ["kty"] = "EC",
            ["crv"] = "P-256",
            ["x"] = System.Buffers.Text.Base64Url.EncodeToString(point.X),
            ["y"] = System.Buffers.Text.Base64Url.EncodeToString(point.Y),
        };
        return header.ToJsonString();
    }

    private static string Payload(string token) =>
        Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]));

    private DemoClient As(string token)
    {
        var client = _gateway.Anonymous();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return new DemoClient(client);
    }

    private static Task<Answer> SearchAsync(DemoClient client) =>
        client.PostAsync("experiments/search", new JsonObject { ["max_results"] = 1 });

    private HttpClient Browser() => _peer.Client(_gateway.Services.GetRequiredService<ServerCertificates>().Authority);

    /// <summary>Goes where redirects of the provider lead until they come back to the gateway.</summary>
    private async Task<Uri> FollowAsync(HttpClient browser, Uri address)
    {
        for (var hops = 0; hops < 10; hops++)
        {
            using var answer = await browser.GetAsync(address, TestContext.Current.CancellationToken);
            var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.True(answer.Headers.Location is not null, $"{answer.StatusCode} {text}");
            address = new Uri(address, answer.Headers.Location);
            if (address.Authority == new Uri(_gateway.Url).Authority)
            {
                return address;
            }
        }

        throw new InvalidOperationException("It goes round in circles.");
    }

    private static IEnumerable<Uri> WrongAnswers(Uri callback, System.Collections.Specialized.NameValueCollection query)
    {
        foreach (
            var (name, value) in new[] { ("state", ""), ("state", "x"), ("iss", "https://evil.example"), ("iss", "") }
        )
        {
            var changed = HttpUtility.ParseQueryString(query.ToString()!);
            if (value.Length == 0)
            {
                changed.Remove(name);
            }
            else
            {
                changed[name] = value;
            }

            yield return new UriBuilder(callback) { Query = changed.ToString() }.Uri;
        }
    }

    private static ExternalTokens Tokens(OidcPeer peer, TimeProvider clock, string suffix = "") =>
        new(
            Options.Create(
                new IdentityOptions
                {
                    Issuers =
                    [
                        new ExternalIssuer
                        {
                            Name = "peer",
                            Authority = peer.Issuer + suffix,
                            AuthorityFile = peer.AuthorityFile,
                            Audience = OidcPeer.Audience,
                        },
                    ],
                }
            ),
            new PlatformOptions
            {
                DataDirectory = "",
                PoliciesDirectory = "",
                KeyFile = "",
                PublicUrl = "https://localhost",
            },
            clock,
            NullLogger<IssuerMetadata>.Instance
        );

    private static async Task<ExternalLogin?> ReadAsync(ExternalTokens tokens, string token) =>
        await tokens.ValidateAsync(tokens.IssuerOf(token)!, token, TestContext.Current.CancellationToken) is { } read
            ? read.Login
            : null;
}
