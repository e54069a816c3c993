using Governance.Platform.Database;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;

namespace Governance.Registry.Upstream;

/// <summary>
/// Sees every row that a unit changes and keeps what has to be made upstream: no handler can forget it. The work rows commit
/// with the change.
/// </summary>
internal sealed class ChangeCapture : IDisposable
{
    private readonly GovernanceDb _db;
    private readonly Dictionary<string, Touched> _touched = new(StringComparer.Ordinal);
    private readonly HashSet<string> _lanes = new(StringComparer.Ordinal);
    private readonly List<MetricRow> _metrics = [];

    public ChangeCapture(GovernanceDb db)
    {
        _db = db;
        _db.SavingChanges += OnSaving;
    }

    /// <summary>Whatever the unit looked at or changed: an answer waits until nothing of it is pending.</summary>
    public IReadOnlyCollection<string> Lanes => _lanes;

    public void Dispose() => _db.SavingChanges -= OnSaving;

    /// <summary>Writes the work rows; <paramref name="made"/> names what was made upstream already.</summary>
    public async Task WriteAsync(WriteSession session, string? made, CancellationToken cancellationToken)
    {
        await _db.SaveChangesAsync(cancellationToken);
        NoteLanes();
        // Ids of metrics are known only now.
        foreach (var metrics in _metrics.GroupBy(row => row.RunId))
        {
            Touch(Upstream.Lanes.OfRun(metrics.Key))
                .Metrics.Add((metrics.Min(row => row.Id), metrics.Max(row => row.Id)));
        }

        foreach (var (lane, touched) in _touched.Where(pair => pair.Key != made && !pair.Value.IsEmpty))
        {
            _db.Add(Work(session, lane, touched));
        }
    }

    public static UpstreamWorkRow Work(WriteSession session, string lane, Touched touched)
    {
        var now = session.Now.ToUnixTimeMilliseconds();
        return new UpstreamWorkRow
        {
            Lane = lane,
            Touched = touched.ToJson(),
            DueMs = now,
            CreatedMs = now,
        };
    }

    private void OnSaving(object? sender, SavingChangesEventArgs saving)
    {
        foreach (var entry in _db.ChangeTracker.Entries())
        {
            if (entry.State is EntityState.Added or EntityState.Modified or EntityState.Deleted)
            {
                Note(entry);
            }
        }
    }

    private void Note(EntityEntry entry)
    {
        switch (entry.Entity)
        {
            case LabelRow label:
                NoteLabel(label);
                break;
            case MetricRow metric when entry.State == EntityState.Added:
                _metrics.Add(metric);
                break;
            case RunRow run when entry.State == EntityState.Modified:
                NoteLife(entry, Touch(Upstream.Lanes.OfRun(run.RunId)));
                break;
            case ExperimentRow experiment
                when Changed(entry, nameof(ExperimentRow.Name), nameof(ExperimentRow.Deleted)):
                NoteLife(entry, Touch(Upstream.Lanes.OfExperiment(experiment.Id)));
                break;
            case LoggedModelRow model
                when Changed(entry, nameof(LoggedModelRow.Status), nameof(LoggedModelRow.Deleted)):
                NoteLife(entry, Touch(Upstream.Lanes.OfLoggedModel(model.ModelId)));
                break;
            case InputRow input when entry.State == EntityState.Added:
                Touch(Upstream.Lanes.OfRun(input.RunId)).Inputs.Add(input.InputKey);
                break;
            case RunModelRow model when entry.State == EntityState.Added:
                Touch(Upstream.Lanes.OfRun(model.RunId)).Models.Add(model.ModelId);
                break;
            case ModelRow model when Changed(entry, nameof(ModelRow.Description)):
                Touch(Upstream.Lanes.OfModel(model.Id)).Info = true;
                break;
            case VersionRow version
                when Changed(
                    entry,
                    nameof(VersionRow.Description),
                    nameof(VersionRow.Stage),
                    nameof(VersionRow.Deleted)
                ):
                Touch(Upstream.Lanes.OfModel(version.ModelId)).Info = true;
                break;
            case ArtifactRow file when !file.Container.Contains("/traces/", StringComparison.Ordinal):
                Touch(Upstream.Lanes.OfArtifacts(file.Container)).Files.Add(file.Path);
                break;
            default:
                break;
        }
    }

    private void NoteLabel(LabelRow label)
    {
        switch (label.Scope)
        {
            case LabelScope.ExperimentTag:
                Touch(Upstream.Lanes.Experiment + label.ObjectId).Tags.Add(label.Key);
                break;
            case LabelScope.RunTag:
                Touch(Upstream.Lanes.OfRun(label.ObjectId)).Tags.Add(label.Key);
                break;
            case LabelScope.RunParam:
                Touch(Upstream.Lanes.OfRun(label.ObjectId)).Params.Add(label.Key);
                break;
            case LabelScope.LoggedModelTag:
                Touch(Upstream.Lanes.OfLoggedModel(label.ObjectId)).Tags.Add(label.Key);
                break;
            case LabelScope.LoggedModelParam:
                Touch(Upstream.Lanes.OfLoggedModel(label.ObjectId)).Params.Add(label.Key);
                break;
            case LabelScope.ModelTag or LabelScope.VersionTag:
                Touch(Upstream.Lanes.Model + label.ObjectId.Split('/')[0]).Info = true;
                break;
            default:
                // Traces stay here.
                break;
        }
    }

    // The change that a caller repeats changes nothing here, but its first making may still be on its way.
    private void NoteLanes()
    {
        foreach (var entry in _db.ChangeTracker.Entries())
        {
            var lane = entry.Entity switch
            {
                ExperimentRow row => Upstream.Lanes.OfExperiment(row.Id),
                RunRow row => Upstream.Lanes.OfRun(row.RunId),
                LoggedModelRow row => Upstream.Lanes.OfLoggedModel(row.ModelId),
                ModelRow row => Upstream.Lanes.OfModel(row.Id),
                VersionRow row => Upstream.Lanes.OfModel(row.ModelId),
                ArtifactRow row => Upstream.Lanes.OfArtifacts(row.Container),
                _ => null,
            };
            if (lane is not null)
            {
                _lanes.Add(lane);
            }
        }

        _lanes.UnionWith(_touched.Keys);
    }

    private static void NoteLife(EntityEntry entry, Touched touched)
    {
        touched.Info = true;
        touched.Life |= Changed(entry, nameof(RunRow.Deleted));
    }

    private static bool Changed(EntityEntry entry, params string[] properties) =>
        entry.State == EntityState.Modified && properties.Any(name => entry.Property(name).IsModified);

    private Touched Touch(string lane)
    {
        if (!_touched.TryGetValue(lane, out var touched))
        {
            _touched[lane] = touched = new Touched();
        }

        return touched;
    }
}
