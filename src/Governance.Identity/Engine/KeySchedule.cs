namespace Governance.Identity.Engine;

/// <summary>When a generation of issuer keys was made and from when on it signs.</summary>
internal sealed record KeyTime(string Id, DateTimeOffset CreatedAt, DateTimeOffset ActiveFrom);

/// <summary>
/// Which generation signs, which are published, which are over. A key is published before it signs, so that nobody meets a
/// token whose key is not known yet, and stays until everything signed with it has ended.
/// </summary>
internal static class KeySchedule
{
    /// <summary>Generations in use: the signing one first, then those to come, then those that still verify.</summary>
    public static IReadOnlyList<KeyTime> InUse(IEnumerable<KeyTime> keys, DateTimeOffset now, TimeSpan kept)
    {
        var ordered = keys.OrderByDescending(key => key.ActiveFrom).ThenByDescending(key => key.Id).ToList();
        var signing = ordered.Find(key => key.ActiveFrom <= now) ?? ordered.LastOrDefault();
        return signing is null
            ? []
            : [signing, .. ordered.Where(key => key != signing && !IsOver(key, ordered, now, kept))];
    }

    /// <summary>Whether everything that a generation signed has ended.</summary>
    public static bool IsOver(KeyTime key, IReadOnlyCollection<KeyTime> all, DateTimeOffset now, TimeSpan kept) =>
        all.Where(other => other.ActiveFrom > key.ActiveFrom).Select(other => (DateTimeOffset?)other.ActiveFrom).Min()
            is { } replaced
        && replaced + kept <= now;

    /// <summary>Whether the newest generation is so old that the next one is to be made.</summary>
    public static bool IsDue(IEnumerable<KeyTime> keys, DateTimeOffset now, TimeSpan age) =>
        keys.Select(key => (DateTimeOffset?)key.CreatedAt).Max() is not { } newest || newest + age <= now;
}
