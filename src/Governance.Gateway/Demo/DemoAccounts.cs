using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Web;
using Governance.Gateway.Hosting;
using Governance.Gateway.Tls;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Blobs;

namespace Governance.Gateway.Demo;

/// <summary>One demo account with its token.</summary>
/// <param name="Name">User name or client id.</param>
/// <param name="Role">Its role.</param>
/// <param name="Kind">person or service.</param>
/// <param name="Token">Access token.</param>
/// <param name="ExpiresAt">UTC.</param>
/// <param name="Secret">Client secret of a service, else null.</param>
internal sealed record DemoAccount(
    string Name,
    string Role,
    string Kind,
    string Token,
    DateTimeOffset ExpiresAt,
    string? Secret
);

/// <summary>The demo's accounts. Persons sign in on the real page by the real code flow; services use client credentials.</summary>
internal sealed partial class DemoAccounts : IDisposable
{
    /// <summary>Password of every demo person; demo mode listens on loopback only.</summary>
    public const string Password = "demo only seven otters juggle";

    private const string Redirect = "http://127.0.0.1/callback";
    private static readonly (string Name, string Display, string[] Roles)[] Persons =
    [
        ("dana", "Dana Scientist", ["data-scientist"]),
        ("remy", "Remy Release", ["release-manager"]),
        ("sam", "Sam Both", ["release-manager", "reviewer"]),
        ("rita", "Rita Reviewer", ["reviewer"]),
        ("paul", "Paul Privacy", ["privacy-officer"]),
        ("ada", "Ada Auditor", ["auditor"]),
        ("admin", "Alex Admin", ["admin"]),
        ("bea", "Bea Admin", ["admin"]),
        ("vera", "Vera Viewer", ["viewer"]),
    ];

    /// <summary>Who can sign in, and as what.</summary>
    public static string Names =>
        string.Join(", ", Persons.Select(person => $"{person.Name} ({string.Join(" and ", person.Roles)})"));

    private readonly SocketsHttpHandler _handler;
    private readonly List<DemoAccount> _accounts = [];

    private DemoAccounts(SocketsHttpHandler handler, PlatformOptions options)
    {
        _handler = handler;
        Url = options.PublicUrl;
        CredentialsPath = Path.Combine(options.DataDirectory, "demo", "credentials.json");
    }

    public string Url { get; }

    public string CredentialsPath { get; }

    public static async Task<DemoAccounts> CreateAsync(
        IServiceProvider services,
        PlatformOptions options,
        ServerCertificates certificates
    )
    {
        var accounts = new DemoAccounts(Loopback.To(certificates), options);
        accounts._handler.UseCookies = false;
        var subjects = services.GetRequiredService<ISubjects>();
        foreach (var (name, display, roles) in Persons)
        {
            await accounts.AddPersonAsync(subjects, certificates, name, display, Global(roles));
        }

        foreach (var (name, role) in new[] { ("training-pipeline", "data-scientist"), ("approval-bot", "reviewer") })
        {
            var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
            Require(
                await subjects.EnrolServiceAsync(
                    Actor.System,
                    name,
                    new Secret(secret),
                    Global([role]),
                    CancellationToken.None
                )
            );
            await accounts.ClientCredentialsAsync(name, role, secret);
        }

        accounts.Write();
        return accounts;
    }

    /// <summary>Enrols a person and signs them in; gives back their pseudonym.</summary>
    public async Task<string> AddPersonAsync(
        ISubjects subjects,
        ServerCertificates certificates,
        string name,
        string display,
        IReadOnlyList<RoleGrant> grants
    )
    {
        var enrolled = await subjects.EnrolPersonAsync(
            name,
            display,
            new Secret(Password),
            grants,
            CancellationToken.None
        );
        Require(enrolled);
        await SignInAsync(name, grants.Count > 0 ? grants[0].Role : "", certificates);
        return enrolled.Value.Id;
    }

    /// <summary>A client with the token of an account.</summary>
    public HttpClient Client(string name)
    {
        var client = new HttpClient(_handler, disposeHandler: false) { BaseAddress = new Uri(Url) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
            "Bearer",
            _accounts.Single(account => account.Name == name).Token
        );
        return client;
    }

    public void Dispose() => _handler.Dispose();

    private static void Require<T>(Result<T> result)
    {
        if (!result.Ok)
        {
            throw new InvalidOperationException($"{result.Failure.Code}: {result.Failure.Message}");
        }
    }

    private static IReadOnlyList<RoleGrant> Global(string[] roles) =>
        [.. roles.Select(role => new RoleGrant(role, ObjectKind.None, ""))];

