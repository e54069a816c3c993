using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Versions;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Artifacts;

/// <summary>What follows when stored bytes are not the bytes that were hashed.</summary>
internal static class Corruption
{
    public static readonly Failure Mismatch = Failure.Conflict(
        "artifact.digest_mismatch",
        "The stored bytes do not match their digest; they are not served and every version holding them is quarantined."
    );

    /// <summary>Logs it and quarantines every version that holds the blob, in one transaction.</summary>
    public static async Task ReportAsync(RegistryPorts ports, Actor reader, Digest digest)
    {
        var hex = digest.Hex;
        var result = await ports.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var rows = await (
                    from version in session.Db.Set<VersionRow>()
                    join model in session.Db.Set<ModelRow>() on version.ModelId equals model.Id
                    where
                        (!version.Quarantined || version.StatusMessage.StartsWith(Drift.Reason))
                        && session
                            .Db.Set<ManifestFileRow>()
                            .Any(f => f.Digest == hex && f.ManifestDigest == version.ManifestDigest)
                    select new { version, model.Name }
                ).ToListAsync(token);
                await session.LogAsync(
                    new LogEntry("registry.artifact_corrupt", reader, "", LogOutcome.Refused)
                    {
                        Details = new JsonObject { ["sha256"] = hex, ["code"] = Mismatch.Code },
                    },
                    token
                );
                foreach (var row in rows)
                {
                    await VersionStatusWriter.QuarantineAsync(
                        session,
                        row.version,
                        row.Name,
                        $"{Mismatch.Code}: stored bytes of {hex} changed.",
                        token
                    );
                }

                await session.Db.SaveChangesAsync(token);
                return default(Unit);
            },
            // The reader may have gone away; the quarantine must not.
            CancellationToken.None
        );
        if (!result.Ok)
        {
            throw new InvalidOperationException(result.Failure.Code);
        }
    }
}
