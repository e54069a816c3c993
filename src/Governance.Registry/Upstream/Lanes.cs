using System.Globalization;
using Governance.Registry.Storage;

namespace Governance.Registry.Upstream;

/// <summary>Names of what is changed upstream one change after another.</summary>
internal static class Lanes
{
    public const string Experiment = "experiment:";
    public const string Run = "run:";
    public const string LoggedModel = "logged-model:";
    public const string Model = "model:";
    public const string Artifacts = "artifacts:";

    public static string OfExperiment(long id) => string.Create(CultureInfo.InvariantCulture, $"{Experiment}{id}");

    public static string OfRun(string id) => Run + id;

    public static string OfLoggedModel(string id) => LoggedModel + id;

    public static string OfModel(Guid id) => Model + LabelIds.Model(id);

    public static string OfArtifacts(string container) => Artifacts + container;
}
