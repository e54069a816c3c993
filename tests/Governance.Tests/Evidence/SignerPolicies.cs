using Governance.Kernel;
using Governance.Policy.Storage;
using Governance.Tests.Platform;

namespace Governance.Tests.Evidence;

internal static class SignerPolicies
{
    /// <summary>Makes a text the signer policy that counts from now on.</summary>
    public static Task ActivateSignersAsync(this TestDatabase database, string text) =>
        database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                session.Db.Add(
                    new PolicyRow
                    {
                        Name = "signers",
                        Text = text,
                        Digest = Digest.Of(text),
                        Editor = "a",
                        ActiveFrom = session.Now,
                    }
                );
                await session.Db.SaveChangesAsync(token);
                return default(Unit);
            },
            TestContext.Current.CancellationToken
        );
}
