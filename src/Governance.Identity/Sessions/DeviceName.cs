namespace Governance.Identity.Sessions;

/// <summary>A browser in two words, so that people know their own sessions. Made of constants: nothing that was sent is kept.</summary>
internal static class DeviceName
{
    // The first that is contained wins: most browsers claim to be several.
    private static readonly (string Token, string Name)[] Browsers =
    [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];

    private static readonly (string Token, string Name)[] Systems =
    [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];

    public static string Of(string? userAgent) =>
        $"{Find(Browsers, userAgent ?? "")} on {Find(Systems, userAgent ?? "")}";

    private static string Find((string Token, string Name)[] known, string userAgent) =>
        known.FirstOrDefault(one => userAgent.Contains(one.Token, StringComparison.Ordinal)).Name ?? "another";
}
