using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Governance.Cli.Server;
using Governance.Kernel;

namespace Governance.Cli.Commands;

/// <summary><c>govern service</c> and <c>govern issuer-key</c>.</summary>
internal static class ServiceCommands
{
    private const string Where = "--server https://localhost:8443 --ca ca.pem";
    private const string Example = "5f0c3a9e7b1d4c2f8a6e0d9b3c7f1a24";

    private static readonly Argument<string> ClientId = new("client-id") { Description = "Name of the OAuth client." };

    private static readonly Argument<string> Service = new("id") { Description = "Pseudonym of the service." };

    private static readonly Option<string> Method = Shared.OneOf(
        "--method",
        "How it proves itself.",
        "client_secret",
        "private_key_jwt",
        "self_signed_tls_client_auth",
        "tls_client_auth"
    );

    private static readonly Option<string> Binding = Shared.OneOf(
        "--binding",
        "What its tokens must be bound to.",
        "none",
        "any",
        "dpop",
        "mutual_tls"
    );

    private static readonly Option<string?> Jwks = Shared.File(
        "--jwks",
        "Its public keys, for private_key_jwt: a JWK set."
    );

    private static readonly Option<string[]> Certificate = new("--certificate")
    {
        Description = "Its certificate in PEM, for self_signed_tls_client_auth; may be repeated.",
        HelpName = "file",
    };

    private static readonly Option<string?> DnsName = new("--dns-name")
    {
        Description = "DNS name that its certificates carry, for tls_client_auth.",
        HelpName = "name",
    };

    private static readonly Option<string[]> Role = new("--role")
    {
        Description = "Role on everything; may be repeated. Grants with patterns: govern grants add.",
        HelpName = "role",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Argument<string> Key = new("key") { Description = "Id of the key, as the list shows it." };

    private static readonly Option<int> Overlap = new("--overlap-hours")
    {
        Description = "How long the old secret still counts; 0 ends it and every token got with it.",
        HelpName = "hours",
        DefaultValueFactory = _ => 24,
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static IReadOnlyList<Command> Create(Surroundings surroundings) =>
        [
            new Command(
                "service",
                "Services: who they are and how they prove themselves. Needs a recent sign-in of an administrator."
            )
            {
                new Verb("list", "Lists the services.", $"govern service list {Where}") { Format }
                    .WithServer()
                    .Runs(surroundings, ListAsync),
                new Verb(
                    "show",
                    "Shows how a service proves itself; never a secret.",
                    $"govern service show {Example} {Where}"
                )
                {
                    Service,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, ShowAsync),
                new Verb(
                    "create",
                    "Registers a service; a secret is shown this once.",
                    $"govern service create trainer --role data-scientist {Where}",
                    $"govern service create trainer --method private_key_jwt --jwks keys.json --binding dpop {Where}",
                    $"govern service create deployer --method tls_client_auth --dns-name deployer.example {Where}"
                )
                {
                    ClientId,
                    Role,
                    Method,
                    Jwks,
                    Certificate,
                    DnsName,
                    Binding,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, CreateAsync),
                new Verb(
                    "change",
                    "Changes how a service proves itself; its tokens end.",
                    $"govern service change {Example} --method self_signed_tls_client_auth --certificate robot.pem {Where}"
                )
                {
                    Service,
                    Method,
                    Jwks,
                    Certificate,
                    DnsName,
                    Binding,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, ChangeAsync),
                new Verb(
                    "secret",
                    "Gives a service another secret, shown this once.",
                    $"govern service secret {Example} {Where}",
                    $"govern service secret {Example} --overlap-hours 0 {Where}"
                )
                {
                    Service,
                    Overlap,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, ReplaceSecretAsync),
                Switch(surroundings, "disable", "Shuts a service out, at once.", enabled: false),
                Switch(
                    surroundings,
                    "enable",
                    "Lets a service in again; with a privileged role once another administrator confirms.",
                    enabled: true
                ),
            },
            new Command("issuer-key", "The keys that sign the gateway's tokens.")
            {
                new Verb("list", "Lists the keys in use.", $"govern issuer-key list {Where}") { Format }
                    .WithServer()
                    .Runs(surroundings, ListKeysAsync),
                new Verb(
                    "rotate",
                    "Makes the next key now; it is published before it signs, and the old one stays until its last token ends.",
                    $"govern issuer-key rotate {Where}"
                )
                {
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, RotateAsync),
                new Verb(
                    "revoke",
                    "Takes a key away that somebody else may have, at once: every token that it signed ends, and every sign-in on a command line.",
                    $"govern issuer-key revoke LLdPhH9TiwRAIsFKvqTfTQ {Where}"
                )
                {
                    Key,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, RevokeKeyAsync),
            },
        ];

    private static Verb Switch(Surroundings surroundings, string name, string description, bool enabled) =>
        new Verb(name, description, $"govern service {name} {Example} {Where}") { Service }
            .WithServer()
            .Runs(
                surroundings,
                async run =>
                {
                    using var gateway = ServerOptions.Connect(run);
                    await gateway.DoAsync(
                        $"/api/v1/subjects/{Id(run)}/enabled",
                        new JsonObject { ["enabled"] = enabled },
                        run.Cancelled
                    );
                    run.Say("Done.");
                    return Exit.Fine;
                }
            );

    private static Task<int> ListAsync(Invocation run) =>
        Pages.SayAsync(
            run,
            Format,
            "/api/v1/subjects",
            subject =>
            {
                var roles = (subject["grants"] as JsonArray ?? []).Select(grant => grant?["role"]?.ToString());
                return subject["kind"]?.ToString() == "service"
                    ? $"{subject["id"]} {subject["displayName"]}: {string.Join(", ", roles)}"
                    : null;
            }
        );

    private static async Task<int> ShowAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var service = await gateway.ReadAsync($"/api/v1/services/{Id(run)}", run.Cancelled);
        if (run.IsJson(Format))
        {
            run.Say(service);
            return Exit.Fine;
        }

        run.Say($"{service["id"]} {service["clientId"]}: {service["method"]}, tokens bound to {service["binding"]}");
        foreach (var print in service["certificates"] as JsonArray ?? [])
        {
            run.Say($"  Certificate with SHA-256 {print}");
        }

        foreach (var key in service["jwks"]?["keys"] as JsonArray ?? [])
        {
            run.Say($"  Key {key?["kty"]} {key?["crv"]} {key?["kid"]}".TrimEnd());
        }

        if (service["dnsName"] is { } name)
        {
            run.Say($"  Certificates of {name}");
        }

        return Exit.Fine;
    }

    private static async Task<int> CreateAsync(Invocation run)
    {
        var grants = (run.Get(Role) ?? []).Select(role => (JsonNode)new JsonObject { ["role"] = role });
        var body = new JsonObject
        {
            ["clientId"] = run.Get(ClientId),
            ["grants"] = new JsonArray([.. grants]),
            ["authentication"] = Authentication(run),
            ["binding"] = run.Need(Binding),
        };
        using var gateway = ServerOptions.Connect(run);
        return Say(run, await gateway.PostAsync("/api/v1/services", body, run.Cancelled));
    }

    private static async Task<int> ChangeAsync(Invocation run)
    {
        var body = new JsonObject { ["authentication"] = Authentication(run), ["binding"] = run.Need(Binding) };
        using var gateway = ServerOptions.Connect(run);
        return Say(run, await gateway.PutAsync($"/api/v1/services/{Id(run)}/authentication", body, run.Cancelled));
    }

    private static async Task<int> ReplaceSecretAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        return Say(
            run,
            await gateway.PostAsync(
                $"/api/v1/services/{Id(run)}/secret",
                new JsonObject { ["overlapHours"] = run.Get(Overlap) },
                run.Cancelled
            )
        );
    }

