using System.Collections.Concurrent;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Registry.Engine;
using Governance.Registry.Wire;
using Microsoft.Extensions.Options;

namespace Governance.Registry.Upstream;

/// <summary>
/// Takes over at once what a caller names and only upstream has, which the next look would bring. Upstream is asked only for a
/// caller who may read whatever is found, so that neither answer nor time says anything new; and rarely, so that nobody can have
/// it asked at will.
/// </summary>
internal sealed class Latecomers(
    TrackingAdoption tracking,
    DriftDetector detector,
    IOptions<RegistryOptions> options,
    TimeProvider clock
) : IDisposable
{
    private const int MostRemembered = 4096;
    private const int MostPerCaller = 20;
    private const int MostAtOnce = 4;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _asked = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (DateTimeOffset Until, int Count)> _callers = new(
        StringComparer.Ordinal
    );
    private readonly SemaphoreSlim _free = new(MostAtOnce);

    /// <summary>Whether something may be here now that was not a moment ago.</summary>
    public async Task<bool> AdoptAsync(Call call, string route)
    {
        if (!options.Value.Upstream.IsOn || Find(call, route) is not { } find || !MayAsk(call, find.Key))
        {
            return false;
        }

        if (!await _free.WaitAsync(TimeSpan.Zero, call.Token))
        {
            return false;
        }

        using var limited = CancellationTokenSource.CreateLinkedTokenSource(call.Token);
        limited.CancelAfter(TimeSpan.FromSeconds(options.Value.Upstream.AnswerSeconds));
        try
        {
            return await find.Adopt(limited.Token) is null;
        }
        catch (OperationCanceledException) when (!call.Token.IsCancellationRequested)
        {
            // A look goes on with it.
            return false;
        }
        finally
        {
            _free.Release();
        }
    }

    public void Dispose() => _free.Dispose();

    private (string Key, Func<CancellationToken, Task<Failure?>> Adopt)? Find(Call call, string route)
    {
        var (all, rights) = (call.Rights.Allows(Permissions.ExperimentRead, AccessTarget.Global), call.Rights);
        switch (route)
        {
            case "runs/get" when all && call.Args.Optional("run_id") is { } id && ArtifactAddress.IsRunId(id):
                return ($"run {id}", token => tracking.AdoptRunAsync(id, token));
            case "logged-models/{id}" when all && ArtifactAddress.IsLoggedModelId(call.RouteId):
                return ($"logged-model {call.RouteId}", token => tracking.AdoptLoggedModelAsync(call.RouteId, token));
            case "experiments/get"
                when all
                    && call.Args.Optional("experiment_id") is { } number
                    && ArtifactAddress.TryExperiment(number, out _):
                return ($"experiment {number}", token => tracking.AdoptExperimentAsync(number, token));
            case "experiments/get-by-name"
                when call.Args.Optional("experiment_name") is { } named
                    && RegistryNames.CheckName("experiment", named) is null
                    && rights.Allows(Permissions.ExperimentRead, AccessTarget.Experiment(named, null)):
                return ($"named {named}", token => tracking.AdoptExperimentNamedAsync(named, token));
            case "registered-models/get"
            or "model-versions/get"
                when call.Args.Optional("name") is { } name
                    && RegistryNames.CheckName("model", name) is null
                    && rights.Allows(Permissions.ModelRead, AccessTarget.Model(name, null)):
                return (
                    $"{route} {name}",
                    async token => await detector.ConfirmAsync(name, await detector.IsFirstAsync(token), token)
                );
            default:
                return null;
        }
    }

    private bool MayAsk(Call call, string key)
    {
        var now = clock.GetUtcNow();
        Forget(_asked, until => until <= now);
        Forget(_callers, caller => caller.Until <= now);
        if (_asked.Count >= MostRemembered || _callers.Count >= MostRemembered)
        {
            return false;
        }

        var asked = _callers.AddOrUpdate(
            call.Actor.Id,
            (now + Window, 1),
            (_, before) => before.Until <= now ? (now + Window, 1) : (before.Until, before.Count + 1)
        );
        if (asked.Count > MostPerCaller)
        {
            return false;
        }

        if (_asked.TryGetValue(key, out var until) && until <= now)
        {
            _asked.TryRemove(KeyValuePair.Create(key, until));
        }

        return _asked.TryAdd(key, now + Window);
    }

    private static void Forget<T>(ConcurrentDictionary<string, T> remembered, Func<T, bool> isOver)
    {
        if (remembered.Count < MostRemembered / 2)
        {
            return;
        }

        foreach (var (key, _) in remembered.Where(pair => isOver(pair.Value)))
        {
            remembered.TryRemove(key, out _);
        }
    }
}
