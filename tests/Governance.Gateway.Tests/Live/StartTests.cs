using System.Data.Common;
using System.Diagnostics;
using Governance.Gateway.Database;
using Governance.Gateway.Hosting;
using Governance.Platform.Database;
using Governance.Tests;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>What a start refuses, as the operator sees it: the real executable, one sentence, exit code 2.</summary>
[Collection(GatewayTests.Name)]
public sealed class StartTests(LiveGateway gateway) : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("governance-start-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task The_demo_refuses_a_directory_that_it_did_not_make()
    {
        var data = Directory.CreateDirectory(Path.Combine(_root, "data")).FullName;
        await File.WriteAllTextAsync(Path.Combine(data, "precious.txt"), "mine", TestContext.Current.CancellationToken);

        await RefusedAsync("was not made by the demo", "demo", "--exit", $"--Governance:DataDirectory={data}");

        Assert.Equal(
            "mine",
            await File.ReadAllTextAsync(Path.Combine(data, "precious.txt"), TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public async Task A_normal_start_refuses_a_directory_of_the_demo()
    {
        var data = Directory.CreateDirectory(Path.Combine(_root, "data")).FullName;
        await File.WriteAllTextAsync(Path.Combine(data, "demo.marker"), "", TestContext.Current.CancellationToken);

        await RefusedAsync("holds demo data", $"--Governance:DataDirectory={data}");
    }

    [Fact]
    public async Task A_second_gateway_on_the_same_directory_is_refused()
    {
        var data = gateway.Services.GetRequiredService<Platform.PlatformOptions>().DataDirectory;

        await RefusedAsync(
            "Another gateway is running",
            $"--Governance:DataDirectory={data}",
            $"--Governance:KeyFile={_root}/k"
        );
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named_in_one_sentence() =>
        await RefusedAsync(
            $"Port {new Uri(gateway.Url).Port} is in use",
            $"--Governance:DataDirectory={_root}/data",
            $"--Governance:KeyFile={_root}/k",
            $"--Governance:Urls={gateway.Url}"
        );

    [Theory]
    [InlineData("'dmeo' is not a command", "dmeo")]
    [InlineData("'exit' is not an option of demo", "demo", "exit")]
    public async Task A_misspelt_word_does_not_start_a_gateway(string sentence, params string[] words)
    {
        await RefusedAsync(sentence, [.. words, $"--Governance:DataDirectory={_root}/data"]);

        Assert.False(Directory.Exists(Path.Combine(_root, "data")));
    }

    [Theory]
    [InlineData("data/gateway.kek")]
    [InlineData("data/./deeper/../gateway.kek")]
    [InlineData("other/../data/gateway.kek")]
    public async Task A_key_file_inside_the_data_directory_is_refused(string keyFile) =>
        await RefusedAsync(
            "must lie outside the data directory",
            $"--Governance:DataDirectory={_root}/data",
            $"--Governance:KeyFile={_root}/{keyFile}"
        );

    [Fact]
    public async Task A_trailing_slash_does_not_hide_a_key_file_inside_the_data_directory() =>
        await RefusedAsync(
            "must lie outside the data directory",
            $"--Governance:DataDirectory={_root}/data/",
            $"--Governance:KeyFile={_root}/data/gateway.kek"
        );

    [Fact]
    public async Task A_key_that_signs_before_gateways_beside_know_it_is_refused() =>
        await RefusedAsync(
            "SigningKeyLeadMinutes is at least 1 on PostgreSQL",
            $"--Governance:DataDirectory={_root}/data",
            "--Governance:Database:Provider=postgresql",
            "--Governance:Database:ConnectionString=Host=/nowhere;Username=governance;Database=governance",
            "--Governance:Identity:SigningKeyLeadMinutes=0"
        );

    [Theory]
    [InlineData("http://localhost:8080", "plain HTTP is refused")]
    [InlineData("HTTP://localhost:8080", "plain HTTP is refused")]
    [InlineData("https://localhost", "one https address with a port")]
    [InlineData("https://localhost:99999", "Governance:Urls must be")]
    [InlineData("https://localhost:8443;http://localhost:8080", "plain HTTP is refused")]
    [InlineData("", "Governance:Urls must be")]
    public async Task An_address_that_is_not_one_https_address_is_refused(string urls, string sentence) =>
        await RefusedAsync(sentence, $"--Governance:DataDirectory={_root}/data", $"--Governance:Urls={urls}");

    [Theory]
    [InlineData("Governance:Identity:AccessTokenMinutes=0", "AccessTokenMinutes")]
    [InlineData("Governance:Identity:AccessTokenMinutes=many", "AccessTokenMinutes")]
    [InlineData("Governance:Registry:MaxJsonBytes=1", "MaxJson")]
    [InlineData("Governance:Audit:PollMilliseconds=5000", "Poll")]
    [InlineData("Governance:PublicUrl=not an address", "PublicUrl")]
    [InlineData("Governance:PublicUrl=http://localhost:8443", "PublicUrl")]
    [InlineData("Governance:PoliciesDirectory=/nowhere", "/nowhere")]
    public async Task A_bad_setting_is_refused_in_one_sentence(string setting, string names) =>
        await RefusedAsync(
            names,
            $"--Governance:DataDirectory={_root}/data",
            $"--Governance:KeyFile={_root}/k",
            $"--Governance:Urls=https://localhost:{FreePort.Find()}",
            $"--{setting}"
        );

    [Fact]
    public async Task The_frameworks_own_listeners_are_refused() =>
        await RefusedAsync(
            "The section Kestrel is not read",
            $"--Governance:DataDirectory={_root}/data",
            $"--Governance:KeyFile={_root}/k",
            $"--Governance:Urls=https://localhost:{FreePort.Find()}",
            $"--Kestrel:Endpoints:Plain:Url=http://localhost:{FreePort.Find()}"
        );

    [Fact]
    public void Nobody_but_the_owner_may_open_what_the_gateway_wrote()
    {
        var data = gateway.Services.GetRequiredService<Platform.PlatformOptions>().DataDirectory;
        const UnixFileMode others =
            UnixFileMode.GroupRead
            | UnixFileMode.GroupWrite
            | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead
            | UnixFileMode.OtherWrite
            | UnixFileMode.OtherExecute;

        var open = Directory
            .EnumerateFileSystemEntries(data, "*", SearchOption.AllDirectories)
            .Append(data)
            .Where(path => (File.GetUnixFileMode(path) & others) != 0);

        Assert.Empty(open);
    }

    [Fact]
    public async Task A_bad_policy_file_is_refused_with_its_place()
    {
        var policies = Directory.CreateDirectory(Path.Combine(_root, "policies")).FullName;
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Paths.Base, "policies"), "*.yaml"))
        {
            File.Copy(file, Path.Combine(policies, Path.GetFileName(file)));
        }

        await File.AppendAllTextAsync(
            Path.Combine(policies, "promotion.yaml"),
            "\nnobody_knows_this: 1\n",
            TestContext.Current.CancellationToken
        );

        await RefusedAsync(
            "nobody_knows_this",
            $"--Governance:DataDirectory={_root}/data",
            $"--Governance:KeyFile={_root}/k",
            $"--Governance:Urls=https://localhost:{FreePort.Find()}",
            $"--Governance:PoliciesDirectory={policies}"
        );
    }

    [Fact]
    public async Task The_migration_makes_the_schema_of_the_model()
    {
        await using var db = Schema.Open(gateway.Services);

        Assert.False(db.Database.HasPendingModelChanges());
        Assert.Empty(await db.Database.GetPendingMigrationsAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("audit_entry")]
    [InlineData("audit_leaf")]
    [InlineData("audit_node")]
    [InlineData("audit_checkpoint")]
    public async Task The_database_itself_refuses_to_change_or_delete_what_the_log_holds(string table)
    {
        await using var db = await DatabaseAsync();
        await db.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var command = db.Database.GetDbConnection().CreateCommand();
        command.CommandText = TestServer.IsPostgreSql
            ? $"SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum = 1"
            : $"SELECT name FROM pragma_table_info('{table}') LIMIT 1";
        var column = await command.ExecuteScalarAsync(TestContext.Current.CancellationToken);

        command.CommandText = $"UPDATE {table} SET \"{column}\" = \"{column}\"";
        var update = await Assert.ThrowsAnyAsync<DbException>(() =>
            command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken)
        );
        command.CommandText = $"DELETE FROM {table}";
        var delete = await Assert.ThrowsAnyAsync<DbException>(() =>
            command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken)
        );

        Assert.Contains("append-only", update.Message, StringComparison.Ordinal);
        Assert.Contains("append-only", delete.Message, StringComparison.Ordinal);
    }

    private Task<GovernanceDb> DatabaseAsync() =>
        gateway
            .Services.GetRequiredService<IDbContextFactory<GovernanceDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);

    private static async Task RefusedAsync(string sentence, params string[] args)
    {
        var run = await ChildProcess.RunAsync(
            "dotnet",
            [typeof(GatewayHost).Assembly.Location, .. args],
            TimeSpan.FromMinutes(2)
        );

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(sentence, run.Errors, StringComparison.OrdinalIgnoreCase);
        // One sentence for the operator, no stack.
        Assert.Single(run.Errors.Trim().Split('\n'));
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }
}
