using System.Text;
using Governance.Kernel;

namespace Governance.Platform.Keys;

/// <summary>Secrets that lie in a file or an environment variable.</summary>
internal static class SecretText
{
    private const int MaxBytes = 16_384;

    /// <summary>The text; throws <see cref="KeyUnavailableException"/>, without it, when there is none or it is longer than 16 KiB.</summary>
    public static Secret Read(string file, string variable)
    {
        try
        {
            var text = file.Length > 0 ? ReadFile(file) : Environment.GetEnvironmentVariable(variable);
            return text?.Trim() is { Length: > 0 } secret
                ? new Secret(secret)
                : throw new KeyUnavailableException($"There is no secret in {(file.Length > 0 ? file : variable)}.");
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new KeyUnavailableException($"{file} must not be read.", exception);
        }
        catch (FileNotFoundException exception)
        {
            throw new KeyUnavailableException($"{file} is not there.", exception);
        }
    }

    private static string? ReadFile(string file) =>
        new FileInfo(file).Length <= MaxBytes ? File.ReadAllText(file, Encoding.UTF8) : null;
}
