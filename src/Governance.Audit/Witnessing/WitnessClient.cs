using System.Globalization;
using System.Net;
using System.Text;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Platform.Outbound;

namespace Governance.Audit.Witnessing;

/// <summary>What a witness answered: its cosignature, or the size it knows, or neither.</summary>
internal sealed record WitnessReply(HttpStatusCode Status, NoteLine? Cosignature, long? Size);

/// <summary>
/// Speaks C2SP tlog-witness with one configured witness: no redirect, no proxy, a bounded answer in bounded time. What is
/// believed of an answer is a signature that verifies, and nothing else.
/// </summary>
internal sealed class WitnessClient : IDisposable
{
    private const int MaxAnswer = 64 << 10;
    private readonly HttpClient _http;
    private readonly string _url;

    public WitnessClient(WitnessOptions witness, TimeSpan timeout, IHostAddresses hosts)
    {
        Key =
            NoteKey.TryParse(witness.VerifierKey, NoteKey.Witness)
            ?? throw new ArgumentException("Not a verifier key of a witness.", nameof(witness));
        _url = witness.Url.TrimEnd('/');
        // Whoever runs the gateway named this address, so it may lie inside.
        var handler = OutboundConnections.Handler(hosts, _ => true, witness.Authorities);
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2);
        _http = new HttpClient(handler) { Timeout = timeout, MaxResponseContentBufferSize = MaxAnswer };
    }

    public NoteKey Key { get; }

    /// <summary>Sends a checkpoint. Throws what <see cref="HttpClient"/> throws when there is no answer.</summary>
    public async Task<WitnessReply> AddCheckpointAsync(string body, string note, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        using var answer = await _http.PostAsync(new Uri($"{_url}/add-checkpoint"), content, cancellationToken);
        var text = await answer.Content.ReadAsStringAsync(cancellationToken);
        return answer.StatusCode switch
        {
            HttpStatusCode.OK => new WitnessReply(answer.StatusCode, Cosignature(note, text), null),
            HttpStatusCode.Conflict => new WitnessReply(answer.StatusCode, null, Size(text)),
            _ => new WitnessReply(answer.StatusCode, null, null),
        };
    }

    /// <summary>The checkpoint that the witness cosigned last of a log; null when it says nothing.</summary>
    public async Task<string?> CheckpointAsync(string origin, CancellationToken cancellationToken)
    {
        using var answer = await _http.GetAsync(
            new Uri($"{_url}/{WitnessState.FileName(origin)}/checkpoint"),
            cancellationToken
        );
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync(cancellationToken) : null;
    }

    public void Dispose() => _http.Dispose();

    private NoteLine? Cosignature(string note, string lines) =>
        SignedNote.TryParse(note) is { } signed && SignedNote.TryParseLines(lines) is { } answered
            ? signed.With(answered).SignatureOf(Key)
            : null;

    private static long? Size(string text) =>
        text.Length < 24
        && long.TryParse(text.TrimEnd('\n'), NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            ? size
            : null;
}
