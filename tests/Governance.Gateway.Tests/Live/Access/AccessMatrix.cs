using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Governance.Gateway.Demo;
using Governance.Gateway.Hosting;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Tests.Identity;
using GraphQL.Types;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live.Access;

/// <summary>
/// Somebody who asks: no token, a token without a role, a role on everything or on names, or every role by a standing that takes
/// some of it away: a service, a held account, an old sign-in.
/// </summary>
internal sealed record AccessCaller(string Role, bool Narrow)
{
    public bool HasAll => Role is "service" or "held" or "old";

    public string Name => Role is "nobody" or "roleless" || HasAll ? Role : $"{Role}-{(Narrow ? "narrow" : "wide")}";
}

/// <summary>One cell: who asked what about which object, what was to come, and what came.</summary>
internal sealed record AccessCell(AccessEntry Entry, AccessCaller Caller, int Kind, char Expected, AccessAnswer Answer)
{
    public override string ToString() =>
        $"{Entry.Name} [{Entry.Right}] by {Caller.Name} about {AccessTable.Kinds[Kind]}: {Expected} expected, {Answer.Letter} came ({Answer.Said})";
}

/// <summary>A gateway, every kind of caller with objects of their own, granted to them and of others, and every request sent once.</summary>
public sealed partial class AccessMatrix : IAsyncLifetime
{
    private static readonly string[] Roles =
    [
        "viewer",
        "data-scientist",
        "reviewer",
        "release-manager",
        "privacy-officer",
        "auditor",
        "admin",
    ];

    private readonly LiveGateway _gateway;
    private readonly ShiftedClock _clock = new();
    private readonly ConcurrentBag<AccessCell> _cells = [];
    private HttpClient? _service;
    private string _person = "";
    private string _entry = "";
    private int _number;

    // Evidence is not what is asked about here: what is protected takes a release manager, and Production another's approval.
    public AccessMatrix() =>
        _gateway = new LiveGateway
        {
            PromotionPolicy = Requirement()
                .Replace(File.ReadAllText(Path.Combine(Paths.Base, "policies", "promotion.yaml")), "require: {}"),
            Rehearse = false,
            Settings = new Dictionary<string, string?> { ["Governance:Identity:AccessTokenMinutes"] = "360" },
            Add = services => services.AddSingleton<TimeProvider>(_clock),
        };

    internal LiveGateway Gateway => _gateway;

    internal AccessTable Table { get; } = AccessTable.Read();

    internal IReadOnlyCollection<AccessCell> Cells => _cells;

    internal ISchema Schema => _gateway.Services.GetRequiredService<ISchema>();

    public async ValueTask InitializeAsync()
    {
        await _gateway.InitializeAsync();
        _person = await _gateway.PersonAsync("matrix-victim");
        AccessCaller[] callers =
        [
            new("roleless", false),
            .. Roles.SelectMany(role => new[] { new AccessCaller(role, false), new AccessCaller(role, true) }),
            new("service", false),
            new("held", false),
            new("old", false),
        ];
        foreach (var caller in callers)
        {
            await EnrolAsync(caller);
        }

        var worlds = new ConcurrentDictionary<AccessCaller, Dictionary<string, string>[]>();
        await EachAsync(callers, async caller => worlds[caller] = await WorldsAsync(caller));
        _entry = (await _gateway.As("ada").GraphQlAsync("{logEntries(first:1){items{id}}}"))["data"]!["logEntries"]![
            "items"
        ]![0]!["id"]!.ToString();
        foreach (var caller in callers)
        {
            await EndLoanAsync(caller);
        }

        await HoldAsync(await IdAsync(callers.Single(caller => caller.Role == "held")));
        await Task.Delay(TimeSpan.FromSeconds(6), TestContext.Current.CancellationToken);
        await AskAllAsync(callers.Where(caller => caller.Role != "old").Append(new AccessCaller("nobody", false)));
        _clock.Advance(TimeSpan.FromMinutes(121)); // a sign-in counts as recent for two hours here
        await AskAllAsync(callers.Where(caller => caller.Role == "old"));

        Task AskAllAsync(IEnumerable<AccessCaller> some) =>
            EachAsync(
                some.SelectMany(caller => Enumerable.Range(0, 4).Select(kind => (caller, kind))),
                pair =>
                    AskAsync(pair.caller, pair.kind, worlds[pair.caller.Role == "nobody" ? callers[0] : pair.caller])
            );
    }

    public ValueTask DisposeAsync() => _gateway.DisposeAsync();

    // To own something, everybody is lent a data scientist's grant on names of their own.
    private async Task EnrolAsync(AccessCaller caller)
    {
        string[] roles =
            caller.Role == "roleless" ? []
            : caller.HasAll ? Roles
            : [caller.Role];
        RoleGrant[] grants =
        [
            .. roles.Where(_ => !caller.Narrow).Select(role => new RoleGrant(role, ObjectKind.None, "")),
            .. roles.SelectMany(role => OnNames(role, $"granted-{caller.Name}*")),
            .. OnNames("data-scientist", $"own-{caller.Name}*"),
        ];
        if (caller.Role == "service")
        {
            _service = await _gateway.ServiceAsync(caller.Name, grants);
        }
        else
        {
            await _gateway.PersonAsync(caller.Name, grants);
        }
    }

    private HttpClient HttpOf(AccessCaller caller) =>
        caller.Role switch
        {
            "nobody" => _gateway.Anonymous(),
            "service" => _service!,
            _ => _gateway.Http(caller.Name),
        };

    private async Task<string> IdAsync(AccessCaller caller) =>
        (await new DemoClient(HttpOf(caller)).ApiGetAsync("/api/v1/whoami")).Text("id");

