using Amazon.S3;
using Amazon.S3.Model;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Tests.Registry;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Platform;

public sealed class S3BlobStoreTests : BlobStoreTests
{
    internal override async Task<Place> StartAsync(BlobOptions options)
    {
        var server = await S3Server.StartAsync();
        var database = await TestDatabase.StartAsync(services =>
        {
            services.AddSingleton(options);
            services.AddSingleton(server.Options);
        });
        return new Remote(database, server);
    }

    [Fact]
    public async Task What_takes_several_parts_comes_back_the_same()
    {
        await using var place = (Remote)await StartAsync(new BlobOptions());
        var bytes = Noise((20 << 20) + 3);

        var stored = await StoreAsync(place, bytes);

        Assert.Equal(Digest.Of(bytes), Digest.Of(await place.StoredAsync(stored.Digest)));
        await using var stream = (await place.Blobs.OpenAsync(stored.Digest, Now)).Value;
        Assert.Equal(stored.Digest, await Digest.OfAsync(stream, Now));
    }

    [Fact]
    public async Task A_store_that_is_gone_is_unavailable_and_never_a_mismatch()
    {
        await using var place = (Remote)await StartAsync(new BlobOptions());
        var stored = await StoreAsync(place, Noise(3 << 20));
        await using var stream = (await place.Blobs.OpenAsync(stored.Digest, Now)).Value;
        Assert.Null(await place.Blobs.CheckAsync(Now));
        await place.Server.StopAsync();

        var put = await place.Blobs.PutAsync(new MemoryStream(Noise(10)), 100, Now);
        var opened = await place.Blobs.OpenAsync(stored.Digest, Now);

        Assert.Equal("blob.store_unavailable", put.Failure!.Code);
        Assert.Equal((FailureKind.Unavailable, "blob.store_unavailable"), (opened.Failure!.Kind, opened.Failure.Code));
        Assert.Equal("blob.store_unavailable", (await place.Blobs.CheckAsync(Now))!.Code);
        await Assert.ThrowsAsync<BlobsUnavailableException>(() => stream.CopyToAsync(Stream.Null, Now));
    }

    [Theory]
    [InlineData("nobody-made-this", S3Server.AccessKey, S3Server.SecretKey)]
    [InlineData(S3Server.Bucket, "test:nobody", S3Server.SecretKey)]
    [InlineData(S3Server.Bucket, S3Server.AccessKey, "another secret")]
    public async Task Another_bucket_an_unknown_key_or_a_wrong_signature_is_unavailable_and_never_a_mismatch(
        string bucket,
        string key,
        string secret
    )
    {
        await using var place = (Remote)await StartAsync(new BlobOptions());
        var stored = await StoreAsync(place, Noise(10));
        var options = place.Server.Options;
        (options.Bucket, options.AccessKey, options.SecretKey) = (bucket, key, secret);

        using var files = new S3BlobFiles(options);

        await Assert.ThrowsAsync<BlobsUnavailableException>(() => files.OpenAsync(stored.Digest, Now));
        await Assert.ThrowsAsync<BlobsUnavailableException>(() => files.CheckAsync(Now));
    }

    [Fact]
    public async Task The_gateway_uploads_registers_and_sends_with_it_and_says_503_without()
    {
        await using var server = await S3Server.StartAsync();
        await using var host = await RegistryHost.StartAsync(services => services.AddSingleton(server.Options));
        var content = Noise((9 << 20) + 1);
        var (experiment, run) = await host.RunAsync("e");
        var path = $"{experiment}/{run}/artifacts/model/model.bin";
        using var put = await host.ArtifactAsync("PUT", path, content);
        await host.OkAsync("POST", "registered-models/create", new { name = "m" });
        await host.RegisterAsync("m", $"mlflow-artifacts:/{experiment}/{run}/artifacts/model", run);

        using var read = await host.ArtifactAsync("GET", path);
        var received = await read.Content.ReadAsByteArrayAsync(Now);
        Assert.Equal((200, 200), ((int)put.StatusCode, (int)read.StatusCode));
        Assert.Equal(Digest.Of(content), Digest.Of(received));

        await server.StopAsync();
        using var lost = await host.ArtifactAsync("GET", path);
        using var refused = await host.ArtifactAsync("PUT", $"{experiment}/{run}/artifacts/other", [1]);
        var body = await refused.Content.ReadAsStringAsync(Now);

        Assert.Equal((503, 503), ((int)lost.StatusCode, (int)refused.StatusCode));
        Assert.Contains("blob.store_unavailable", body, StringComparison.Ordinal);
        Assert.DoesNotContain(host.Database.Log.Entries, entry => entry.Kind == "registry.version_quarantined");
        var listed = await host.OkAsync("GET", $"artifacts/list?run_id={run}");
        Assert.Single(listed["files"]!.AsArray()); // model, not other
    }

