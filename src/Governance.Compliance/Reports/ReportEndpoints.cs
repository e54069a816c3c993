using System.Text.Json;
using System.Text.Json.Serialization;
using Governance.Compliance.Contracts;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Governance.Compliance.Reports;

/// <summary>Body of <c>POST /api/v1/reports</c>.</summary>
internal sealed record CreateReportRequest(string Regulation, string Model, int Version);

/// <summary>A report in a list or after its creation.</summary>
internal sealed record ReportSummary(
    Guid Id,
    string Regulation,
    string Model,
    int Version,
    DateTimeOffset CreatedAt,
    string CreatedBy
)
{
    public static ReportSummary Of(ReportView view) =>
        new(view.Id, view.Regulation, view.Version.Model, view.Version.Version, view.CreatedAt, view.CreatedBy);
}

/// <summary>One page of reports.</summary>
internal sealed record ReportPage(IReadOnlyList<ReportSummary> Reports, string? NextToken);

/// <summary>Our own API: strict.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 8
)]
[JsonSerializable(typeof(CreateReportRequest))]
[JsonSerializable(typeof(ReportSummary))]
[JsonSerializable(typeof(ReportPage))]
internal sealed partial class ReportJsonContext : JsonSerializerContext;

/// <summary>The HTTP surface of reports.</summary>
internal static class ReportEndpoints
{
    private const int MaxBodyBytes = 8 << 10;

    public static async Task<Results<JsonHttpResult<ReportSummary>, ProblemHttpResult>> CreateAsync(
        HttpContext context,
        IReports reports
    )
    {
        var request = await BodyAsync(context);
        if (!request.Ok)
        {
            return request.Failure.ToProblem();
        }

        var (regulation, model, version) = request.Value;
        var created = await reports.CreateAsync(
            context.GetActor(),
            regulation,
            new ModelVersionRef(model, version),
            context.RequestAborted
        );
        return created.Ok
            ? TypedResults.Json(ReportSummary.Of(created.Value), ReportJsonContext.Default.ReportSummary)
            : created.Failure.ToProblem();
    }

    public static async Task<Results<JsonHttpResult<ReportPage>, ProblemHttpResult>> ListAsync(
        HttpContext context,
        ReportReader reader,
        string? model,
        string? after,
        string? first
    )
    {
        if (!int.TryParse(first ?? "50", out var count))
        {
            return Failure.Invalid("compliance.bad_page", "The size of a page is a number.").ToProblem();
        }

        var page = await reader.ListAsync(context.GetActor(), model, count, after, context.RequestAborted);
        return page.Ok
            ? TypedResults.Json(
                new ReportPage([.. page.Value.Items.Select(ReportSummary.Of)], page.Value.NextToken),
                ReportJsonContext.Default.ReportPage
            )
            : page.Failure.ToProblem();
    }

    public static async Task<IResult> ReadAsync(HttpContext context, ReportReader reader, string id, string? format)
    {
        if (FormOf(format, context.Request.Headers.Accept) is not { } form)
        {
            return Failure
                .Invalid("compliance.unknown_format", "A report is exported as json, csv, pdf or bundle.")
                .ToProblem();
        }

        // A text that is no id names nothing; it is refused and logged like an id that names nothing.
        var reportId = Guid.TryParse(id, out var known) ? known : Guid.Empty;
        var actor = context.GetActor();
        var opened = await reader.OpenAsync(actor, reportId, form, context.RequestAborted);
        if (!opened.Ok)
        {
            return opened.Failure.ToProblem();
        }

        await using var content = opened.Value.Content;
        context.Response.ContentType = opened.Value.MediaType;
        context.Response.Headers.ContentDisposition = $"attachment; filename=\"{opened.Value.Name}\"";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        await content.CopyToAsync(context.Response.Body, context.RequestAborted);
        await reader.SentAsync(actor, reportId, form, CancellationToken.None);
        return TypedResults.Empty;
    }

    private static async Task<Result<CreateReportRequest>> BodyAsync(HttpContext context)
    {
        if (await context.ReadAtMostAsync(MaxBodyBytes) is not { } body)
        {
            return new Failure(FailureKind.TooLarge, "compliance.request_too_large", "The request is over 8 KiB.");
        }

        try
        {
            var request = JsonSerializer.Deserialize(body.Span, ReportJsonContext.Default.CreateReportRequest);
            return request is { Model.Length: > 0 and <= 512, Version: > 0 }
                ? request
                : Failure.Invalid(
                    "compliance.bad_request",
                    "A model of 1 to 512 characters and a version from 1 are needed."
                );
        }
        catch (JsonException)
        {
            return Failure.Invalid(
                "compliance.bad_request",
                "The body is JSON with exactly regulation, model and version."
            );
        }
    }

    private static ReportForm? FormOf(string? format, StringValues accept) =>
        format switch
        {
            "json" => ReportForm.Json,
            "csv" => ReportForm.Csv,
            "pdf" => ReportForm.Pdf,
            "bundle" => ReportForm.Bundle,
            null => Accepted(accept),
            _ => null,
        };

    private static ReportForm Accepted(StringValues accept) =>
        MediaTypeHeaderValue.TryParseList([.. accept.OfType<string>()], out var types)
            ? types
                .OrderByDescending(type => type.Quality ?? 1)
                .Select(type =>
                    type.MediaType.Value?.ToLowerInvariant() switch
                    {
                        "application/json" or "*/*" => ReportForm.Json,
                        "text/csv" => ReportForm.Csv,
                        "application/pdf" => ReportForm.Pdf,
                        "application/vnd.dev.sigstore.bundle.v0.3+json" => ReportForm.Bundle,
                        _ => (ReportForm?)null,
                    }
                )
                .FirstOrDefault(form => form is not null)
                ?? ReportForm.Json
            : ReportForm.Json;
}
