using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Jobs;
using Governance.Platform.Outbound;
using Governance.Registry;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Webhooks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Tests.Registry;

public sealed class WebhookTests
{
    private const string Admin = "admin-x";
    private static readonly JsonObject VersionCreated = new() { ["entity"] = "MODEL_VERSION", ["action"] = "CREATED" };

    [Fact]
    public async Task A_webhook_is_made_read_listed_changed_and_deleted_and_its_secret_never_shown()
    {
        await using var host = await RegistryHost.StartAsync();

        var made = (await host.OkAsync("POST", "webhooks", Body("https://hooks.example/x"), Admin))["webhook"]!;
        var id = (string)made["webhook_id"]!;
        var read = (await host.OkAsync("GET", $"webhooks/{id}", actor: Admin))["webhook"]!;
        var listed = await host.OkAsync("GET", "webhooks", actor: Admin);
        var changed = await host.OkAsync("PATCH", $"webhooks/{id}", """{"status":"DISABLED","name":"n2"}""", Admin);
        var (moved, _) = await host.SendAsync("PATCH", $"webhooks/{id}", """{"url":"https://other.example"}""", Admin);
        var deleted = await host.OkAsync("DELETE", $"webhooks/{id}", actor: Admin);
        var (gone, _) = await host.SendAsync("GET", $"webhooks/{id}", actor: Admin);

        Assert.Equal(
            "webhook_id,name,url,events,status,creation_timestamp,last_updated_timestamp",
            string.Join(',', made.AsObject().Select(member => member.Key))
        );
        Assert.Equal(made.ToJsonString(), read.ToJsonString());
        Assert.Equal(made.ToJsonString(), Assert.Single(listed["webhooks"]!.AsArray())!.ToJsonString());
        Assert.Equal(
            ("DISABLED", "n2"),
            ((string?)changed["webhook"]!["status"], (string?)changed["webhook"]!["name"])
        );
        Assert.Equal(400, moved);
        Assert.Equal("{}", deleted.ToJsonString());
        Assert.Equal(404, gone);
        Assert.DoesNotContain("top-secret", Log(host), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_lies_encrypted()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.OkAsync("POST", "webhooks", Body("https://hooks.example/x"), Admin);

        await using var db = host.Database.Read();
        var wrapped = db.Set<WebhookRow>().Single().WrappedSecret!;

        Assert.True(wrapped.AsSpan().IndexOf("top-secret"u8) < 0);
    }

    [Theory]
    [InlineData("ds")]
    [InlineData("viewer-x")]
    public async Task Webhooks_need_their_own_permission_granted_globally(string actor)
    {
        await using var host = await RegistryHost.StartAsync();

        var (made, _) = await host.SendAsync("POST", "webhooks", Body("https://hooks.example/x"), actor);
        var (listed, _) = await host.SendAsync("GET", "webhooks", actor: actor);

        Assert.Equal([403, 403], [made, listed]);
        Assert.Contains(host.Database.Log.Entries, e => e.Kind == "registry.refused");
    }

    [Theory]
    [InlineData("http://hooks.example/x")]
    [InlineData("ftp://hooks.example/x")]
    [InlineData("//hooks.example/x")]
    [InlineData("hooks.example")]
    [InlineData("file:///etc/passwd")]
    [InlineData("https://user:pw@hooks.example/x")]
    [InlineData("https://hooks.example/#x")]
    [InlineData("https://hooks.example/a b")]
    [InlineData("https://hooks.example\\@127.0.0.1/")]
    [InlineData("https://127.0.0.1:8443/x")]
    [InlineData("https://127.1/x")]
    [InlineData("https://0x7f000001/x")]
    [InlineData("https://2130706433/x")]
    [InlineData("https://0/x")]
    [InlineData("https://169.254.169.254/latest/meta-data")]
    [InlineData("https://10.0.0.1/x")]
    [InlineData("https://192.168.1.1/x")]
    [InlineData("https://[::1]/x")]
    [InlineData("https://[::ffff:127.0.0.1]/x")]
    [InlineData("https://[fe80::1]/x")]
    [InlineData("https://[fd00::1]/x")]
    [InlineData("https://[64:ff9b::7f00:1]/x")]
    [InlineData("https://[2002:7f00:1::]/x")]
    public async Task An_address_inside_or_an_odd_one_is_refused_when_the_webhook_is_made(string url)
    {
        await using var host = await RegistryHost.StartAsync();

        var (status, answer) = await host.SendAsync("POST", "webhooks", Body(url), Admin);

        Assert.Equal(400, status);
        Assert.StartsWith("registry.", (string?)answer["code"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"entity\":\"MODEL_VERSION\",\"action\":\"DELETED\"}")]
    [InlineData("{\"entity\":\"DATASET\",\"action\":\"CREATED\"}")]
    [InlineData("{\"entity\":\"MODEL_VERSION\"}")]
    public async Task An_unknown_event_is_refused(string happened)
    {
        await using var host = await RegistryHost.StartAsync();
        var body = Body("https://hooks.example/x");
        body["events"] = new JsonArray(JsonNode.Parse(happened));

        Assert.Equal(400, (await host.SendAsync("POST", "webhooks", body.ToJsonString(), Admin)).Status);
    }

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("100.64.1.1", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("198.18.0.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::127.0.0.1", false)]
    [InlineData("fc00::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("2001::1", false)]
    public void Only_public_addresses_are_allowed(string address, bool allowed) =>
        Assert.Equal(allowed, new OutboundPolicy([]).Allows(IPAddress.Parse(address)));

    [Fact]
    public void An_operator_may_allow_a_network_of_its_own()
    {
        var policy = new OutboundPolicy([IPNetwork.Parse("10.1.0.0/16")]);

        Assert.True(policy.Allows(IPAddress.Parse("10.1.2.3")));
        Assert.True(policy.Allows(IPAddress.Parse("::ffff:10.1.2.3")));
        Assert.False(policy.Allows(IPAddress.Parse("10.2.2.3")));
    }

    [Fact]
    public void The_signature_is_that_of_standard_webhooks() =>
        Assert.Equal(
            "v1," + Convert.ToBase64String(HMACSHA256.HashData("key"u8, "id.1700000000.{\"a\":1}"u8)),
            WebhookSignature.Of("key"u8, "id", 1_700_000_000, "{\"a\":1}")
        );

    [Fact]
    public async Task A_registration_is_delivered_signed_and_logged()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);

        await host.VersionAsync("m");
        await DeliverAsync(host);

        var got = Assert.Single(receiver.Got);
        var body = JsonNode.Parse(got.Body)!;
        Assert.Equal(("model_version", "created"), ((string?)body["entity"], (string?)body["action"]));
        Assert.Equal(("m", "1"), ((string?)body["data"]!["name"], (string?)body["data"]!["version"]));
        Assert.Equal(
            WebhookSignature.Of(
                "top-secret"u8,
                got.Headers["X-MLflow-Delivery-Id"],
                long.Parse(got.Headers["X-MLflow-Timestamp"], System.Globalization.CultureInfo.InvariantCulture),
                got.Body
            ),
            got.Headers["X-MLflow-Signature"]
        );
        Assert.False(got.Headers.ContainsKey("Authorization"));
        Assert.Contains(host.Database.Log.Entries, e => e.Kind == "registry.webhook_delivered");
        await using var db = host.Database.Read();
        Assert.Empty(db.Set<WebhookDeliveryRow>());
    }

    [Fact]
    public async Task The_workers_deliver_what_was_committed()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver, startJobs: true);
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);

