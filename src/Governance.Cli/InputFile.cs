using System.Text;

namespace Governance.Cli;

/// <summary>Reads files that somebody else wrote: bounded, and with an end that says what was wrong.</summary>
internal static class InputFile
{
    /// <summary>Longest key, trusted root, policy or checkpoint, in bytes.</summary>
    public const int Small = 1 << 20;

    private static readonly UTF8Encoding StrictUtf8 = new(
        encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true
    );

    /// <summary>The whole file. Stops with <c>cli.unreadable</c> or <c>cli.too_large</c>.</summary>
    public static byte[] Read(string path, int maxBytes)
    {
        using var file = Open(path);
        if (file.Length > maxBytes)
        {
            throw TooLarge(path, maxBytes);
        }

        // A device or pipe has length 0 and no end: what is read is bounded by itself.
        var buffer = new byte[Math.Max(file.Length, 1 << 16) + 1];
        var read = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        return read < buffer.Length ? buffer[..read] : throw TooLarge(path, buffer.Length - 1);
    }

    /// <summary>The whole file as UTF-8 text. Stops also with <c>cli.not_utf8</c>.</summary>
    public static string ReadText(string path, int maxBytes = Small)
    {
        try
        {
            return StrictUtf8.GetString(Read(path, maxBytes));
        }
        catch (DecoderFallbackException)
        {
            throw Stop.Unusable("not_utf8", $"{path} is not UTF-8 text.");
        }
    }

    /// <summary>Strict UTF-8.</summary>
    public static string TextOf(ReadOnlySpan<byte> utf8) => StrictUtf8.GetString(utf8);

    /// <summary>Opens a file for streaming. Stops with <c>cli.unreadable</c>.</summary>
    public static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw Stop.Unusable("unreadable", $"{path} cannot be read: it is missing, no file, or not yours to read.");
        }
    }

    private static Stop TooLarge(string path, long maxBytes) =>
        Stop.Unusable("too_large", $"{path} is larger than {maxBytes} bytes.");
}

/// <summary>Writes results: whole or not at all.</summary>
internal static class OutputFile
{
    /// <summary>Replaces the file in one step. Stops with <c>cli.unwritable</c>.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var temporary = TemporaryBeside(path);
        try
        {
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            DeleteIfThere(temporary);
            throw Stop.Unusable("unwritable", $"{path} cannot be written.");
        }
    }

    /// <summary>Removes what a failed write left; a folder that is not there is no failure.</summary>
    public static void DeleteIfThere(string path)
    {
        if (File.Exists(path))
        {
            File.Delete(path);
        }
    }

    /// <summary>A name that nobody else uses in the same folder.</summary>
    public static string TemporaryBeside(string path) =>
        $"{Path.GetFullPath(path)}.{Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(6))}.tmp";
}
