using System.Linq.Expressions;
using Governance.Kernel;
using Governance.Registry.Engine;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Wire;

/// <summary>
/// Reads one page of a search: rows come from the database in order and in batches, are filtered exactly (filter and the
/// caller's rights) in memory, until the page is full or enough rows were looked at. The token counts rows looked at.
/// </summary>
internal static class SearchPage
{
    private const int LargestBatch = 250;

    public static Task<Page<TItem>> ReadAsync<TRow, TItem>(
        Call call,
        IQueryable<TRow> ordered,
        int offset,
        int most,
        Func<List<TRow>, Task<Dictionary<TRow, TItem>>> load,
        Func<TItem, bool> matches
    )
        where TRow : class =>
        ReadAsync(
            call,
            (skip, take) => ordered.Skip(skip).Take(take).ToListAsync(call.Token),
            offset,
            most,
            load,
            matches
        );

    public static async Task<Page<TItem>> ReadAsync<TRow, TItem>(
        Call call,
        Func<int, int, Task<List<TRow>>> read,
        int offset,
        int most,
        Func<List<TRow>, Task<Dictionary<TRow, TItem>>> load,
        Func<TItem, bool> matches
    )
        where TRow : class
    {
        var items = new List<TItem>();
        var limit = offset + call.Ports.Options.Value.MaxRowsPerSearch;
        // What is loaded beside a row costs more than the row: a short page starts with few.
        var size = Math.Clamp(most, 10, LargestBatch);
        while (offset < limit && items.Count < most)
        {
            var rows = await read(offset, size + 1);
            var batch = rows.Count > size ? rows[..size] : rows;
            var loaded = await load(batch);
            for (var i = 0; i < batch.Count; i++)
            {
                offset++;
                if (loaded.TryGetValue(batch[i], out var item) && matches(item))
                {
                    items.Add(item);
                    if (items.Count == most)
                    {
                        var more = i + 1 < rows.Count;
                        return new Page<TItem>(items, more ? PageTokens.Write(offset) : null);
                    }
                }
            }

            if (rows.Count <= size)
            {
                return new Page<TItem>(items, null);
            }

            size = Math.Min(2 * size, LargestBatch);
        }

        return new Page<TItem>(items, most == 0 ? null : PageTokens.Write(offset));
    }

    public static IOrderedQueryable<TRow> Then<TRow, TKey>(
        IQueryable<TRow> rows,
        IOrderedQueryable<TRow>? sorted,
        Expression<Func<TRow, TKey>> key,
        bool descending
    ) =>
        (sorted, descending) switch
        {
            (null, false) => rows.OrderBy(key),
            (null, true) => rows.OrderByDescending(key),
            (_, false) => sorted.ThenBy(key),
            (_, true) => sorted.ThenByDescending(key),
        };

    /// <summary>Values that an attribute must equal, to be looked up in the database.</summary>
    public static IEnumerable<string> EqualTo(IEnumerable<Comparison> filter, string attribute) =>
        filter
            .Where(c => c.Op == SearchOp.Equal && c.Key == new SearchKey(SearchEntity.Attribute, attribute))
            .Select(c => c.Text);

    /// <summary>
    /// Ranges of text, from a first value to one that no longer belongs to it, that hold all values which an attribute may have:
    /// <c>LIKE 'abc%'</c> finds what lies between <c>abc</c> and <c>abd</c>.
    /// </summary>
    public static IEnumerable<(string From, string To)> Within(IEnumerable<Comparison> filter, string attribute) =>
        from c in filter
        where c.Op == SearchOp.Like && c.Key == new SearchKey(SearchEntity.Attribute, attribute)
        let start = c.Text.Split('%', '_')[0]
        where start.Length > 0 && start[^1] < '\ud7ff'
        select (start, start[..^1] + (char)(start[^1] + 1));

    /// <summary>Tags or params that must have an exact value, to be looked up in the database.</summary>
    public static IEnumerable<(string Key, string Value)> LabelsEqualTo(
        IEnumerable<Comparison> filter,
        SearchEntity entity
    ) => filter.Where(c => c.Op == SearchOp.Equal && c.Key.Entity == entity).Select(c => (c.Key.Name, c.Text));
}
