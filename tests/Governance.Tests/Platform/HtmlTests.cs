using Governance.Platform.Web;

namespace Governance.Tests.Platform;

public sealed class HtmlTests
{
    [Fact]
    public void Text_in_a_hole_is_encoded_and_markup_is_not()
    {
        Html bold = $"<b>{"<i>"}</b>";
        Html page = $"<p>{bold} {"a & b"} {7}</p>";

        Assert.Equal("<p><b>&lt;i&gt;</b> a &amp; b 7</p>", page.ToString());
    }

    [Fact]
    public void A_list_of_markup_is_written_part_by_part_whatever_collection_holds_it()
    {
        List<Html> list = [$"<li>{"<1>"}</li>", $"<li>2</li>"];
        Html[] array = [.. list];
        Html page = $"{list}|{array}|{list.Select(part => part)}";

        const string written = "<li>&lt;1&gt;</li><li>2</li>";
        Assert.Equal($"{written}|{written}|{written}", page.ToString());
    }
}
