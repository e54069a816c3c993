using System.Net;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Cli.Server;

/// <summary>The gateway as authorization server, for this command line: a public client that proves each code by PKCE.</summary>
internal sealed class Issuer(HttpClient http, TimeProvider clock)
{
    public const string ClientId = "governance-cli";
    public const string Scope = "openid offline_access";

    /// <summary>Posts a form; the answer, be it an error of the protocol.</summary>
    public async Task<JsonObject> PostAsync(
        string path,
        IReadOnlyDictionary<string, string> form,
        CancellationToken cancellationToken
    )
    {
        using var content = new FormUrlEncodedContent([.. form, new("client_id", ClientId)]);
        using var answer = await http.PostAsync(new Uri(path, UriKind.Relative), content, cancellationToken);
        var body = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
        if (answer.StatusCode == HttpStatusCode.TooManyRequests)
        {
            return new JsonObject { ["error"] = "slow_down" };
        }

        var json =
            body.Length == 0
                ? []
                : CanonicalJson.TryParse(body) as JsonObject
                    ?? throw Stop.Unusable("bad_issuer", "The server's answer is not one of an authorization server.");
        if (!answer.IsSuccessStatusCode)
        {
            json.TryAdd("error", "server_error");
        }

        return json;
    }

    /// <summary>The tokens of an answer; ends the verb when it holds none.</summary>
    public SavedToken TokensOf(JsonObject answer) =>
        TextOf(answer, "access_token") is { } access && TextOf(answer, "refresh_token") is { } refresh
            ? new SavedToken(access, refresh, clock.GetUtcNow().AddSeconds(answer["expires_in"]?.GetValue<int>() ?? 0))
            : throw Refused(answer);

    /// <summary>New tokens, or null when the refresh token is no longer good; ends the verb when that is not known.</summary>
    public async Task<SavedToken?> RefreshAsync(string refreshToken, CancellationToken cancellationToken)
    {
        var answer = await PostAsync(
            "/connect/token",
            new Dictionary<string, string> { ["grant_type"] = "refresh_token", ["refresh_token"] = refreshToken },
            cancellationToken
        );
        return TextOf(answer, "error") == "invalid_grant" ? null : TokensOf(answer);
    }

    /// <summary>Ends a sign-in at the server; ends the verb when that is not sure.</summary>
    public async Task RevokeAsync(SavedToken token, CancellationToken cancellationToken)
    {
        foreach (var one in (string[])[token.RefreshToken, token.AccessToken])
        {
            var form = new Dictionary<string, string> { ["token"] = one };
            var answer = await PostAsync("/connect/revoke", form, cancellationToken);
            if (answer.ContainsKey("error"))
            {
                throw Refused(answer); // it may still be good, and whoever has it must be able to end it
            }
        }
    }

    /// <summary>The end of a verb after an error of the protocol.</summary>
    public static Stop Refused(JsonObject answer) =>
        new(
            Exit.Refused,
            Failure.Denied(
                "cli.sign_in_refused",
                TextOf(answer, "error_description")
                    ?? TextOf(answer, "error")
                    ?? "The server gave no token and no reason."
            )
        );

    public static string? TextOf(JsonObject json, string name) =>
        json[name] is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}
