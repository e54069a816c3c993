using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Governance.Tests.Identity.Tokens;

/// <summary>
/// Makes requests from recipes: steps parted by semicolons, each a word and what it is about. Without a step that changes
/// it, the token is a good one. Values that start with a dollar sign come from the scene.
/// <list type="bullet">
/// <item><c>h name=json</c>, <c>h -name</c>, <c>hraw text</c>: header; <c>c …</c>, <c>craw name=text</c>, <c>chead</c>, <c>ctail</c>, <c>claims</c>: claims.</item>
/// <item><c>sign how</c>; <c>late …</c> changes after signing; <c>take which</c> is another token.</item>
/// <item><c>bound</c>, <c>tls</c>: a bound token; <c>scheme</c>, <c>proof</c>, <c>dpop</c> (both); <c>p …</c>, <c>praw</c>, <c>phraw</c>, <c>psign</c>, <c>pkey</c>: its proof.</item>
/// <item><c>raw</c>: the whole header; <c>again</c>, <c>twice</c>, <c>mutual</c>, <c>query</c>, <c>extra</c>: how it is sent.</item>
/// </list>
/// </summary>
internal sealed class Forger(Scene scene)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Sends what the recipe says and gives back status line and challenges.</summary>
    public async Task<(int Status, IReadOnlyList<string> Challenges)> SendAsync(string recipe)
    {
        var steps = recipe
            .Split(';')
            .Select(step => step.Split(' ', 2))
            .Select(step => (Word: step[0], About: step.Length > 1 ? scene.Fill(step[1]) : ""))
            .ToList();
        var token = Token(steps);
        var lines = new List<string>();
        var scheme = Of(steps, "scheme") ?? (Has(steps, "dpop") ? "DPoP" : "Bearer");
        var raw = Of(steps, "raw");
        lines.AddRange(
            Of(steps, "raws") is { } twice ? [$"Authorization: {twice}", $"Authorization: {twice}"]
            : Of(steps, "raws2") is { } bad ? [$"Authorization: Bearer {scene.Token}", $"Authorization: {bad}"]
            : [$"Authorization: {raw ?? $"{scheme} {token}"}"]
        );
        if (Has(steps, "dpop") || Has(steps, "proof"))
        {
            var proof = Proof(steps, token);
            lines.AddRange(
                Has(steps, "twice") ? [$"DPoP: {proof}", $"DPoP: {Proof(steps, token)}"]
                : Has(steps, "joined") ? [$"DPoP: {proof}, {Proof(steps, token)}"]
                : [$"DPoP: {proof}"]
            );
        }
        else if (Of(steps, "rawproof") is { } rawProof)
        {
            lines.Add($"DPoP: {rawProof}");
        }
        else if (Has(steps, "tokenproof"))
        {
            lines.Add($"DPoP: {scene.UsedProof}");
        }

        if (Of(steps, "extra") is { } extra)
        {
            lines.Add(extra);
        }

        var query = Of(steps, "query") is { } asked ? $"?{asked}" : "";
        if (Has(steps, "again"))
        {
            await SendAsync(lines, query, mutual: false);
        }

        return await SendAsync(lines, query, Has(steps, "mutual"));
    }

    /// <summary>Sends these header lines and nothing else.</summary>
    public async Task<(int Status, IReadOnlyList<string> Challenges)> SendAsync(
        IEnumerable<string> lines,
        string query = "",
        bool mutual = false
    )
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var address = new Uri(mutual ? scene.Host.MutualTlsUrl : scene.Host.Url);
        using var tcp = new TcpClient();
        await tcp.ConnectAsync("127.0.0.1", address.Port, limit.Token);
        await using var tls = new SslStream(tcp.GetStream());
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                ClientCertificates = mutual ? [scene.Certificate] : null,
                RemoteCertificateValidationCallback = (_, _, _, _) => true, // the test's own server on a port that only it knows
            },
            limit.Token
        );
        var request =
            $"GET /api/v1/whoami{query} HTTP/1.1\r\nHost: localhost:{address.Port}\r\nConnection: close\r\n"
            + string.Concat(lines.Select(line => $"{line}\r\n"))
            + "\r\n";
        await tls.WriteAsync(Encoding.UTF8.GetBytes(request), limit.Token);
        using var reader = new StreamReader(tls, Encoding.Latin1);
        var head = (await reader.ReadToEndAsync(limit.Token)).Split("\r\n\r\n")[0].Split("\r\n");
        return (
            int.Parse(head[0].Split(' ')[1], CultureInfo.InvariantCulture),
            [
                .. head.Where(line => line.StartsWith("WWW-Authenticate: ", StringComparison.OrdinalIgnoreCase))
                    .Select(line => line["WWW-Authenticate: ".Length..]),
            ]
        );
    }

    private static bool Has(IEnumerable<(string Word, string About)> steps, string word) =>
        steps.Any(step => step.Word == word);

    private static string? Of(IEnumerable<(string Word, string About)> steps, string word) =>
        steps.Where(step => step.Word == word).Select(step => step.About).FirstOrDefault();

    private string Token(IReadOnlyList<(string Word, string About)> steps)
    {
        if (Of(steps, "take") is { } other)
        {
            return scene.Other(other);
        }

        var original =
            Has(steps, "bound") ? scene.BoundTo(Of(steps, "pkey"))
            : Has(steps, "tls") ? scene.TlsToken
            : scene.Token;
        var parts = original.Split('.');
        var header = Json(parts[0]);
        var claims = Json(parts[1]);
        string? headerText = null;
        string? claimsText = null;
        string? claimsBytes = null;
        string head = "",
            tail = "";
        var touched = false;
        foreach (var (word, rest) in steps)
        {
            touched |= Apply(word, rest, header, claims);
            switch (word)
            {
                case "hraw":
                    (headerText, touched) = (rest, true);
                    break;
                case "hspaces":
                    (headerText, touched) = (header.ToJsonString(Indented), true);
                    break;
                case "claims":
                    (claimsText, touched) = (rest, true);
                    break;
                case "claims-bytes":
                    (claimsBytes, touched) = (rest, true);
                    break;
                case "spaces" or "pretty":
                    (claimsText, touched) = (claims.ToJsonString(Indented) + (word == "spaces" ? " \t " : ""), true);
                    break;
                case "chead":
                    (head, touched) = (rest + ",", true);
                    break;
                case "ctail":
                    (tail, touched) = ("," + rest, true);
                    break;
                case "craw":
                    var (name, text) = Pair(rest);
                    claims.Remove(name);
                    (tail, touched) = ($",\"{name}\":{text}", true);
                    break;
                case "sign" or "late":
                    touched = true;
                    break;
            }
        }

        if (!touched)
        {
            return original;
        }

        if (Has(steps, "hraw") is false && Has(steps, "hspaces") is false)
        {
            headerText = header.ToJsonString();
        }

        claimsText ??= "{" + head + claims.ToJsonString()[1..^1] + tail + "}";
        var first = ClientKey.Encode(Encoding.UTF8.GetBytes(headerText!));
        var second = ClientKey.Encode(
            claimsBytes is null ? Encoding.UTF8.GetBytes(claimsText) : Convert.FromHexString(claimsBytes)
        );
        var signature = scene.Sign(Of(steps, "sign") ?? "real", first, second, parts[2]);
        foreach (var (_, rest) in steps.Where(step => step.Word == "late"))
        {
            (first, second) = Late(rest, header, claims);
        }

        return Of(steps, "sign") == "cut" ? $"{first}.{second}" : $"{first}.{second}.{signature}";
    }

    private static (string First, string Second) Late(string step, JsonObject header, JsonObject claims)
    {
        var words = step.Split(' ', 2);
        Apply(words[0], words.Length > 1 ? words[1] : "", header, claims);
        var text = words[0] is "spaces" ? claims.ToJsonString(Indented) : claims.ToJsonString();
        var headerText = words[0] is "hspaces" ? header.ToJsonString(Indented) : header.ToJsonString();
        return (ClientKey.Encode(Encoding.UTF8.GetBytes(headerText)), ClientKey.Encode(Encoding.UTF8.GetBytes(text)));
    }

    private static bool Apply(string word, string rest, JsonObject header, JsonObject claims)
    {
        switch (word)
        {
            case "h":
                Set(header, rest);
                return true;
            case "c":
                Set(claims, rest);
                return true;
            case "hreorder":
                Reorder(header);
                return true;
            case "reorder":
                Reorder(claims);
                return true;
            case "many":
                for (var i = 0; i < 100; i++)
                {
                    claims[$"more{i}"] = i;
                }

                return true;
            default:
                return false;
        }
    }

    private string Proof(IReadOnlyList<(string Word, string About)> steps, string token)
    {
        var key = scene.ProofKey(Of(steps, "pkey"));
        var (header, claims) = key.Parts("GET", $"{scene.Host.Url}/api/v1/whoami", token);
        string? headerText = null;
        var tail = "";
        foreach (var (word, rest) in steps)
        {
            switch (word)
            {
                case "p":
                    var words = rest.Split(' ', 2);
                    Apply(words[0], words[1], header, claims);
                    break;
                case "praw":
                    var (name, text) = Pair(rest);
                    claims.Remove(name);
                    tail = $",\"{name}\":{text}";
                    break;
                case "phraw":
                    headerText = rest;
                    break;
            }
        }

        var first = ClientKey.Encode(Encoding.UTF8.GetBytes(headerText ?? header.ToJsonString()));
        var second = ClientKey.Encode(Encoding.UTF8.GetBytes("{" + claims.ToJsonString()[1..^1] + tail + "}"));
        var signature = Of(steps, "psign") switch
        {
            "empty" => "",
            "other" => scene.ProofKey("other").SignText($"{first}.{second}"),
            _ => key.SignText($"{first}.{second}"),
        };
        return $"{first}.{second}.{signature}";
    }

    private static void Set(JsonObject json, string step)
    {
        if (step.StartsWith('-'))
        {
            json.Remove(step[1..]);
            return;
        }

        var (name, text) = Pair(step);
        json.Remove(name);
        json[name] = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { MaxDepth = 512 });
    }

    // The name ends at the first "=" that a JSON value follows: names may hold one in an address.
    private static (string Name, string Text) Pair(string step)
    {
        var at = step.IndexOf('=', StringComparison.Ordinal);
        return (step[..at], step[(at + 1)..]);
    }

    private static void Reorder(JsonObject json)
    {
        var members = json.Reverse().Select(member => (member.Key, Value: member.Value?.DeepClone())).ToList();
        json.Clear();
        foreach (var (name, value) in members)
        {
            json[name] = value;
        }
    }

    private static JsonObject Json(string part)
    {
        var text = part.Replace('-', '+').Replace('_', '/');
        return JsonNode.Parse(Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '=')))!.AsObject();
    }
}
