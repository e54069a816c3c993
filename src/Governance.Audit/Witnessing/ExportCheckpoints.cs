using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Keys;
using Governance.Audit.Sequencing;
using Governance.Audit.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Outbound;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Audit.Witnessing;

/// <summary>
/// Lets checkpoints leave: the newest one to a directory and to a webhook, at most one each few seconds. An older one that did
/// not leave is not missed, for the newer one covers it; a receiver that is down gets the newest when it is back.
/// </summary>
internal sealed partial class ExportCheckpoints : BackgroundService
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
    private readonly IDbContextFactory<GovernanceDb> _databases;
    private readonly AuditOptions _options;
    private readonly CheckpointFiles _files;
    private readonly LogKey _key;
    private readonly LogState _state;
    private readonly TimeProvider _clock;
    private readonly ILogger<ExportCheckpoints> _logger;
    private readonly HttpClient? _http;

    public ExportCheckpoints(
        IDbContextFactory<GovernanceDb> databases,
        AuditOptions options,
        CheckpointFiles files,
        LogKey key,
        IHostAddresses hosts,
        LogState state,
        TimeProvider clock,
        ILogger<ExportCheckpoints> logger
    )
    {
        (_databases, _options, _files, _key) = (databases, options, files, key);
        (_state, _clock, _logger) = (state, clock, logger);
        if (options.CheckpointWebhook.Length > 0)
        {
            // Whoever runs the gateway named this address, so it may lie inside.
            var handler = OutboundConnections.Handler(hosts, _ => true, options.CheckpointWebhookAuthorities);
            _http = new HttpClient(handler) { Timeout = Timeout };
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _http?.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(
            _options.CheckpointDirectory.Length == 0
                ? Task.CompletedTask
                : ExportAsync("directory", WriteAsync, stoppingToken),
            _http is null ? Task.CompletedTask : ExportAsync("webhook", PostAsync, stoppingToken)
        );

    private async Task ExportAsync(
        string where,
        Func<CheckpointRow, string, CancellationToken, Task> sendAsync,
        CancellationToken stoppingToken
    )
    {
        var (size, failures) = (0L, 0);
        var pause = TimeSpan.FromSeconds(_options.CheckpointExportSeconds);
        try
        {
            while (true)
            {
                var signed = _state.Signed;
                try
                {
                    size = await NewestAsync(size, sendAsync, stoppingToken);
                    failures = 0;
                }
                catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
                {
                    failures++;
                    if (failures is 1 or 5 || failures % 60 == 0)
                    {
                        LogNotExported(where, exception.GetType().Name, failures);
                    }
                }

                var wait = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, failures), LongestWait.TotalSeconds));
                await Task.Delay(failures == 0 ? pause : wait, _clock, stoppingToken);
                if (failures == 0)
                {
                    await signed.WaitAsync(stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The next start exports the newest.
        }
    }

    private async Task<long> NewestAsync(
        long sent,
        Func<CheckpointRow, string, CancellationToken, Task> sendAsync,
        CancellationToken cancellationToken
    )
    {
        await using var db = await _databases.CreateDbContextAsync(cancellationToken);
        if (await db.NewestCheckpointAsync(cancellationToken) is not { } newest || newest.Size <= sent)
        {
            return sent;
        }

        await sendAsync(newest, await db.NoteAsync(newest, cancellationToken), cancellationToken);
        return newest.Size;
    }

    private Task WriteAsync(CheckpointRow checkpoint, string note, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _files.Write(checkpoint.Size, note);
        return Task.CompletedTask;
    }

    private async Task PostAsync(CheckpointRow checkpoint, string note, CancellationToken cancellationToken)
    {
        var body = CanonicalJson.SerializeToString(
            new JsonObject
            {
                ["origin"] = _key.Origin,
                ["size"] = checkpoint.Size,
                ["root"] = Convert.ToHexStringLower(checkpoint.Root),
                ["checkpoint"] = note,
            }
        );
        var delivery = $"checkpoint-{checkpoint.Size.ToString(CultureInfo.InvariantCulture)}";
        using var request = WebhookRequest.Create(
            _options.CheckpointWebhook,
            "X-Governance",
            delivery,
            _clock.GetUtcNow(),
            body,
            await SecretAsync(cancellationToken)
        );
        using var answer = await _http!.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!answer.IsSuccessStatusCode)
        {
            throw new HttpRequestException(null, null, answer.StatusCode);
        }
    }

    // Read for each one: a secret is replaced without a restart.
    private async Task<byte[]?> SecretAsync(CancellationToken cancellationToken) =>
        _options.CheckpointWebhookSecretFile.Length == 0
            ? null
            : Encoding.UTF8.GetBytes(
                (await File.ReadAllTextAsync(_options.CheckpointWebhookSecretFile, cancellationToken)).Trim()
            );

    [LoggerMessage(
        1020,
        LogLevel.Warning,
        "A checkpoint did not reach the {Where} ({ErrorType}), {Failures} times in a row"
    )]
    private partial void LogNotExported(string where, string errorType, int failures);
}
