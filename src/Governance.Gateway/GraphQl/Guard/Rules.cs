using Governance.Gateway.GraphQl.Loading;
using Governance.Kernel;
using GraphQL.Validation;
using GraphQLParser.AST;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.GraphQl.Guard;

/// <summary>
/// Refuses the whole request unless the caller holds every permission that its operation needs on something, by a token and,
/// for what changes, by a sign-in as those permissions ask; before any resolver runs. The refusal is in the log before the
/// answer is sent. Runs on cached documents too.
/// </summary>
internal sealed class PermissionRule : ValidationRuleBase
{
    public override async ValueTask<INodeVisitor?> GetPreNodeVisitorAsync(ValidationContext context)
    {
        var review = OperationReview.Of(context.Document, context.Operation, context.Schema);
        var caller = Caller.Of(context.RequestServices!);
        if (review.Needs.Select(caller.CheckBinding).FirstOrDefault(found => found is not null) is { } unbound)
        {
            await RefuseAsync(context, caller, unbound);
            return null;
        }

        var missing = review
            .Needs.Where(name => !caller.Rights.AllowsSomewhere(new Permission(name)))
            .Order(StringComparer.Ordinal)
            .ToList();
        if (missing.Count > 0)
        {
            await caller.LogRefusalAsync(missing, context.CancellationToken);
            context.ReportError(new PermissionDenied(missing));
        }
        else if (
            context.Operation.Operation == OperationType.Mutation
            && review.Needs.Select(caller.CheckSignIn).FirstOrDefault(found => found is not null) is { } tooOld
        )
        {
            await RefuseAsync(context, caller, tooOld);
        }

        return null;
    }

    private static async Task RefuseAsync(ValidationContext context, Caller caller, Failure failure)
    {
        await caller.LogRefusalAsync(failure, context.CancellationToken);
        context.ReportError(new CallerRefused(failure));
    }
}

/// <summary>
/// Refuses an operation that costs too much under the variables of this request, or with what its caller asked for in this
/// minute. Runs on cached documents too.
/// </summary>
internal sealed class CostRule : ValidationRuleBase
{
    public override ValueTask<INodeVisitor?> GetPreNodeVisitorAsync(ValidationContext context)
    {
        var cost = OperationReview.Of(context.Document, context.Operation, context.Schema).Cost(context.Variables);
        if (cost > DocumentLimits.Cost)
        {
            context.ReportError(
                new LimitExceeded(
                    "cost",
                    $"The operation costs {Math.Min(cost, 1e12):0}, over the limit of {DocumentLimits.Cost}: ask for fewer items or fields."
                )
            );
        }
        else if (
            !context
                .RequestServices!.GetRequiredService<CostBudget>()
                .TryTake(Caller.Of(context.RequestServices!).Actor.Id, cost)
        )
        {
            context.ReportError(
                new LimitExceeded(
                    "cost-per-minute",
                    "You have asked for as much as one caller may within a minute: wait, or ask for less."
                )
            );
        }

        return default;
    }
}

/// <summary>Refuses anything but a query over GET. Runs on cached documents too.</summary>
internal sealed class QueriesOnlyRule : ValidationRuleBase
{
    public override ValueTask<INodeVisitor?> GetPreNodeVisitorAsync(ValidationContext context)
    {
        if (context.Operation.Operation != OperationType.Query)
        {
            context.ReportError(new QueriesOnly());
        }

        return default;
    }
}

/// <summary>Stops collecting errors at the most an answer may hold: a small document must not buy a large answer.</summary>
internal sealed class ErrorLimitRule : ValidationRuleBase, INodeVisitor
{
    public override ValueTask<INodeVisitor?> GetPreNodeVisitorAsync(ValidationContext context) => new(this);

    public ValueTask EnterAsync(ASTNode node, ValidationContext context)
    {
        if (context.HasErrors && context.Errors.Count() >= DocumentLimits.Errors)
        {
            throw new ErrorLimitReached([.. context.Errors]);
        }

        return default;
    }

    public ValueTask LeaveAsync(ASTNode node, ValidationContext context) => default;
}
