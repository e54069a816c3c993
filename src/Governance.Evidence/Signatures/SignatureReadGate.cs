using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Policy.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Evidence.Signatures;

/// <summary>
/// Verify on read: by the signer policy's rule for model and stage, the signatures of a version must hold before its bytes are
/// served; that the bytes are the signed ones is checked chunk by chunk while they are sent. What was found holds for seconds.
/// </summary>
internal sealed class SignatureReadGate(
    ISignatures signatures,
    IRegistryReader registry,
    IPolicies policies,
    IWriter writer,
    TimeProvider clock
) : IReadGate
{
    private const int MaxKept = 10_000;
    private static readonly TimeSpan Kept = TimeSpan.FromSeconds(4);
    private readonly ConcurrentDictionary<ModelVersionRef, (long At, IReadOnlyList<string> Reasons)> _found = new();
    private (long At, SignersPolicy Policy)? _policy;

    public async Task<Failure?> CheckAsync(
        Actor actor,
        IReadOnlyCollection<(ModelVersionRef Version, string Stage)> holders,
        CancellationToken cancellationToken
    )
    {
        var policy = await PolicyAsync(cancellationToken);
        var asked = holders
            .Select(holder => (holder.Version, Mode: policy.For(holder.Version.Model).ReadIn(holder.Stage)))
            .Where(holder => holder.Mode != Strictness.Off)
            .OrderByDescending(holder => holder.Mode)
            .ToList();
        Failure? refusal = null;
        foreach (var (version, mode) in asked)
        {
            var reasons = await ReasonsAsync(version, cancellationToken);
            if (mode == Strictness.Enforce)
            {
                if (reasons.Count == 0)
                {
                    // The same bytes may be held twice; one version that vouches for them as policy asks is enough.
                    return null;
                }

                refusal ??= Failure.Conflict(
                    "evidence.signature_required",
                    $"The signature of {version} does not hold, and policy asks for it before the files are read."
                ) with
                {
                    Reasons = reasons,
                };
            }
            else if (refusal is null && reasons.Count > 0)
            {
                await WarnAsync(actor, version, reasons, cancellationToken);
            }
        }

        return refusal;
    }

    private async Task<SignersPolicy> PolicyAsync(CancellationToken cancellationToken)
    {
        if (_policy is not { } known || clock.GetElapsedTime(known.At) > Kept)
        {
            _policy = known = (clock.GetTimestamp(), await policies.SignersAsync(cancellationToken));
        }

        return known.Policy;
    }

    private async Task<IReadOnlyList<string>> ReasonsAsync(ModelVersionRef version, CancellationToken cancellationToken)
    {
        if (_found.TryGetValue(version, out var known) && clock.GetElapsedTime(known.At) <= Kept)
        {
            return known.Reasons;
        }

        var at = clock.GetTimestamp();
        var standing = await registry.FindVersionAsync(version, cancellationToken) is { } view
            ? await signatures.OfAsync(view, cancellationToken)
            : null;
        IReadOnlyList<string> reasons =
            standing is { Verified: true } ? []
            : standing is { Reasons.Count: > 0 } ? standing.Reasons
            : ["evidence.not_produced: There is no signature yet."];
        if (_found.Count >= MaxKept)
        {
            _found.Clear();
        }

        _found[version] = (at, reasons);
        return reasons;
    }

    private Task WarnAsync(
        Actor actor,
        ModelVersionRef version,
        IReadOnlyList<string> reasons,
        CancellationToken cancellationToken
    ) =>
        writer.LogAsync(
            new LogEntry("evidence.unsigned_read", actor, Urn.Version(version), LogOutcome.Begun)
            {
                Details = new JsonObject
                {
                    ["reasons"] = new JsonArray([.. reasons.Select(reason => (JsonNode)reason.Split(':')[0])]),
                },
            },
            cancellationToken
        );
}
