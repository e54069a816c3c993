using System.Text.RegularExpressions;

namespace Governance.ArchitectureTests;

/// <summary>What scripts and markup of the pages must not do, so that text stays text and nothing is left in a browser.</summary>
public sealed partial class ScriptTests
{
    private static readonly string[] Scripts = [.. Sources("*.js")];

    [Fact]
    public void Scripts_make_text_and_elements_and_no_markup_or_code()
    {
        Assert.Equal(["passkeys.js", "ui.js"], Scripts.Select(Path.GetFileName).Order());
        Assert.Empty(Found(Scripts, Markup()));
    }

    [Fact]
    public void Scripts_keep_nothing_in_the_browser() => Assert.Empty(Found(Scripts, Storage()));

    [Fact]
    public void Scripts_neither_send_nor_take_messages_of_other_windows() => Assert.Empty(Found(Scripts, Messages()));

    // A value of input names a member only of the answer that it came with.
    [Fact]
    public void Scripts_merge_and_extend_no_objects() => Assert.Empty(Found(Scripts, Prototypes()));

    [Fact]
    public void Pages_use_no_plug_ins() =>
        Assert.Empty(Found([.. Scripts, .. Sources("*.html"), .. Sources("*.cs")], PlugIns()));

    private static IEnumerable<string> Found(IEnumerable<string> files, Regex what) =>
        from file in files
        from Match match in what.Matches(File.ReadAllText(file))
        select $"{Path.GetFileName(file)}: {match.Value}";

    private static IEnumerable<string> Sources(string pattern) =>
        Directory
            .EnumerateFiles(Path.Combine(RankTests.Root(), "src"), pattern, SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal));

    [GeneratedRegex(
        @"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser|createContextualFragment|setHTML|\beval\b|\bFunction\(|set(Timeout|Interval)\(\s*[""'`]|setAttribute\(\s*[""'`](on|href|src)",
        RegexOptions.None,
        1000
    )]
    private static partial Regex Markup();

    [GeneratedRegex(
        @"localStorage|sessionStorage|indexedDB|\bcaches\b|cookie|serviceWorker|window\.name",
        RegexOptions.IgnoreCase,
        1000
    )]
    private static partial Regex Storage();

    [GeneratedRegex(
        @"postMessage|[""'`]message[""'`]|onmessage|BroadcastChannel|window\.open|opener",
        RegexOptions.None,
        1000
    )]
    private static partial Regex Messages();

    [GeneratedRegex(
        @"__proto__|prototype|Object\.(assign|defineProperty|setPrototypeOf)|structuredClone",
        RegexOptions.None,
        1000
    )]
    private static partial Regex Prototypes();

    [GeneratedRegex(@"<(object|embed|applet)\s", RegexOptions.IgnoreCase, 1000)]
    private static partial Regex PlugIns();
}
