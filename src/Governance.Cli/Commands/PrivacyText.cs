using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Governance.Kernel;
using Governance.Privacy;

namespace Governance.Cli.Commands;

/// <summary><c>govern privacy text</c>: identifiers by position, for pipelines.</summary>
internal static class PrivacyText
{
    private const int MaxBytes = 256 << 20;

    private static readonly Argument<string?> File = new("file")
    {
        Description = "Text, or JSON lines {\"id\",\"text\"}; standard input when left out.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string> Input = Shared.OneOf(
        "--input",
        "What the input is: one text, or one JSON object with id and text a line. auto: by the first line.",
        "auto",
        "text",
        "jsonl"
    );

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "text",
            "Finds identifiers in text. Answers with JSON lines {id, findings: [{start, end, type, score}]}; offsets count UTF-16 units.",
            "govern privacy text letter.txt",
            "govern privacy text < documents.jsonl > findings.jsonl"
        )
        {
            File,
            Input,
        }.Runs(surroundings, Run);

    private static int Run(Invocation run)
    {
        var path = run.Get(File);
        using var stream = path is null ? run.Surroundings.Input() : InputFile.Open(path);
        var (text, kind) = (ReadAll(stream), run.Need(Input));
        var lines = kind == "jsonl" || (kind == "auto" && Document(FirstLine(text)) is not null);
        if (!lines)
        {
            run.Say(Find(path is null ? "stdin" : Path.GetFileName(path), text));
            return Exit.Fine;
        }

        var number = 0;
        using var reader = new StringReader(text);
        while (reader.ReadLine() is { } line)
        {
            number++;
            run.Cancelled.ThrowIfCancellationRequested();
            if (!string.IsNullOrWhiteSpace(line))
            {
                var (id, content) =
                    Document(line)
                    ?? throw Stop.Unusable(
                        "bad_line",
                        $"Line {number} is not a JSON object with a text, and an id if any."
                    );
                run.Say(Find(id ?? number, content));
            }
        }

        return Exit.Fine;
    }

    private static JsonObject Find(JsonNode id, string text)
    {
        try
        {
            return new JsonObject
            {
                ["id"] = id,
                ["findings"] = new JsonArray([
                    .. PrivacyTools
                        .DetectText(text)
                        .Select(finding => new JsonObject
                        {
                            ["start"] = finding.Start,
                            ["end"] = finding.End,
                            ["type"] = finding.Kind,
                            ["score"] = finding.Score,
                        }),
                ]),
            };
        }
        catch (RegexMatchTimeoutException)
        {
            throw Stop.Unusable(
                "timed_out",
                "A text took too long to search; nothing is skipped, so the run ends here."
            );
        }
    }

    private static (JsonNode? Id, string Text)? Document(string line) =>
        CanonicalJson.TryParse(Encoding.UTF8.GetBytes(line)) is JsonObject document
        && document["text"] is JsonValue value
        && value.TryGetValue<string>(out var text)
        && document["id"] is null or JsonValue
            ? (document["id"]?.DeepClone(), text)
            : null;

    private static string FirstLine(string text)
    {
        var end = text.AsSpan().IndexOfAny('\r', '\n');
        return end < 0 ? text : text[..end];
    }

    private static string ReadAll(Stream stream)
    {
        using var bounded = new MemoryStream();
        var buffer = new byte[1 << 16];
        int read;
        while ((read = stream.Read(buffer)) > 0)
        {
            bounded.Write(buffer, 0, read);
            if (bounded.Length > MaxBytes)
            {
                throw Stop.Unusable("too_large", $"The input is larger than {MaxBytes} bytes; give it in parts.");
            }
        }

        try
        {
            return InputFile.TextOf(bounded.GetBuffer().AsSpan(0, (int)bounded.Length));
        }
        catch (DecoderFallbackException)
        {
            throw Stop.Unusable("not_utf8", "The input is not UTF-8 text.");
        }
    }
}