    private async Task SignInAsync(string name, string role, ServerCertificates certificates)
    {
        using var handler = Loopback.To(certificates);
        using var browser = new HttpClient(handler) { BaseAddress = new Uri(Url) };
        var verifier = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var challenge = Base64Url(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
        using var request = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["client_id"] = "governance-cli",
                ["response_type"] = "code",
                ["redirect_uri"] = Redirect,
                ["scope"] = "openid offline_access",
                ["state"] = "demo",
                ["code_challenge"] = challenge,
                ["code_challenge_method"] = "S256",
            }
        );
        using var pushed = await browser.PostAsync(new Uri("/connect/par", UriKind.Relative), request);
        var reference = JsonNode.Parse(await pushed.Content.ReadAsStringAsync())?["request_uri"]?.GetValue<string>();
        var authorize =
            $"/connect/authorize?client_id=governance-cli&request_uri={Uri.EscapeDataString($"{reference}")}";
        using var page = await FollowAsync(browser, await browser.GetAsync(new Uri(authorize, UriKind.Relative)));
        using var question = await SubmitAsync(browser, page, ("user", name), ("password", Password));
        using var answer = await SubmitAsync(browser, question, ("decision", "allow"));
        var code =
            HttpUtility.ParseQueryString(answer.Headers.Location?.Query ?? "")["code"]
            ?? throw new InvalidOperationException($"{name} could not sign in: {(int)answer.StatusCode}.");
        await TokenAsync(
            name,
            role,
            "person",
            null,
            new Dictionary<string, string>
            {
                ["grant_type"] = "authorization_code",
                ["client_id"] = "governance-cli",
                ["code"] = code,
                ["redirect_uri"] = Redirect,
                ["code_verifier"] = verifier,
            }
        );
    }

    private Task ClientCredentialsAsync(string name, string role, string secret) =>
        TokenAsync(
            name,
            role,
            "service",
            secret,
            new Dictionary<string, string>
            {
                ["grant_type"] = "client_credentials",
                ["client_id"] = name,
                ["client_secret"] = secret,
            }
        );

    private async Task TokenAsync(
        string name,
        string role,
        string kind,
        string? secret,
        Dictionary<string, string> form
    )
    {
        using var client = new HttpClient(_handler, disposeHandler: false) { BaseAddress = new Uri(Url) };
        using var content = new FormUrlEncodedContent(form);
        using var answer = await client.PostAsync(new Uri("/connect/token", UriKind.Relative), content);
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        if (!answer.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"{name} got no token: {body["error"]}.");
        }

        var seconds = body["expires_in"]!.GetValue<double>();
        _accounts.Add(
            new DemoAccount(
                name,
                role,
                kind,
                body["access_token"]!.GetValue<string>(),
                TimeProvider.System.GetUtcNow().AddSeconds(seconds),
                secret
            )
        );
    }

    // The first form of a page, with what it hides.
    private async Task<HttpResponseMessage> SubmitAsync(
        HttpClient browser,
        HttpResponseMessage page,
        params (string Name, string Value)[] fields
    )
    {
        var html = (await page.Content.ReadAsStringAsync()).Split("</form>")[0];
        var hidden = Hidden()
            .Matches(html)
            .Select(field => (field.Groups["name"].Value, HttpUtility.HtmlDecode(field.Groups["value"].Value)));
        using var form = new FormUrlEncodedContent(
            hidden.Concat(fields).Select(field => KeyValuePair.Create(field.Item1, field.Item2))
        );
        var action = HttpUtility.HtmlDecode(FormAction().Match(html).Groups["value"].Value);
        return await FollowAsync(
            browser,
            await browser.PostAsync(new Uri(page.RequestMessage!.RequestUri!, action), form)
        );
    }

    // Redirects stay on this gateway; the last one leaves it with the code.
    private async Task<HttpResponseMessage> FollowAsync(HttpClient browser, HttpResponseMessage response)
    {
        for (var hops = 0; hops < 10 && response.StatusCode is HttpStatusCode.Found or HttpStatusCode.SeeOther; hops++)
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

    private void Write()
    {
        var json = new JsonObject
        {
            ["accounts"] = new JsonArray([
                .. _accounts.Select(account =>
                {
                    var item = new JsonObject
                    {
                        ["name"] = account.Name,
                        ["role"] = account.Role,
                        ["kind"] = account.Kind,
                        ["access_token"] = account.Token,
                        ["expires_at"] = account.ExpiresAt.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"),
                    };
                    if (account.Secret is { } secret)
                    {
                        item["client_id"] = account.Name;
                        item["client_secret"] = secret;
                    }

                    return item;
                }),
            ]),
        };
        DurableFile.WriteSecret(CredentialsPath, Encoding.UTF8.GetBytes(json.ToJsonString()));
    }

    private static string Base64Url(byte[] bytes) =>
        Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    [GeneratedRegex(
        "<input type=\"hidden\" name=\"(?<name>[^\"]*)\" value=\"(?<value>[^\"]*)\"",
        RegexOptions.ExplicitCapture,
        1000
    )]
    private static partial Regex Hidden();

    [GeneratedRegex("<form[^>]*action=\"(?<value>[^\"]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FormAction();
}
