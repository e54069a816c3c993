using System.Text.RegularExpressions;
using System.Web;
using Governance.Gateway.Demo;

namespace Governance.Gateway.Tests.Live;

/// <summary>As much of a browser as the pages need: cookies, forms, and redirects followed until one leads to another origin.</summary>
internal sealed partial class Browser(HttpMessageHandler handler) : IDisposable
{
    private readonly HttpClient _http = new(handler);

    /// <summary>The page that is shown.</summary>
    public string Page { get; private set; } = "";

    /// <summary>Where it was found, or where it leads outside of its origin.</summary>
    public Uri Address { get; private set; } = new("about:blank");

    public async Task<Uri> OpenAsync(Uri address)
    {
        using var answer = await _http.GetAsync(address, TestContext.Current.CancellationToken);
        return await FollowAsync(address, answer);
    }

    /// <summary>Fills in and sends the form that goes to this path.</summary>
    public async Task<Uri> SubmitAsync(string path, params (string Name, string Value)[] fields)
    {
        var form = Forms()
            .Matches(Page)
            .First(one => HttpUtility.HtmlDecode(one.Groups["action"].Value).Split('?')[0] == path);
        var hidden = Hidden()
            .Matches(form.Value)
            .Select(one => (one.Groups["name"].Value, HttpUtility.HtmlDecode(one.Groups["value"].Value)));
        using var content = new FormUrlEncodedContent(
            hidden.Concat(fields).Select(field => KeyValuePair.Create(field.Item1, field.Item2))
        );
        var address = new Uri(Address, HttpUtility.HtmlDecode(form.Groups["action"].Value));
        using var answer = await _http.PostAsync(address, content, TestContext.Current.CancellationToken);
        return await FollowAsync(address, answer);
    }

    /// <summary>Signs in, and lets the program in that asked for it.</summary>
    public async Task<Uri> SignInAsync(string user)
    {
        await SubmitAsync("/signin", ("user", user), ("password", DemoAccounts.Password));
        return Page.Contains("Let this program in?", StringComparison.Ordinal) ? await LetInAsync() : Address;
    }

    public Task<Uri> LetInAsync() => SubmitAsync("/connect/authorize", ("decision", "allow"));

    public void Dispose() => _http.Dispose();

    private async Task<Uri> FollowAsync(Uri address, HttpResponseMessage answer)
    {
        if (answer.Headers.Location is not { } location)
        {
            Page = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            return Address = address;
        }

        var next = new Uri(address, location);
        return next.Authority == address.Authority ? await OpenAsync(next) : Address = next;
    }

    [GeneratedRegex(
        "<form method=\"post\" action=\"(?<action>[^\"]*)\".*?</form>",
        RegexOptions.Singleline | RegexOptions.ExplicitCapture,
        1000
    )]
    private static partial Regex Forms();

    [GeneratedRegex(
        "<input type=\"hidden\" name=\"(?<name>[^\"]*)\" value=\"(?<value>[^\"]*)\"",
        RegexOptions.ExplicitCapture,
        1000
    )]
    private static partial Regex Hidden();
}
