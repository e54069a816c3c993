using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Privacy;
using Governance.Privacy.Contracts;
using Governance.Privacy.Storage;
using Governance.Tests.Platform;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Tests.Privacy;

/// <summary>The routes over a real socket; the header X-Actor stands for authentication.</summary>
public sealed class PrivacyEndpointsTests : IAsyncLifetime
{
    private static readonly byte[] Csv = "contact\na@example.org\nb@example.org\n"u8.ToArray();
    private static readonly string Sha256 = Digest.Of(Csv).Hex;

    private TestDatabase _db = null!;
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _db = await TestDatabase.StartAsync(services =>
            services.AddSingleton<IAccess, FakeAccess>().AddSingleton<ILoginOwners, FakeOwners>().AddPrivacy()
        );
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseSetting("urls", "http://127.0.0.1:0");
        builder.Services.AddSingleton(_db.Get<Datasets>());
        builder.Services.AddSingleton(_db.Get<DatasetAccess>());
        builder.Services.AddSingleton(_db.Get<DatasetVault>());
        builder.Services.AddSingleton(_db.Get<PrivacyOptions>());
        builder.Services.AddSingleton(_db.Get<IWriter>());
        _app = builder.Build();
        _app.Use(
            (context, next) =>
            {
                context.SetActor(new Actor(ActorKind.Person, context.Request.Headers["X-Actor"].ToString()));
                return next(context);
            }
        );
        _app.MapPrivacy();
        await _app.StartAsync(Token);
        _http = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.DisposeAsync();
        await _db.DisposeAsync();
    }

    [Fact]
    public async Task Upload_answers_the_digest()
    {
        var response = await SendAsync(HttpMethod.Post, "?name=persons", "ds", new ByteArrayContent(Csv));

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        var json = await response.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal(Sha256, json.GetProperty("sha256").GetString());
        Assert.Equal("PENDING", json.GetProperty("scanState").GetString());
        Assert.Equal("INCOMPLETE", json.GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task Raw_bytes_are_read_between_two_committed_entries()
    {
        await SendAsync(HttpMethod.Post, "?name=persons", "ds", new ByteArrayContent(Csv));

        var response = await SendAsync(HttpMethod.Get, $"/{Sha256}/content", "po");

        Assert.Equal(Csv, await response.Content.ReadAsByteArrayAsync(Token));
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        for (var i = 0; i < 100 && Reads().Count < 2; i++)
        {
            await Task.Delay(20, Token);
        }

        Assert.Equal([LogOutcome.Begun, LogOutcome.Done], Reads().Select(entry => entry.Outcome));
        Assert.True(Reads()[1].Details["complete"]!.GetValue<bool>());
    }

    [Theory]
    [InlineData("ds", HttpStatusCode.OK, HttpStatusCode.OK)]
    [InlineData("po", HttpStatusCode.OK, HttpStatusCode.OK)]
    [InlineData("au", HttpStatusCode.OK, HttpStatusCode.Forbidden)]
    [InlineData("ds2", HttpStatusCode.NotFound, HttpStatusCode.NotFound)]
    [InlineData("nobody", HttpStatusCode.NotFound, HttpStatusCode.NotFound)]
    public async Task Profile_and_bytes_need_their_own_rights(
        string actor,
        HttpStatusCode profile,
        HttpStatusCode bytes
    )
    {
        await SendAsync(HttpMethod.Post, "?name=persons", "ds", new ByteArrayContent(Csv));

        Assert.Equal(profile, (await SendAsync(HttpMethod.Get, $"/{Sha256}", actor)).StatusCode);
        Assert.Equal(bytes, (await SendAsync(HttpMethod.Get, $"/{Sha256}/content", actor)).StatusCode);
    }

    [Fact]
    public async Task Findings_need_their_own_right_and_their_reading_is_logged()
    {
        await SendAsync(HttpMethod.Post, "?name=persons", "ds", new ByteArrayContent(Csv));
        await using (var read = _db.Read())
        {
            var row = (await read.CopiesAsync([Sha256], Token))[0];
            await _db.Get<Governance.Privacy.ScanDataset.ScanJob>().RunAsync(row.Id.ToString("N"), Token);
        }

        var owner = await (await SendAsync(HttpMethod.Get, $"/{Sha256}", "ds")).Content.ReadAsStringAsync(Token);
        var unlogged = _db.Log.Entries.Count(entry => entry.Kind == "privacy.finding_read");
        var officer = await (await SendAsync(HttpMethod.Get, $"/{Sha256}", "po")).Content.ReadAsStringAsync(Token);

        Assert.Contains("\"outcome\":\"FAIL\"", owner, StringComparison.Ordinal);
        Assert.Contains("\"columns\":[{\"name\":\"contact\"}]", owner, StringComparison.Ordinal);
        Assert.DoesNotContain("EMAIL", owner, StringComparison.Ordinal);
        Assert.DoesNotContain("reasons", owner, StringComparison.Ordinal);
        Assert.Equal(0, unlogged);
        Assert.Contains("\"what\":\"EMAIL\"", officer, StringComparison.Ordinal);
        Assert.Contains("in clear", officer, StringComparison.Ordinal);
        Assert.Contains(
            _db.Log.Entries,
            entry => entry is { Kind: "privacy.finding_read", Actor.Id: "po", Outcome: LogOutcome.Begun }
        );
    }

    [Theory]
    [InlineData("{\"columns\":{},\"extra\":1}")]
    [InlineData("{\"leastK\":5,\"leastK\":6}")]
    [InlineData("{\"leastK\":\"x\"}")]
    [InlineData("null")]
    [InlineData("{\"columns\":{\"contact\":null}}")]
    [InlineData("{\"quasiIdentifiers\":[null]}")]
    [InlineData("{")]
    public async Task Bodies_are_strict(string body)
    {
        await SendAsync(HttpMethod.Post, "?name=persons", "ds", new ByteArrayContent(Csv));

        var response = await SendAsync(
            HttpMethod.Post,
            $"/{Sha256}/declarations",
            "po",
            new StringContent(body, Encoding.UTF8, "application/json")
        );

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("privacy.bad_body", await response.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"name\":\"x\"}")]
    [InlineData("{\"treatments\":[]}")]
    [InlineData("{\"name\":\"x\",\"treatments\":[null]}")]
    [InlineData("{\"name\":\"x\",\"treatments\":[{\"column\":\"contact\",\"method\":\"drop\"}]}")]
    [InlineData("{\"name\":\"x\",\"treatments\":[{\"column\":\"contact\",\"method\":\"explode\",\"parameter\":\"\"}]}")]
    public async Task Incomplete_treatments_are_a_bad_request(string body)
    {
        await SendAsync(HttpMethod.Post, "?name=persons", "ds", new ByteArrayContent(Csv));

        var response = await SendAsync(
            HttpMethod.Post,
            $"/{Sha256}/anonymise",
            "ds",
            new StringContent(body, Encoding.UTF8, "application/json")
        );

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Anonymise_route_makes_a_new_dataset()
    {
        await SendAsync(HttpMethod.Post, "?name=persons", "ds", new ByteArrayContent(Csv));

        var response = await SendAsync(
            HttpMethod.Post,
            $"/{Sha256}/anonymise",
            "ds",
            new StringContent(
                "{\"name\":\"out\",\"treatments\":[{\"column\":\"contact\",\"method\":\"tokenise\",\"parameter\":\"\"}]}",
                Encoding.UTF8,
                "application/json"
            )
        );

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        var json = await response.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal(Sha256, json.GetProperty("derivedFrom")[0].GetString());
    }

    [Fact]
    public void Every_route_declares_its_permission() =>
        Assert.All(
            ((IEndpointRouteBuilder)_app).DataSources.SelectMany(source => source.Endpoints),
            endpoint => Assert.NotNull(endpoint.Metadata.GetMetadata<PermissionMetadata>())
        );

    [Fact]
    public async Task Text_that_is_no_digest_is_not_found() =>
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Get, "/..%2f..", "po")).StatusCode);

    private List<LogEntry> Reads() => [.. _db.Log.Entries.Where(entry => entry.Kind == "privacy.raw_read")];

    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method,
        string path,
        string actor,
        HttpContent? content = null
    )
    {
        using var request = new HttpRequestMessage(method, "/api/v1/datasets" + path) { Content = content };
        request.Headers.Add("X-Actor", actor);
        return await _http.SendAsync(request, Token);
    }
}
