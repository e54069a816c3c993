using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Platform.Logging;

/// <summary>
/// Keeps a flood of refusals from drowning the log and hides nobody in it: of what one caller is refused within a window, the
/// first of each kind are entries of their own, then one entry says that counting begins, and a summary with the counts follows.
/// What nobody in particular is refused (no valid token) is bounded for all addresses together. Thread-safe.
/// </summary>
/// <remarks>
/// Counts live in memory until their window ends: after a crash the log holds the entries and that counting began, not how many
/// there were.
/// </remarks>
public sealed class RefusalFold
{
    /// <summary>Entries that one caller gets for refusals alike (kind, route or code) within a window.</summary>
    public const int Alike = 20;

    /// <summary>Entries that one caller gets within a window.</summary>
    public const int PerCaller = 200;

    /// <summary>Entries that callers without a valid token get together within a window.</summary>
    public const int Unknown = 500;

    /// <summary>Addresses that are told apart within a window; what others are refused is counted together.</summary>
    public const int Addresses = 1_000;

    /// <summary>Kind of the summaries.</summary>
    public const string Summary = "access.refusals_folded";

    private const int Listed = 100;
    private const int MaxKinds = 1_000;
    private readonly Lock _gate = new();
    private Window _window = new();

    private sealed class Window
    {
        public Dictionary<string, Caller> Callers { get; } = new(StringComparer.Ordinal);
        public Caller Others { get; } = new(Actor.Anonymous, "others");
        public int Addresses { get; set; }
        public int Unknown { get; set; }
        public bool UnknownSaid { get; set; }
    }

    private sealed class Caller(Actor actor, string address)
    {
        public Actor Actor { get; } = actor;
        public string Address { get; } = address;
        public Dictionary<(string Kind, string What), (int Entries, long Folded)> Seen { get; } = [];
        public int Entries { get; set; }
        public bool Said { get; set; }
        public long Folded => Seen.Values.Sum(seen => seen.Folded);
    }

    /// <summary>The entry to write for a refusal, which may say that counting begins; null when it was counted.</summary>
    public LogEntry? Admit(LogEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var what = Text(entry, "route") ?? Text(entry, "code") ?? entry.Subject;
        var unknown = entry.Actor.Kind == ActorKind.Anonymous;
        lock (_gate)
        {
            var caller = CallerOf(entry, unknown);
            if (caller.Seen.Count >= MaxKinds && !caller.Seen.ContainsKey((entry.Kind, what)))
            {
                what = "others";
            }

            var (entries, folded) = caller.Seen.GetValueOrDefault((entry.Kind, what));
            if (entries < Alike && caller.Entries < PerCaller && (!unknown || _window.Unknown < Unknown))
            {
                caller.Seen[(entry.Kind, what)] = (entries + 1, folded);
                caller.Entries++;
                _window.Unknown += unknown ? 1 : 0;
                return entry;
            }

            caller.Seen[(entry.Kind, what)] = (entries, folded + 1);
            if (caller.Said || (unknown && _window.Unknown >= Unknown && _window.UnknownSaid))
            {
                return null;
            }

            caller.Said = true;
            _window.UnknownSaid |= unknown && _window.Unknown >= Unknown;
            var details = (JsonObject)entry.Details.DeepClone();
            details["counting"] = true;
            return entry with { Details = details };
        }
    }

    /// <summary>Ends the window and gives back its summaries: one for each actor, one for each hundred addresses.</summary>
    public IReadOnlyList<LogEntry> Close()
    {
        Window ended;
        lock (_gate)
        {
            (ended, _window) = (_window, new Window());
        }

        var folded = ended.Callers.Values.Append(ended.Others).Where(caller => caller.Folded > 0).ToLookup(IsUnknown);
        return
        [
            .. folded[false].Select(SummaryOf),
            .. folded[true].OrderByDescending(caller => caller.Folded).Chunk(Listed).Select(SummaryOf),
        ];
    }

    private Caller CallerOf(LogEntry entry, bool unknown)
    {
        var address = unknown ? Text(entry, "address") ?? "" : "";
        var key = unknown ? $"@{address}" : entry.Actor.Id;
        if (_window.Callers.TryGetValue(key, out var known))
        {
            return known;
        }

        if (unknown && ++_window.Addresses > Addresses)
        {
            return _window.Others;
        }

        return _window.Callers[key] = new Caller(entry.Actor, address);
    }

    private static bool IsUnknown(Caller caller) => caller.Actor.Kind == ActorKind.Anonymous;

    private static LogEntry SummaryOf(Caller caller) =>
        new(Summary, caller.Actor, "", LogOutcome.Refused)
        {
            Details = new JsonObject { ["count"] = caller.Folded, ["kinds"] = Kinds([caller]) },
        };

    private static LogEntry SummaryOf(Caller[] callers) =>
        new(Summary, Actor.Anonymous, "", LogOutcome.Refused)
        {
            Details = new JsonObject
            {
                ["count"] = callers.Sum(caller => caller.Folded),
                ["kinds"] = Kinds(callers),
                ["addresses"] = new JsonArray([
                    .. callers.Select(caller =>
                        (JsonNode)new JsonObject { ["address"] = caller.Address, ["count"] = caller.Folded }
                    ),
                ]),
            },
        };

    private static JsonArray Kinds(IReadOnlyList<Caller> callers)
    {
        var counts = callers
            .SelectMany(caller => caller.Seen)
            .Where(seen => seen.Value.Folded > 0)
            .GroupBy(seen => seen.Key, seen => seen.Value.Folded)
            .Select(alike => (alike.Key.Kind, alike.Key.What, Count: alike.Sum()))
            .OrderByDescending(alike => alike.Count)
            .ToList();
        var listed = counts
            .Take(Listed)
            .Select(alike =>
                (JsonNode)
                    new JsonObject
                    {
                        ["kind"] = alike.Kind,
                        ["what"] = alike.What,
                        ["count"] = alike.Count,
                    }
            );
        return new JsonArray([.. listed]);
    }

    private static string? Text(LogEntry entry, string name) =>
        entry.Details.TryGetPropertyValue(name, out var node) && node is JsonValue value ? value.ToString() : null;
}