    [Theory]
    [InlineData("http://store.example.org", false)]
    [InlineData("https://store.example.org", true)]
    [InlineData("https://key:secret@store.example.org", false)]
    [InlineData("https://store.example.org/bucket", false)]
    [InlineData("ftp://store.example.org", false)]
    [InlineData("http://127.0.0.1:9000", true)]
    [InlineData("store.example.org", false)]
    public void An_endpoint_is_https_or_on_this_machine(string endpoint, bool valid)
    {
        var options = new S3Options
        {
            Endpoint = endpoint,
            Bucket = "governance",
            AccessKey = "a",
            SecretKey = "s",
        };

        Assert.Equal(valid, new S3OptionsValidator().Validate(null, options).Succeeded);
    }

    [Theory]
    [InlineData("Upper", "a", "s", "", "us-east-1", 60)]
    [InlineData("no", "a", "s", "", "us-east-1", 60)]
    [InlineData("bucket", "", "s", "", "us-east-1", 60)]
    [InlineData("bucket", "a", "", "", "us-east-1", 60)]
    [InlineData("bucket", "a", "s", "/also/a/file", "us-east-1", 60)]
    [InlineData("bucket", "a", "", "/no/such/file", "us-east-1", 60)]
    [InlineData("bucket", "a", "s", "", "", 60)]
    [InlineData("bucket", "a", "s", "", "us-east-1", 0)]
    public void Wrong_settings_are_refused_without_showing_the_secret(
        string bucket,
        string key,
        string secret,
        string file,
        string region,
        int seconds
    )
    {
        var options = new S3Options
        {
            Endpoint = "https://store.example.org",
            Bucket = bucket,
            AccessKey = key,
            SecretKey = secret.Length > 0 ? "do-not-show-this" : "",
            SecretKeyFile = file,
            Region = region,
            TimeoutSeconds = seconds,
        };

        var result = new S3OptionsValidator().Validate(null, options);

        Assert.True(result.Failed);
        Assert.DoesNotContain("do-not-show-this", result.FailureMessage, StringComparison.Ordinal);
    }

    internal sealed class Remote(TestDatabase database, S3Server server) : Place(database)
    {
        private readonly AmazonS3Client _client = new(
            server.Options.AccessKey,
            server.Options.SecretKey,
            new AmazonS3Config { ServiceURL = server.Options.Endpoint, ForcePathStyle = true }
        );

        public S3Server Server => server;

        public override async Task<byte[]> StoredAsync(Digest digest)
        {
            using var answer = await _client.GetObjectAsync(S3Server.Bucket, $"blobs/{digest}", Now);
            using var copy = new MemoryStream();
            await answer.ResponseStream.CopyToAsync(copy, Now);
            return copy.ToArray();
        }

        public override Task SpoilAsync(Digest digest, byte[] stored) =>
            _client.PutObjectAsync(
                new PutObjectRequest
                {
                    BucketName = S3Server.Bucket,
                    Key = $"blobs/{digest}",
                    InputStream = new MemoryStream(stored),
                    UseChunkEncoding = false,
                },
                Now
            );

        public override async ValueTask DisposeAsync()
        {
            _client.Dispose();
            await base.DisposeAsync();
            await server.DisposeAsync();
        }
    }
}
