using Microsoft.AspNetCore.Http;

namespace Governance.Platform.Web;

/// <summary>
/// An answer that something is not there leaves a whole number of steps after its request came, so that its time says nothing of
/// what was looked at: an index that holds a row answers some microseconds later than one that does not, and a refusal that is
/// logged later still. Figures are in docs/reference/performance.md.
/// </summary>
public static class EvenAnswer
{
    /// <summary>The step: longer than what looking, deciding and logging take.</summary>
    public static readonly TimeSpan Step = TimeSpan.FromMilliseconds(25);

    // Timers count whole milliseconds from when they are set, which would keep the difference; the rest is spent watching the clock.
    private static readonly TimeSpan Watched = TimeSpan.FromMilliseconds(2);

    /// <summary>Now, for <see cref="HoldAsync"/>. Real time also where a test has a clock of its own.</summary>
    public static long Now => TimeProvider.System.GetTimestamp();

    /// <summary>Holds the answer to this request if it turns out to be 404.</summary>
    /// <param name="context">The request.</param>
    /// <param name="began">When it came, by <see cref="Now"/>.</param>
    public static void HoldWhenAbsent(HttpContext context, long began)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Response.OnStarting(() =>
            context.Response.StatusCode == StatusCodes.Status404NotFound
                ? HoldAsync(context, began)
                : Task.CompletedTask
        );
    }

    /// <summary>Whether the answer to this request was held. That costs more than most answers and is worth counting.</summary>
    public static bool WasHeld(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Items.ContainsKey(typeof(EvenAnswer));
    }

    /// <summary>Waits for the next whole step.</summary>
    /// <param name="context">The request.</param>
    /// <param name="began">When it came, by <see cref="Now"/>.</param>
    public static async Task HoldAsync(HttpContext context, long began)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Items[typeof(EvenAnswer)] = true;
        var until = Step;
        while (true)
        {
            var left = until - TimeProvider.System.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                until += Step;
            }
            else if (left > Watched)
            {
                await Task.Delay(left - Watched);
            }
            else
            {
                break;
            }
        }

        while (TimeProvider.System.GetElapsedTime(began) < until)
        {
            Thread.SpinWait(20);
        }
    }
}
