using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Cli.Server;

namespace Governance.Cli.Commands;

/// <summary><c>govern can</c>, <c>govern grants …</c> and <c>govern groups …</c>.</summary>
internal static class AccessCommands
{
    private const string Server = "--server https://localhost:8443 --ca ca.pem";
    private const string Grant = "id role on pattern targets exceptTargets expiresAt group";
    private const string Group = "{ id name external { issuer claim value } members { subject pending } }";

    private static readonly Argument<string> Permission = new("permission")
    {
        Description = "A permission, for example model:read.",
    };

    private static readonly Argument<string> Id = new("id") { Description = "Id of the grant." };

    private static readonly Argument<string> GroupId = new("group") { Description = "Id of the group." };

    private static readonly Argument<string> Member = new("subject") { Description = "Id of a person or service." };

    private static readonly Argument<string> Name = new("name")
    {
        Description = "Name: a-z, 0-9, dot, underscore, hyphen and @.",
    };

    private static readonly Argument<string> Role = new("role")
    {
        Description = "viewer, data-scientist, reviewer, release-manager, privacy-officer, auditor or admin.",
    };

    private static readonly Option<string?> On = Text(
        "--on",
        "object",
        "model:NAME, experiment:NAME or dataset:SHA256. Left out: everything."
    );

    private static readonly Option<string?> Scope = Text(
        "--on",
        "pattern",
        "model:PATTERN, experiment:PATTERN or dataset:PATTERN, with * for any run of characters. Left out: everything."
    );

    private static readonly Option<string?> Touching = Text(
        "--touching",
        "target",
        "What a move would touch: stage:NAME, alias:NAME, delete-version, delete-model or rename:NAME."
    );

    private static readonly Option<string?> Of = Text("--of", "id", "Somebody else, for administrators.");

    private static readonly Option<string?> Holder = Text("--of", "id", "Only of this subject or group.");

    private static readonly Option<string?> Subject = Text("--subject", "id", "The person or service who gets it.");

    private static readonly Option<string?> ToGroup = Text("--group", "id", "The group that gets it.");

    private static readonly Option<string?> Expires = Text(
        "--expires",
        "time",
        "When it ends, such as 2027-01-31T00:00Z."
    );

    private static readonly Option<string?> Issuer = Text("--issuer", "url", "For an external group: its issuer.");

    private static readonly Option<string?> Claim = Text(
        "--claim",
        "name",
        "For an external group: a claim that its holder cannot change."
    );

    private static readonly Option<string?> Value = Text(
        "--value",
        "text",
        "For an external group: the claim's value."
    );

    private static readonly Option<string[]> Only = Texts(
        "--only",
        "Reaches only these when something moves: stage:NAME, alias:PATTERN, rename:PATTERN, delete-version, delete-model."
    );

    private static readonly Option<string[]> Except = Texts("--except", "Does not reach these when something moves.");

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static IReadOnlyList<Command> Create(Surroundings surroundings) =>
        [
            new Verb(
                "can",
                "Says whether you may do something, and why. Exit 1 if not.",
                $"govern can promotion:carry-out --on model:fraud --touching alias:champion {Server}"
            )
            {
                Permission,
                On,
                Touching,
                Of,
                Format,
            }
                .WithServer()
                .Runs(surroundings, CanAsync),
            new Command("grants", "Who may do what.")
            {
                new Verb("list", "Lists the grants that you manage.", $"govern grants list {Server}") { Holder, Format }
                    .WithServer()
                    .Runs(surroundings, ListAsync),
                new Verb(
                    "add",
                    "Grants a role; never to yourself. A privileged one waits for a second administrator.",
                    $"govern grants add release-manager --group 5d3c… --on 'model:fraud-*' --only stage:Staging {Server}",
                    $"govern grants add data-scientist --subject 91be… --on model:fraud --except alias:champion --expires 2027-01-31T00:00Z {Server}"
                )
                {
                    Role,
                    Subject,
                    ToGroup,
                    Scope,
                    Only,
                    Except,
                    Expires,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, AddAsync),
                new Verb(
                    "revoke",
                    "Takes a grant away, at once.",
                    $"govern grants revoke 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 {Server}"
                )
                {
                    Id,
                }
                    .WithServer()
                    .Runs(surroundings, RevokeAsync),
            },
            new Command("groups", "Groups that roles are granted to.")
            {
                new Verb("list", "Lists the groups with their members.", $"govern groups list {Server}") { Format }
                    .WithServer()
                    .Runs(surroundings, GroupsAsync),
                new Verb(
                    "create",
                    "Makes a group: a local one, or one bound for good to a value of a claim.",
                    $"govern groups create risk-reviewers {Server}",
                    $"govern groups create entra-release --issuer https://login.example/v2.0 --claim groups --value 0f1e… {Server}"
                )
                {
                    Name,
                    Issuer,
                    Claim,
                    Value,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, CreateGroupAsync),
                MemberVerb(surroundings, "add", "addToGroup", "Puts a subject into a local group; never yourself."),
                MemberVerb(surroundings, "remove", "removeFromGroup", "Takes a subject out of a group, at once."),
            },
        ];

