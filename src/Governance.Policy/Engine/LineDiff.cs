namespace Governance.Policy.Engine;

/// <summary>What differs between two texts, line by line: <c>" same"</c>, <c>"-gone"</c>, <c>"+new"</c>.</summary>
internal static class LineDiff
{
    // Beyond it everything between the first and the last difference is shown as gone and new: longer, and as right.
    private const int MaxCells = 4_000_000;

    public static IReadOnlyList<string> Of(string before, string after)
    {
        string[] old = before.Split('\n');
        string[] now = after.Split('\n');
        var shortest = Math.Min(old.Length, now.Length);
        var head = 0;
        while (head < shortest && old[head] == now[head])
        {
            head++;
        }

        var tail = 0;
        while (tail < shortest - head && old[^(tail + 1)] == now[^(tail + 1)])
        {
            tail++;
        }

        return
        [
            .. old[..head].Select(line => $" {line}"),
            .. Middle(old[head..^tail], now[head..^tail]),
            .. old[^tail..].Select(line => $" {line}"),
        ];
    }

    private static IEnumerable<string> Middle(string[] old, string[] now)
    {
        var common = (long)old.Length * now.Length <= MaxCells ? Common(old, now) : null;
        int i = 0,
            j = 0;
        while (i < old.Length || j < now.Length)
        {
            if (common is not null && i < old.Length && j < now.Length && old[i] == now[j])
            {
                yield return $" {old[i++]}";
                j++;
            }
            else if (i < old.Length && (common is null || j == now.Length || common[i + 1][j] >= common[i][j + 1]))
            {
                yield return $"-{old[i++]}";
            }
            else
            {
                yield return $"+{now[j++]}";
            }
        }
    }

    // Lengths of the longest common runs of lines of what follows each pair of places.
    private static int[][] Common(string[] old, string[] now)
    {
        int[][] common = [.. Enumerable.Range(0, old.Length + 1).Select(_ => new int[now.Length + 1])];
        for (var i = old.Length - 1; i >= 0; i--)
        {
            for (var j = now.Length - 1; j >= 0; j--)
            {
                common[i][j] =
                    old[i] == now[j] ? common[i + 1][j + 1] + 1 : Math.Max(common[i + 1][j], common[i][j + 1]);
            }
        }

        return common;
    }
}
