using System.Net;
using System.Net.Http.Headers;
using System.Security.Claims;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Governance.Gateway.Demo;
using Governance.Tests;
using Governance.Tests.Identity;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Gateway.Tests.Live;

/// <summary>Clients of other people at our authorization server: npm's openid-client, curl, and the handlers of .NET.</summary>
public sealed class StockClientTests(MutualTlsGateway host) : IClassFixture<MutualTlsGateway>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Openid_client_runs_every_flow_and_is_refused_what_it_must_not_get(bool nonce)
    {
        await using var own = nonce ? new MutualTlsGateway(nonce) : null;
        if (own is not null)
        {
            await own.InitializeAsync();
        }

        var at = own ?? host;
        using var self = ClientKey.Certificate();
        using var pki = at.Authority.Issue("peer.example");
        var settings = new JsonObject
        {
            ["issuer"] = at.Gateway.Url,
            ["ca"] = at.Gateway.AuthorityPath,
            ["mutual"] = at.Url,
            ["nonce"] = nonce,
            ["admin"] = at.Gateway.TokenOf("admin"),
            ["user"] = "dana",
            ["password"] = DemoAccounts.Password,
            ["self"] = Files(at, self, "peer-self"),
            ["pki"] = Files(at, pki, "peer-pki"),
        };
        settings["pki"]!["dnsName"] = "peer.example";
        var file = Path.Combine(at.Directory, "flows.json");
        await File.WriteAllTextAsync(file, settings.ToJsonString(), Token);

        var run = await ChildProcess.NodeAsync("openid-client/flows.mjs", file);

        Assert.True(run.ExitCode == 0, run.Output + run.Errors);
        Assert.Matches(@"(?m)^(\d\d) of \1 flows$", run.Output);
    }

    [Theory]
    [InlineData("--http1.1")]
    [InlineData("--http2")]
    [InlineData("--tls-max 1.2")]
    public async Task Curl_gets_and_uses_a_token_by_its_certificate(string how)
    {
        using var certificate = host.Authority.Issue("curl.example");
        using var other = host.Authority.Issue("other.example");
        var name = $"curl-{Guid.CreateVersion7():n}";
        await host.RegisterAsync(name, "curl.example");
        var mine = Shown(certificate, name);
        var others = Shown(other, $"{name}-other");
        string[] options = how.Split(' ');

        var issued = await CurlAsync(
            $"{host.Url}/connect/token",
            [.. options, .. mine, "-d", $"grant_type=client_credentials&client_id={name}"]
        );
        var token = JsonNode.Parse(issued.Body)!["access_token"]!.GetValue<string>();
        string[] bearer = [.. options, "-H", $"Authorization: Bearer {token}"];

        Assert.Equal((200, "service"), await WhoAsync(host.Url, [.. bearer, .. mine]));
        Assert.Equal((401, null), await WhoAsync(host.Url, [.. bearer, .. others]));
        Assert.Equal((401, null), await WhoAsync(host.Gateway.Url, bearer));
        Assert.Equal((401, null), await WhoAsync(host.Url, [.. options, .. mine]));
        var refused = await CurlAsync(
            $"{host.Url}/connect/token",
            [.. options, .. others, "-d", $"grant_type=client_credentials&client_id={name}"]
        );
        Assert.Equal(401, refused.Status);
        Assert.Contains("invalid_client", refused.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Curl_uses_a_registered_certificate_a_secret_and_a_bearer_token()
    {
        using var certificate = ClientKey.Certificate(rsa: true);
        await host.RegisterAsync("curl-self", certificate);
        var secret = (await host.RegisterAsync("curl-secret"))["clientSecret"]!.GetValue<string>();
        var shown = Shown(certificate, "curl-self");

        var byCertificate = await CurlAsync(
            $"{host.Url}/connect/token",
            [.. shown, "-d", "grant_type=client_credentials&client_id=curl-self"]
        );
        var bySecret = await CurlAsync(
            $"{host.Gateway.Url}/connect/token",
            ["-u", $"curl-secret:{secret}", "-d", "grant_type=client_credentials"]
        );

        Assert.Equal((200, 200), (byCertificate.Status, bySecret.Status));
        var bearer = JsonNode.Parse(bySecret.Body)!["access_token"]!.GetValue<string>();
        string[] sent = ["-H", $"Authorization: Bearer {bearer}"];
        Assert.Equal((200, "service"), await WhoAsync(host.Gateway.Url, sent));
        Assert.Equal((200, "service"), await WhoAsync(host.Url, [.. sent, .. shown]));

        // Without a certificate the handshake fails, so there is no answer at all.
        Assert.Equal(0, (await CurlAsync($"{host.Url}/api/v1/whoami", sent)).Status);
    }

    [Fact]
    public async Task The_handler_of_HttpClient_shows_a_certificate_that_proves_a_service()
    {
        using var certificate = host.Authority.Issue("net.example");
        await host.RegisterAsync("net-robot", "net.example");
        using var authority = X509CertificateLoader.LoadCertificateFromFile(host.Gateway.AuthorityPath);
        using var handler = new HttpClientHandler { ClientCertificateOptions = ClientCertificateOption.Manual };
        handler.ClientCertificates.Add(certificate);
        handler.ServerCertificateCustomValidationCallback = (_, server, chain, _) => IsFrom(authority, server, chain);
        using var client = new HttpClient(handler) { BaseAddress = new Uri(host.Url) };
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string> { ["grant_type"] = "client_credentials", ["client_id"] = "net-robot" }
        );

        using var issued = await client.PostAsync(new Uri("/connect/token", UriKind.Relative), form, Token);
        var body = JsonNode.Parse(await issued.Content.ReadAsStringAsync(Token))!;
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
            "Bearer",
            body["access_token"]!.GetValue<string>()
        );
        using var answer = await client.GetAsync(new Uri("/api/v1/whoami", UriKind.Relative), Token);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task The_OpenID_Connect_handler_signs_a_person_in_and_the_bearer_handler_takes_the_token()
    {
        await using var app = await AppAsync();
        var url = app.Urls.Single();
        using var atApp = new Browser(new HttpClientHandler { AllowAutoRedirect = false });
        using var atIssuer = new Browser(Handler());

        // The app leads to the issuer; there the person signs in; back at the app.
        var begin = await atApp.OpenAsync(new Uri($"{url}/me"));
        Assert.Contains("request_uri=", begin.Query, StringComparison.Ordinal);
        await atIssuer.OpenAsync(begin);
        await atApp.OpenAsync(await atIssuer.SignInAsync("dana"));
        var me = JsonNode.Parse(atApp.Page)!;

        Assert.Equal(32, me["sub"]!.GetValue<string>().Length);
        using var resource = new HttpClient();
        resource.DefaultRequestHeaders.Authorization = new("Bearer", me["token"]!.GetValue<string>());
        Assert.Equal(me["sub"]!.GetValue<string>(), await resource.GetStringAsync(new Uri($"{url}/resource"), Token));
        resource.DefaultRequestHeaders.Authorization = new("Bearer", me["id"]!.GetValue<string>());
        using var refused = await resource.GetAsync(new Uri($"{url}/resource"), Token);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    // Somebody else's app: signs people in at the gateway, and is a resource of its own that takes the gateway's tokens.
    private async Task<WebApplication> AppAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder
            .Services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme)
            .AddCookie(cookie => cookie.Cookie.SecurePolicy = CookieSecurePolicy.None)
            .AddOpenIdConnect(client =>
            {
                client.Authority = host.Gateway.Url;
                client.ClientId = "governance-cli";
                client.ResponseType = "code";
                client.ResponseMode = "query";
                client.CallbackPath = "/callback";
                client.MapInboundClaims = false;
                client.SaveTokens = true;
                client.Scope.Clear();
                client.Scope.Add("openid");
                client.NonceCookie.SecurePolicy = CookieSecurePolicy.None;
                client.NonceCookie.SameSite = SameSiteMode.Lax;
                client.CorrelationCookie.SecurePolicy = CookieSecurePolicy.None;
                client.CorrelationCookie.SameSite = SameSiteMode.Lax;
                client.BackchannelHttpHandler = Handler();
            })
            .AddJwtBearer(bearer =>
            {
                bearer.Authority = host.Gateway.Url;
                bearer.Audience = "governance";
                bearer.MapInboundClaims = false;
                bearer.TokenValidationParameters.ValidTypes = ["at+jwt"];
                bearer.BackchannelHttpHandler = Handler();
            });
        builder.Services.AddAuthorization();
        var app = builder.Build();
        app.Urls.Add($"http://127.0.0.1:{FreePort.Find()}");
        app.MapGet(
            "/me",
            async (HttpContext context) =>
            {
                if (context.User.FindFirstValue("sub") is not { } subject)
                {
                    return Results.Challenge(null, [OpenIdConnectDefaults.AuthenticationScheme]);
                }

                return Results.Json(
                    new Dictionary<string, string?>
                    {
                        ["sub"] = subject,
                        ["token"] = await context.GetTokenAsync("access_token"),
                        ["id"] = await context.GetTokenAsync("id_token"),
                    }
                );
            }
        );
        app.MapGet(
            "/resource",
            async (HttpContext context) =>
                (await context.AuthenticateAsync(JwtBearerDefaults.AuthenticationScheme)).Principal?.FindFirstValue(
                    "sub"
                )
                    is { } subject
                    ? Results.Text(subject)
                    : Results.Unauthorized()
        );
        await app.StartAsync(Token);
        return app;
    }

    private SocketsHttpHandler Handler() =>
        Hosting.Loopback.Trusting(X509CertificateLoader.LoadCertificateFromFile(host.Gateway.AuthorityPath));

    private static bool IsFrom(X509Certificate2 authority, X509Certificate2? server, X509Chain? chain)
    {
        chain!.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return server is not null && chain.Build(server) && server.MatchesHostname("localhost");
    }

    private string[] Shown(X509Certificate2 certificate, string name)
    {
        var (file, key) = ClientAuthority.Write(certificate, host.Directory, name);
        return ["--cert", file, "--key", key];
    }

    private static JsonObject Files(MutualTlsGateway at, X509Certificate2 certificate, string name)
    {
        var (file, key) = ClientAuthority.Write(certificate, at.Directory, name);
        return new JsonObject { ["certificate"] = file, ["key"] = key };
    }

    private async Task<(int Status, string? Kind)> WhoAsync(string at, string[] args)
    {
        var (status, body) = await CurlAsync($"{at}/api/v1/whoami", args);
        return (status, JsonNode.Parse(body)?["kind"]?.GetValue<string>());
    }

    // The status is 0 when the connection was refused.
    private async Task<(int Status, string Body)> CurlAsync(string address, string[] args)
    {
        var run = await ChildProcess.RunAsync(
            "curl",
            ["-sS", "--cacert", host.Gateway.AuthorityPath, "-w", "\n%{http_code}", .. args, address],
            TimeSpan.FromSeconds(30)
        );
        var at = run.Output.LastIndexOf('\n');
        return (int.Parse(run.Output[(at + 1)..], System.Globalization.CultureInfo.InvariantCulture), run.Output[..at]);
    }
}
