using System.Text.Json;
using Governance.Gateway.Hosting;
using Microsoft.Playwright;

namespace Governance.Pages.Tests;

/// <summary>The accessibility rules of axe-core (WCAG 2.2 A and AA, and its best practices), run in the page.</summary>
internal static class Axe
{
    private static readonly string Source = Read();

    /// <summary>Fails with the rules that the page breaks and where; takes a picture of it.</summary>
    public static async Task CheckAsync(IPage page, string name)
    {
        await page.ScreenshotAsync(
            new PageScreenshotOptions { Path = Path.Combine(FreshGateway.Pictures, $"{name}.png"), FullPage = true }
        );
        // Evaluated over the debugging port, so the page's own policy stays in force.
        await page.EvaluateAsync(Source);
        var result = await page.EvaluateAsync<JsonElement>(
            "async () => (await axe.run(document)).violations.map(v => `${v.id}: ${v.nodes.map(n => n.target).join(', ')}`)"
        );
        Assert.True(result.GetArrayLength() == 0, $"{name} {page.Url}: {result}");
    }

    private static string Read()
    {
        var path = Path.Combine(Paths.Base, "tests", "peers", "axe", "node_modules", "axe-core", "axe.min.js");
        Assert.True(File.Exists(path), "axe-core is not installed: run ./test.sh once.");
        return File.ReadAllText(path);
    }
}
