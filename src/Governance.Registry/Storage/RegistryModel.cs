using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Storage;

internal sealed class RegistryModel : IModelContribution
{
    public const long DefaultExperimentId = 0;

    public void Configure(ModelBuilder model)
    {
        model.Entity<ExperimentRow>(e =>
        {
            e.ToTable("registry_experiments").HasKey(row => row.Id);
            e.Property(row => row.Id).ValueGeneratedNever();
            e.HasIndex(row => row.Name).IsUnique();
            e.HasData(new ExperimentRow { Id = DefaultExperimentId, Name = "Default" });
        });
        model.Entity<RunRow>(e =>
        {
            e.ToTable("registry_runs").HasKey(row => row.RunId);
            e.HasIndex(row => new { row.ExperimentId, row.StartMs });
        });
        model.Entity<LoggedModelRow>(e =>
        {
            e.ToTable("registry_logged_models").HasKey(row => row.ModelId);
            e.HasIndex(row => new { row.ExperimentId, row.CreatedMs });
        });
        model.Entity<LabelRow>(e =>
        {
            e.ToTable("registry_labels")
                .HasKey(row => new
                {
                    row.Scope,
                    row.ObjectId,
                    row.Key,
                });
            e.HasIndex(row => new
            {
                row.Scope,
                row.Key,
                row.ObjectId,
            });
        });
        model.Entity<MetricRow>(e =>
        {
            e.ToTable("registry_metrics").HasKey(row => row.Id);
            e.HasIndex(row => new
            {
                row.RunId,
                row.Key,
                row.TimestampMs,
            });
            e.HasIndex(row => row.LoggedModelId);
        });
        model.Entity<LatestMetricRow>(e =>
            e.ToTable("registry_latest_metrics").HasKey(row => new { row.RunId, row.Key })
        );
        model.Entity<InputRow>(e =>
        {
            e.ToTable("registry_inputs").HasKey(row => new { row.RunId, row.InputKey });
            e.HasIndex(row => row.DatasetSha256);
        });
        model.Entity<RunModelRow>(e =>
        {
            e.ToTable("registry_run_models")
                .HasKey(row => new
                {
                    row.RunId,
                    row.ModelId,
                    row.IsOutput,
                });
            e.HasIndex(row => row.ModelId);
        });
        ConfigureModels(model);
        ConfigureUpstream(model);
        model.Entity<WebhookRow>(e => e.ToTable("registry_webhooks").HasKey(row => row.Id));
        model.Entity<WebhookDeliveryRow>(e =>
        {
            e.ToTable("registry_webhook_deliveries").HasKey(row => row.Id);
            // Counting, summing and choosing the next one read the index alone: bodies are large.
            e.HasIndex(row => new
            {
                row.WebhookId,
                row.Id,
                row.Size,
            });
        });
        model.Entity<TraceRow>(e =>
        {
            e.ToTable("registry_traces").HasKey(row => row.TraceId);
            e.HasIndex(row => new { row.ExperimentId, row.TimestampMs });
            e.HasIndex(row => new { row.ExperimentId, row.CreatedMs });
        });
        ConfigureImports(model);
        model.Entity<AssessmentRow>(e =>
        {
            e.ToTable("registry_assessments").HasKey(row => row.Id);
            e.HasIndex(row => row.TraceId);
        });
        model.Entity<ArtifactRow>(e =>
        {
            e.ToTable("registry_artifacts").HasKey(row => new { row.Container, row.Path });
            e.HasIndex(row => row.Digest);
        });
    }

    private static void ConfigureImports(ModelBuilder model)
    {
        model.Entity<ImportRow>(e =>
        {
            e.ToTable("registry_imports").HasKey(row => row.Id);
            e.Property(row => row.State).HasConversion<string>();
            e.Property(row => row.Phase).HasConversion<string>();
            e.Property(row => row.StartedByKind).HasConversion<string>();
        });
        model.Entity<ImportCountRow>(e =>
            e.ToTable("registry_import_counts").HasKey(row => new { row.ImportId, row.Kind })
        );
        model.Entity<ImportedRow>(e =>
        {
            e.ToTable("registry_imported")
                .HasKey(row => new
                {
                    row.Source,
                    row.Kind,
                    row.RemoteId,
                });
            e.HasIndex(row => new { row.ImportId, row.Kind });
            e.HasIndex(row => new { row.Kind, row.LocalId });
        });
        model.Entity<ImportFailureRow>(e =>
            e.ToTable("registry_import_failures")
                .HasKey(row => new
                {
                    row.ImportId,
                    row.Kind,
                    row.RemoteId,
                })
        );
    }

    private static void ConfigureUpstream(ModelBuilder model)
    {
        model.Entity<UpstreamWorkRow>(e =>
        {
            e.ToTable("registry_upstream_work").HasKey(row => row.Id);
            e.HasIndex(row => row.Lane);
            e.HasIndex(row => row.DueMs);
        });
        model.Entity<UpstreamIntentRow>(e =>
        {
            e.ToTable("registry_upstream_intents").HasKey(row => row.Id);
            e.HasIndex(row => row.RequestKey);
        });
        model.Entity<UpstreamDriftRow>(e =>
        {
            e.ToTable("registry_upstream_drift").HasKey(row => row.Id);
            e.HasIndex(row => new
                {
                    row.Model,
                    row.Version,
                    row.Kind,
                    row.Key,
                })
                .IsUnique();
        });
        model.Entity<UpstreamAdoptedRow>(e => e.ToTable("registry_upstream_adopted").HasKey(row => row.Container));
        model.Entity<UpstreamProgressRow>(e => e.ToTable("registry_upstream_progress").HasKey(row => row.Name));
    }

    private static void ConfigureModels(ModelBuilder model)
    {
        model.Entity<ModelRow>(e =>
        {
            e.ToTable("registry_models").HasKey(row => row.Id);
            e.HasIndex(row => new { row.Name, row.Deleted });
        });
        model.Entity<ModelNameRow>(e =>
        {
            e.ToTable("registry_model_names").HasKey(row => row.Name);
            e.HasIndex(row => row.FoldedName);
        });
        model.Entity<VersionRow>(e =>
        {
            e.ToTable("registry_versions").HasKey(row => new { row.ModelId, row.Number });
            e.Property(row => row.Status).HasConversion<string>();
            e.Property(row => row.Revision).IsConcurrencyToken();
            e.HasIndex(row => row.Container);
            e.HasIndex(row => new { row.ModelId, row.Stage });
            e.HasIndex(row => row.RunId);
            e.HasIndex(row => row.ManifestDigest);
            e.HasIndex(row => row.UpdatedMs);
            e.HasIndex(row => row.ObjectId).IsUnique();
        });
        model.Entity<AliasRow>(e =>
        {
            e.ToTable("registry_aliases").HasKey(row => new { row.ModelId, row.Alias });
            e.HasIndex(row => new { row.ModelId, row.Number });
        });
        model.Entity<ManifestFileRow>(e =>
        {
            e.ToTable("registry_manifest_files").HasKey(row => new { row.ManifestDigest, row.Path });
            e.HasIndex(row => row.Digest);
        });
    }
}
