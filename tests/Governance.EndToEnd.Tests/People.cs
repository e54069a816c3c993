using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Web;

namespace Governance.EndToEnd.Tests;

/// <summary>
/// The accounts of an installation that is no demo: the set-up page makes the first administrator, who invites a second one,
/// who confirms the others; everybody sets an own password and signs in on the real page. Tokens are kept across restarts,
/// as clients do.
/// </summary>
internal sealed partial class People(GatewayProcess gateway)
{
    public const string Admin = "admin";
    public const string SecondAdmin = "second-admin";
    private const string Password = "crash test only seven otters juggle";
    private const string Redirect = "http://127.0.0.1/callback";
    private readonly Dictionary<string, string> _tokens = [];

    /// <summary>Uses the set-up code, then enrols persons by name and role.</summary>
    public async Task EnrolAsync(IReadOnlyDictionary<string, string> roles, CancellationToken cancellationToken)
    {
        await SetUpAsync(cancellationToken);
        await SignInAsync(Admin, cancellationToken);
        await InviteAsync(SecondAdmin, "admin", cancellationToken);
        foreach (var (name, role) in roles)
        {
            var invitation = await InviteAsync(name, role, cancellationToken);
            using var second = Client(SecondAdmin);
            using var confirmed = await second.PostAsync(
                new Uri($"/api/v1/confirmations/{invitation["confirmation"]}/confirm", UriKind.Relative),
                null,
                cancellationToken
            );
            Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);
        }
    }

    /// <summary>Invites a person, who sets a password and signs in.</summary>
    public async Task<JsonNode> InviteAsync(string name, string role, CancellationToken cancellationToken)
    {
        using var admin = Client(Admin);
        using var answer = await admin.PostAsJsonAsync(
            new Uri("/api/v1/persons", UriKind.Relative),
            new JsonObject
            {
                ["userName"] = name,
                ["displayName"] = name,
                ["grants"] = new JsonArray(new JsonObject { ["role"] = role }),
            },
            cancellationToken
        );
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var invitation = JsonNode.Parse(await answer.Content.ReadAsStringAsync(cancellationToken))!;
        using var handler = gateway.NewHandler();
        using var browser = new HttpClient(handler) { BaseAddress = new Uri(gateway.Url) };
        var page = new Uri("/enrol", UriKind.Relative);
        using var form = Form(
            await browser.GetStringAsync(page, cancellationToken),
            ("code", invitation["code"]!.GetValue<string>())
        );
        using var enrolled = await browser.PostAsync(page, form, cancellationToken);
        Assert.Equal(HttpStatusCode.Found, enrolled.StatusCode);
        await SignInAsync(name, cancellationToken);
        return invitation;
    }

    /// <summary>A client of the running process with somebody's token.</summary>
    public HttpClient Client(string name)
    {
        var client = gateway.Client();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _tokens[name]);
        return client;
    }

    public string Token(string name) => _tokens[name];

    private async Task SetUpAsync(CancellationToken cancellationToken)
    {
        using var handler = gateway.NewHandler();
        using var browser = new HttpClient(handler) { BaseAddress = new Uri(gateway.Url) };
        var html = await browser.GetStringAsync(new Uri("/setup", UriKind.Relative), cancellationToken);
        using var form = Form(html, ("code", gateway.SetupCode), ("user", Admin), ("name", "Admin"));
        using var answer = await browser.PostAsync(new Uri("/setup", UriKind.Relative), form, cancellationToken);
        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
    }

    private async Task SignInAsync(string name, CancellationToken cancellationToken)
    {
        using var handler = gateway.NewHandler();
        using var browser = new HttpClient(handler) { BaseAddress = new Uri(gateway.Url) };
        var verifier = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var challenge = Convert
            .ToBase64String(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)))
            .TrimEnd('=')
            .Replace('+', '-')
            .Replace('/', '_');
        using var request = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["client_id"] = "governance-cli",
                ["response_type"] = "code",
                ["redirect_uri"] = Redirect,
                ["scope"] = "openid",
                ["code_challenge"] = challenge,
                ["code_challenge_method"] = "S256",
            }
        );
        using var pushed = await browser.PostAsync(
            new Uri("/connect/par", UriKind.Relative),
            request,
            cancellationToken
        );
        var reference = JsonNode.Parse(await pushed.Content.ReadAsStringAsync(cancellationToken))!["request_uri"]!;
        var authorize = new Uri(
            $"/connect/authorize?client_id=governance-cli&request_uri={Uri.EscapeDataString(reference.GetValue<string>())}",
            UriKind.Relative
        );
        using var page = await FollowAsync(
            browser,
            await browser.GetAsync(authorize, cancellationToken),
            cancellationToken
        );
        var html = await page.Content.ReadAsStringAsync(cancellationToken);
        using var form = Form(html, ("user", name));
        var action = HttpUtility.HtmlDecode(FormAction().Match(html).Groups["value"].Value);
        using var question = await FollowAsync(
            browser,
            await browser.PostAsync(new Uri(page.RequestMessage!.RequestUri!, action), form, cancellationToken),
            cancellationToken
        );
        html = await question.Content.ReadAsStringAsync(cancellationToken);
        using var decision = Form(
            html,
            ("client_id", "governance-cli"),
            ("request_uri", reference.GetValue<string>()),
            ("decision", "allow")
        );
        using var answer = await browser.PostAsync(
            new Uri("/connect/authorize", UriKind.Relative),
            decision,
            cancellationToken
        );
        using var exchange = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["grant_type"] = "authorization_code",
                ["client_id"] = "governance-cli",
                ["code"] = HttpUtility.ParseQueryString(answer.Headers.Location?.Query ?? "")["code"] ?? "",
                ["redirect_uri"] = Redirect,
                ["code_verifier"] = verifier,
            }
        );
        using var token = await browser.PostAsync(
            new Uri("/connect/token", UriKind.Relative),
            exchange,
            cancellationToken
        );
        Assert.True(token.IsSuccessStatusCode, $"{name} got no token.");
        var body = JsonNode.Parse(await token.Content.ReadAsStringAsync(cancellationToken))!;
        _tokens[name] = body["access_token"]!.GetValue<string>();
    }

    private static FormUrlEncodedContent Form(string html, params (string Name, string Value)[] fields) =>
        new([
            new("__RequestVerificationToken", HttpUtility.HtmlDecode(FormToken().Match(html).Groups["value"].Value)),
            new("password", Password),
            .. fields.Select(field => KeyValuePair.Create(field.Name, field.Value)),
        ]);

    // Redirects stay on this gateway; the last one leaves it with the code.
    private async Task<HttpResponseMessage> FollowAsync(
        HttpClient browser,
        HttpResponseMessage response,
        CancellationToken cancellationToken
    )
    {
        for (var hops = 0; hops < 10 && response.StatusCode is HttpStatusCode.Found or HttpStatusCode.SeeOther; hops++)
        {
            var next = new Uri(new Uri(gateway.Url), response.Headers.Location!);
            if (next.GetLeftPart(UriPartial.Authority) != gateway.Url)
            {
                return response;
            }

            response = await browser.GetAsync(next, cancellationToken);
        }

        return response;
    }

    [GeneratedRegex(
        "name=\"__RequestVerificationToken\" value=\"(?<value>[^\"]*)\"",
        RegexOptions.ExplicitCapture,
        1000
    )]
    private static partial Regex FormToken();

    [GeneratedRegex("<form[^>]*action=\"(?<value>[^\"]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FormAction();
}
