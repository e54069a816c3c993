using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Cli.Server;
using Governance.Kernel;
using Microsoft.AspNetCore.WebUtilities;

namespace Governance.Cli.Commands;

/// <summary><c>govern login</c>, <c>govern token</c> and <c>govern logout</c>.</summary>
internal static class SignInCommands
{
    private const string DeviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private static readonly Option<bool> Device = new("--device")
    {
        Description = "Show a code to enter in a browser elsewhere, instead of waiting for a browser on this machine.",
    };

    private static readonly Option<bool> Fresh = new("--fresh")
    {
        Description = "Sign in anew even if the browser still knows you, for what asks for a recent sign-in.",
    };

    public static IEnumerable<Command> Create(Surroundings surroundings) =>
        [
            new Verb(
                "login",
                $"Signs you in through the browser and keeps the tokens for the verbs with --server. {ServerOptions.TokenVariable} goes before them.",
                "govern login --server https://localhost:8443 --ca ca.pem",
                "govern login --server https://models.example --device",
                "govern login --fresh --server https://localhost:8443 --ca ca.pem",
                "govern login --device --fresh --server https://models.example"
            )
            {
                Device,
                Fresh,
            }
                .WithServer()
                .Runs(surroundings, LogInAsync),
            new Verb(
                "token",
                "Prints an access token of the sign-in, renewed when it is about to end, for programs that take one. Whoever sees it can act as you until it ends.",
                "MLFLOW_TRACKING_TOKEN=$(govern token --server https://localhost:8443 --ca ca.pem) python train.py"
            )
                .WithServer()
                .Runs(surroundings, TokenAsync),
            new Verb(
                "logout",
                "Ends the sign-in: the server forgets its tokens, and so does this machine.",
                "govern logout --server https://localhost:8443 --ca ca.pem"
            )
                .WithServer()
                .Runs(surroundings, LogOutAsync),
        ];

    private static async Task<int> LogInAsync(Invocation run)
    {
        var (issuer, address, saved) = ServerOptions.Issuer(run);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(run.Cancelled);
        patience.CancelAfter(Patience);
        var token = run.Get(Device)
            ? await ByDeviceAsync(run, issuer, patience.Token)
            : await ByBrowserAsync(run, issuer, address, patience.Token);
        saved.Write(token);
        run.Say($"Signed in to {address.GetLeftPart(UriPartial.Authority)}.");
        return Exit.Fine;
    }

    private static async Task<int> TokenAsync(Invocation run)
    {
        using var signedIn = ServerOptions.SignedIn(run);
        run.Say(await signedIn.CurrentAsync(run.Cancelled));
        return Exit.Fine;
    }

    private static async Task<int> LogOutAsync(Invocation run)
    {
        var (issuer, address, saved) = ServerOptions.Issuer(run);
        if (saved.Read() is { } token)
        {
            await issuer.RevokeAsync(token, run.Cancelled);
            saved.Delete();
        }

        run.Say($"Signed out of {address.GetLeftPart(UriPartial.Authority)}.");
        return Exit.Fine;
    }

