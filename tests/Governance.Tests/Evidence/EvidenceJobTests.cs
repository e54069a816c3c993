using Governance.Audit;
using Governance.Evidence;
using Governance.Evidence.Attest;
using Governance.Evidence.Contracts;
using Governance.Evidence.Produce;
using Governance.Evidence.Storage;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Registry.Contracts;
using Governance.Signing;
using Governance.Signing.Contracts;
using Governance.Tests.Registry;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Evidence;

public sealed class EvidenceJobTests
{
    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_version_whose_model_is_renamed_while_its_jobs_wait_becomes_ready()
    {
        await using var host = await StartAsync();
        await host.VersionAsync("old");
        await host.OkAsync("POST", "registered-models/rename", new { name = "old", new_name = "new" });

        await RunAllAsync(host);

        var version = await host.Database.Get<IRegistryReader>().FindVersionAsync(new("new", 1), Now);
        Assert.Equal(VersionStatus.Ready, version!.Status);
    }

    [Fact]
    public async Task A_changed_dataset_makes_exactly_the_privacy_evidence_of_its_versions_stale()
    {
        await using var host = await StartAsync();
        var sha256 = Digest.Of("table");
        host.Datasets.Known.Add(sha256);
        var path = await host.VersionAsync("trained");
        await host.RegisterAsync("trained", $"mlflow-artifacts:/{path}", null);
        await host.VersionAsync("other");
        await host.OkAsync("POST", "runs/log-inputs", Inputs(path.Split('/')[1], sha256));
        await RunAllAsync(host);

        await ChangeAsync(host, sha256);

        await using var db = host.Database.Read();
        var stale = await db.Set<EvidenceRow>().Where(row => row.Stale).ToListAsync(Now);
        var jobs = await db.Set<JobRow>().ToListAsync(Now);
        Assert.Equal([1, 2], stale.Select(row => row.Version).Order());
        Assert.All(stale, row => Assert.Equal(EvidenceKind.Privacy, row.Kind));
        Assert.Equal(2, jobs.Count);
        Assert.All(jobs, job => Assert.Equal("evidence.privacy", job.Kind));
    }

    [Fact]
    public async Task A_refusing_scan_that_runs_again_after_a_crash_changes_nothing()
    {
        await using var host = await StartAsync();
        await host.VersionAsync("bad");
        await using var db = host.Database.Read();
        var job = await db.Set<JobRow>().SingleAsync(row => row.Kind == "evidence.scan", Now);
        var scan = Handler(host, new Finding(EvidenceKind.Scan, EvidenceOutcome.Failed));

        await scan.RunAsync(job.Payload, Now);
        await scan.RunAsync(job.Payload, Now);

        var version = await host.Database.Get<IRegistryReader>().FindVersionAsync(new("bad", 1), Now);
        Assert.Equal(VersionStatus.FailedRegistration, version!.Status);
        Assert.False(version.Quarantined);
        Assert.False(await db.Set<JobRow>().AnyAsync(row => row.Kind == "evidence.signature", Now));
    }

    [Fact]
    public async Task What_was_examined_before_the_dataset_changed_does_not_count_for_a_moment()
    {
        await using var host = await StartAsync();
        var sha256 = Digest.Of("table");
        host.Datasets.Known.Add(sha256);
        var path = await host.VersionAsync("trained");
        await host.OkAsync("POST", "runs/log-inputs", Inputs(path.Split('/')[1], sha256));
        var version = (await host.Database.Get<IRegistryReader>().FindVersionAsync(new("trained", 1), Now))!;
        var job = EvidenceJob.Of(version);
        await ClearJobsAsync(host);

        await Handler(host, new Overtaken(host, sha256)).RunAsync(job.Request(EvidenceKind.Privacy).Payload, Now);

        await using var db = host.Database.Read();
        Assert.True(Assert.Single(await db.Set<EvidenceRow>().ToListAsync(Now)).Stale);
    }

    private static async Task ClearJobsAsync(RegistryHost host)
    {
        while (await NextAsync(host) is not null) { }
    }

    private static EvidenceJobHandler Handler(RegistryHost host, IEvidenceProducer producer) =>
        new(
            producer,
            host.Database.Get<IRegistryReader>(),
            host.Database.Get<IVersionStatus>(),
            host.Database.Get<AttestationWriter>(),
            host.Database.Get<IBlobStore>(),
            host.Database.Writer,
            new NoJournal()
        );

    private sealed class NoJournal : ISignatureJournal
    {
        public Task RecordAsync(
            WriteSession session,
            byte[] bundle,
            string subject,
            CancellationToken cancellationToken
        ) => Task.CompletedTask;
    }

    private static Task ChangeAsync(RegistryHost host, Digest sha256) =>
        host.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var watch = new DatasetWatch(host.Database.Get<IRegistryReader>());
                await watch.OnChangedAsync(session, sha256, token);
                return default(Unit);
            },
            Now
        );

    private static Task<RegistryHost> StartAsync() =>
        RegistryHost.StartAsync(services =>
            services
                .AddSingleton<IModelContribution, EvidenceModel>()
                .AddSingleton<IVersionIntake, VersionIntake>()
                .AddSingleton<AttestationWriter>()
                .AddAudit()
                .AddSigning()
        );

    /// <summary>Runs every job that waits, as the workers would, with producers that find nothing wrong.</summary>
    private static async Task RunAllAsync(RegistryHost host)
    {
        var handlers = Enum.GetValues<EvidenceKind>()
            .Select(kind => Handler(host, new Finding(kind, EvidenceOutcome.Passed)))
            .ToDictionary(handler => handler.Kind);
        while (await NextAsync(host) is { } job)
        {
            await handlers[job.Kind].RunAsync(job.Payload, Now);
        }
    }

    private static async Task<JobRow?> NextAsync(RegistryHost host)
    {
        var taken = await host.Database.Writer.WriteAsync<JobRow?>(
            async (session, token) =>
            {
                var job = await session.Db.Set<JobRow>().OrderBy(row => row.Id).FirstOrDefaultAsync(token);
                if (job is not null)
                {
                    session.Db.Remove(job);
                }

                return job;
            },
            Now
        );
        return taken.Value;
    }

    private static object Inputs(string run, Digest sha256) =>
        new
        {
            run_id = run,
            datasets = new[]
            {
                new
                {
                    dataset = new
                    {
                        name = "persons",
                        digest = "abcd1234",
                        source = $"governance:/datasets/sha256:{sha256}",
                    },
                },
            },
        };

    private sealed class Finding(EvidenceKind kind, EvidenceOutcome outcome) : IEvidenceProducer
    {
        public EvidenceKind Kind => kind;

        public Task<Produced> ProduceAsync(VersionView version, CancellationToken cancellationToken) =>
            Task.FromResult(new Produced(outcome, "1", "class", "What was found."));
    }

    /// <summary>Passes what it looked at, and somebody changes the dataset before the result is stored.</summary>
    private sealed class Overtaken(RegistryHost host, Digest sha256) : IEvidenceProducer
    {
        public EvidenceKind Kind => EvidenceKind.Privacy;

        public async Task<Produced> ProduceAsync(VersionView version, CancellationToken cancellationToken)
        {
            await ChangeAsync(host, sha256);
            return new Produced(EvidenceOutcome.Passed, "1", "pass", "Nothing found.");
        }
    }
}
