using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Governance.Benchmarks;

/// <summary>One large artifact up and down again: throughput, server CPU per GB, and the most memory the server ever held.</summary>
internal sealed class Artifact(Target target, int megabytes)
{
    private const double Mega = 1 << 20;
    private const int Block = 1 << 20;

    public async Task RunAsync()
    {
        System.Console.WriteLine($"server memory before: {target.Memory()} MB");
        System.Console.WriteLine();
        System.Console.WriteLine("| artifact | MB | MB/s | CPU s/GB | peak RSS MB | load |");
        System.Console.WriteLine("|---|---:|---:|---:|---:|---:|");
        // Noise is kept as it is; text shrinks, so that compression is paid for.
        foreach (var (name, fill) in new (string, Action<byte[]>)[] { ("noise", Noise), ("text", Text) })
        {
            var block = new byte[Block];
            fill(block);
            var path = await PathAsync(name);
            await MeasureAsync($"{name}, up", () => UpAsync(path, block));
            await MeasureAsync($"{name}, down", () => DownAsync(path));
        }
    }

    private async Task MeasureAsync(string name, Func<Task> work)
    {
        var cpu = target.Cpu();
        var started = Stopwatch.GetTimestamp();
        await work();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var perGigabyte = (target.Cpu() - cpu) / 1000 / (megabytes / 1024.0);
        System.Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {name} | {megabytes} | {megabytes / seconds:F0} | {perGigabyte:F2} | {target.Memory("VmHWM:")} | {Load.MachineLoad()} |"
            )
        );
    }

    private async Task UpAsync(string path, byte[] block)
    {
        using var content = new Repeated(block, megabytes);
        using var answer = await target.Http.PutAsync(new Uri(path, UriKind.Relative), content);
        if (answer.StatusCode != HttpStatusCode.OK)
        {
            throw new InvalidOperationException($"PUT answered {(int)answer.StatusCode}.");
        }
    }

    private async Task DownAsync(string path)
    {
        using var answer = await target.Http.GetAsync(
            new Uri(path, UriKind.Relative),
            HttpCompletionOption.ResponseHeadersRead
        );
        await using var body = await answer.EnsureSuccessStatusCode().Content.ReadAsStreamAsync();
        var buffer = new byte[1 << 17];
        long received = 0;
        int read;
        while ((read = await body.ReadAsync(buffer)) > 0)
        {
            received += read;
        }

        if (received != megabytes * (long)Mega)
        {
            throw new InvalidOperationException("Another number of bytes came back.");
        }
    }

    private async Task<string> PathAsync(string name)
    {
        var experiment = await PostAsync(
            "experiments/create",
            new JsonObject { ["name"] = $"{name}-{Guid.NewGuid():N}" }
        );
        var id = experiment["experiment_id"]!.GetValue<string>();
        var run = await PostAsync("runs/create", new JsonObject { ["experiment_id"] = id });
        return $"/api/2.0/mlflow-artifacts/artifacts/{id}/{run["run"]!["info"]!["run_id"]!.GetValue<string>()}/artifacts/{name}";
    }

    private async Task<JsonNode> PostAsync(string route, JsonObject body)
    {
        using var content = JsonContent.Create(body);
        using var answer = await target.Http.PostAsync(new Uri($"/api/2.0/mlflow/{route}", UriKind.Relative), content);
        return JsonNode.Parse(await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync())!;
    }

    private static void Noise(byte[] block) => System.Security.Cryptography.RandomNumberGenerator.Fill(block);

    private static void Text(byte[] block)
    {
        var text = string.Join(
            '\n',
            Enumerable.Range(0, 4000).Select(i => $"{i * 7919 % 10007},{i * 31 % 997}.{i},name-{i % 89}")
        );
        for (var i = 0; i < block.Length; i++)
        {
            block[i] = (byte)text[i % text.Length];
        }
    }

    /// <summary>The same block again and again, never held as a whole.</summary>
    private sealed class Repeated(byte[] block, int times) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            for (var i = 0; i < times; i++)
            {
                await stream.WriteAsync(block);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = (long)block.Length * times;
            return true;
        }
    }
}
