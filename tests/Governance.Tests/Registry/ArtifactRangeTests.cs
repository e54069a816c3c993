using System.Security.Cryptography;
using Governance.Platform.Logging;

namespace Governance.Tests.Registry;

public sealed class ArtifactRangeTests
{
    private const int Chunk = 1 << 20;
    private static readonly CancellationToken Now = TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("bytes=0-9", 0, 10)]
    [InlineData("bytes=1048570-1048580", 1048570, 11)]
    [InlineData("bytes=2097152-", 2097152, 100)]
    [InlineData("bytes=-7", 2097245, 7)]
    public async Task A_range_is_206_with_just_those_bytes(string range, int first, int length)
    {
        await using var host = await RegistryHost.StartAsync();
        var content = RandomNumberGenerator.GetBytes((2 * Chunk) + 100);
        var url = await PutAsync(host, content);

        using var response = await GetAsync(host, url, ("Range", range));

        Assert.Equal(206, (int)response.StatusCode);
        Assert.Equal(
            $"bytes {first}-{first + length - 1}/{content.Length}",
            response.Content.Headers.ContentRange!.ToString()
        );
        Assert.Equal(content[first..(first + length)], await response.Content.ReadAsByteArrayAsync(Now));
    }

    [Fact]
    public async Task A_range_beyond_the_end_is_416_and_says_how_long_the_file_is()
    {
        await using var host = await RegistryHost.StartAsync();
        var url = await PutAsync(host, new byte[10]);

        using var response = await GetAsync(host, url, ("Range", "bytes=10-"));

        Assert.Equal(
            (416, "bytes */10"),
            ((int)response.StatusCode, response.Content.Headers.ContentRange!.ToString())
        );
        Assert.Empty(await response.Content.ReadAsByteArrayAsync(Now));
    }

    [Fact]
    public async Task A_whole_read_names_its_digest_as_tag_and_that_ranges_are_served()
    {
        await using var host = await RegistryHost.StartAsync();
        var content = RandomNumberGenerator.GetBytes(1000);
        var url = await PutAsync(host, content);

        using var whole = await GetAsync(host, url);
        using var several = await GetAsync(host, url, ("Range", "bytes=0-1,5-6"));

        Assert.Equal($"\"{Convert.ToHexStringLower(SHA256.HashData(content))}\"", whole.Headers.ETag!.Tag);
        Assert.Equal("bytes", whole.Headers.AcceptRanges.Single());
        Assert.Equal((200, 200), ((int)whole.StatusCode, (int)several.StatusCode));
        Assert.Equal(content, await several.Content.ReadAsByteArrayAsync(Now));
    }

    [Fact]
    public async Task A_range_on_the_condition_of_other_bytes_gets_the_whole_file()
    {
        await using var host = await RegistryHost.StartAsync();
        var content = RandomNumberGenerator.GetBytes(1000);
        var url = await PutAsync(host, content);
        var tag = $"\"{Convert.ToHexStringLower(SHA256.HashData(content))}\"";

        using var same = await GetAsync(host, url, ("Range", "bytes=0-9"), ("If-Range", tag));
        using var other = await GetAsync(host, url, ("Range", "bytes=0-9"), ("If-Range", "\"else\""));
        using var weak = await GetAsync(host, url, ("Range", "bytes=0-9"), ("If-Range", $"W/{tag}"));
        using var date = await GetAsync(
            host,
            url,
            ("Range", "bytes=0-9"),
            ("If-Range", "Wed, 21 Oct 2015 07:28:00 GMT")
        );

        Assert.Equal(
            [206, 200, 200, 200],
            new[] { same, other, weak, date }.Select(response => (int)response.StatusCode)
        );
    }

    [Fact]
    public async Task Who_holds_the_bytes_already_gets_304_if_they_may_read_them_at_all()
    {
        await using var host = await RegistryHost.StartAsync();
        var content = RandomNumberGenerator.GetBytes(1000);
        var url = await PutAsync(host, content);
        var tag = $"\"{Convert.ToHexStringLower(SHA256.HashData(content))}\"";

        using var held = await GetAsync(host, url, ("If-None-Match", $"\"x\", W/{tag}"));
        using var other = await GetAsync(host, url, ("If-None-Match", "\"x\""));
        using var stranger = await GetAsync(host, url, ("If-None-Match", tag), ("X-Actor", "nobody"));

        Assert.Equal((304, 200, 404), ((int)held.StatusCode, (int)other.StatusCode, (int)stranger.StatusCode));
        Assert.Empty(await held.Content.ReadAsByteArrayAsync(Now));
    }

    [Fact]
    public async Task Head_tells_size_and_tag_without_bytes_and_ignores_ranges()
    {
        await using var host = await RegistryHost.StartAsync();
        var url = await PutAsync(host, new byte[12_345]);

        using var response = await SendAsync(host, HttpMethod.Head, url, ("Range", "bytes=0-9"));
        using var stranger = await SendAsync(host, HttpMethod.Head, url, ("X-Actor", "nobody"));

        Assert.Equal((200, 404), ((int)response.StatusCode, (int)stranger.StatusCode));
        Assert.Equal(12_345, response.Content.Headers.ContentLength);
        Assert.NotNull(response.Headers.ETag);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync(Now));
    }

    [Fact]
    public async Task A_range_into_changed_bytes_is_409_and_quarantines_while_others_are_served_until_then()
    {
        await using var host = await RegistryHost.StartAsync();
        var content = RandomNumberGenerator.GetBytes(3 * Chunk);
        var url = await PutAsync(host, content, "model/big");
        await host.OkAsync("POST", "registered-models/create", new { name = "m" });
        var folder = url[..url.LastIndexOf('/')];
        await host.RegisterAsync("m", $"mlflow-artifacts:/{folder}", null);
        var file = host.BlobFile(content);
        var stored = await File.ReadAllBytesAsync(file, Now);
        stored[Chunk + 1] ^= 1;
        await File.WriteAllBytesAsync(file, stored, Now);

        using var before = await GetAsync(host, url, ("Range", $"bytes={2 * Chunk}-"));
        using var into = await GetAsync(host, url, ("Range", $"bytes={(2 * Chunk) - 5}-"));
        var body = await into.Content.ReadAsStringAsync(Now);
        using var after = await GetAsync(host, url, ("Range", $"bytes={2 * Chunk}-"));

        Assert.Equal((206, 409, 409), ((int)before.StatusCode, (int)into.StatusCode, (int)after.StatusCode));
        Assert.Contains("artifact.digest_mismatch", body, StringComparison.Ordinal);
        Assert.Null(into.Headers.ETag);
        Assert.Contains(host.Database.Log.Entries, entry => entry.Kind == "registry.version_quarantined");
    }

    [Fact]
    public async Task A_range_that_runs_into_changed_bytes_breaks_off_before_them_and_quarantines()
    {
        await using var host = await RegistryHost.StartAsync();
        var content = RandomNumberGenerator.GetBytes(3 * Chunk);
        var url = await PutAsync(host, content, "model/big");
        await host.OkAsync("POST", "registered-models/create", new { name = "m" });
        await host.RegisterAsync("m", $"mlflow-artifacts:/{url[..url.LastIndexOf('/')]}", null);
        var file = host.BlobFile(content);
        var stored = await File.ReadAllBytesAsync(file, Now);
        stored[Chunk + 1] ^= 1;
        await File.WriteAllBytesAsync(file, stored, Now);

        using var response = await GetAsync(host, url, ("Range", "bytes=100-"));
        using var received = new MemoryStream();
        await Assert.ThrowsAnyAsync<Exception>(async () => await response.Content.CopyToAsync(received, Now));

        Assert.InRange(received.Length, 0, Chunk - 100);
        Assert.Equal(content[100..(100 + (int)received.Length)], received.ToArray());
        for (var i = 0; i < 100 && !Quarantined(host); i++)
        {
            await Task.Delay(50, Now);
        }

        Assert.True(Quarantined(host));
    }

    private static bool Quarantined(RegistryHost host) =>
        host.Database.Log.Entries.Any(entry =>
            entry is { Kind: "registry.version_quarantined", Outcome: LogOutcome.Done }
        );

    private static async Task<string> PutAsync(RegistryHost host, byte[] content, string name = "file")
    {
        var (experiment, run) = await host.RunAsync("e");
        var path = $"{experiment}/{run}/artifacts/{name}";
        using var put = await host.ArtifactAsync("PUT", path, content);
        Assert.Equal(200, (int)put.StatusCode);
        return path;
    }

    private static Task<HttpResponseMessage> GetAsync(
        RegistryHost host,
        string path,
        params (string Name, string Value)[] headers
    ) => SendAsync(host, HttpMethod.Get, path, headers);

    private static async Task<HttpResponseMessage> SendAsync(
        RegistryHost host,
        HttpMethod method,
        string path,
        params (string Name, string Value)[] headers
    )
    {
        using var message = new HttpRequestMessage(method, $"/api/2.0/mlflow-artifacts/artifacts/{path}");
        foreach (var (name, value) in headers)
        {
            message.Headers.TryAddWithoutValidation(name, value);
        }

        return await host.Client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, Now);
    }
}
