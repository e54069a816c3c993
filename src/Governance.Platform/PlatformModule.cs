using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Governance.Platform.Outbound;
using Governance.Platform.Web;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Governance.Platform;

/// <summary>Wires the platform: database, writer, blobs, jobs, key wrap. The host provides <see cref="PlatformOptions"/>.</summary>
public static class PlatformModule
{
    /// <summary>Adds the platform's services. The ports for log and graph are added by their modules.</summary>
    public static IServiceCollection AddPlatform(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<JobOptions>();
        services.TryAddSingleton<DatabaseOptions>();
        services.TryAddSingleton<Leases>();
        services.TryAddSingleton<RefusalFold>();
        services.TryAddSingleton<AddressNames>();
        services.TryAddSingleton<IHostAddresses, SystemHostAddresses>();
        services.AddHostedService<RefusalSummaries>();
        services.TryAddSingleton<SqliteConnections>();
        services.TryAddSingleton<SqliteContexts>();
        services.TryAddSingleton<SqliteWriter>();
        services.TryAddSingleton<PostgresConnections>();
        services.TryAddSingleton<PostgresWriter>();
        services.TryAddSingleton(Choose<IDbContextFactory<GovernanceDb>, SqliteContexts, PostgresConnections>);
        services.TryAddSingleton(Choose<IWriter, SqliteWriter, PostgresWriter>);
        services.TryAddSingleton<BlobOptions>();
        services.TryAddSingleton<S3Options>();
        services.TryAddSingleton<IBlobFiles>(provider =>
            provider.GetRequiredService<S3Options>() is { Endpoint.Length: > 0 } remote
                ? new S3BlobFiles(remote)
                : ActivatorUtilities.CreateInstance<DiskBlobFiles>(provider)
        );
        services.TryAddSingleton<IBlobStore, BlobStore>();
        services.TryAddSingleton<IKeyWrap, FileKeyWrap>();
        services.TryAddSingleton<SubjectKeyOptions>();
        services.TryAddSingleton<ISubjectKeyStore>(provider =>
            provider.GetRequiredService<SubjectKeyOptions>().IsPostgreSql
                ? ActivatorUtilities.CreateInstance<PostgresSubjectKeys>(provider)
                : ActivatorUtilities.CreateInstance<DirectorySubjectKeys>(provider)
        );
        services.TryAddSingleton<SubjectKeyHome>();
        services.TryAddSingleton<SubjectKeys>();
        services.AddHostedService<SubjectKeyWatch>();
        services.TryAddSingleton<KeyOptions>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IKeyProvider, Pkcs11Keys>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IKeyProvider, AwsKmsKeys>());
        services.TryAddSingleton<PrivateKeys>();
        services.TryAddSingleton<KeyRing>();
        services.AddHostedService<KeyWatch>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, PlatformModel>());
        services.TryAddSingleton<MonthPartitions>();
        services.AddHostedService(provider => provider.GetRequiredService<MonthPartitions>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IJobHandler, BlobCollector>());
        services.AddHostedService<JobWorker>();
        services.AddHostedService<CollectionSchedule>();
        services.TryAddScoped(provider =>
            provider.GetRequiredService<IDbContextFactory<GovernanceDb>>().CreateDbContext()
        );
        return services;
    }

    private static T Choose<T, TSqlite, TPostgres>(IServiceProvider provider)
        where T : class
        where TSqlite : T
        where TPostgres : T =>
        provider.GetRequiredService<DatabaseOptions>().IsPostgreSql
            ? provider.GetRequiredService<TPostgres>()
            : provider.GetRequiredService<TSqlite>();
}

/// <summary>The platform's own tables.</summary>
internal sealed class PlatformModel : IModelContribution
{
    public void Configure(ModelBuilder model)
    {
        model.Entity<JobRow>(job =>
        {
            job.ToTable("platform_job");
            job.HasKey(row => row.Id);
            job.Property(row => row.Kind).HasMaxLength(100);
            job.Property(row => row.Key).HasMaxLength(400);
            job.HasIndex(row => new { row.State, row.DueAt });
            job.HasIndex(row => new { row.Kind, row.Key });
            job.HasIndex(row => row.Key);
            job.HasIndex(row => new { row.Kind, row.Key }, "IX_platform_job_running")
                .IsUnique()
                .HasFilter("\"State\" = 1");
        });
        model.Entity<KeyRow>(key =>
        {
            key.ToTable("platform_key");
            key.HasKey(row => new { row.Name, row.Number });
            key.Property(row => row.Name).HasMaxLength(64);
            key.Property(row => row.Number).ValueGeneratedNever();
            key.Property(row => row.File).HasMaxLength(128);
        });
        model.Entity<LeaseRow>(lease =>
        {
            lease.ToTable("platform_lease");
            lease.HasKey(row => row.Name);
        });
        model.Entity<BlobRow>(blob =>
        {
            blob.ToTable("platform_blob");
            blob.HasKey(row => row.Digest);
            blob.HasIndex(row => new { row.State, row.ChangedAt });
        });
    }
}
