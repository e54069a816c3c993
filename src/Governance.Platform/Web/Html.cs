using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Http;

namespace Governance.Platform.Web;

/// <summary>
/// Markup written as an interpolated string: literal parts are markup, every hole is HTML-encoded unless it is itself
/// <see cref="Html"/>. Holes belong in element content or in quoted attributes, never in scripts, styles or tag names.
/// </summary>
[InterpolatedStringHandler]
public sealed class Html
{
    private readonly StringBuilder _text;

    /// <summary>Called by the compiler.</summary>
    public Html(int literalLength, int formattedCount) =>
        _text = new StringBuilder(literalLength + formattedCount * 16);

    /// <summary>Nothing.</summary>
    public static Html Empty => $"";

    /// <summary>Markup, as written in the source.</summary>
    public void AppendLiteral(string markup) => _text.Append(markup);

    /// <summary>Markup built elsewhere.</summary>
    public void AppendFormatted(Html? markup) => _text.Append(markup?._text);

    /// <summary>A sequence of markup.</summary>
    public void AppendFormatted(IEnumerable<Html> markup)
    {
        foreach (var part in markup)
        {
            _text.Append(part._text);
        }
    }

    /// <summary>Text; encoded.</summary>
    public void AppendFormatted(string? text) => _text.Append(HtmlEncoder.Default.Encode(text ?? ""));

    /// <summary>A value; its text is encoded.</summary>
    public void AppendFormatted<T>(T value)
    {
        // Overload resolution prefers this method to the one above for a list or an array.
        if (value is IEnumerable<Html> parts)
        {
            AppendFormatted(parts);
        }
        else
        {
            AppendFormatted(value?.ToString());
        }
    }

    /// <inheritdoc />
    public override string ToString() => _text.ToString();
}

/// <summary>A whole page with one look and a content security policy that allows nothing inline and no script.</summary>
/// <param name="Title">Title of the page, plain text.</param>
/// <param name="Body">Content of <c>main</c>.</param>
public sealed record HtmlPage(string Title, Html Body) : IResult
{
    /// <summary>HTTP status. Default 200.</summary>
    public int StatusCode { get; init; } = StatusCodes.Status200OK;

    /// <summary>Further sources that a form of the page may lead to, such as the loopback address of a command-line client.</summary>
    public string FormAction { get; init; } = "";

    /// <summary>Path of the one script of the page, from this server; empty for none. Default none.</summary>
    public string Script { get; init; } = "";

    /// <inheritdoc />
    public Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        var response = httpContext.Response;
        response.StatusCode = StatusCode;
        response.ContentType = "text/html; charset=utf-8";
        response.Headers.CacheControl = "no-store";
        response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {FormAction}".TrimEnd()
            + (Script.Length == 0 ? "" : "; script-src 'self'")
            + "; base-uri 'none'; frame-ancestors 'none'";
        Html script = $"""<script src="{Script}" defer></script>""";
        Html page = $"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>{Title} · Governance</title>
            <link rel="stylesheet" href="/assets/governance.css">
            <link rel="icon" href="/assets/governance.svg" type="image/svg+xml">
            {(Script.Length == 0 ? Html.Empty : script)}
            </head>
            <body>
            <header><a href="/" class="brand">Governance</a></header>
            <main>
            {Body}
            </main>
            </body>
            </html>

            """;
        return response.WriteAsync(page.ToString(), httpContext.RequestAborted);
    }
}
