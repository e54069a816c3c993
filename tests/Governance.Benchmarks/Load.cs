using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Governance.Benchmarks;

/// <summary>One operation's figures.</summary>
/// <param name="Name">Operation.</param>
/// <param name="Requests">Requests answered.</param>
/// <param name="Failed">Answers other than 200.</param>
/// <param name="Seconds">Measured time.</param>
/// <param name="P50">Median latency, milliseconds.</param>
/// <param name="P99">99th percentile, milliseconds.</param>
/// <param name="Cpu">Server CPU per request, milliseconds.</param>
/// <param name="Machine">Load average of the machine at the end.</param>
internal sealed record Figures(
    string Name,
    int Requests,
    int Failed,
    double Seconds,
    double P50,
    double P99,
    double? Cpu,
    string Machine
);

/// <summary>
/// Sends requests over a fixed number of connections: each waits for its answer before the next, or, with a rate, sends what
/// is due. A request that found every connection busy was due all the same: its latency counts from then.
/// </summary>
/// <param name="target">Server.</param>
/// <param name="connections">Connections.</param>
/// <param name="rate">Requests a second, or 0.</param>
internal sealed class Load(Target target, int connections, int rate)
{
    /// <summary>Sends until the time is over or <paramref name="most"/> requests are done.</summary>
    public async Task<Figures> RunAsync(string name, TimeSpan time, int most, Func<int, HttpRequestMessage> request)
    {
        if (rate > 0)
        {
            most = (int)Math.Min(most, time.TotalSeconds * rate);
            time = time * 2;
        }

        var next = -1;
        var failed = 0;
        var cpu = target.Cpu();
        var started = Stopwatch.GetTimestamp();
        var workers = Enumerable
            .Range(0, connections)
            .Select(_ =>
                Task.Run(async () =>
                {
                    var latencies = new List<double>(100_000);
                    while (Stopwatch.GetElapsedTime(started) < time)
                    {
                        var number = Interlocked.Increment(ref next);
                        if (number >= most)
                        {
                            break;
                        }

                        using var message = request(number);
                        var sent = await DueAsync(started, number);
                        using var answer = await target.Http.SendAsync(message);
                        latencies.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                        if (!answer.IsSuccessStatusCode && Interlocked.Increment(ref failed) == 1)
                        {
                            var text = await answer.Content.ReadAsStringAsync();
                            await System.Console.Error.WriteLineAsync($"{name}: {(int)answer.StatusCode} {text}");
                        }

                        await CheckGraphQlAsync(name, answer);
                    }

                    return latencies;
                })
            )
            .ToList();
        var latencies = (await Task.WhenAll(workers)).SelectMany(list => list).Order().ToList();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new Figures(
            name,
            latencies.Count,
            failed,
            seconds,
            At(latencies, 0.5),
            At(latencies, 0.99),
            (target.Cpu() - cpu) / latencies.Count,
            MachineLoad()
        );
    }

    // GraphQL says with status 200 what went wrong. A refusal is cheap: its figures would be taken for those of the operation.
    private static async Task CheckGraphQlAsync(string name, HttpResponseMessage answer)
    {
        if (answer.RequestMessage?.RequestUri?.AbsolutePath != "/graphql" || !answer.IsSuccessStatusCode)
        {
            return;
        }

        using var body = await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync());
        if (body.RootElement.TryGetProperty("errors", out var errors))
        {
            throw new InvalidOperationException($"{name}: GraphQL answered with errors: {errors}");
        }
    }

    // Timers are good to about a millisecond; a request that they send late is a slow one.
    private async Task<long> DueAsync(long started, int number)
    {
        if (rate == 0)
        {
            return Stopwatch.GetTimestamp();
        }

        var due = started + (long)(number / (double)rate * Stopwatch.Frequency);
        while (Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due) is { Ticks: > 0 } wait)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(Math.Max(1, Math.Floor(wait.TotalMilliseconds))));
        }

        return due;
    }

    /// <summary>The machine's load average over one minute.</summary>
    public static string MachineLoad() => File.ReadAllText("/proc/loadavg").Split(' ')[0];

    /// <summary>The figures as a table, each also as a multiple of the first line's CPU.</summary>
    public static void Print(IReadOnlyList<Figures> all)
    {
        System.Console.WriteLine();
        System.Console.WriteLine(
            "| operation | requests/s | p50 ms | p99 ms | CPU ms/request | × whoami | failed | load |"
        );
        System.Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|");
        var baseline = all.FirstOrDefault(figures => figures.Name == "whoami")?.Cpu;
        foreach (var f in all)
        {
            System.Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {f.Name} | {f.Requests / f.Seconds:F0} | {f.P50:F2} | {f.P99:F2} | {f.Cpu:F3} | {f.Cpu / baseline:F2} | {f.Failed} | {f.Machine} |"
                )
            );
        }
    }

    private static double At(List<double> sorted, double part) =>
        sorted.Count == 0 ? 0 : sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * part))];
}
