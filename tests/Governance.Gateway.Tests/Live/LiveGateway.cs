using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Gateway.Demo;
using Governance.Gateway.Hosting;
using Governance.Gateway.Tls;
using Governance.Identity.Contracts;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform;
using Governance.Tests;
using Governance.Tests.Platform;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>The tests that share one gateway: each uses names of its own.</summary>
[CollectionDefinition(Name)]
public sealed class GatewayTests : ICollectionFixture<LiveGateway>
{
    public const string Name = "gateway";
}

/// <summary>
/// A whole gateway as an operator starts it: own data directory and key file, generated CA, TLS on a free port of loopback.
/// Accounts sign in by the real flows; nothing is faked.
/// </summary>
public sealed class LiveGateway : IAsyncLifetime
{
    private readonly string _root;
    private readonly bool _rootIsOurs = true;
    private readonly LiveGateway? _first;
    private readonly List<HttpClient> _clients = [];
    private WebApplication? _app;
    private DemoAccounts? _accounts;

    public LiveGateway()
        : this(null) { }

    private LiveGateway(LiveGateway? first)
    {
        _first = first;
        _root = first?._root ?? Directory.CreateTempSubdirectory("governance-live-").FullName;
    }

    /// <summary>Where its files lie: a directory of its own, removed at the end, or a given one, which is gone on with and stays.</summary>
    public string Root
    {
        get => _root;
        init
        {
            Directory.Delete(_root);
            (_root, _rootIsOurs) = (value, false);
        }
    }

    /// <summary>The text of promotion.yaml to seed with, instead of the shipped one.</summary>
    public string? PromotionPolicy { get; init; }

    /// <summary>The text of signers.yaml to seed with, instead of the shipped one.</summary>
    public string? SignersPolicy { get; init; }

    /// <summary>Further settings, or others than those of the tests.</summary>
    public IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();

    /// <summary>Adds what a test watches with.</summary>
    public Action<IServiceCollection> Add { get; init; } = _ => { };

    /// <summary>The port to listen on; a free one unless somebody else has to know it before.</summary>
    public int Port { get; init; } = FreePort.Find();

    /// <summary>Whether people and services are enrolled; a test of the edge alone needs none.</summary>
    public bool Accounts { get; init; } = true;

    /// <summary>On PostgreSQL: whether every unit runs twice and is kept once, which finds units that cannot run again.</summary>
    public bool Rehearse { get; init; } = true;

    public string Url { get; private set; } = "";

    public string AuthorityPath => Certificates.CertificatePath;

    internal IServiceProvider Services => _app!.Services;

    private ServerCertificates Certificates => Services.GetRequiredService<ServerCertificates>();

    /// <summary>A second gateway on the same database and directory, under the same public address; end it before the first.</summary>
    public LiveGateway Beside() => new(this) { Rehearse = Rehearse, Settings = Settings };

    /// <summary>Ends the server as a lost machine does for the others: nothing of it runs any more, its files stay.</summary>
    public async Task LoseAsync()
    {
        if (_app is { } app)
        {
            _app = null;
            await app.DisposeAsync();
        }
    }

