using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;
using Governance.Signing.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Signing.Keys;

/// <summary>One row per key that had a part in a signature, so that one question tells what a bad key touched.</summary>
internal sealed class SignatureJournal(KeyCatalogue keys) : ISignatureJournal
{
    private const int MaxText = 600;

    public async Task RecordAsync(
        WriteSession session,
        byte[] bundle,
        string subject,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(session);
        var digest = Digest.Of(bundle);
        var rows = session.Db.Set<SignatureUseRow>();
        if (
            SignedBundle.Read(bundle) is not { Ok: true, Value: var read }
            || await rows.AnyAsync(row => row.Bundle == digest, cancellationToken)
        )
        {
            return;
        }

        var identity = read.Identity is { } material ? IdentityChecks.SubjectOf(material.Certificate) ?? "" : "";
        foreach (var (key, at) in keys.PartsOf(read, session.Now))
        {
            rows.Add(
                new SignatureUseRow
                {
                    KeyId = key.Id,
                    Role = key.Generation.Name,
                    At = at,
                    Subject = Cut(subject),
                    Identity = Cut(identity),
                    Bundle = digest,
                }
            );
        }

        await session.Db.SaveChangesAsync(cancellationToken);
    }

    private static string Cut(string text) => text.Length <= MaxText ? text : text[..MaxText];
}
