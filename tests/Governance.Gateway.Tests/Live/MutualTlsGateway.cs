using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Governance.Gateway.Hosting;
using Governance.Tests;

namespace Governance.Gateway.Tests.Live;

/// <summary>A gateway with the listener <c>Governance:MutualTls</c>, and the authorities that its file names: a root and one below it.</summary>
public sealed class MutualTlsGateway : IAsyncLifetime
{
    public MutualTlsGateway()
        : this(false) { }

    internal MutualTlsGateway(bool nonce)
    {
        Nonce = nonce;
        var port = FreePort.Find();
        Url = $"https://localhost:{port}";
        Below = Authority.Below("below");
        Directory = System.IO.Directory.CreateTempSubdirectory("governance-mutual-tls-").FullName;
        var file = Path.Combine(Directory, "authorities.pem");
        File.WriteAllText(file, $"{Authority.Pem}\n{Below.Pem}\n");
        Gateway = new LiveGateway
        {
            Settings = new Dictionary<string, string?>
            {
                ["Governance:MutualTls:Port"] = $"{port}",
                ["Governance:MutualTls:AuthoritiesFile"] = file,
                ["Governance:Identity:DpopNonce"] = $"{nonce}",
            },
        };
    }

    public string Directory { get; }

    /// <summary>Address of the listener for client certificates.</summary>
    public string Url { get; }

    internal bool Nonce { get; }

    internal LiveGateway Gateway { get; }

    internal ClientAuthority Authority { get; } = new("authority of the tests");

    internal ClientAuthority Below { get; }

    public ValueTask InitializeAsync() => Gateway.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        Authority.Dispose();
        Below.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    /// <summary>Registers a service as an administrator does.</summary>
    internal async Task<JsonNode> RegisterAsync(string clientId, JsonObject? authentication = null)
    {
        using var answer = await Gateway
            .Http("admin")
            .PostAsJsonAsync(
                "/api/v1/services",
                new JsonObject
                {
                    ["clientId"] = clientId,
                    ["grants"] = new JsonArray(),
                    ["authentication"] = authentication,
                },
                TestContext.Current.CancellationToken
            );
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    internal Task<JsonNode> RegisterAsync(string clientId, string dnsName) =>
        RegisterAsync(clientId, new JsonObject { ["method"] = "tls_client_auth", ["dnsName"] = dnsName });

    internal Task<JsonNode> RegisterAsync(string clientId, X509Certificate2 certificate) =>
        RegisterAsync(
            clientId,
            new JsonObject
            {
                ["method"] = "self_signed_tls_client_auth",
                ["certificates"] = new JsonArray(certificate.ExportCertificatePem()),
            }
        );

    /// <summary>A client that shows this certificate whatever it is for; disposes of nothing but itself.</summary>
    internal HttpClient Client(X509Certificate2 certificate, string? token = null)
    {
        var handler = Loopback.Trusting(X509CertificateLoader.LoadCertificateFromFile(Gateway.AuthorityPath));
        handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, null, true);
        var client = new HttpClient(handler) { BaseAddress = new Uri(Url) };
        if (token is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return client;
    }
}