    /// <summary>MLflow deletes with a JSON body.</summary>
    internal async Task<Answer> DeleteAsync(string account, string path, JsonObject? body = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, Url + path);
        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        }

        using var answer = await Http(account).SendAsync(request, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new Answer(answer.StatusCode, JsonNode.Parse(text) ?? new JsonObject());
    }

    public async ValueTask InitializeAsync()
    {
        Url = $"https://localhost:{Port}";
        var settings = new Dictionary<string, string?>
        {
            ["Governance:Urls"] = Url,
            ["Governance:PublicUrl"] = _first?.Url ?? Url,
            ["Governance:DataDirectory"] = Path.Combine(_root, "data"),
            ["Governance:KeyFile"] = Path.Combine(_root, "gateway.kek"),
            ["Governance:PoliciesDirectory"] = Policies(),
            ["Governance:Identity:AccessTokenMinutes"] = "120",
            ["Governance:Identity:RecentSignInMinutes"] = "120",
            ["Governance:Identity:SignInPerMinute"] = "600",
            ["Governance:Identity:TokensPerMinute"] = "6000",
            ["Governance:Identity:StrangersPerMinute"] = "100000",
            ["Governance:Limits:PointsPerMinute"] = "100000000",
            ["Governance:Limits:AnonymousPointsPerMinute"] = "100000000",
            ["Logging:LogLevel:Default"] = "None",
            ["Logging:LogLevel:Microsoft"] = "None",
            ["Logging:LogLevel:OpenIddict"] = "None",
        };
        foreach (var (key, value) in Settings)
        {
            settings[key] = value;
        }

        var database = await TestServer.OptionsAsync(_root);
        settings["Governance:Database:Provider"] = database.Provider;
        settings["Governance:Database:ConnectionString"] = database.ConnectionString;
        database.Rehearse = Rehearse;
        _app = await GatewayHost.BuildAsync(
            [],
            demo: false,
            settings,
            services =>
            {
                services.AddSingleton(database);
                services.AddSingleton(new PasswordHashing(iterations: 1_000)); // many sign in
                Add(services);
            }
        );
        await _app.StartAsync();
        if (_first is null && Accounts)
        {
            _accounts = await DemoAccounts.CreateAsync(
                Services,
                Services.GetRequiredService<PlatformOptions>(),
                Certificates
            );
        }
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        _accounts?.Dispose();
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        if (_first is not null)
        {
            return;
        }

        await TestServer.DropAsync(_root);
        if (_rootIsOurs)
        {
            Directory.Delete(_root, recursive: true);
        }
    }

    /// <summary>A client with the token of dana, remy, sam, rita, paul, ada, admin, vera, training-pipeline or approval-bot.</summary>
    internal HttpClient Http(string account)
    {
        var client = _first is null ? Keep(_accounts!.Client(account)) : Anonymous();
        client.DefaultRequestHeaders.Authorization ??= new AuthenticationHeaderValue(
            "Bearer",
            _first!.TokenOf(account)
        );
        return client;
    }

    internal DemoClient As(string account) => new(Http(account));

    internal string TokenOf(string account)
    {
        using var client = _accounts!.Client(account);
        return client.DefaultRequestHeaders.Authorization!.Parameter!;
    }

    internal HttpClient Anonymous() =>
        Keep(new HttpClient(Loopback.Trusting(Certificates.Authority)) { BaseAddress = new Uri(Url) });

    /// <summary>Enrols a person with these grants and signs them in on the page; gives back their pseudonym.</summary>
    internal Task<string> PersonAsync(string name, params RoleGrant[] grants) =>
        _accounts!.AddPersonAsync(Services.GetRequiredService<ISubjects>(), Certificates, name, name, grants);

    /// <summary>Enrols a service with these grants and signs it in by client credentials.</summary>
    internal async Task<HttpClient> ServiceAsync(string name, params RoleGrant[] grants)
    {
        var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var enrolled = await Services
            .GetRequiredService<ISubjects>()
            .EnrolServiceAsync(Actor.System, name, new Secret(secret), grants, CancellationToken.None);
        Assert.True(enrolled.Ok, enrolled.Failure?.Message);
        var client = Anonymous();
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["grant_type"] = "client_credentials",
                ["client_id"] = name,
                ["client_secret"] = secret,
            }
        );
        using var answer = await client.PostAsync(new Uri("/connect/token", UriKind.Relative), form);
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
            "Bearer",
            body["access_token"]!.ToString()
        );
        return client;
    }

    /// <summary>Sends bytes as they are over TLS and gives back what comes until the server closes or ten seconds pass.</summary>
    internal async Task<string> RawAsync(string request)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        await using var tls = await ConnectAsync(SslApplicationProtocol.Http11, timeout.Token);
        await tls.WriteAsync(Encoding.Latin1.GetBytes(request), timeout.Token);
        using var answer = new StreamReader(tls, Encoding.Latin1);
        return await answer.ReadToEndAsync(timeout.Token);
    }

    /// <summary>A connection of one's own, over TLS.</summary>
    internal async Task<SslStream> ConnectAsync(
        SslApplicationProtocol protocol,
        CancellationToken cancellationToken,
        int receiveBuffer = 0
    )
    {
        var tcp = new TcpClient { NoDelay = true };
        if (receiveBuffer > 0)
        {
            tcp.ReceiveBufferSize = receiveBuffer;
        }

        await tcp.ConnectAsync(IPAddress.Loopback, new Uri(Url).Port, cancellationToken);
        var tls = new SslStream(tcp.GetStream());
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                ApplicationProtocols = [protocol],
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { Certificates.Authority },
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            },
            cancellationToken
        );
        return tls;
    }

    private HttpClient Keep(HttpClient client)
    {
        lock (_clients)
        {
            _clients.Add(client);
        }

        return client;
    }

    private string Policies()
    {
        var shipped = Path.Combine(Paths.Base, "policies");
        if (PromotionPolicy is null && SignersPolicy is null)
        {
            return shipped;
        }

        var own = Path.Combine(_root, "policies");
        foreach (var file in Directory.EnumerateFiles(shipped, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(own, Path.GetRelativePath(shipped, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        foreach (var (name, text) in new[] { ("promotion", PromotionPolicy), ("signers", SignersPolicy) })
        {
            if (text is not null)
            {
                File.WriteAllText(Path.Combine(own, $"{name}.yaml"), text);
            }
        }

        return own;
    }
}
