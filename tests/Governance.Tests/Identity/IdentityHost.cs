using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Web;
using Governance.Console;
using Governance.Identity;
using Governance.Identity.Contracts;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Tests.Platform;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Tests.Identity;

/// <summary>A real gateway front on Kestrel with TLS and a random port: platform, identity, console and a few probe routes.</summary>
public sealed partial class IdentityHost : IAsyncDisposable
{
    public const string Password = "seven wet otters juggle";
    private readonly WebApplication _app;
    private readonly string _root;
    private readonly X509Certificate2 _certificate;
    private readonly ConditionalWeakTable<HttpClient, CookieContainer> _cookies = [];

    private IdentityHost(WebApplication app, string root, X509Certificate2 certificate, string url)
    {
        _app = app;
        _root = root;
        _certificate = certificate;
        Url = url;
    }

    public string Url { get; }

    /// <summary>The listener that asks for client certificates.</summary>
    public string MutualTlsUrl { get; private init; } = "";

    public string DataDirectory => Path.Combine(_root, "data");

    public IServiceProvider Services => _app.Services;

    /// <summary>The clock of this host; cookies, tokens and sessions age by it.</summary>
    public ShiftedClock Clock { get; private init; } = new();

    public ISubjects Subjects => Services.GetRequiredService<ISubjects>();

    public RecordingLog Log => Services.GetRequiredService<RecordingLog>();

