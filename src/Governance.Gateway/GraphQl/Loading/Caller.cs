using System.Text.Json.Nodes;
using Governance.Gateway.GraphQl.Guard;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.GraphQl.Loading;

/// <summary>Who asks, and what they may do; one per request.</summary>
internal sealed class Caller(IAccess access, IStepUp stepUp, IWriter writer)
{
    private Rights? _rights;

    public Actor Actor => Rights.Actor;

    public Rights Rights => _rights ?? throw new InvalidOperationException("The caller is not known yet.");

    /// <summary>Whether the answer leaves at an even time, though nothing in it is missing.</summary>
    public bool IsHeld { get; set; }

    public static Caller Of(IServiceProvider services) => services.GetRequiredService<Caller>();

    public async Task IdentifyAsync(Actor actor, CancellationToken cancellationToken) =>
        _rights = await access.RightsOfAsync(actor, cancellationToken);

    public bool May(Permission permission, AccessTarget target) => Rights.Allows(permission, target);

    /// <summary>Whether the token is as bound as the permission asks; see <see cref="IStepUp"/>.</summary>
    public Failure? CheckBinding(string permission) => stepUp.CheckBinding(Actor, new Permission(permission));

    /// <summary>Whether the sign-in is as recent as changes under the permission ask; see <see cref="IStepUp"/>.</summary>
    public Failure? CheckSignIn(string permission) => stepUp.Check(Actor, new Permission(permission));

    /// <summary>For what belongs to no object: refuses a caller whose permission is granted on a pattern only.</summary>
    public async Task DemandGloballyAsync(Permission permission, CancellationToken cancellationToken)
    {
        if (!May(permission, AccessTarget.Global))
        {
            await LogRefusalAsync([permission.Name], cancellationToken);
            throw new FieldFailure(
                Failure.Denied("PERMISSION_DENIED", $"You lack {permission} on everything, which this needs.")
            );
        }
    }

    public Task LogRefusalAsync(Failure failure, CancellationToken cancellationToken) =>
        writer.LogAsync(
            new LogEntry("graphql.refused", Actor, "", LogOutcome.Refused)
            {
                Details = new JsonObject { ["code"] = failure.Code },
            },
            cancellationToken
        );

    public Task LogRefusalAsync(IEnumerable<string> missing, CancellationToken cancellationToken) =>
        writer.LogAsync(
            new LogEntry("graphql.refused", Actor, "", LogOutcome.Refused)
            {
                Details = new JsonObject { ["missing"] = new JsonArray([.. missing.Select(name => (JsonNode)name)]) },
            },
            cancellationToken
        );

    /// <summary>Commits that something sensitive was read; called before the data is returned.</summary>
    public Task LogReadAsync(string kind, string subject, JsonObject details, CancellationToken cancellationToken) =>
        writer.LogAsync(new LogEntry(kind, Actor, subject, LogOutcome.Done) { Details = details }, cancellationToken);

    /// <summary>As above for many subjects in one transaction.</summary>
    public async Task LogReadsAsync(string kind, IEnumerable<string> subjects, CancellationToken cancellationToken)
    {
        var committed = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                foreach (var subject in subjects)
                {
                    await session.LogAsync(new LogEntry(kind, Actor, subject, LogOutcome.Done), token);
                }

                return default(Unit);
            },
            cancellationToken
        );
        if (!committed.Ok)
        {
            throw new FieldFailure(committed.Failure);
        }
    }
}
