using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Registry.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Wire;

/// <summary>One request: who asks, with which rights and arguments, and what it may use.</summary>
internal sealed class Call(RegistryPorts ports, Rights rights, Args args, CancellationToken cancellationToken)
{
    private CancellationToken? _unit;

    public RegistryPorts Ports { get; } = ports;

    public Actor Actor => Rights.Actor;

    public Rights Rights { get; } = rights;

    public Args Args { get; } = args;

    /// <summary>The id in the path, or empty.</summary>
    public string RouteId { get; init; } = "";

    /// <summary>The tag key in the path, or empty.</summary>
    public string RouteKey { get; init; } = "";

    /// <summary>Cancels with the request; inside a unit of change also with the unit's time limit.</summary>
    public CancellationToken Token => _unit ?? cancellationToken;

    /// <summary>The permission that was missing, if one was; the dispatcher then logs the refusal even when it answers 404.</summary>
    public (Permission Permission, AccessTarget Target)? Refused { get; private set; }

    public async Task<GovernanceDb> OpenAsync() => await Ports.Databases.CreateDbContextAsync(Token);

    public Task<Result<JsonObject>> WriteAsync(Func<WriteSession, Task<Result<JsonObject>>> work) =>
        Ports.Writer.WriteAsync(
            async (session, token) =>
            {
                _unit = token;
                try
                {
                    return await work(session);
                }
                finally
                {
                    _unit = null;
                }
            },
            Token
        );

    /// <summary>Whether the caller may; remembers a refusal.</summary>
    public bool May(Permission permission, AccessTarget target)
    {
        if (Rights.Allows(permission, target))
        {
            return true;
        }

        Refuse(permission, target);
        return false;
    }

    /// <summary>Remembers a refusal that something other than a role decided.</summary>
    public void Refuse(Permission permission, AccessTarget target) => Refused = (permission, target);

    /// <summary>
    /// Null when the caller may read and, if asked, do <paramref name="permission"/>. Otherwise the answer: as absent when it
    /// may not even read, else 403.
    /// </summary>
    public Failure? Check(bool readable, Permission permission, AccessTarget target, Failure absent)
    {
        if (May(permission, target))
        {
            return readable ? null : absent;
        }

        return readable
            ? Failure.Denied("registry.denied", $"Permission {permission} on '{target.Name}' is needed.")
            : absent;
    }

    public Task<Guid> LogAsync(WriteSession session, string kind, string subject, JsonObject? details = null) =>
        session.LogAsync(new LogEntry(kind, Actor, subject, LogOutcome.Done) { Details = details ?? [] }, Token);

    public async Task<Result<JsonObject>> MoveAsync(Move move, Func<MoveOutcome, Task<Result<JsonObject>>> answer)
    {
        var moved = await Ports.Gate.MoveAsync(Actor, move, Token);
        return moved.Ok ? await answer(moved.Value) : moved.Failure;
    }
}
