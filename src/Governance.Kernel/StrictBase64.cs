namespace Governance.Kernel;

/// <summary>RFC 4648 §4 with padding and without white space: every value has exactly one spelling.</summary>
public static class StrictBase64
{
    /// <summary>Decodes; null for any other spelling.</summary>
    public static byte[]? TryDecode(string text)
    {
        var buffer = new byte[text.Length / 4 * 3];
        return
            text.Length % 4 == 0
            && Convert.TryFromBase64String(text, buffer, out var length)
            && Convert.ToBase64String(buffer, 0, length) == text
            ? buffer[..length]
            : null;
    }
}