    private static Verb MemberVerb(Surroundings surroundings, string name, string field, string description) =>
        new Verb(name, description, $"govern groups {name} 5d3c… 91be… {Server}") { GroupId, Member, Format }
            .WithServer()
            .Runs(
                surroundings,
                run =>
                    SayGroupAsync(
                        run,
                        field,
                        $"mutation Member($group: ID!, $member: ID!) {{ {field}(group: $group, member: $member) {Group} }}",
                        new JsonObject { ["group"] = run.Get(GroupId), ["member"] = run.Get(Member) }
                    )
            );

    private static async Task<int> CanAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var data = await gateway.AskAsync(
            "query Can($permission: String!, $object: String, $touching: String, $of: String) { "
                + "can(permission: $permission, object: $object, touching: $touching, of: $of) "
                + $"{{ allowed reason byOwnership unreached roles grant {{ {Grant} }} }} }}",
            new JsonObject
            {
                ["permission"] = run.Get(Permission),
                ["object"] = run.Get(On),
                ["touching"] = run.Get(Touching),
                ["of"] = run.Get(Of),
            },
            run.Cancelled
        );
        var can = data["can"] as JsonObject ?? [];
        var allowed = can["allowed"] is JsonValue value && value.TryGetValue<bool>(out var yes) && yes;
        if (run.IsJson(Format))
        {
            run.Say(can);
        }
        else
        {
            run.Say($"{(allowed ? "Yes" : "No")}. {can["reason"]}");
        }

