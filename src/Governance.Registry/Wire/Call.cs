using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Registry.Contracts;
using Governance.Registry.Storage;
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

    /// <summary>
    /// Commits a unit of change. With an upstream, what it changed is made there before this returns, or it is
    /// <c>upstream.pending</c>.
    /// </summary>
    public async Task<Result<JsonObject>> WriteAsync(Func<WriteSession, Task<Result<JsonObject>>> work)
    {
        IReadOnlyCollection<string> lanes = [];
        var written = await Ports.Writer.WriteAsync(
            async (session, token) =>
            {
                _unit = token;
                using var capture = Ports.Mirror.Capture(session);
                try
                {
                    var result = await work(session);
                    if (result.Ok && Along is not null)
                    {
                        await Along(session);
                    }

                    if (result.Ok && capture is not null)
                    {
                        await capture.WriteAsync(session, Made, token);
                        lanes = [.. capture.Lanes];
                    }

                    return result;
                }
                finally
                {
                    _unit = null;
                }
            },
            Token
        );
        // What was made upstream and written here is there: to make somebody ask again would make it twice.
        return written.Ok && Assigned is null && await Ports.Mirror.SettleAsync(lanes, Token) is { } failure
            ? failure
            : written;
    }

    /// <summary>The id that upstream gave to what this call makes; null without an upstream.</summary>
    public string? Assigned { get; set; }

    /// <summary>What else commits with the unit.</summary>
    public Func<WriteSession, Task>? Along { get; init; }

    /// <summary>Lane of what upstream made already.</summary>
    public string? Made { get; set; }

    /// <summary>
    /// Commits a unit that makes something which upstream gives its id: first what is to be made (<see cref="IntendAsync"/>
    /// ends the unit there), then upstream makes it, then the unit runs again with <see cref="Assigned"/>.
    /// </summary>
    public Task<Result<JsonObject>> CreateAsync(Func<WriteSession, Task<Result<JsonObject>>> work) =>
        Ports.Mirror.IsOn && Assigned is null ? Ports.Mirror.CreateAsync(this, work) : WriteAsync(work);

    /// <summary>Inside <see cref="CreateAsync"/>, after every check: null when the rows are to be written now.</summary>
    public async Task<Result<JsonObject>?> IntendAsync(WriteSession session, string kind, JsonObject body)
    {
        if (!Ports.Mirror.IsOn || Assigned is not null)
        {
            return null;
        }

        Intent = await Ports.Mirror.IntendAsync(session, Actor, kind, body, Token);
        return new JsonObject();
    }

    /// <summary>What is to be made upstream, and whether it may have been made before.</summary>
    public (UpstreamIntentRow? Row, bool Again) Intent { get; private set; }

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
    /// The answer that something is not there. To somebody who may not read whatever is asked for it is a refusal like any other:
    /// what is there and what is not cost the same work, and leave the same entry.
    /// </summary>
    public Failure Absent(Permission read, AccessTarget asked, Failure absent)
    {
        if (!Rights.Allows(read, asked))
        {
            // No name: nothing has it, so it could be anything.
            Refuse(read, asked with { Name = "" });
        }

        return absent;
    }

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
        return !moved.Ok ? moved.Failure
            : await Ports.Mirror.SettleAsync(move, Token) is { } pending ? pending
            : await answer(moved.Value);
    }
}
