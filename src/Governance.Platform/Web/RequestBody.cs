using Microsoft.AspNetCore.Http;

namespace Governance.Platform.Web;

/// <summary>Reads small bodies whole.</summary>
public static class RequestBody
{
    /// <summary>The body, or null when it has more than <paramref name="most"/> bytes.</summary>
    public static async Task<ReadOnlyMemory<byte>?> ReadAtMostAsync(this HttpContext context, int most)
    {
        ArgumentNullException.ThrowIfNull(context);
        var buffer = new byte[most + 1];
        var read = await context.Request.Body.ReadAtLeastAsync(
            buffer,
            buffer.Length,
            throwOnEndOfStream: false,
            context.RequestAborted
        );
        if (read > most)
        {
            return null;
        }

        return buffer.AsMemory(0, read);
    }
}