        var path = await host.VersionAsync("m");
        await host.RegisterAsync("m", $"mlflow-artifacts:/{path}", null);
        await host.RegisterAsync("m", $"mlflow-artifacts:/{path}", null);
        for (
            var i = 0;
            i < 300 && host.Database.Log.Entries.Count(e => e.Kind == "registry.webhook_delivered") < 3;
            i++
        )
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        Assert.Equal(3, receiver.Got.Count);
    }

    [Fact]
    public async Task Stages_aliases_tags_and_prompts_are_told_under_their_own_names()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        var body = Body(receiver.Url);
        body["events"] = new JsonArray([
            .. WebhookEvent.All.Select(e => new JsonObject { ["entity"] = e.Entity, ["action"] = e.Action }),
        ]);
        await host.OkAsync("POST", "webhooks", body.ToJsonString(), Admin);

        var path = await host.VersionAsync("m");
        await host.RegisterAsync("m", $"mlflow-artifacts:/{path}", null);
        await StageAsync(1);
        await StageAsync(2);
        await host.OkAsync("POST", "registered-models/alias", """{"name":"m","alias":"a","version":"2"}""");
        await host.OkAsync("DELETE", "registered-models/alias", """{"name":"m","alias":"a"}""");
        await host.OkAsync("POST", "model-versions/set-tag", """{"name":"m","version":"1","key":"k","value":"v"}""");
        await host.OkAsync("DELETE", "model-versions/delete-tag", """{"name":"m","version":"1","key":"k"}""");
        await host.OkAsync(
            "POST",
            "registered-models/create",
            """{"name":"p","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]}"""
        );
        await host.OkAsync("POST", "registered-models/set-tag", """{"name":"p","key":"k","value":"v"}""");
        await DeliverAsync(host);

        var told = receiver.Got.Select(got => JsonNode.Parse(got.Body)!).ToList();
        Assert.Equal(
            [
                "registered_model.created",
                "model_version.created",
                "model_version.created",
                "model_version_stage.updated",
                "model_version_stage.updated",
                "model_version_stage.updated",
                "model_version_alias.created",
                "model_version_alias.deleted",
                "model_version_tag.set",
                "model_version_tag.deleted",
                "prompt.created",
                "prompt_tag.set",
            ],
            told.Select(one => $"{one["entity"]}.{one["action"]}")
        );
        Assert.Equal(
            ["1 None Production", "1 Production Archived", "2 None Production"],
            told.Where(one => (string?)one["entity"] == "model_version_stage")
                .Select(one => $"{one["data"]!["version"]} {one["data"]!["previous_stage"]} {one["data"]!["stage"]}")
                .Order(StringComparer.Ordinal)
        );

        Task StageAsync(int version) =>
            host.OkAsync(
                "POST",
                "model-versions/transition-stage",
                $$"""{"name":"m","version":"{{version}}","stage":"Production","archive_existing_versions":true}"""
            );
    }

    [Fact]
    public async Task What_was_rolled_back_or_not_asked_for_is_not_told()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);
        await host.OkAsync("POST", "registered-models/create", """{"name":"m"}""");

        await host.SendAsync("POST", "model-versions/create", """{"name":"m","source":"s3://x/y"}""");
        await host.SendAsync("POST", "registered-models/create", """{"name":"m"}""");
        await DeliverAsync(host);

        Assert.Empty(receiver.Got);
    }

    [Fact]
    public async Task A_receiver_that_is_busy_is_asked_again_under_the_same_id_for_a_day()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        var made = await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);
        await host.VersionAsync("m");
        receiver.Status = 503;

        for (var i = 1; i <= 20; i++)
        {
            var postponed = await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));
            Assert.Equal(TimeSpan.FromSeconds(Math.Min(Math.Pow(2, i), 3600)), postponed.Wait);
            await ChangeAsync(host, (webhook, _) => webhook.RetryMs = 0);
        }

        var shown = (await host.OkAsync("GET", $"webhooks/{made["webhook"]!["webhook_id"]}", actor: Admin))["webhook"]!;
        await ChangeAsync(host, (_, deliveries) => deliveries.Single().CreatedMs -= 24 * 3_600_000);
        await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));

        Assert.Equal(
            ("answer", 503, 20, 1),
            (
                (string?)shown["last_delivery"]!["outcome"],
                (int?)shown["last_delivery"]!["response_status"],
                (int?)shown["last_delivery"]!["failures"],
                (int?)shown["waiting_deliveries"]
            )
        );
        Assert.Equal(21, receiver.Got.Count);
        Assert.Single(receiver.Got.Select(got => got.Headers["X-MLflow-Delivery-Id"]).Distinct());
        var end = Assert.Single(host.Database.Log.Entries, e => e.Kind == "registry.webhook_undelivered");
        Assert.Equal(("answer", 503), ((string?)end.Details["reason"], (int?)end.Details["status"]));
        await using var after = host.Database.Read();
        Assert.Empty(after.Set<WebhookDeliveryRow>());
    }

    [Fact]
    public async Task A_receiver_that_answered_nothing_for_a_day_is_asked_once_and_not_for_each_message_that_waited()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);
        await host.VersionAsync("m");
        await host.VersionAsync("n");
        receiver.Status = 503;
        await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));
        await ChangeAsync(
            host,
            (webhook, deliveries) =>
            {
                (webhook.RetryMs, webhook.Failures) = (0, 20);
                deliveries.ForEach(delivery => delivery.CreatedMs -= 24 * 3_600_000);
            }
        );

        await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));
        await host.VersionAsync("new");
        var waits = await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));

        Assert.Equal(2, receiver.Got.Count);
        Assert.InRange(waits.Wait, TimeSpan.FromMinutes(59), TimeSpan.FromMinutes(60));
        Assert.Equal(
            [("answer", 503), ("answer", 503)],
            host.Database.Log.Entries.Where(e => e.Kind == "registry.webhook_undelivered")
                .Select(e => ((string?)e.Details["reason"], (int?)e.Details["status"]))
        );

        receiver.Status = 200;
        await ChangeAsync(host, (webhook, _) => webhook.RetryMs = 0);
        await DeliverAsync(host);
        await using var db = host.Database.Read();
        var after = db.Set<WebhookRow>().Single();
        Assert.Equal((3, 0, 0L), (receiver.Got.Count, after.Failures, after.RetryMs));
    }

    [Fact]
    public async Task All_that_waits_for_a_webhook_is_one_job()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);

        await host.VersionAsync("m");
        await host.VersionAsync("n");

        await using var db = host.Database.Read();
        Assert.Equal(2, db.Set<WebhookDeliveryRow>().Count());
        Assert.Single(db.Set<JobRow>(), job => job.Kind == DeliverWebhook.JobKind);
    }

    [Fact]
    public async Task A_message_that_its_receiver_chokes_on_does_not_keep_the_others_back()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);
        receiver.Chokes = body => body.Contains("\"m\"", StringComparison.Ordinal);
        await host.VersionAsync("m");
        await Task.Delay(2, TestContext.Current.CancellationToken);
        await host.VersionAsync("n");

        await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));
        await ChangeAsync(host, (webhook, _) => webhook.RetryMs = 0);
        await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));

        var delivered = Assert.Single(host.Database.Log.Entries, e => e.Kind == "registry.webhook_delivered");
        await using var db = host.Database.Read();
        Assert.NotEqual((string?)delivered.Details["delivery"], db.Set<WebhookDeliveryRow>().Single().Id);
    }

    [Theory]
    [InlineData(true, "withdrawn")]
    [InlineData(false, "failed")]
    public async Task A_job_of_a_webhook_that_is_gone_or_that_was_given_up_says_so_of_the_message(
        bool gone,
        string reason
    )
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        var made = await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);
        var id = (string)made["webhook"]!["webhook_id"]!;
        await host.VersionAsync("m");
        await host.VersionAsync("n");
        if (gone)
        {
            await host.OkAsync("DELETE", $"webhooks/{id}", actor: Admin);
            await Handler(host).RunAsync(id, TestContext.Current.CancellationToken);
        }
        else
        {
            await Handler(host).GiveUpAsync(id, "it failed 5 times", TestContext.Current.CancellationToken);
        }

        var ends = host.Database.Log.Entries.Where(e => e.Kind == "registry.webhook_undelivered").ToList();
        Assert.Equal(gone ? 2 : 1, ends.Count);
        Assert.All(ends, end => Assert.Equal(reason, (string?)end.Details["reason"]));
        Assert.Empty(receiver.Got);
    }

    [Fact]
    public async Task What_waits_for_a_receiver_that_does_not_answer_is_not_tried_one_by_one()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);
        await host.VersionAsync("m");
        receiver.Status = 503;
        await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));
        receiver.Status = 200;

        await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));
        Assert.Single(receiver.Got);

        await ChangeAsync(host, (webhook, _) => webhook.RetryMs = 0);
        await DeliverAsync(host);
        Assert.Equal(2, receiver.Got.Count);
        Assert.Contains(host.Database.Log.Entries, e => e.Kind == "registry.webhook_delivered");
    }

    [Theory]
    [InlineData(Announce.MaxWaiting, 0, true)]
    [InlineData(1, (int)Announce.MaxWaitingBytes, true)]
    [InlineData(Announce.MaxWaiting - 1, 1, false)]
    public async Task Messages_beyond_what_may_wait_for_a_receiver_are_logged_as_undelivered(
        int messages,
        int size,
        bool full
    )
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);
        var path = await host.VersionAsync("m");
        await host.Database.Writer.WriteAsync<Unit>(
            (session, _) =>
            {
                var webhook = session.Db.Set<WebhookRow>().Single();
                session.Db.RemoveRange(session.Db.Set<WebhookDeliveryRow>());
                session.Db.AddRange(
                    Enumerable
                        .Range(1, messages)
                        .Select(i => new WebhookDeliveryRow
                        {
                            Id = $"{i}",
                            WebhookId = webhook.Id,
                            Size = size,
                        })
                );
                return Task.FromResult<Result<Unit>>(default(Unit));
            },
            TestContext.Current.CancellationToken
        );

        await host.RegisterAsync("m", $"mlflow-artifacts:/{path}", null);

        Assert.Equal(
            full ? ["full"] : [],
            host.Database.Log.Entries.Where(e => e.Kind == "registry.webhook_undelivered")
                .Select(end => (string?)end.Details["reason"])
        );
        await using var db = host.Database.Read();
        Assert.Equal(full ? messages : messages + 1, db.Set<WebhookDeliveryRow>().Count());
        Assert.Equal(
            full ? [] : [true],
            db.Set<WebhookDeliveryRow>().Where(row => row.Body != "").Select(row => row.Size > 100)
        );
    }

    [Fact]
    public async Task A_changed_webhook_is_tried_at_once()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        var made = await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);
        await host.VersionAsync("m");
        receiver.Status = 503;
        await Assert.ThrowsAsync<JobPostponedException>(() => DeliverAsync(host));
        receiver.Status = 200;

        var later = DateTimeOffset.UtcNow.AddHours(1);
        await host.Database.Writer.WriteAsync<Unit>(
            (session, _) =>
            {
                session.Db.Set<JobRow>().Single(job => job.Kind == DeliverWebhook.JobKind).DueAt = later;
                return Task.FromResult<Result<Unit>>(default(Unit));
            },
            TestContext.Current.CancellationToken
        );

        await host.OkAsync("PATCH", $"webhooks/{made["webhook"]!["webhook_id"]}", """{"name":"mended"}""", Admin);
        await using (var db = host.Database.Read())
        {
            Assert.True(
                db.Set<JobRow>().Single(job => job.Kind == DeliverWebhook.JobKind).DueAt <= DateTimeOffset.UtcNow
            );
        }

        await DeliverAsync(host);

        Assert.Equal(2, receiver.Got.Count);
    }

    [Fact]
    public async Task The_event_of_stages_stands_apart_where_stock_clients_do_not_look()
    {
        await using var host = await RegistryHost.StartAsync();
        var stage = new JsonObject { ["entity"] = "MODEL_VERSION_STAGE", ["action"] = "UPDATED" };
        var body = Body("https://hooks.example/x");
        body["events"] = new JsonArray(stage.DeepClone(), VersionCreated.DeepClone());
        var alone = Body("https://hooks.example/x");
        alone["events"] = new JsonArray(stage.DeepClone());

        await host.OkAsync("POST", "webhooks", body.ToJsonString(), Admin);
        var (refused, answer) = await host.SendAsync("POST", "webhooks", alone.ToJsonString(), Admin);
        var listed = (await host.OkAsync("GET", "webhooks", actor: Admin))["webhooks"]![0]!;

        Assert.Equal($"[{VersionCreated.ToJsonString()}]", listed["events"]!.ToJsonString());
        Assert.Equal($"[{stage.ToJsonString()}]", listed["gateway_events"]!.ToJsonString());
        Assert.Equal((400, "registry.bad_webhook_event"), (refused, (string?)answer["code"]));
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        await using var canary = await Receiver.StartAsync();
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        (receiver.Status, receiver.Location) = (307, canary.Url);
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);

        await host.VersionAsync("m");
        await DeliverAsync(host);

        Assert.Single(receiver.Got);
        Assert.Equal(0, canary.Connections);
        Assert.Contains(host.Database.Log.Entries, e => e.Kind == "registry.webhook_undelivered");
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("8.8.8.8 127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("")]
    public async Task A_name_that_points_inside_is_not_connected_to(string addresses)
    {
        await using var canary = await Receiver.StartAsync();
        var names = new FakeNames(addresses);
        await using var host = await StartAsync(canary, names, allowLoopback: false);
        await host.OkAsync("POST", "webhooks", Body($"https://inside.example:{new Uri(canary.Url).Port}/"), Admin);

        await host.VersionAsync("m");
        await DeliverAsync(host);

        Assert.Equal(0, canary.Connections);
        var entry = Assert.Single(host.Database.Log.Entries, e => e.Kind == "registry.webhook_undelivered");
        Assert.Equal("registry.webhook_address", (string?)entry.Details["reason"]);
    }

    [Fact]
    public async Task A_name_is_looked_up_once_so_that_a_second_answer_changes_nothing()
    {
        await using var receiver = await Receiver.StartAsync();
        var names = new FakeNames("127.0.0.1") { Later = "169.254.169.254" };
        await using var host = await StartAsync(receiver, names);
        await host.OkAsync("POST", "webhooks", Body($"https://localhost:{new Uri(receiver.Url).Port}/"), Admin);

        await host.VersionAsync("m");
        await DeliverAsync(host);

        Assert.Equal(1, names.Asked);
        Assert.Single(receiver.Got);
    }

    [Fact]
    public async Task A_receiver_whose_certificate_is_not_trusted_is_told_nothing()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await RegistryHost.StartAsync(services =>
            services.Configure<RegistryOptions>(options => options.WebhookNetworks.Add("127.0.0.0/8"))
        );
        await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);
        var id = (string)(await host.OkAsync("GET", "webhooks", actor: Admin))["webhooks"]![0]!["webhook_id"]!;

        var tested = await host.OkAsync("POST", $"webhooks/{id}/test", "{}", Admin);

        Assert.Equal("""{"success":false,"error_message":"tls"}""", tested["result"]!.ToJsonString());
        Assert.Empty(receiver.Got);
    }

    [Fact]
    public async Task A_test_tells_the_status_and_nothing_of_the_answer()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var host = await StartAsync(receiver);
        var made = await host.OkAsync("POST", "webhooks", Body(receiver.Url), Admin);

        var tested = await host.OkAsync("POST", $"webhooks/{made["webhook"]!["webhook_id"]}/test", "{}", Admin);

        Assert.Equal("""{"success":true,"response_status":200}""", tested["result"]!.ToJsonString());
        Assert.Equal(2, host.Database.Log.Entries.Count(e => e.Kind == "registry.webhook_tested"));
    }

    private static JsonObject Body(string url) =>
        new()
        {
            ["name"] = "w",
            ["url"] = url,
            ["events"] = new JsonArray(VersionCreated.DeepClone()),
            ["secret"] = "top-secret",
        };

    private static Task<RegistryHost> StartAsync(
        Receiver receiver,
        FakeNames? names = null,
        bool allowLoopback = true,
        bool startJobs = false
    ) =>
        RegistryHost.StartAsync(
            services =>
            {
                services.Configure<RegistryOptions>(options =>
                {
                    options.WebhookAuthorities = receiver.AuthorityPath;
                    if (allowLoopback)
                    {
                        options.WebhookNetworks.Add("127.0.0.0/8");
                    }
                });
                services.AddSingleton<IHostAddresses>(names ?? new FakeNames("127.0.0.1"));
            },
            startJobs
        );

    private static IJobHandler Handler(RegistryHost host) =>
        host.Database.Services.GetServices<IJobHandler>().Single(handler => handler.Kind == DeliverWebhook.JobKind);

    private static async Task DeliverAsync(RegistryHost host)
    {
        while (true)
        {
            string? webhook;
            await using (var db = host.Database.Read())
            {
                webhook = db.Set<WebhookDeliveryRow>().OrderBy(row => row.Id).FirstOrDefault()?.WebhookId;
                if (webhook is null)
                {
                    return;
                }

                Assert.Contains(
                    webhook,
                    db.Set<JobRow>().Where(job => job.Kind == DeliverWebhook.JobKind).Select(job => job.Payload)
                );
            }

            await Handler(host).RunAsync(webhook, TestContext.Current.CancellationToken);
        }
    }

    private static Task ChangeAsync(RegistryHost host, Action<WebhookRow, List<WebhookDeliveryRow>> change) =>
        host.Database.Writer.WriteAsync<Unit>(
            (session, _) =>
            {
                change(session.Db.Set<WebhookRow>().Single(), [.. session.Db.Set<WebhookDeliveryRow>()]);
                return Task.FromResult<Result<Unit>>(default(Unit));
            },
            TestContext.Current.CancellationToken
        );

    private static string Log(RegistryHost host) =>
        string.Join('\n', host.Database.Log.Entries.Select(e => $"{e.Subject} {e.Details.ToJsonString()}"));
}

