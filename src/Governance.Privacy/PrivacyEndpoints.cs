using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Privacy.Contracts;
using Governance.Privacy.Storage;
using Governance.Privacy.UploadDataset;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Governance.Privacy;

/// <summary>The routes under <c>/api/v1/datasets</c>.</summary>
internal static class PrivacyEndpoints
{
    private const int MaxBody = 1 << 20;

    public static async Task<IResult> UploadAsync(
        string name,
        HttpContext context,
        DatasetAccess access,
        Datasets datasets,
        PrivacyOptions options,
        CancellationToken cancellationToken,
        string format = "csv"
    )
    {
        // Our own limit counts while streaming; the server's default of 30 MB would cut in before it.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = options.MaxDatasetBytes + 1;
        }

        var result = await datasets.UploadAsync(
            context.GetActor(),
            name,
            format,
            context.Request.Body,
            cancellationToken
        );
        return await AnswerAsync(context, access, result, StatusCodes.Status201Created);
    }

    public static async Task<IResult> GetAsync(
        string sha256,
        HttpContext context,
        DatasetAccess access,
        Datasets datasets,
        CancellationToken cancellationToken
    )
    {
        var found = await FindAsync(sha256, context, access, Permissions.DatasetRead, "read", cancellationToken);
        return found.Ok
            ? await AnswerAsync(
                context,
                access,
                await datasets.ViewAsync(found.Value.Id, cancellationToken),
                StatusCodes.Status200OK
            )
            : found.Failure.ToProblem();
    }

    /// <summary>Raw bytes: an entry is committed before the first one, another says how the reading ended.</summary>
    public static async Task<IResult> ContentAsync(
        string sha256,
        HttpContext context,
        DatasetAccess access,
        DatasetVault vault,
        IWriter writer,
        CancellationToken cancellationToken
    )
    {
        var found = await FindAsync(sha256, context, access, Permissions.DatasetReadRaw, "read-raw", cancellationToken);
        if (!found.Ok)
        {
            return found.Failure.ToProblem();
        }

        if (found.Value.WrappedKey is not { } key)
        {
            return Failure.NotFound("privacy.bytes_removed", "The bytes were removed after the scan.").ToProblem();
        }

        var subject = Urn.Dataset(Digest.Parse(found.Value.Sha256));
        await writer.LogAsync(
            new LogEntry("privacy.raw_read", context.GetActor(), subject, LogOutcome.Begun),
            cancellationToken
        );
        // Spreadsheets and browsers must not interpret the bytes; they are sent as they are.
        context.Response.Headers.XContentTypeOptions = "nosniff";
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Stream(
            output => SendAsync(vault, found.Value.FileId, key, output, writer, context.GetActor(), subject, context),
            "text/csv",
            $"{sha256}.csv"
        );
    }

    public static async Task<IResult> DeclareAsync(
        string sha256,
        HttpContext context,
        DatasetAccess access,
        Datasets datasets,
        CancellationToken cancellationToken
    )
    {
        var body = await ReadAsync(context, PrivacyJson.Default.DeclareBody, cancellationToken);
        if (!body.Ok)
        {
            return body.Failure.ToProblem();
        }

        if (body.Value.HasNulls)
        {
            return BadBody.ToProblem();
        }

        if (!Digest.TryParse(sha256, out var digest))
        {
            return Refusals.NotFound.ToProblem();
        }

        var declaration = new DatasetDeclaration
        {
            Columns = body.Value.Columns ?? new Dictionary<string, string>(),
            QuasiIdentifiers = body.Value.QuasiIdentifiers,
            SensitiveColumns = body.Value.SensitiveColumns,
            LeastK = body.Value.LeastK,
            LegalBasis = body.Value.LegalBasis,
            Purpose = body.Value.Purpose,
        };
        return await AnswerAsync(
            context,
            access,
            await datasets.DeclareAsync(context.GetActor(), digest, declaration, cancellationToken),
            StatusCodes.Status200OK
        );
    }

    public static async Task<IResult> AnonymiseAsync(
        string sha256,
        HttpContext context,
        DatasetAccess access,
        Datasets datasets,
        CancellationToken cancellationToken
    )
    {
        var body = await ReadAsync(context, PrivacyJson.Default.AnonymiseBody, cancellationToken);
        if (!body.Ok)
        {
            return body.Failure.ToProblem();
        }

        if (body.Value.HasNulls)
        {
            return BadBody.ToProblem();
        }

        if (!Digest.TryParse(sha256, out var digest))
        {
            return Refusals.NotFound.ToProblem();
        }

        return await AnswerAsync(
            context,
            access,
            await datasets.AnonymiseAsync(
                context.GetActor(),
                digest,
                body.Value.Name,
                body.Value.Treatments,
                cancellationToken
            ),
            StatusCodes.Status201Created
        );
    }

    private static async Task SendAsync(
        DatasetVault vault,
        Guid file,
        byte[] key,
        Stream output,
        IWriter writer,
        Actor actor,
        string subject,
        HttpContext context
    )
    {
        var sent = false;
        try
        {
            await using var content = vault.Open(file, key);
            await content.CopyToAsync(output, context.RequestAborted);
            sent = true;
        }
        finally
        {
            // Also when the reader has gone away: how far it came is part of what happened.
            await writer.LogAsync(
                new LogEntry("privacy.raw_read", actor, subject, LogOutcome.Done)
                {
                    Details = new JsonObject { ["complete"] = sent },
                },
                CancellationToken.None
            );
        }
    }

    private static async Task<Result<DatasetRow>> FindAsync(
        string sha256,
        HttpContext context,
        DatasetAccess access,
        Permission permission,
        string action,
        CancellationToken cancellationToken
    ) =>
        Digest.TryParse(sha256, out var digest)
            ? await access.FindAsync(context.GetActor(), digest, permission, action, cancellationToken)
            : Refusals.NotFound;

    private static async Task<Result<T>> ReadAsync<T>(
        HttpContext context,
        JsonTypeInfo<T> type,
        CancellationToken cancellationToken
    )
        where T : class
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = MaxBody;
        }

        try
        {
            var body = await JsonSerializer.DeserializeAsync(context.Request.Body, type, cancellationToken);
            return body is null ? BadBody : body;
        }
        catch (Exception error) when (error is JsonException or BadHttpRequestException)
        {
            return BadBody;
        }
    }

    private static readonly Failure BadBody = Failure.Invalid(
        "privacy.bad_body",
        "The body is not the JSON that is expected: unknown, missing or duplicate members, or over 1 MiB."
    );

    private static async Task<IResult> AnswerAsync(
        HttpContext context,
        DatasetAccess access,
        Result<DatasetView> result,
        int status
    ) =>
        result.Ok
            ? TypedResults.Json(
                DatasetDocument.Of(result.Value, await access.BeginFindingReadAsync(context, result.Value)),
                PrivacyJson.Default.DatasetDocument,
                statusCode: status
            )
            : result.Failure.ToProblem();
}