    // RFC 8252 with a pushed request: what the browser carries is a reference only, and the code is worthless without us.
    private static async Task<SavedToken> ByBrowserAsync(
        Invocation run,
        Issuer issuer,
        Uri address,
        CancellationToken cancellationToken
    )
    {
        using var callback = new LoopbackCallback();
        var verifier = WebEncoders.Base64UrlEncode(RandomNumberGenerator.GetBytes(32));
        var state = WebEncoders.Base64UrlEncode(RandomNumberGenerator.GetBytes(16));
        var request = new Dictionary<string, string>
        {
            ["response_type"] = "code",
            ["redirect_uri"] = callback.Address,
            ["scope"] = Issuer.Scope,
            ["state"] = state,
            ["code_challenge"] = WebEncoders.Base64UrlEncode(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))),
            ["code_challenge_method"] = "S256",
        };
        if (run.Get(Fresh))
        {
            request["prompt"] = "login";
        }

        var pushed = await issuer.PostAsync("/connect/par", request, cancellationToken);
        var reference = Issuer.TextOf(pushed, "request_uri") ?? throw Issuer.Refused(pushed);
        var page = QueryHelpers.AddQueryString(
            new Uri(address, "/connect/authorize").AbsoluteUri,
            new Dictionary<string, string?> { ["client_id"] = Issuer.ClientId, ["request_uri"] = reference }
        );
        run.Say($"Sign in at: {page}");
        var answer = await callback.WaitAsync(cancellationToken);

        // RFC 9207: an answer of another server is not ours, whatever it carries.
        if (
            !CryptographicOperations.FixedTimeEquals(
                Encoding.UTF8.GetBytes(answer.GetValueOrDefault("state", "")),
                Encoding.UTF8.GetBytes(state)
            )
            || answer.GetValueOrDefault("iss", "").TrimEnd('/') != address.GetLeftPart(UriPartial.Authority)
        )
        {
            throw Stop.Unusable(
                "foreign_answer",
                "The browser came back with an answer to another request. Try again."
            );
        }

        if (!answer.TryGetValue("code", out var code))
        {
            throw Issuer.Refused(new JsonObject { ["error"] = answer.GetValueOrDefault("error", "no code") });
        }

        return issuer.TokensOf(
            await issuer.PostAsync(
                "/connect/token",
                new Dictionary<string, string>
                {
                    ["grant_type"] = "authorization_code",
                    ["code"] = code,
                    ["code_verifier"] = verifier,
                    ["redirect_uri"] = callback.Address,
                },
                cancellationToken
            )
        );
    }

    private static async Task<SavedToken> ByDeviceAsync(
        Invocation run,
        Issuer issuer,
        CancellationToken cancellationToken
    )
    {
        var began = run.Surroundings.Clock.GetTimestamp();
        var started = await issuer.PostAsync(
            "/connect/device",
            new Dictionary<string, string> { ["scope"] = Issuer.Scope },
            cancellationToken
        );
        var device = Issuer.TextOf(started, "device_code") ?? throw Issuer.Refused(started);
        var page = Issuer.TextOf(started, "verification_uri") + (run.Get(Fresh) ? "?fresh" : "");
        run.Say($"Open {page} in a browser and enter: {Issuer.TextOf(started, "user_code")}");

        // RFC 8628 §3.5: five seconds unless told otherwise, five more whenever asked to slow down.
        var pause = TimeSpan.FromSeconds(started["interval"]?.GetValue<int>() ?? 5);
        while (true)
        {
            await Task.Delay(pause, run.Surroundings.Clock, cancellationToken);
            var answer = await issuer.PostAsync(
                "/connect/token",
                new Dictionary<string, string> { ["grant_type"] = DeviceGrant, ["device_code"] = device },
                cancellationToken
            );
            switch (Issuer.TextOf(answer, "error"))
            {
                case null:
                    var token = issuer.TokensOf(answer);
                    return !run.Get(Fresh) || token.IsSignedInWithin(run.Surroundings.Clock.GetElapsedTime(began))
                        ? token
                        : throw await NotFreshAsync(issuer, token, cancellationToken);
                case "authorization_pending":
                    break;
                case "slow_down":
                    pause += TimeSpan.FromSeconds(5);
                    break;
                default:
                    throw Issuer.Refused(answer);
            }
        }
    }

    // The page asks whoever opens it; whoever opens it without what follows its question mark is not asked.
    private static async Task<Stop> NotFreshAsync(Issuer issuer, SavedToken token, CancellationToken cancellationToken)
    {
        await issuer.RevokeAsync(token, cancellationToken);
        return new Stop(
            Exit.Refused,
            Failure.Denied(
                "cli.sign_in_not_fresh",
                "The device was let in by an older sign-in. Try again, and open the address as it is shown: it asks you to sign in anew."
            )
        );
    }
}