    public static async Task<IdentityHost> StartAsync(
        Action<IdentityOptions>? configure = null,
        string? policies = null,
        string? root = null,
        int? port = null
    )
    {
        root ??= Directory.CreateTempSubdirectory("governance-identity-").FullName;
        Directory.CreateDirectory(Path.Combine(root, "data"));
        var url = $"https://localhost:{port ??= FreePort.Find()}";
        var certificate = SelfSigned();
        var builder = WebApplication.CreateBuilder(
            new WebApplicationOptions { ContentRootPath = root, EnvironmentName = "Production" }
        );
        builder.Logging.ClearProviders();
        if (Environment.GetEnvironmentVariable("TEST_LOG") is not null)
        {
            builder.Logging.AddConsole();
        }

        var mutualPort = FreePort.Find();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port.Value, listen => listen.UseHttps(certificate));
            kestrel.Listen(
                IPAddress.Loopback,
                mutualPort,
                listen =>
                    listen.UseHttps(
                        certificate,
                        https =>
                        {
                            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                            https.AllowAnyClientCertificate();
                        }
                    )
            );
        });
        builder.Services.AddSingleton(
            new PlatformOptions
            {
                DataDirectory = Path.Combine(root, "data"),
                PoliciesDirectory = policies ?? TestDatabase.PoliciesDirectory(),
                KeyFile = Path.Combine(root, "kek"),
                PublicUrl = url,
            }
        );
        builder.Services.AddSingleton(await TestServer.OptionsAsync(root, make: false));
        var clock = new ShiftedClock();
        builder.Services.AddSingleton<TimeProvider>(clock);
        builder.Services.AddSingleton<RecordingLog>();
        builder.Services.AddSingleton<ILogAppender>(provider => provider.GetRequiredService<RecordingLog>());
        builder.Services.AddSingleton<IGraphWriter, RecordingGraph>();
        builder.Services.AddSingleton(new PasswordHashing(iterations: 1_000)); // many sign in
        builder.Services.AddPlatform();
        builder.Services.AddIdentity(options =>
        {
            options.SignInPerMinute = 1000;
            options.TokensPerMinute = 1000;
            options.StrangersPerMinute = 100_000;
            options.MutualTlsUrl = $"https://localhost:{mutualPort}";
            options.Backchannel = () => Trusting(certificate);
            configure?.Invoke(options);
        });
        var app = builder.Build();
        await using (
            var db = await app
                .Services.GetRequiredService<IDbContextFactory<GovernanceDb>>()
                .CreateDbContextAsync(TestContext.Current.CancellationToken)
        )
        {
            await TestServer.MakeTablesAsync(db);
        }

        await app.Services.GetRequiredService<ISubjectKeyStore>().CreateAsync(SubjectKeyHome.Nobody, default);
        // As the real host does: addresses come from the settings, never from the request.
        app.Use(
            (context, next) =>
            {
                context.Request.Host = HostString.FromUriComponent(new Uri(url));
                return next(context);
            }
        );
        app.UseRouting();
        app.UseIdentity();
        app.MapIdentity();
        app.MapConsole();
        MapProbes(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new IdentityHost(app, root, certificate, url)
        {
            MutualTlsUrl = $"https://localhost:{mutualPort}",
            Clock = clock,
        };
    }

    /// <summary>Stops the server and keeps its directory, for a restart on the same data.</summary>
    public async Task<string> StopAsync()
    {
        await _app.StopAsync(TestContext.Current.CancellationToken);
        await _app.DisposeAsync();
        return _root;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _certificate.Dispose();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        if (Directory.Exists(_root))
        {
            await TestServer.DropAsync(_root);
            Directory.Delete(_root, recursive: true);
        }
    }

    /// <summary>A browser-like client: own cookies, no redirects followed by itself, trusts only this server's certificate.</summary>
    public HttpClient Client(string? token = null, CookieContainer? cookies = null)
    {
        var handler = Trusting(_certificate);
        handler.CookieContainer = cookies ?? handler.CookieContainer;
        var client = new HttpClient(handler) { BaseAddress = new Uri(Url) };
        _cookies.Add(client, handler.CookieContainer);
        if (token is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return client;
    }

    /// <summary>A client of the listener with client certificates.</summary>
    public HttpClient Client(X509Certificate2 certificate, string? token = null)
    {
        var handler = Trusting(_certificate);
        handler.ClientCertificates.Add(certificate);
        var client = new HttpClient(handler) { BaseAddress = new Uri(MutualTlsUrl) };
        if (token is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return client;
    }

    /// <summary>A copy of what a browser holds, as a thief would take it.</summary>
    public CookieContainer CookiesOf(HttpClient browser)
    {
        Assert.True(_cookies.TryGetValue(browser, out var held));
        var copy = new CookieContainer();
        copy.Add(held.GetAllCookies());
        return copy;
    }

    /// <summary>Signs a browser in by the whole OpenID Connect flow; the home page.</summary>
    public async Task<HttpResponseMessage> HomeAsync(HttpClient browser, string user)
    {
        using var page = await FollowAsync(browser, await browser.GetAsync("/"));
        var signedIn = await SignInAsync(browser, user, Password, page.RequestMessage!.RequestUri!.PathAndQuery);
        var home = await FollowAsync(browser, signedIn);
        Assert.Equal((HttpStatusCode.OK, "/"), (home.StatusCode, home.RequestMessage!.RequestUri!.PathAndQuery));
        return home;
    }

    public async Task<string> EnrolPersonAsync(string name, params string[] roles) =>
        (
            await Subjects.EnrolPersonAsync(
                name,
                $"{name} of the tests",
                new Secret(Password),
                [.. roles.Select(role => new RoleGrant(role, ObjectKind.None, ""))],
                TestContext.Current.CancellationToken
            )
        )
            .Value
            .Id;

    public async Task<(string Id, string Secret)> EnrolServiceAsync(string name, params string[] roles)
    {
        var secret = RandomNumberGenerator.GetHexString(64, lowercase: true);
        var added = await Subjects.EnrolServiceAsync(
            Actor.System,
            name,
            new Secret(secret),
            [.. roles.Select(role => new RoleGrant(role, ObjectKind.None, ""))],
            TestContext.Current.CancellationToken
        );
        return (added.Value.Id, secret);
    }

    public async Task<string> ServiceTokenAsync(string name, params string[] roles)
    {
        var (_, secret) = await EnrolServiceAsync(name, roles);
        var (status, body) = await TokenAsync(ClientCredentials(name, secret));
        Assert.Equal(HttpStatusCode.OK, status);
        return body["access_token"]!.GetValue<string>();
    }

    public static Dictionary<string, string> ClientCredentials(string client, string secret) =>
        new()
        {
            ["grant_type"] = "client_credentials",
            ["client_id"] = client,
            ["client_secret"] = secret,
        };

    public Task<(HttpStatusCode Status, JsonNode Body)> TokenAsync(Dictionary<string, string> form) =>
        PostFormAsync("/connect/token", form);

    public async Task<(HttpStatusCode Status, JsonNode Body)> PostFormAsync(
        string path,
        Dictionary<string, string> form
    )
    {
        using var client = Client();
        using var response = await client.PostAsync(path, new FormUrlEncodedContent(form));
        var text = await response.Content.ReadAsStringAsync();
        return (response.StatusCode, text.Length == 0 ? new JsonObject() : JsonNode.Parse(text)!);
    }

    /// <summary>Goes through the real sign-in page; the answer to the posted form.</summary>
    public static async Task<HttpResponseMessage> SignInAsync(
        HttpClient browser,
        string user,
        string password,
        string page = "/signin"
    )
    {
        var html = await browser.GetStringAsync(page);
        var action = HttpUtility.HtmlDecode(FormAction().Match(html).Groups[1].Value);
        var token = HttpUtility.HtmlDecode(FormToken().Match(html).Groups[1].Value);
        return await browser.PostAsync(
            action,
            new FormUrlEncodedContent(
                new Dictionary<string, string>
                {
                    ["user"] = user,
                    ["password"] = password,
                    ["__RequestVerificationToken"] = token,
                }
            )
        );
    }

    public static string HiddenToken(string html) => HttpUtility.HtmlDecode(FormToken().Match(html).Groups[1].Value);

    /// <summary>Follows redirects by hand until the answer is none or leaves this server.</summary>
    public async Task<HttpResponseMessage> FollowAsync(HttpClient browser, HttpResponseMessage response)
    {
        for (var hops = 0; hops < 10 && response.StatusCode == HttpStatusCode.Found; hops++)
        {
            var next = new Uri(new Uri(Url), response.Headers.Location!);
            if (next.GetLeftPart(UriPartial.Authority) != Url)
            {
                return response;
            }

            response = await browser.GetAsync(next);
        }

        return response;
    }

    public static (string Verifier, string Challenge) Proof()
    {
        var verifier = RandomNumberGenerator.GetHexString(64, lowercase: true);
        return (verifier, Base64Url(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))));
    }

    /// <summary>What the command line asks for.</summary>
    public static Dictionary<string, string> CodeRequest(string challenge) =>
        new()
        {
            ["client_id"] = "governance-cli",
            ["response_type"] = "code",
            ["redirect_uri"] = "http://127.0.0.1:7777/callback",
            ["scope"] = "openid offline_access",
            ["state"] = "xyz",
            ["code_challenge"] = challenge,
            ["code_challenge_method"] = "S256",
        };

    /// <summary>Pushes such a request; where the browser goes with it.</summary>
    public async Task<string> AuthorizeUrlAsync(string challenge, params (string Name, string Value)[] more)
    {
        var request = CodeRequest(challenge);
        foreach (var (name, value) in more)
        {
            request[name] = value;
        }

        var (status, pushed) = await PostFormAsync("/connect/par", request);
        Assert.True(status == HttpStatusCode.Created, pushed.ToJsonString());
        var reference = Uri.EscapeDataString(pushed["request_uri"]!.GetValue<string>());
        return $"/connect/authorize?client_id=governance-cli&request_uri={reference}";
    }

    /// <summary>Decides on the page that asks whether to let the program in.</summary>
    public static async Task<HttpResponseMessage> DecideAsync(
        HttpClient browser,
        HttpResponseMessage page,
        string decision = "allow"
    )
    {
        var html = await page.Content.ReadAsStringAsync();
        Assert.Contains("<h1>Let this program in?</h1>", html, StringComparison.Ordinal);
        var hidden = HiddenField()
            .Matches(html)
            .Select(field => KeyValuePair.Create(field.Groups[1].Value, HttpUtility.HtmlDecode(field.Groups[2].Value)));
        using var form = new FormUrlEncodedContent(hidden.Append(new("decision", decision)));
        return await browser.PostAsync("/connect/authorize", form);
    }

    /// <summary>A code for the command-line client, through the sign-in page and the one that asks.</summary>
    public async Task<string> CodeAsync(
        HttpClient browser,
        string user,
        string challenge,
        params (string Name, string Value)[] more
    )
    {
        var toPage = await browser.GetAsync(await AuthorizeUrlAsync(challenge, more));
        Assert.Equal(HttpStatusCode.Found, toPage.StatusCode);
        var signedIn = await SignInAsync(browser, user, Password, toPage.Headers.Location!.OriginalString);
        var back = await DecideAsync(browser, await FollowAsync(browser, signedIn));
        var query = HttpUtility.ParseQueryString(back.Headers.Location!.Query);
        return query["code"] ?? throw new InvalidOperationException(back.Headers.Location.ToString());
    }

    public static Dictionary<string, string> CodeExchange(string code, string verifier) =>
        new()
        {
            ["grant_type"] = "authorization_code",
            ["client_id"] = "governance-cli",
            ["code"] = code,
            ["code_verifier"] = verifier,
            ["redirect_uri"] = "http://127.0.0.1:7777/callback",
        };

    /// <summary>An access token of an enrolled person, the whole way.</summary>
    public async Task<JsonNode> PersonTokensAsync(string user)
    {
        using var browser = Client();
        var (verifier, challenge) = Proof();
        var code = await CodeAsync(browser, user, challenge);
        var (status, body) = await TokenAsync(CodeExchange(code, verifier));
        Assert.Equal(HttpStatusCode.OK, status);
        return body;
    }

    public async Task<string> PersonTokenAsync(string user) =>
        (await PersonTokensAsync(user))["access_token"]!.GetValue<string>();

    /// <summary>An administrator who just signed in, with a grant that nobody had to confirm.</summary>
    public async Task<HttpClient> AdminAsync(string name, string pattern = "")
    {
        var scope = pattern.Length == 0 ? ObjectKind.None : ObjectKind.Model;
        var added = await Subjects.EnrolPersonAsync(
            name,
            $"{name} of the tests",
            new Secret(Password),
            [new RoleGrant("admin", scope, pattern)],
            TestContext.Current.CancellationToken
        );
        Assert.True(added.Ok);
        return Client(await PersonTokenAsync(name));
    }

    public async Task<JsonNode?> WhoAmIAsync(string token)
    {
        using var client = Client(token);
        using var response = await client.GetAsync("/api/v1/whoami");
        return response.IsSuccessStatusCode ? await response.Content.ReadFromJsonAsync<JsonNode>() : null;
    }

    private static void MapProbes(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/probe/undeclared", () => "reached");
        routes.MapGet("/probe/models/{name}", () => "reached").RequirePermission(Permissions.ModelRead);
        routes
            .MapGet(
                "/probe/endless",
                async context =>
                {
                    while (true)
                    {
                        await context.Response.WriteAsync(".", context.RequestAborted);
                        await Task.Delay(50, context.RequestAborted);
                    }
                }
            )
            .RequirePermission(Permissions.ModelRead);
        routes.MapPost("/probe/session", () => "reached").RequirePermission(Permissions.Self).AcceptSession();
        routes.MapPost("/api/2.0/mlflow/probe/{name}", () => "reached").RequirePermission(Permissions.ExperimentWrite);
        routes.MapPost("/ajax-api/2.0/mlflow/probe", () => "reached").RequirePermission(Permissions.ExperimentWrite);
    }

    private static HttpClientHandler Trusting(X509Certificate2 certificate)
    {
        var expected = certificate.RawData;
        return new HttpClientHandler
        {
            AllowAutoRedirect = false,
            CookieContainer = new CookieContainer(),
            ServerCertificateCustomValidationCallback = (_, presented, _, errors) =>
                !errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch)
                && presented is not null
                && presented.RawData.AsSpan().SequenceEqual(expected),
        };
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var made = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddMinutes(-5),
            DateTimeOffset.UtcNow.AddDays(1)
        );
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }

    private static string Base64Url(byte[] bytes) =>
        Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    [GeneratedRegex("<form method=\"post\" action=\"([^\"]*)\"")]
    private static partial Regex FormAction();

    [GeneratedRegex("name=\"__RequestVerificationToken\" value=\"([^\"]*)\"")]
    private static partial Regex FormToken();

    [GeneratedRegex("<input type=\"hidden\" name=\"([^\"]*)\" value=\"([^\"]*)\"")]
    private static partial Regex HiddenField();
}
