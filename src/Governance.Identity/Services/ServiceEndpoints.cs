using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Identity.Services;

/// <summary>How a service proves itself. Which members go with which method, <see cref="RegistrationRules"/> says.</summary>
internal sealed record AuthenticationInput(
    string Method,
    JsonObject? Jwks = null,
    IReadOnlyList<string>? Certificates = null,
    string? DnsName = null
);

internal sealed record ServiceInput(
    string ClientId,
    IReadOnlyList<GrantInput> Grants,
    AuthenticationInput? Authentication = null,
    string? Binding = null
);

internal sealed record ServiceChangeInput(AuthenticationInput Authentication, string? Binding = null);

internal sealed record SecretInput(int OverlapHours = 24);

/// <summary>A new or changed service; its confirmations are what a second administrator has to confirm of it.</summary>
internal sealed record ServiceOutput(
    string Id,
    string ClientId,
    string? ClientSecret,
    IReadOnlyList<Guid> Confirmations
);

/// <summary>How a service is registered; secrets are never among it.</summary>
internal sealed record ServiceView(
    string Id,
    string ClientId,
    string Method,
    string Binding,
    JsonNode? Jwks,
    IReadOnlyList<string> Certificates,
    string? DnsName
);

/// <summary>Services and how they prove themselves: parse, authorise, call, map.</summary>
internal static class ServiceEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var services = routes
            .MapGroup("/api/v1")
            .WithTags("identity")
            .RequirePermission(Permissions.IdentityManage, everywhere: true);
        services.MapPost("/services", AddAsync);
        services.MapGet("/services/{id}", ShowAsync);
        services.MapPut("/services/{id}/authentication", ChangeAsync);
        services.MapPost("/services/{id}/secret", ReplaceSecretAsync);
    }

    private static async Task<IResult> AddAsync(
        HttpContext context,
        ServiceStore store,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, IdentityJson.Default.ServiceInput, cancellationToken);
        if (!input.Ok || SubjectEndpoints.Grants(input.Value.Grants) is not { } grants)
        {
            return (input.Failure ?? SubjectEndpoints.BadJson).ToProblem();
        }

        var (clientId, _, authentication, binding) = input.Value;
        var added = await store.AddAsync(
            context.GetActor(),
            clientId,
            authentication,
            binding,
            grants,
            cancellationToken
        );
        return Answer(context, added, StatusCodes.Status201Created);
    }

    private static async Task<IResult> ShowAsync(
        HttpContext context,
        string id,
        Administration administration,
        ServiceStore store,
        CancellationToken cancellationToken
    )
    {
        if (
            await administration.CheckReadAsync(context.GetActor(), Administration.Subject(id), cancellationToken) is
            { } refused
        )
        {
            return refused.ToProblem();
        }

        var found = await store.FindAsync(id, cancellationToken);
        return found.Ok ? Results.Json(found.Value, IdentityJson.Default.ServiceView) : found.Failure.ToProblem();
    }

    private static async Task<IResult> ChangeAsync(
        HttpContext context,
        string id,
        ServiceStore store,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(
            context,
            IdentityJson.Default.ServiceChangeInput,
            cancellationToken
        );
        if (!input.Ok)
        {
            return input.Failure.ToProblem();
        }

        var (authentication, binding) = input.Value;
        return Answer(
            context,
            await store.ChangeAsync(context.GetActor(), id, authentication, binding, cancellationToken),
            StatusCodes.Status200OK
        );
    }

    private static async Task<IResult> ReplaceSecretAsync(
        HttpContext context,
        string id,
        ServiceStore store,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, IdentityJson.Default.SecretInput, cancellationToken);
        return input.Ok
            ? Answer(
                context,
                await store.ReplaceSecretAsync(context.GetActor(), id, input.Value.OverlapHours, cancellationToken),
                StatusCodes.Status200OK
            )
            : input.Failure.ToProblem();
    }

    // The one time that a secret is seen.
    private static IResult Answer(HttpContext context, Result<ServiceOutput> result, int status)
    {
        context.Response.Headers.CacheControl = "no-store";
        return result.Ok
            ? Results.Json(result.Value, IdentityJson.Default.ServiceOutput, statusCode: status)
            : context.Refuse(result.Failure);
    }
}
