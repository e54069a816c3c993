using Governance.Kernel;

namespace Governance.Registry.Engine;

/// <summary>What a webhook may be told of: an entity of MLflow and what happened to it.</summary>
/// <param name="Entity">Upper-case name, e.g. <c>MODEL_VERSION</c>.</param>
/// <param name="Action">Upper-case name, e.g. <c>CREATED</c>.</param>
internal sealed record WebhookEvent(string Entity, string Action)
{
    /// <summary>MLflow 3.5's events, and the change of a stage, which MLflow lacks.</summary>
    public static readonly IReadOnlyList<WebhookEvent> All =
    [
        new("REGISTERED_MODEL", "CREATED"),
        new("MODEL_VERSION", "CREATED"),
        new("MODEL_VERSION_TAG", "SET"),
        new("MODEL_VERSION_TAG", "DELETED"),
        new("MODEL_VERSION_ALIAS", "CREATED"),
        new("MODEL_VERSION_ALIAS", "DELETED"),
        new("MODEL_VERSION_STAGE", "UPDATED"),
        new("PROMPT", "CREATED"),
        new("PROMPT_VERSION", "CREATED"),
        new("PROMPT_TAG", "SET"),
        new("PROMPT_TAG", "DELETED"),
        new("PROMPT_VERSION_TAG", "SET"),
        new("PROMPT_VERSION_TAG", "DELETED"),
        new("PROMPT_ALIAS", "CREATED"),
        new("PROMPT_ALIAS", "DELETED"),
    ];

    public static readonly WebhookEvent ModelCreated = new("REGISTERED_MODEL", "CREATED");
    public static readonly WebhookEvent VersionCreated = new("MODEL_VERSION", "CREATED");
    public static readonly WebhookEvent ModelTagSet = new("REGISTERED_MODEL_TAG", "SET");
    public static readonly WebhookEvent ModelTagDeleted = new("REGISTERED_MODEL_TAG", "DELETED");
    public static readonly WebhookEvent VersionTagSet = new("MODEL_VERSION_TAG", "SET");
    public static readonly WebhookEvent VersionTagDeleted = new("MODEL_VERSION_TAG", "DELETED");
    public static readonly WebhookEvent AliasCreated = new("MODEL_VERSION_ALIAS", "CREATED");
    public static readonly WebhookEvent AliasDeleted = new("MODEL_VERSION_ALIAS", "DELETED");
    public static readonly WebhookEvent StageUpdated = new("MODEL_VERSION_STAGE", "UPDATED");

    public static readonly Failure OnlyOwn = Failure.Invalid(
        "registry.bad_webhook_event",
        "Ask for an event of MLflow as well, such as MODEL_VERSION CREATED: MLflow's clients cannot list a webhook whose only "
            + "event is MODEL_VERSION_STAGE UPDATED. Receivers tell them apart by 'entity'."
    );

    /// <summary>Whether MLflow's clients do not know it.</summary>
    public bool IsOwn => this == StageUpdated;

    /// <summary>The same event of a prompt, which MLflow keeps as a registered model but tells of under names of its own.</summary>
    public WebhookEvent OfPrompt() =>
        Entity switch
        {
            "REGISTERED_MODEL" => this with { Entity = "PROMPT" },
            "REGISTERED_MODEL_TAG" => this with { Entity = "PROMPT_TAG" },
            "MODEL_VERSION" => this with { Entity = "PROMPT_VERSION" },
            "MODEL_VERSION_TAG" => this with { Entity = "PROMPT_VERSION_TAG" },
            "MODEL_VERSION_ALIAS" => this with { Entity = "PROMPT_ALIAS" },
            _ => this,
        };

    /// <summary>One word, as stored.</summary>
    public string Key => $"{Entity}.{Action}";

    public static Result<WebhookEvent> Read(string entity, string action)
    {
        var asked = new WebhookEvent(entity, action);
        return All.Contains(asked)
            ? asked
            : Failure.Invalid(
                "registry.bad_webhook_event",
                $"There is no event {RegistryNames.Quote(entity)} {RegistryNames.Quote(action)}. Events are "
                    + $"{string.Join(", ", All.Select(known => $"{known.Entity} {known.Action}"))}."
            );
    }
}