    private static async Task<int> ListKeysAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        return SayKeys(run, await gateway.ReadAsync("/api/v1/issuer-keys", run.Cancelled));
    }

    private static async Task<int> RotateAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        return SayKeys(run, await gateway.PostAsync("/api/v1/issuer-keys", new JsonObject(), run.Cancelled));
    }

    private static async Task<int> RevokeKeyAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var path = $"/api/v1/issuer-keys/{Uri.EscapeDataString(run.Get(Key))}/revoke";
        return SayKeys(run, await gateway.PostAsync(path, new JsonObject(), run.Cancelled));
    }

    private static int Say(Invocation run, JsonObject service)
    {
        if (run.IsJson(Format))
        {
            run.Say(service);
            return Exit.Fine;
        }

        run.Say($"{service["id"]} {service["clientId"]}");
        if (service["clientSecret"] is { } secret)
        {
            run.Say($"  Secret, shown this once: {secret}");
        }

        foreach (var confirmation in service["confirmations"] as JsonArray ?? [])
        {
            run.Say($"  Held until another administrator confirms: govern confirmation confirm {confirmation}");
        }

        return Exit.Fine;
    }

    private static int SayKeys(Invocation run, JsonObject answer)
    {
        foreach (var key in (answer["keys"] as JsonArray ?? []).OfType<JsonNode>())
        {
            if (run.IsJson(Format))
            {
                run.Say(key);
            }
            else
            {
                var signs = key["signs"] is JsonValue value && value.TryGetValue<bool>(out var yes) && yes;
                run.Say(
                    $"{key["id"]} made {key["createdAt"]}, signs from {key["activeFrom"]}{(signs ? " (signs now)" : "")}"
                );
            }
        }

        return Exit.Fine;
    }

    // What is private never leaves this machine, whatever else a file holds.
    private static JsonObject Authentication(Invocation run)
    {
        var authentication = new JsonObject { ["method"] = run.Need(Method) };
        if (run.Get(Jwks) is { } keys)
        {
            authentication["jwks"] = PublicKeys(keys);
        }

        if (run.Get(Certificate) is { Length: > 0 } files)
        {
            authentication["certificates"] = new JsonArray([.. files.Select(file => (JsonNode)PublicPart(file))]);
        }

        if (run.Get(DnsName) is { } name)
        {
            authentication["dnsName"] = name;
        }

        return authentication;
    }

    private static JsonObject PublicKeys(string path)
    {
        var set = CanonicalJson.TryParse(InputFile.Read(path, InputFile.Small)) as JsonObject;
        return
            set?["keys"] is JsonArray keys
            && keys.All(key => key is JsonObject json && !json.ContainsKey("d") && !json.ContainsKey("k"))
            ? set
            : throw Stop.Unusable("bad_jwks", $"{path} is not a JWK set of public keys.");
    }

    private static string PublicPart(string path)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(InputFile.ReadText(path));
            return certificate.ExportCertificatePem();
        }
        catch (CryptographicException)
        {
            throw Stop.Unusable("bad_certificate", $"{path} holds no certificate in PEM.");
        }
    }

    private static string Id(Invocation run) => Uri.EscapeDataString(run.Get(Service));
}
