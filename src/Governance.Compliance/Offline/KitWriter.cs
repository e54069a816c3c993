using System.IO.Compression;
using System.IO.Pipelines;
using System.Text;
using Governance.Audit.Contracts;
using Governance.Compliance.Contracts;
using Governance.Compliance.Engine;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Compliance.Offline;

/// <summary>A part of a kit, read when it is written.</summary>
internal sealed record KitPart(string Name, Func<CancellationToken, Task<byte[]?>> ReadAsync)
{
    public static KitPart Of(string name, byte[] content) => new(name, _ => Task.FromResult<byte[]?>(content));
}

/// <summary>Puts together what somebody needs to check a version with no gateway at hand.</summary>
internal sealed class KitWriter(
    Attestations attestations,
    IEvidence evidence,
    IRegistryReader registry,
    IAuditLog log,
    ISigner signer,
    IVerifier verifier
)
{
    private const string Signature = "signature";

    // Of the archive, so that the same parts make the same bytes.
    private static readonly DateTimeOffset NoTime = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>The parts in order of their names. Everything that can be missing is asked for here, before the first byte leaves.</summary>
    public async Task<Result<IReadOnlyList<KitPart>>> PrepareAsync(
        ModelVersionRef version,
        CancellationToken cancellationToken
    )
    {
        if (
            await attestations.BundleAsync(version, Signature, cancellationToken) is not { } bundle
            || await registry.ManifestOfAsync(version, cancellationToken) is not { } manifest
            || await log.CheckpointAsync(cancellationToken) is not { } checkpoint
        )
        {
            return Failure.Conflict(
                "evidence.not_produced",
                "The version has no signature for its current subject yet."
            );
        }

        // A kit that does not verify helps nobody.
        var signed = verifier.VerifyModel(bundle, manifest, signer.TrustedRoot, SignerPolicy.Anybody);
        if (!signed.Ok)
        {
            return Failure.Conflict(signed.Failure.Code, signed.Failure.Message);
        }

        var stated = (await attestations.StatementsOfAsync(version, cancellationToken))
            .Where(one => one.View.Id != Signature)
            .ToList();
        List<KitPart> parts =
        [
            KitPart.Of(KitParts.Bundle, bundle),
            KitPart.Of(KitParts.Files, manifest.ToCanonicalJson()),
            KitPart.Of(KitParts.TrustedRoot, signer.TrustedRoot),
            KitPart.Of(KitParts.TrustConfig, signer.ClientTrustConfig),
            KitPart.Of(KitParts.Checkpoint, Encoding.UTF8.GetBytes(checkpoint)),
            KitPart.Of(
                KitParts.Guide,
                Encoding.UTF8.GetBytes(KitGuide.Write(version, manifest, signed.Value, signer.TrustedRoot))
            ),
        ];
        foreach (var one in stated)
        {
            if (await attestations.ReceiptAsync(one, cancellationToken) is not { } receipt)
            {
                return Failure.Conflict(
                    "compliance.kit_pending",
                    "A log entry of the version is not under a checkpoint yet; try again in a second."
                );
            }

            parts.Add(KitPart.Of($"{KitParts.Receipts}{one.View.Id}{KitParts.Json}", CanonicalJson.Serialize(receipt)));
            parts.Add(new KitPart($"{KitParts.Attestations}{one.View.Id}{KitParts.Json}", one.ReadAsync));
        }

        if (stated.Exists(one => one.View.Id == "sbom"))
        {
            parts.Add(new KitPart(KitParts.Sbom, token => evidence.DocumentAsync(version, EvidenceKind.Sbom, token)));
        }

        return parts.OrderBy(part => part.Name, StringComparer.Ordinal).ToList();
    }

    /// <summary>Writes the archive, one part at a time. A part that is no longer there ends it, which leaves no readable archive.</summary>
    public static async Task WriteAsync(
        IReadOnlyList<KitPart> parts,
        Stream output,
        CancellationToken cancellationToken
    )
    {
        // An archive writes synchronously here and there, which a response must not: so into memory, a part at a time.
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        await using var packed = pipe.Writer.AsStream();
        using (var zip = new ZipArchive(packed, ZipArchiveMode.Create, leaveOpen: true, Encoding.UTF8))
        {
            foreach (var part in parts)
            {
                var content =
                    await part.ReadAsync(cancellationToken)
                    ?? throw new InvalidOperationException("The evidence changed while the kit was written.");
                var entry = zip.CreateEntry(part.Name, CompressionLevel.Fastest);
                entry.LastWriteTime = NoTime;
                await using (var open = await entry.OpenAsync(cancellationToken))
                {
                    await open.WriteAsync(content, cancellationToken);
                }

                await MoveAsync(pipe.Reader, output, cancellationToken);
            }
        }

        await MoveAsync(pipe.Reader, output, cancellationToken);
    }

    private static async Task MoveAsync(PipeReader reader, Stream output, CancellationToken cancellationToken)
    {
        if (reader.TryRead(out var read))
        {
            foreach (var segment in read.Buffer)
            {
                await output.WriteAsync(segment, cancellationToken);
            }

            reader.AdvanceTo(read.Buffer.End);
        }
    }
}
