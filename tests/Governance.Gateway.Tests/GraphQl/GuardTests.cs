using System.Diagnostics;
using Governance.Gateway.GraphQl.Guard;
using GraphQLParser.AST;

namespace Governance.Gateway.Tests.GraphQl;

/// <summary>Documents that are made to hurt. Each is refused with a code, before the library's validation sees it.</summary>
public sealed class GuardTests
{
    public static TheoryData<string, string> Abuses
    {
        get
        {
            var data = new TheoryData<string, string>
            {
                { "3,000 duplicates", "{" + Repeat(3_000, "whoAmI{id}") + "}" },
                { "1,000 aliases", "{" + Repeat(1_000, i => $"a{i}:whoAmI{{id}} ") + "}" },
                { "31 aliases", "{whoAmI{" + Repeat(31, i => $"a{i}:id ") + "}}" },
                { "200 KB comment", "#" + new string('x', 200_000) + "\n{whoAmI{id}}" },
                { "deep nesting", Repeat(200, "{a") + new string('}', 200) },
                { "13 levels", Repeat(13, "{a") + new string('}', 13) },
                { "deep list value", "{a(b:" + new string('[', 500) + new string(']', 500) + ")}" },
                { "deep list type", "query($a:" + new string('[', 500) + "Int" + new string(']', 500) + "){a}" },
                { "directives", "{whoAmI" + Repeat(400, " @a") + "{id}}" },
                { "31 directives", "{whoAmI" + Repeat(31, " @skip(if:false)") + "{id}}" },
                { "6 operations", Repeat(6, i => $"query q{i}{{whoAmI{{id}}}}") },
                { "11 root fields", "{" + Repeat(11, "checkpoint ") + "}" },
                { "21 fragments", "{...f0}" + Repeat(21, i => $"fragment f{i} on Query{{checkpoint}}") },
                { "circular fragments", "{...a}fragment a on Query{...b}fragment b on Query{...a}" },
                { "self spreading fragment", "{...a}fragment a on Query{...a ...a}" },
                {
                    "circular and doubling",
                    "{...f0}" + Repeat(20, i => $"fragment f{i} on Query{{...f{(i + 1) % 20} ...f{(i + 1) % 20}}}")
                },
                {
                    "unused doubling fragments",
                    "{checkpoint}"
                        + Repeat(16, i => $"fragment f{i} on Query{{...f{i + 1} ...f{i + 1}}}")
                        + "fragment f16 on Query{checkpoint}"
                },
                { "introspection depth", "{__schema{types{fields{type{fields{type{fields{type{name}}}}}}}}}" },
                {
                    "introspection depth through fragments",
                    "{__schema{types{...t}}}fragment t on __Type{fields{type{...u}}}fragment u on __Type{fields{type{...v}}}"
                        + "fragment v on __Type{fields{type{name}}}"
                },
            };
            for (var fragments = 14; fragments <= 25; fragments++)
            {
                data.Add($"{fragments} chained fragments", Chain(fragments));
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Abuses))]
    public void An_abusive_document_is_refused(string what, string document)
    {
        Warm();
        var clock = Stopwatch.StartNew();

        var refused = Assert.Throws<LimitExceeded>(() => DocumentGuard.Parse(document));

        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{what}: {clock.Elapsed.TotalMilliseconds:0.00} ms, {refused.Limit}"
        );
        Assert.Equal("LIMIT_EXCEEDED", refused.Code);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(2), what);
    }

    [Theory]
    [InlineData("{whoAmI{id}}")]
    [InlineData("{models(first:50){items{name versions(first:5){version evidence{items{kind outcome}}}}}}")]
    [InlineData("{...a ...a}fragment a on Query{checkpoint ...b}fragment b on Query{regulations}")]
    [InlineData("query a{checkpoint}query b{checkpoint}")]
    public void An_ordinary_document_passes(string document) => Assert.NotNull(DocumentGuard.Parse(document));

    [Fact]
    public void The_cache_holds_no_more_than_its_characters_and_keeps_what_is_used()
    {
        var cache = new DocumentCache();
        var document = new GraphQLDocument([]);
        cache.Add("kept", document);

        for (var i = 0; i < 300; i++)
        {
            Assert.Same(document, cache.Find("kept"));
            cache.Add(new string('x', 16_000) + i, document);
            Assert.True(cache.Characters <= DocumentLimits.CacheCharacters);
        }

        Assert.Null(cache.Find(new string('x', 16_000) + 0));
        Assert.NotNull(cache.Find(new string('x', 16_000) + 299));
    }

    /// <summary>Two spreads of the next fragment each: k fragments stand for 2^k fields.</summary>
    internal static string Chain(int fragments) =>
        "{whoAmI{...f0}}"
        + Repeat(fragments, i => $"fragment f{i} on Me{{...f{i + 1} a{i}:id ...f{i + 1}}}")
        + $"fragment f{fragments} on Me{{id}}";

    internal static string Repeat(int count, string text) => string.Concat(Enumerable.Repeat(text, count));

    private static string Repeat(int count, Func<int, string> text) =>
        string.Concat(Enumerable.Range(0, count).Select(text));

    private static void Warm() => DocumentGuard.Parse("{...a}fragment a on Query{whoAmI @skip(if:false){b:id}}");
}