        return allowed ? Exit.Fine : Exit.Refused;
    }

    private static async Task<int> ListAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        string? after = null;
        do
        {
            var data = await gateway.AskAsync(
                "query Grants($holder: String, $after: String) { grants(holder: $holder, first: 200, after: $after) "
                    + $"{{ items {{ subject group pending grantedBy grant {{ {Grant} }} }} nextToken }} }}",
                new JsonObject { ["holder"] = run.Get(Holder), ["after"] = after },
                run.Cancelled
            );
            foreach (var held in data["grants"]?["items"] as JsonArray ?? [])
            {
                SayGrant(run, held);
            }

            after = data["grants"]?["nextToken"]?.ToString();
        } while (after is not null);
        return Exit.Fine;
    }

    private static async Task<int> AddAsync(Invocation run)
    {
        var (on, pattern) = Pattern(run.Get(Scope));
        var to = (run.Get(Subject), run.Get(ToGroup)) switch
        {
            ({ } subject, null) => new JsonObject { ["subject"] = subject },
            (null, { } group) => new JsonObject { ["group"] = group },
            _ => throw Stop.Usage("Name who gets it: either --subject or --group."),
        };
        using var gateway = ServerOptions.Connect(run);
        var data = await gateway.AskAsync(
            "mutation Grant($to: GrantHolder!, $grant: GrantInput!) { grantRole(to: $to, grant: $grant) "
                + $"{{ subject group pending confirmation grantedBy grant {{ {Grant} }} }} }}",
            new JsonObject
            {
                ["to"] = to,
                ["grant"] = new JsonObject
                {
                    ["role"] = run.Get(Role),
                    ["on"] = on,
                    ["pattern"] = pattern,
                    ["targets"] = Array(run.Get(Only)),
                    ["exceptTargets"] = Array(run.Get(Except)),
                    ["expiresAt"] = run.Get(Expires) is { } text ? Time(text) : null,
                },
            },
            run.Cancelled
        );
        SayGrant(run, data["grantRole"]);
        return Exit.Fine;
    }

    private static async Task<int> RevokeAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        await gateway.AskAsync(
            "mutation Revoke($id: ID!) { revokeGrant(id: $id) }",
            new JsonObject { ["id"] = run.Get(Id) },
            run.Cancelled
        );
        run.Say("Revoked.");
        return Exit.Fine;
    }

    private static async Task<int> GroupsAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        string? after = null;
        do
        {
            var data = await gateway.AskAsync(
                $"query Groups($after: String) {{ groups(first: 50, after: $after) {{ items {Group} nextToken }} }}",
                new JsonObject { ["after"] = after },
                run.Cancelled
            );
            foreach (var group in data["groups"]?["items"] as JsonArray ?? [])
            {
                SayGroup(run, group);
            }

            after = data["groups"]?["nextToken"]?.ToString();
        } while (after is not null);
        return Exit.Fine;
    }

    private static Task<int> CreateGroupAsync(Invocation run)
    {
        var parts = new[] { run.Get(Issuer), run.Get(Claim), run.Get(Value) };
        if (parts.Any(part => part is null) && parts.Any(part => part is not null))
        {
            throw Stop.Usage("An external group takes --issuer, --claim and --value; a local one none of them.");
        }

        return SayGroupAsync(
            run,
            "createGroup",
            "mutation Create($name: String!, $external: ExternalClaimInput) "
                + $"{{ createGroup(name: $name, external: $external) {Group} }}",
            new JsonObject
            {
                ["name"] = run.Get(Name),
                ["external"] = parts[0] is null
                    ? null
                    : new JsonObject
                    {
                        ["issuer"] = parts[0],
                        ["claim"] = parts[1],
                        ["value"] = parts[2],
                    },
            }
        );
    }

    private static async Task<int> SayGroupAsync(Invocation run, string field, string document, JsonObject variables)
    {
        using var gateway = ServerOptions.Connect(run);
        SayGroup(run, (await gateway.AskAsync(document, variables, run.Cancelled))[field]);
        return Exit.Fine;
    }

    private static void SayGrant(Invocation run, JsonNode? held)
    {
        if (run.IsJson(Format))
        {
            run.Say(held?.DeepClone() ?? new JsonObject());
            return;
        }

        var grant = held?["grant"];
        var holder = held?["group"] is { } group ? $"group {group}" : $"subject {held?["subject"]}";
        run.Say(
            $"{grant?["id"]}  {holder}  {grant?["role"]}{Reach(grant)}{List(" only ", grant?["targets"])}"
                + $"{List(" except ", grant?["exceptTargets"])}"
                + (grant?["expiresAt"] is { } end ? $" until {end}" : "")
                + (IsTrue(held?["pending"]) ? "  (waits for a second administrator)" : "")
        );
        if (held?["confirmation"] is { } confirmation)
        {
            run.Say($"  It counts once another administrator runs: govern confirmation confirm {confirmation}");
        }
    }

    private static void SayGroup(Invocation run, JsonNode? group)
    {
        if (run.IsJson(Format))
        {
            run.Say(group?.DeepClone() ?? new JsonObject());
            return;
        }

        run.Say(
            $"{group?["id"]}  {group?["name"]}"
                + (group?["external"] is { } named ? $"  {named["claim"]}={named["value"]} of {named["issuer"]}" : "")
        );
        foreach (var member in group?["members"] as JsonArray ?? [])
        {
            run.Say(
                $"  {member?["subject"]}" + (IsTrue(member?["pending"]) ? "  (waits for a second administrator)" : "")
            );
        }
    }

    private static string Reach(JsonNode? grant) =>
        grant?["pattern"]?.ToString() is { Length: > 0 } pattern
            ? $" on {grant["on"]?.ToString().ToLowerInvariant()}:{pattern}"
            : " on everything";

    private static string List(string word, JsonNode? items) =>
        items is JsonArray { Count: > 0 } texts ? word + string.Join(", ", texts) : "";

    private static bool IsTrue(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<bool>(out var yes) && yes;

    private static JsonArray Array(string[]? texts) => new([.. (texts ?? []).Select(text => (JsonNode)text)]);

    private static (string On, string Pattern) Pattern(string? text) =>
        text?.Split(':', 2) switch
        {
            null => ("NONE", ""),
            [("model" or "experiment" or "dataset") and var kind, { Length: > 0 } pattern] => (
                kind.ToUpperInvariant(),
                pattern
            ),
            _ => throw Stop.Usage("--on is model:PATTERN, experiment:PATTERN or dataset:PATTERN."),
        };

    private static string Time(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time.ToString("O", CultureInfo.InvariantCulture)
            : throw Stop.Usage("--expires is a time such as 2027-01-31T00:00Z.");

    private static Option<string?> Text(string name, string help, string description) =>
        new(name) { Description = description, HelpName = help };

    private static Option<string[]> Texts(string name, string description) =>
        new(name)
        {
            Description = description,
            HelpName = "target",
            AllowMultipleArgumentsPerToken = false,
        };
}
