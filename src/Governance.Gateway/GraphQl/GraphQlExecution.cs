using Governance.Gateway.GraphQl.Guard;
using Governance.Gateway.GraphQl.Loading;
using Governance.Kernel;
using Governance.Platform.Web;
using GraphQL;
using GraphQL.Execution;
using GraphQL.Types;
using GraphQL.Validation;
using GraphQLParser.AST;
using GraphQLParser.Exceptions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Governance.Gateway.GraphQl;

/// <summary>A well-formed request.</summary>
/// <param name="Query">Document text.</param>
/// <param name="OperationName">Which operation, when there are several.</param>
/// <param name="Variables">Variables.</param>
/// <param name="QueriesOnly">Whether it came by GET.</param>
internal sealed record GraphQlRequest(string Query, string? OperationName, Inputs? Variables, bool QueriesOnly);

/// <summary>Runs a request: guard, cache, validation, resolvers. Everything an answer may hold is decided here.</summary>
internal sealed partial class GraphQlExecution(
    IDocumentExecuter executer,
    ISchema schema,
    DocumentCache cache,
    ILogger<GraphQlExecution> logger
)
{
    // These judge the caller and the variables, not the document: they run on cached documents too.
    private static readonly IValidationRule[] EveryTime = [new PermissionRule(), new CostRule()];
    private static readonly IValidationRule[] EveryTimeByGet = [new QueriesOnlyRule(), .. EveryTime];
    private static readonly IValidationRule[] FirstTime =
    [
        .. DocumentValidator.CoreRules,
        .. EveryTime,
        new ErrorLimitRule(),
    ];
    private static readonly IValidationRule[] FirstTimeByGet = [new QueriesOnlyRule(), .. FirstTime];

    public async Task<ExecutionResult> RunAsync(
        GraphQlRequest request,
        Actor actor,
        HttpContext http,
        CancellationToken cancellationToken
    )
    {
        var began = EvenAnswer.Now;
        var services = http.RequestServices;
        var caller = Caller.Of(services);
        await caller.IdentifyAsync(actor, cancellationToken);
        var cached = cache.Find(request.Query);
        GraphQLDocument document;
        try
        {
            document = cached ?? DocumentGuard.Parse(request.Query);
        }
        catch (LimitExceeded refused)
        {
            return Refused(refused);
        }
        catch (GraphQLSyntaxErrorException error)
        {
            return Refused(new RequestError($"Syntax error: {error.Description}") { Code = "SYNTAX_ERROR" });
        }

        var result = await executer.ExecuteAsync(
            new ExecutionOptions
            {
                Schema = schema,
                Query = request.Query,
                Document = document,
                OperationName = request.OperationName,
                Variables = request.Variables,
                RequestServices = services,
                CancellationToken = cancellationToken,
                Timeout = DocumentLimits.Timeout,
                TimeoutAction = TimeoutAction.ReturnTimeoutError,
                ValidationRules = (cached, request.QueriesOnly) switch
                {
                    (null, false) => FirstTime,
                    (null, true) => FirstTimeByGet,
                    (_, false) => EveryTime,
                    (_, true) => EveryTimeByGet,
                },
                UnhandledExceptionDelegate = context =>
                {
                    // The exception's text could hold data: its type and place are enough to find the fault.
                    var fault = context.OriginalException;
                    ResolverFailed(fault.GetType().Name, context.FieldContext?.FieldDefinition.Name, fault.StackTrace);
                    return Task.CompletedTask;
                },
            }
        );
        if (cached is null && result.Executed)
        {
            cache.Add(request.Query, document);
        }

        if (result.Errors?.Count > 0 || caller.IsHeld || IsMissingSomething(result))
        {
            await EvenAnswer.HoldAsync(http, began);
        }

        return Capped(result);
    }

    // Null is what is not there and what is not the caller's.
    private static bool IsMissingSomething(ExecutionResult result) =>
        result.Data is RootExecutionNode { SubFields: { } fields }
        && Array.Exists(fields, field => field.Result is null);

    private static ExecutionResult Refused(ExecutionError error)
    {
        var result = new ExecutionResult();
        result.AddError(error);
        return result;
    }

    private static ExecutionResult Capped(ExecutionResult result)
    {
        var errors = result
            .Errors?.SelectMany(error => error is ErrorLimitReached over ? over.Found : [error])
            .ToList();
        if (errors is not null)
        {
            result.Errors = [];
            result.Errors.AddRange(errors.Take(DocumentLimits.Errors));
        }

        return result;
    }

    [LoggerMessage(8100, LogLevel.Error, "GraphQL field {Field} failed with {Fault}\n{Stack}")]
    private partial void ResolverFailed(string fault, string? field, string? stack);
}
