using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;
using Governance.Platform.Logging;
using Governance.Registry;
using Governance.Registry.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Registry;

public sealed class ArtifactTests
{
    [Theory]
    [InlineData("../x")]
    [InlineData("a/../../x")]
    [InlineData("%2e%2e/x")]
    [InlineData("%252e%252e/x")]
    [InlineData("..%5cx")]
    [InlineData("a%5Cb")]
    [InlineData("a//b")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("a%00b")]
    [InlineData("%FF%FE")]
    public async Task A_path_trick_is_a_clear_400(string trick)
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, run) = await host.RunAsync("e");

        var put = await host.PutAsync($"{experiment}/{run}/artifacts/{trick}", "x");
        using var deleted = await host.ArtifactAsync("DELETE", $"{experiment}/{run}/artifacts/{trick}");

        Assert.Equal(400, put);
        Assert.Equal(400, (int)deleted.StatusCode);
    }

    [Fact]
    public async Task Odd_names_round_trip()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, run) = await host.RunAsync("e");
        var path = $"{experiment}/{run}/artifacts/sub%20dir/%C3%BCn%C3%AF%2Fa+b.txt";

        Assert.Equal(200, await host.PutAsync(path, "odd"));

        using var read = await host.ArtifactAsync(
            "GET",
            $"{experiment}/{run}/artifacts/sub%20dir/%C3%BCn%C3%AF/a+b.txt"
        );
        Assert.Equal("odd", await read.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal("nosniff", read.Headers.GetValues("X-Content-Type-Options").Single());
    }

    [Fact]
    public async Task A_file_over_the_limit_is_413_and_leaves_nothing()
    {
        await using var host = await RegistryHost.StartAsync(services =>
            services.Configure<RegistryOptions>(options => options.MaxArtifactBytes = 1024)
        );
        var (experiment, run) = await host.RunAsync("e");

        var over = await host.PutAsync($"{experiment}/{run}/artifacts/over", new string('x', 1025));
        var just = await host.PutAsync($"{experiment}/{run}/artifacts/just", new string('x', 1024));

        using var read = await host.ArtifactAsync("GET", $"{experiment}/{run}/artifacts/over");
        Assert.Equal((413, 200, 404), (over, just, (int)read.StatusCode));
    }

    [Fact]
    public async Task An_empty_chunked_file_is_stored_and_a_missing_one_is_404()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, run) = await host.RunAsync("e");

        Assert.Equal(200, await host.PutAsync($"{experiment}/{run}/artifacts/empty", ""));

        using var empty = await host.ArtifactAsync("GET", $"{experiment}/{run}/artifacts/empty");
        using var missing = await host.ArtifactAsync("GET", $"{experiment}/{run}/artifacts/missing");
        Assert.Equal(0, empty.Content.Headers.ContentLength);
        Assert.Equal(404, (int)missing.StatusCode);
    }

    [Fact]
    public async Task A_file_cannot_lie_under_a_file()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, run) = await host.RunAsync("e");
        await host.PutAsync($"{experiment}/{run}/artifacts/a", "x");

        Assert.Equal(409, await host.PutAsync($"{experiment}/{run}/artifacts/a/b", "x"));
    }

    [Fact]
    public async Task What_a_version_registered_can_be_neither_overwritten_nor_deleted_and_the_try_is_logged()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");

        var overwritten = await host.PutAsync($"{path}/model.pkl", "evil");
        var added = await host.PutAsync($"{path}/extra.py", "evil");
        using var file = await host.ArtifactAsync("DELETE", $"{path}/model.pkl");
        using var folder = await host.ArtifactAsync("DELETE", path);

        Assert.Equal([409, 409, 409, 409], [overwritten, added, (int)file.StatusCode, (int)folder.StatusCode]);
        var refused = host.Database.Log.Entries.Count(e =>
            e is { Kind: "registry.refused", Outcome: LogOutcome.Refused }
            && (string?)e.Details["code"] == "registry.frozen"
        );
        Assert.Equal(4, refused);
        using var read = await host.ArtifactAsync("GET", $"{path}/model.pkl");
        Assert.Equal("bytes of m", await read.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Registered_bytes_are_read_by_the_right_on_a_version_not_on_the_experiment()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, run) = await host.RunAsync("e");
        var root = $"{experiment}/{run}/artifacts";
        await host.PutAsync($"{root}/model/model.pkl", "x");
        await host.PutAsync($"{root}/notes.txt", "y");
        await host.OkAsync("POST", "registered-models/create", new { name = "m" }, "curator-x");
        await host.RegisterAsync("m", $"mlflow-artifacts:/{root}/model", null, "curator-x");

        using var held = await host.ArtifactAsync("GET", $"{root}/model/model.pkl");
        using var free = await host.ArtifactAsync("GET", $"{root}/notes.txt");

        Assert.Equal((404, 200), ((int)held.StatusCode, (int)free.StatusCode));
    }

    [Fact]
    public async Task What_failed_its_registration_is_read_by_its_writers_only()
    {
        await using var host = await RegistryHost.StartAsync();
        host.Intake.Holds = true;
        var path = await host.VersionAsync("m");
        Assert.Equal((200, 200), await ReadAsync());
        await host.Database.Writer.WriteAsync(
            (session, token) =>
                host.Database.Get<IVersionStatus>().FailAsync(session, new ModelVersionRef("m", 1), "malicious", token),
            TestContext.Current.CancellationToken
        );

        Assert.Equal((200, 409), await ReadAsync());
        var (copied, _) = await host.SendAsync(
            "POST",
            "model-versions/create",
            new { name = "copy", source = "models:/m/1" },
            "curator-x"
        );
        await host.OkAsync("DELETE", "model-versions/delete", new { name = "m", version = "1" });
        Assert.Equal((200, 409), await ReadAsync());
        Assert.NotEqual(200, copied);

        async Task<(int, int)> ReadAsync()
        {
            using var own = await host.ArtifactAsync("GET", $"{path}/model.pkl");
            using var other = await host.ArtifactAsync("GET", $"{path}/model.pkl", actor: "reviewer-x");
            return ((int)own.StatusCode, (int)other.StatusCode);
        }
    }

    [Fact]
    public async Task Frozen_stays_frozen_when_the_version_is_deleted()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        await host.OkAsync("DELETE", "model-versions/delete", new { name = "m", version = "1" });

        Assert.Equal(409, await host.PutAsync($"{path}/model.pkl", "evil"));
    }

    [Fact]
    public async Task A_flipped_byte_is_refused_logged_and_quarantines_every_version_with_it()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        await host.OkAsync("POST", "registered-models/create", new { name = "copy" });
        await host.RegisterAsync("copy", "models:/m/1", null);
        Flip(host.BlobFile(Encoding.UTF8.GetBytes("bytes of m")), 3);

        using var read = await host.ArtifactAsync("GET", $"{path}/model.pkl");
        var body = await read.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        var (uri, _) = await host.SendAsync("GET", "model-versions/get-download-uri?name=m&version=1");
        var (copied, _) = await host.SendAsync("GET", "model-versions/get-download-uri?name=copy&version=1");
        using var other = await host.ArtifactAsync("GET", $"{path}/MLmodel");

        Assert.Equal(409, (int)read.StatusCode);
        Assert.Contains("artifact.digest_mismatch", body, StringComparison.Ordinal);
        Assert.Equal([409, 409, 409], [uri, copied, (int)other.StatusCode]);
        Assert.Equal(2, host.Database.Log.Entries.Count(e => e.Kind == "registry.version_quarantined"));
        Assert.Contains(host.Database.Log.Entries, e => e.Kind == "registry.artifact_corrupt");
    }

    [Fact]
    public async Task A_byte_flipped_in_a_later_chunk_aborts_the_connection_and_quarantines()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, run) = await host.RunAsync("e");
        var content = RandomNumberGenerator.GetBytes(3 << 20);
        using (var put = await host.ArtifactAsync("PUT", $"{experiment}/{run}/artifacts/model/big", content))
        {
            Assert.Equal(200, (int)put.StatusCode);
        }

        await host.OkAsync("POST", "registered-models/create", new { name = "m" });
        await host.RegisterAsync("m", $"runs:/{run}/model", run);
        Flip(host.BlobFile(content), (2 << 20) + 17);

        using var read = await host.ArtifactAsync("GET", $"{experiment}/{run}/artifacts/model/big");
        Assert.Equal(200, (int)read.StatusCode);
        await Assert.ThrowsAnyAsync<Exception>(() =>
            read.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken)
        );

        for (var i = 0; i < 100 && !host.Database.Log.Entries.Any(e => e.Kind == "registry.version_quarantined"); i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        Assert.Contains(host.Database.Log.Entries, e => e.Kind == "registry.version_quarantined");
    }

    [Fact]
    public async Task Reading_what_an_alias_serves_is_logged_before_the_first_byte()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        using (await host.ArtifactAsync("GET", $"{path}/MLmodel")) { }

        Assert.DoesNotContain(host.Database.Log.Entries, e => e.Kind == "registry.artifact_read");
        await host.OkAsync(
            "POST",
            "registered-models/alias",
            new
            {
                name = "m",
                alias = "champion",
                version = "1",
            }
        );
        using (await host.ArtifactAsync("GET", $"{path}/MLmodel")) { }

        Assert.Contains(
            host.Database.Log.Entries,
            e => e is { Kind: "registry.artifact_read", Outcome: LogOutcome.Begun, Subject: "version:m/1" }
        );
    }

    [Fact]
    public async Task The_right_on_the_experiment_alone_does_not_open_registered_bytes()
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, run) = await host.RunAsync("e", "private-a");
        var path = $"{experiment}/{run}/artifacts/model";
        await host.PutAsync($"{path}/f", "x", "private-a");
        using var before = await host.ArtifactAsync("GET", $"{path}/f", actor: "private-a");
        using var others = await host.ArtifactAsync("GET", $"{path}/f", actor: "private-b");
        using var viewer = await host.ArtifactAsync("GET", $"{path}/f", actor: "viewer-x");

        Assert.Equal([200, 404, 404], [(int)before.StatusCode, (int)others.StatusCode, (int)viewer.StatusCode]);
        Assert.Equal(404, await host.PutAsync($"{path}/f", "y", "private-b"));
        Assert.Equal(403, await host.PutAsync($"{path}/f", "y", "ds"));

        // A reviewer may read the bytes but not write the model of somebody else; ds may not register what it cannot read.
        await host.OkAsync("POST", "registered-models/create", new { name = "m" }, "ds");
        var (stolen, _) = await host.SendAsync(
            "POST",
            "model-versions/create",
            new { name = "m", source = $"runs:/{run}/model" },
            "ds"
        );
        Assert.Equal(400, stolen);
    }

    private static void Flip(string file, int at)
    {
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = at;
        var value = stream.ReadByte();
        stream.Position = at;
        stream.WriteByte((byte)(value ^ 1));
    }
}
