using System.Text;

namespace Governance.Scanning.Engine.Formats;

/// <summary>Reads a whole text document under the document budget.</summary>
internal static class TextDocument
{
    private static readonly UTF8Encoding Strict = new(
        encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true
    );

    /// <summary>The text; over budget or not UTF-8 fails.</summary>
    public static string Read(ScanItem item, ScanRun run)
    {
        if (item.Content.Length > run.Budget.Options.MaxDocumentBytes)
        {
            throw new BudgetExceededException("document bytes");
        }

        try
        {
            return Strict.GetString(item.Content.Head((int)item.Content.Length)).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
        {
            throw new MalformedException("not UTF-8 text");
        }
    }
}
