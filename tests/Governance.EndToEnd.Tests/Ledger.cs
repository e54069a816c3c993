using System.Collections.Concurrent;

namespace Governance.EndToEnd.Tests;

/// <summary>
/// What the clients know. A value that the server acknowledged must be there ever after; a value that was under way when the
/// server died may be there or not, but nothing third.
/// </summary>
internal sealed class Ledger
{
    private readonly ConcurrentDictionary<string, string> _acknowledged = new();
    private readonly ConcurrentDictionary<string, string> _underWay = new();

    /// <summary>How many facts clients hold acknowledged.</summary>
    public int Count => _acknowledged.Count;

    public IReadOnlyCollection<string> Keys => [.. _acknowledged.Keys.Union(_underWay.Keys)];

    public string? this[string key] => _acknowledged.GetValueOrDefault(key);

    /// <summary>Does what sets some facts; they count as acknowledged once it returns.</summary>
    public async Task<T> SetAsync<T>(Func<Task<T>> request, params (string Key, string Value)[] facts)
    {
        foreach (var (key, value) in facts)
        {
            _underWay[key] = value;
        }

        var answer = await request();
        foreach (var (key, value) in facts)
        {
            Acknowledge(key, value);
        }

        return answer;
    }

    /// <summary>Records a fact that an answer brought.</summary>
    public void Acknowledge(string key, string value)
    {
        _acknowledged[key] = value;
        _underWay.TryRemove(key, out _);
    }

    /// <summary>Compares with the server's state; what was under way is settled by what the server says. Null when it holds.</summary>
    public string? Check(string key, string? actual)
    {
        var expected = _acknowledged.GetValueOrDefault(key);
        var tried = _underWay.GetValueOrDefault(key);
        if (actual == expected)
        {
            _underWay.TryRemove(key, out _);
            return null;
        }

        if (tried is not null && actual == tried)
        {
            Acknowledge(key, tried);
            return null;
        }

        return $"{key}: acknowledged '{expected}'{(tried is null ? "" : $", under way '{tried}'")}, the server has '{actual}'";
    }
}