/// <summary>A name service that says what it is told to.</summary>
internal sealed class FakeNames(string addresses) : IHostAddresses
{
    public string? Later { get; init; }

    public int Asked { get; private set; }

    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        var answer = Asked++ == 0 ? addresses : Later ?? addresses;
        return Task.FromResult<IPAddress[]>([
            .. answer.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse),
        ]);
    }
}

/// <summary>A receiver of webhooks on loopback with a certificate of its own; it also serves as canary.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly X509Certificate2 _certificate;
    private WebApplication? _app;
    private int _connections;

    private Receiver(X509Certificate2 certificate, string authorityPath) =>
        (_certificate, AuthorityPath) = (certificate, authorityPath);

    public string AuthorityPath { get; }

    public string Url { get; private set; } = "";

    public int Status { get; set; } = 200;

    public string? Location { get; set; }

    /// <summary>Bodies that are answered 500.</summary>
    public Predicate<string> Chokes { get; set; } = _ => false;

    /// <summary>TCP connections, whether or not TLS came about.</summary>
    public int Connections => Volatile.Read(ref _connections);

    public ConcurrentQueue<(IReadOnlyDictionary<string, string> Headers, string Body)> Got { get; } = [];

    public static async Task<Receiver> StartAsync()
    {
        var (certificate, path) = await LoopbackCertificate.MakeAsync();
        var receiver = new Receiver(certificate, path);
        await receiver.ListenAsync();
        return receiver;
    }

    public async ValueTask DisposeAsync()
    {
        await _app!.DisposeAsync();
        _certificate.Dispose();
        File.Delete(AuthorityPath);
    }

    private async Task ListenAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(
                IPAddress.Loopback,
                0,
                listen =>
                {
                    listen.Use(next =>
                        connection =>
                        {
                            Interlocked.Increment(ref _connections);
                            return next(connection);
                        }
                    );
                    listen.UseHttps(_certificate);
                }
            )
        );
        _app = builder.Build();
        _app.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
            var body = await reader.ReadToEndAsync();
            Got.Enqueue(
                (
                    context.Request.Headers.ToDictionary(
                        header => header.Key,
                        header => header.Value.ToString(),
                        StringComparer.OrdinalIgnoreCase
                    ),
                    body
                )
            );
            context.Response.StatusCode = Chokes(body) ? 500 : Status;
            if (Location is not null)
            {
                context.Response.Headers.Location = Location;
            }

            await context.Response.WriteAsync("something private");
        });
        await _app.StartAsync();
        Url = _app
            .Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!
            .Addresses.First()
            .Replace("http://", "https://", StringComparison.Ordinal);
    }
}
