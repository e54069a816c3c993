using System.Text;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Signatures;
using Governance.Kernel;
using Governance.Tests.Platform;

namespace Governance.Tests.Audit;

public class SignatureLogTests
{
    [Fact]
    public async Task Every_entry_is_proven_by_its_own_checkpoint_and_stands_in_the_audit_log()
    {
        await using var database = await LogFixture.StartAsync();
        var log = database.Get<ISignatureLog>();
        var entries = new List<LoggedSignature>();

        for (var i = 0; i < 20; i++)
        {
            entries.Add(await log.AppendAsync(Body(i), CancellationToken.None));
        }

        Assert.All(
            entries,
            entry => Assert.Null(SignatureLogVerifier.Verify(entry, log.Key.Name, log.Key.Spki).Failure)
        );
        Assert.Equal(Enumerable.Range(0, 20).Select(i => (long)i), entries.Select(entry => entry.Index));
        Assert.Matches(@"^localhost/governance/log/signatures - [0-9]+\n1\n", entries[0].Checkpoint);
        Assert.Equal(20, (await CheckAsync(database)).Value);
        var logged = await database
            .Get<IAuditLog>()
            .QueryAsync(new AuditQuery { KindPrefix = "signature_log.appended" }, CancellationToken.None);
        Assert.Equal(
            entries.Select(entry => entry.Checkpoint).Reverse(),
            logged.Items.Select(item =>
                System.Text.Json.Nodes.JsonNode.Parse(item.Canonical)!["details"]!["checkpoint"]!.GetValue<string>()
            )
        );
    }

    [Fact]
    public async Task Appends_at_once_take_turns()
    {
        await using var database = await LogFixture.StartAsync();
        var log = database.Get<ISignatureLog>();

        var entries = await Task.WhenAll(
            Enumerable.Range(0, 12).Select(i => log.AppendAsync(Body(i), CancellationToken.None))
        );

        Assert.Equal(Enumerable.Range(0, 12).Select(i => (long)i), entries.Select(entry => entry.Index).Order());
        Assert.Equal(12, (await CheckAsync(database)).Value);
    }

    [Fact]
    public async Task An_entry_whose_unit_fails_leaves_neither_leaf_nor_audit_entry()
    {
        await using var database = await LogFixture.StartAsync();
        await database.Get<ISignatureLog>().AppendAsync(Body(0), CancellationToken.None);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            database.Get<ISignatureLog>().AppendAsync(Body(1), cancelled.Token)
        );

        Assert.Equal(1, (await CheckAsync(database)).Value);
    }

    [Theory]
    [InlineData("UPDATE audit_signature SET \"At\" = 1")]
    [InlineData("DELETE FROM audit_signature")]
    public async Task The_database_refuses_to_change_it(string sql)
    {
        await using var database = await LogFixture.StartAsync();
        await database.Get<ISignatureLog>().AppendAsync(Body(0), CancellationToken.None);

        var refused = await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(() => database.SqlAsync(sql));

        Assert.Contains("append-only", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("UPDATE audit_signature SET \"Body\" = \"Edge\" WHERE \"Index\" = 3", "audit.checkpoint_forged")]
    [InlineData("UPDATE audit_signature SET \"Edge\" = \"Body\" WHERE \"Index\" = 3", "audit.tree_altered")]
    [InlineData(
        "UPDATE audit_signature SET \"Note\" = (SELECT \"Note\" FROM audit_signature WHERE \"Index\" = 2) WHERE \"Index\" = 3",
        "audit.checkpoint_forged"
    )]
    [InlineData("DELETE FROM audit_signature WHERE \"Index\" = 2", "audit.leaf_missing")]
    [InlineData("DELETE FROM audit_signature WHERE \"Index\" = 4", "audit.truncated")]
    [InlineData("DELETE FROM audit_signature", "audit.truncated")]
    public async Task A_log_that_somebody_changed_in_the_database_is_found_at_start(string sql, string code)
    {
        await using var database = await LogFixture.StartAsync(triggers: false);
        for (var i = 0; i < 5; i++)
        {
            await database.Get<ISignatureLog>().AppendAsync(Body(i), CancellationToken.None);
        }

        await database.SequenceAsync();
        await database.SqlAsync(sql);

        Assert.Equal(code, (await CheckAsync(database)).Failure?.Code);
        var start = database.Get<IEnumerable<Microsoft.Extensions.Hosting.IHostedService>>();
        await Assert.ThrowsAnyAsync<InvalidOperationException>(async () =>
        {
            foreach (var service in start)
            {
                await service.StartAsync(CancellationToken.None);
            }
        });
    }

    [Fact]
    public async Task Nothing_is_appended_to_a_log_whose_last_entry_was_changed()
    {
        await using var database = await LogFixture.StartAsync(triggers: false);
        await database.Get<ISignatureLog>().AppendAsync(Body(0), CancellationToken.None);
        await database.SqlAsync("UPDATE audit_signature SET \"Edge\" = \"Body\"");

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            database.Get<ISignatureLog>().AppendAsync(Body(1), CancellationToken.None)
        );

        Assert.Equal("audit.checkpoint_forged", refused.Message);
    }

    [Fact]
    public async Task A_changed_entry_does_not_verify()
    {
        await using var database = await LogFixture.StartAsync();
        var log = database.Get<ISignatureLog>();
        await log.AppendAsync(Body(0), CancellationToken.None);
        var entry = await log.AppendAsync(Body(1), CancellationToken.None);

        Refused("audit.promise_invalid", entry with { Body = Body(2) });
        Refused("audit.promise_invalid", entry with { Index = 0 });
        Refused("audit.promise_invalid", entry with { IntegratedAt = entry.IntegratedAt.AddSeconds(1) });
        Refused("audit.bad_checkpoint", entry with { Checkpoint = entry.Checkpoint + "\u2014 witness AAAAAAAA\n" });
        Refused("audit.bad_checkpoint", entry with { Checkpoint = entry.Checkpoint.Replace("\n2\n", "\n02\n") });
        Refused("audit.proof_mismatch", entry with { Size = 3 });
        Refused("audit.proof_mismatch", entry with { Root = MerkleTree.EmptyRoot });
        Refused("audit.not_included", entry with { Hashes = [] });
        Refused("audit.not_included", entry with { Hashes = [MerkleTree.EmptyRoot] });
        Assert.Equal(
            "audit.bad_checkpoint",
            SignatureLogVerifier.Verify(entry, "localhost/another", log.Key.Spki).Failure?.Code
        );

        void Refused(string code, LoggedSignature changed) =>
            Assert.Equal(code, SignatureLogVerifier.Verify(changed, log.Key.Name, log.Key.Spki).Failure?.Code);
    }

    private static byte[] Body(int i) =>
        Encoding.UTF8.GetBytes($$"""{"entry":{{i}},"padding":"{{new string('x', 64)}}"}""");

    private static Task<Result<long>> CheckAsync(TestDatabase database) =>
        database.Get<CheckSignatureLog>().RunAsync(CancellationToken.None);
}
