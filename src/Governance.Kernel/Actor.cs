namespace Governance.Kernel;

/// <summary>Who acts.</summary>
public enum ActorKind
{
    /// <summary>Nobody is signed in.</summary>
    Anonymous,

    /// <summary>An enrolled person whose token was proven interactive.</summary>
    Person,

    /// <summary>A service account, an unlinked login, or a token not proven interactive.</summary>
    Service,

    /// <summary>The gateway itself: durable jobs, sequencer, start-up.</summary>
    System,
}

/// <summary>The authenticated originator of a request. Holds no roles: the database decides on each request.</summary>
/// <param name="Kind">What the actor is.</param>
/// <param name="Id">Random pseudonym, stable per subject; safe in log entries and signatures.</param>
public sealed record Actor(ActorKind Kind, string Id)
{
    /// <summary>The gateway itself.</summary>
    public static readonly Actor System = new(ActorKind.System, "system");

    /// <summary>Nobody.</summary>
    public static readonly Actor Anonymous = new(ActorKind.Anonymous, "anonymous");

    /// <summary>When the person last proved who they are (OpenID Connect <c>auth_time</c>); null for services.</summary>
    public DateTimeOffset? AuthenticatedAt { get; init; }

    /// <summary>Whether the request proved the key or certificate that its token is bound to (RFC 9449, RFC 8705).</summary>
    public bool SenderConstrained { get; init; }

    /// <summary>Whether that took more than one factor; false for services.</summary>
    public bool MultiFactor { get; init; }

    /// <summary>Whether this is an enrolled person, who alone can approve.</summary>
    public bool IsPerson => Kind == ActorKind.Person;
}