    // As an invitation or a reset does, which would also end the sign-in.
    private async Task HoldAsync(string subject)
    {
        var confirmations = _gateway.Services.GetRequiredService<Confirmations>();
        var request = new ConfirmationRequest(AccountConfirmation.NewPerson, subject) { Holds = true };
        var held = await _gateway
            .Services.GetRequiredService<IWriter>()
            .WriteAsync<Guid>(
                async (session, token) => await confirmations.RequestAsync(session, Actor.System, request, token),
                TestContext.Current.CancellationToken
            );
        Assert.True(held.Ok);
    }

    private static RoleGrant[] OnNames(string role, string pattern) =>
        [
            new(role, ObjectKind.Experiment, pattern),
            new(role, ObjectKind.Model, pattern),
            new(role, ObjectKind.Dataset, pattern),
        ];

    private async Task EndLoanAsync(AccessCaller caller)
    {
        var me = await new DemoClient(HttpOf(caller)).ApiGetAsync("/api/v1/whoami");
        foreach (var grant in me.Body["roles"]!.AsArray())
        {
            if (grant!["pattern"]?.ToString() == $"own-{caller.Name}*")
            {
                using var request = new HttpRequestMessage(HttpMethod.Delete, $"/api/v1/grants/{grant["id"]}");
                using var answer = await _gateway.Http("admin").SendAsync(request);
                answer.EnsureSuccessStatusCode();
            }
        }
    }

    private async Task<Dictionary<string, string>[]> WorldsAsync(AccessCaller caller)
    {
        var worlds = new Dictionary<string, string>[4];
        var victim = await VictimAsync(caller);
        DemoClient[] owners = [new(HttpOf(caller)), _gateway.As("dana"), _gateway.As("dana")];
        for (var kind = 0; kind < 3; kind++)
        {
            worlds[kind] = await AccessWorld.MakeAsync(owners[kind], $"{AccessTable.Kinds[kind]}-{caller.Name}");
        }

        for (var kind = 0; kind < 3; kind++)
        {
            await AccessWorld.PromoteAsync(_gateway, owners[kind], worlds[kind]);
            await AccessWorld.GrantAsync(_gateway, worlds[kind], victim);
        }

        worlds[3] = AccessWorld.Absent($"absent-{caller.Name}");
        foreach (var world in worlds)
        {
            world["%victim"] = victim;
            world["%person"] = _person;
            world["%dataset"] = worlds[1]["dataset"];
            world["%root"] = worlds[1]["root"];
            world["%run"] = worlds[1]["run"];
        }

        return worlds;
    }

    private async Task<string> VictimAsync(AccessCaller caller)
    {
        var http = await _gateway.ServiceAsync($"victim-{caller.Name}");
        return (await new DemoClient(http).ApiGetAsync("/api/v1/whoami")).Text("id");
    }

    private async Task AskAsync(AccessCaller caller, int kind, Dictionary<string, string>[] worlds)
    {
        var http = HttpOf(caller);
        foreach (var entry in Table.Entries.Where(entry => !entry.IsJob && (kind == 0 || entry.NamesObject)))
        {
            var request = AccessRequest.Of(entry, Schema, text => Fill(text, worlds[kind]));
            var expected = Table.Expected(entry, caller.Role, caller.HasAll ? request.Changes : caller.Narrow, kind);
            if (expected == '-')
            {
                continue;
            }

            using var message = request.Message(entry);
            var began = Stopwatch.GetTimestamp();
            using var answer = await http.SendAsync(message, TestContext.Current.CancellationToken);
            var took = Stopwatch.GetElapsedTime(began);
            var got = await AccessAnswer.OfAsync(answer, request, expected, TestContext.Current.CancellationToken);
            _cells.Add(
                new AccessCell(
                    entry,
                    caller,
                    kind,
                    expected,
                    got with
                    {
                        Whole = Unnamed(got.Whole, worlds[kind]),
                        Took = took,
                    }
                )
            );
        }
    }

    private string Fill(string text, Dictionary<string, string> world) =>
        Word()
            .Replace(
                text,
                match =>
                    match.Groups["name"].Value switch
                    {
                        "new" => $"n{Interlocked.Increment(ref _number)}",
                        "hex" => Guid.CreateVersion7().ToString("N"),
                        "entry" => _entry,
                        "taken" => world.GetValueOrDefault("taken", $"absent-n{Interlocked.Increment(ref _number)}"),
                        var name => world[match.Value[0] == '%' ? match.Value : name],
                    }
            );

    // What repeats the request is the same for every object, and so is the id of the request: both are taken out.
    private static string Unnamed(string text, Dictionary<string, string> world)
    {
        var id = world["experiment"];
        var unnumbered = RequestId().Replace(text, "");
        return world
            .Where(pair => pair.Key[0] != '%' && pair.Value != id)
            .OrderByDescending(pair => pair.Value.Length)
            .Aggregate(unnumbered, (all, pair) => all.Replace(pair.Value, "$", StringComparison.Ordinal))
            .Replace($"id={id} ", "id=$ ", StringComparison.Ordinal);
    }

    private static Task EachAsync<T>(IEnumerable<T> items, Func<T, Task> work) =>
        Parallel.ForEachAsync(
            items,
            new ParallelOptions { MaxDegreeOfParallelism = 8 },
            async (item, _) => await work(item)
        );

    [GeneratedRegex(@"[$%](?<name>[a-z_]+[0-9]?)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Word();

    [GeneratedRegex("\"traceId\":\"[^\"]*\"", RegexOptions.None, 1000)]
    private static partial Regex RequestId();

    [GeneratedRegex(@"require: \{.*\}", RegexOptions.None, 1000)]
    private static partial Regex Requirement();
}
