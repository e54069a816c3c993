using System.Buffers;
using System.Globalization;
using Governance.Kernel;

namespace Governance.Registry.Engine;

/// <summary>
/// Where an artifact lies: <c>&lt;experiment&gt;/&lt;run&gt;/artifacts/…</c>,
/// <c>&lt;experiment&gt;/models/&lt;logged model&gt;/artifacts/…</c> or <c>&lt;experiment&gt;/traces/&lt;trace&gt;/artifacts/…</c>.
/// Nothing else is storage, and nothing is registered from a trace.
/// </summary>
internal sealed record ArtifactAddress(long ExperimentId, string? RunId, string? LoggedModelId, ArtifactPath Path)
{
    private static readonly SearchValues<char> LowerHex = SearchValues.Create("0123456789abcdef");

    public string? TraceId { get; init; }

    public string Container =>
        RunId is not null ? OfRun(ExperimentId, RunId)
        : TraceId is not null ? OfTrace(ExperimentId, TraceId)
        : OfLoggedModel(ExperimentId, LoggedModelId!);

    public static string OfRun(long experiment, string runId) =>
        string.Create(CultureInfo.InvariantCulture, $"{experiment}/{runId}/artifacts");

    public static string OfLoggedModel(long experiment, string modelId) =>
        string.Create(CultureInfo.InvariantCulture, $"{experiment}/models/{modelId}/artifacts");

    public static string OfTrace(long experiment, string traceId) =>
        string.Create(CultureInfo.InvariantCulture, $"{experiment}/traces/{traceId}/artifacts");

    public static string Uri(string container, string prefix) =>
        prefix.Length == 0 ? $"mlflow-artifacts:/{container}" : $"mlflow-artifacts:/{container}/{prefix}";

    /// <summary>Reads text that was percent-decoded once; null when it is no well-formed address.</summary>
    public static ArtifactAddress? TryParse(string text)
    {
        if (!ArtifactPath.TryParse(text.EndsWith('/') ? text[..^1] : text, out var whole))
        {
            return null;
        }

        var parts = whole.Value.Split('/');
        if (parts.Length < 3 || !TryExperiment(parts[0], out var experiment))
        {
            return null;
        }

        if (parts[1] == "models")
        {
            return parts.Length >= 4 && IsLoggedModelId(parts[2]) && parts[3] == "artifacts"
                ? new(experiment, null, parts[2], Rest(parts, 4))
                : null;
        }

        if (parts[1] == "traces")
        {
            return parts.Length >= 4 && IsTraceId(parts[2]) && parts[3] == "artifacts"
                ? new(experiment, null, null, Rest(parts, 4)) { TraceId = parts[2] }
                : null;
        }

        return IsRunId(parts[1]) && parts[2] == "artifacts" ? new(experiment, parts[1], null, Rest(parts, 3)) : null;
    }

    public static bool IsRunId(string text) => text.Length == 32 && IsLowerHex(text);

    public static bool IsLoggedModelId(string text) =>
        text.Length == 34 && text.StartsWith("m-", StringComparison.Ordinal) && IsLowerHex(text.AsSpan(2));

    /// <summary>2.x clients get 32 hex digits; 3.x clients say <c>tr-</c> and the OpenTelemetry trace id.</summary>
    public static bool IsTraceId(string text) =>
        IsRunId(text) || (text.Length == 35 && text.StartsWith("tr-", StringComparison.Ordinal) && IsRunId(text[3..]));

    public static bool TryExperiment(string text, out long id) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id)
        && text == id.ToString(CultureInfo.InvariantCulture);

    private static ArtifactPath Rest(string[] parts, int from) =>
        ArtifactPath.TryParse(string.Join('/', parts[from..]), out var path) ? path : ArtifactPath.Root;

    private static bool IsLowerHex(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(LowerHex);
}
