using System.Text;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Jobs;
using Governance.Tests.Platform;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Governance.Tests.Registry;

/// <summary>Uploads, registrations and deletions of artifacts against the collection of unused blobs.</summary>
public sealed class ArtifactCollectionTests
{
    private static readonly CancellationToken Now = TestContext.Current.CancellationToken;

    [Fact]
    public async Task Only_what_neither_a_path_nor_a_version_names_is_collected()
    {
        await using var world = await World.StartAsync();
        var host = world.Host;
        var (experiment, run) = await host.RunAsync("e");
        var root = $"{experiment}/{run}/artifacts";
        await host.PutAsync($"{root}/kept", "kept under its path");
        await host.PutAsync($"{root}/changed", "first");
        await host.PutAsync($"{root}/changed", "second");
        await host.PutAsync($"{root}/deleted", "deleted");
        (await host.ArtifactAsync("DELETE", $"{root}/deleted")).Dispose();
        await host.VersionAsync("m");
        await host.OkAsync("DELETE", "model-versions/delete", new { name = "m", version = "1" });
        await host.OkAsync("POST", "registered-models/create", new { name = "prompt" });
        await host.OkAsync(
            "POST",
            "model-versions/create",
            new
            {
                name = "prompt",
                source = "prompt-template",
                tags = new[]
                {
                    new { key = "mlflow.prompt.is_prompt", value = "true" },
                    new { key = "mlflow.prompt.text", value = "say {{word}}" },
                },
            }
        );

        await world.CollectAsync(times: 3);

        Assert.True(await world.IsReadableAsync("kept under its path"));
        Assert.True(await world.IsReadableAsync("second"));
        Assert.True(await world.IsReadableAsync("bytes of m"));
        Assert.True(await world.IsReadableAsync("say {{word}}"));
        Assert.False(await world.IsReadableAsync("first"));
        Assert.False(await world.IsReadableAsync("deleted"));
    }

    [Fact]
    public async Task An_upload_of_the_same_bytes_during_their_deletion_is_503_and_works_when_repeated()
    {
        await using var world = await World.StartAsync();
        var (experiment, run) = await world.Host.RunAsync("e");
        var root = $"{experiment}/{run}/artifacts";
        await world.Host.PutAsync($"{root}/a", "same");
        await world.Host.PutAsync($"{root}/a", "other");
        var during = 0;
        world.Files.BeforeDelete = async () => during = await world.Host.PutAsync($"{root}/b", "same");

        await world.CollectAsync(times: 2);
        world.Clock.Advance(TimeSpan.FromSeconds(5));
        var repeated = await world.Host.PutAsync($"{root}/b", "same");

        Assert.Equal((503, 200), (during, repeated));
        using var read = await world.Host.ArtifactAsync("GET", $"{root}/b");
        Assert.Equal("same", await read.Content.ReadAsStringAsync(Now));
    }

    [Fact]
    public async Task A_registration_between_the_looks_keeps_the_bytes_of_an_artifact_that_is_deleted_afterwards()
    {
        await using var world = await World.StartAsync();
        var (experiment, run) = await world.Host.RunAsync("e");
        var root = $"{experiment}/{run}/artifacts";
        await world.Host.PutAsync($"{root}/model/file", "bytes");
        (await world.Host.ArtifactAsync("DELETE", $"{root}/model")).Dispose();
        await world.CollectAsync(times: 1); // unused
        await world.Host.PutAsync($"{root}/model/file", "bytes");
        await world.Host.OkAsync("POST", "registered-models/create", new { name = "m" });
        await world.Host.RegisterAsync("m", $"mlflow-artifacts:/{root}/model", run);

        await world.CollectAsync(times: 3);

        Assert.True(await world.IsReadableAsync("bytes"));
    }

    private sealed class World(RegistryHost host, FakeTimeProvider clock) : IAsyncDisposable
    {
        public RegistryHost Host => host;

        public FakeTimeProvider Clock => clock;

        public HookedFiles Files => (HookedFiles)host.Database.Get<IBlobFiles>();

        public static async Task<World> StartAsync()
        {
            var clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
            var host = await RegistryHost.StartAsync(services =>
            {
                services.AddSingleton<TimeProvider>(clock);
                services.AddSingleton<DiskBlobFiles>();
                services.AddSingleton<IBlobFiles>(provider => new HookedFiles(
                    provider.GetRequiredService<DiskBlobFiles>()
                ));
            });
            return new World(host, clock);
        }

        public async Task CollectAsync(int times)
        {
            var collector = host.Database.Services.GetServices<IJobHandler>().OfType<BlobCollector>().Single();
            for (var i = 0; i < times; i++)
            {
                clock.Advance(TimeSpan.FromHours(25));
                await collector.RunAsync(BlobCollector.Job(files: true).Payload, Now);
            }
        }

        public async Task<bool> IsReadableAsync(string content)
        {
            var digest = Digest.Of(Encoding.UTF8.GetBytes(content));
            var opened = await host.Database.Blobs.OpenAsync(digest, Now);
            if (opened.Ok)
            {
                await opened.Value.DisposeAsync();
            }

            return opened.Ok;
        }

        public ValueTask DisposeAsync() => host.DisposeAsync();
    }
}
