using Governance.Compliance.Contracts;
using Governance.Gateway.GraphQl.Guard;
using Governance.Gateway.GraphQl.Loading;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Privacy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;
using GraphQL;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>
/// Changes. Each is authorised on its object, decided by policy and logged by the module that carries it out; a refusal comes
/// back with a stable code and every reason.
/// </summary>
[Name("Mutation")]
internal sealed class Mutation
{
    /// <summary>Asks for a version to be promoted; gives back your open request if there is one for the same evidence and target.</summary>
    [Needs("promotion:request")]
    public static async Task<RequestFields> RequestPromotion(
        [FromServices] Caller caller,
        [FromServices] IPromotions promotions,
        CancellationToken cancellationToken,
        string model,
        int version,
        PromotionTarget target,
        string reason = ""
    )
    {
        var move = target.ToMove(model, version, archiveExisting: false);
        return new((await promotions.RequestAsync(caller.Actor, move, reason, cancellationToken)).Value());
    }

    /// <summary>Approves a request. Persons only; never one's own.</summary>
    [Needs("promotion:approve")]
    public static Task<RequestFields> ApproveRequest(
        [FromServices] Caller caller,
        [FromServices] IPromotions promotions,
        CancellationToken cancellationToken,
        [Id] string id,
        string comment = ""
    ) => ReviewAsync(caller, promotions, id, approve: true, comment, cancellationToken);

    /// <summary>Rejects a request. Persons only; never one's own.</summary>
    [Needs("promotion:approve")]
    public static Task<RequestFields> RejectRequest(
        [FromServices] Caller caller,
        [FromServices] IPromotions promotions,
        CancellationToken cancellationToken,
        [Id] string id,
        string comment = ""
    ) => ReviewAsync(caller, promotions, id, approve: false, comment, cancellationToken);

    /// <summary>Withdraws your own request.</summary>
    [Needs("promotion:request")]
    public static async Task<RequestFields> WithdrawRequest(
        [FromServices] Caller caller,
        [FromServices] IPromotions promotions,
        CancellationToken cancellationToken,
        [Id] string id
    ) => new((await promotions.WithdrawAsync(caller.Actor, Arguments.Id(id), cancellationToken)).Value());

    /// <summary>
    /// Moves a version into a stage or under an alias, if policy allows it now. What lacks only approvals opens a request and
    /// names it; repeat the call once they are given.
    /// </summary>
    [Needs("promotion:carry-out")]
    public static async Task<PromotionResult> CarryOutPromotion(
        [FromServices] Caller caller,
        [FromServices] IMoveGate gate,
        CancellationToken cancellationToken,
        string model,
        int version,
        PromotionTarget target,
        bool archiveExisting = false
    )
    {
        var move = target.ToMove(model, version, archiveExisting);
        var outcome = (await gate.MoveAsync(caller.Actor, move, cancellationToken)).Value();
        return new PromotionResult(
            outcome.Version is { } moved && caller.May(Permissions.ModelRead, moved.Target)
                ? new VersionFields(moved)
                : null,
            outcome.ReceiptId
        );
    }

    /// <summary>
    /// Grants a role to a subject or a group, as far as you administer everything that it reaches; never to yourself or to a
    /// group that you are in. A privileged role, data-scientist on a pattern, and any role to an external group wait until a second
    /// administrator confirms.
    /// </summary>
    [Needs("identity:manage")]
    public static async Task<HeldGrantFields> GrantRole(
        [FromServices] Caller caller,
        [FromServices] IGrants grants,
        CancellationToken cancellationToken,
        GrantHolder to,
        GrantInput grant
    ) => new((await grants.GrantAsync(caller.Actor, to.Subject, to.Group, grant.ToGrant(), cancellationToken)).Value());

    /// <summary>
    /// Confirms a privileged change, which counts from then on; for another global administrator than who asked or gains by it.
    /// </summary>
    [Needs("identity:manage")]
    public static async Task<bool> Confirm(
        [FromServices] Caller caller,
        [FromServices] IConfirmations confirmations,
        CancellationToken cancellationToken,
        [Id] string id
    )
    {
        (await confirmations.ConfirmAsync(caller.Actor, Arguments.Id(id), cancellationToken)).Value();
        return true;
    }

    /// <summary>Rejects a privileged change, which is undone; who asked may take it back by this.</summary>
    [Needs("identity:manage")]
    public static async Task<bool> Reject(
        [FromServices] Caller caller,
        [FromServices] IConfirmations confirmations,
        CancellationToken cancellationToken,
        [Id] string id
    )
    {
        (await confirmations.RejectAsync(caller.Actor, Arguments.Id(id), cancellationToken)).Value();
        return true;
    }

    /// <summary>
    /// Keeps a person or service out, at once, or lets it in again, held until a second administrator confirms; for global
    /// administrators.
    /// </summary>
    [Needs("identity:manage")]
    public static async Task<bool> SetEnabled(
        [FromServices] Caller caller,
        [FromServices] ISubjects subjects,
        CancellationToken cancellationToken,
        [Id] string id,
        bool enabled
    )
    {
        (await subjects.SetEnabledAsync(caller.Actor, Arguments.Pseudonym(id), enabled, cancellationToken)).Value();
        return true;
    }

    /// <summary>
    /// Asks for a login of a configured issuer to be a person's; it is nobody's until a second administrator confirms. For global
    /// administrators.
    /// </summary>
    [Needs("identity:manage")]
    public static async Task<LinkFields> LinkLogin(
        [FromServices] Caller caller,
        [FromServices] ILogins logins,
        CancellationToken cancellationToken,
        [Id] string person,
        string issuer,
        string externalId
    )
    {
        var id = Arguments.Pseudonym(person);
        return new((await logins.LinkAsync(caller.Actor, id, issuer, externalId, cancellationToken)).Value());
    }

    /// <summary>
    /// Takes a login away, at once, and shuts it out; the person's sessions and tokens end. For global administrators, never
    /// one's own.
    /// </summary>
    [Needs("identity:manage")]
    public static async Task<bool> UnlinkLogin(
        [FromServices] Caller caller,
        [FromServices] ILogins logins,
        CancellationToken cancellationToken,
        [Id] string person,
        [Id] string login
    )
    {
        var id = Arguments.Pseudonym(person);
        (await logins.UnlinkAsync(caller.Actor, id, Arguments.Id(login), cancellationToken)).Value();
        return true;
    }

    /// <summary>Takes a grant away, at once.</summary>
    [Needs("identity:manage")]
    public static async Task<bool> RevokeGrant(
        [FromServices] Caller caller,
        [FromServices] IGrants grants,
        CancellationToken cancellationToken,
        [Id] string id
    )
    {
        (await grants.RevokeAsync(caller.Actor, Arguments.Id(id), cancellationToken)).Value();
        return true;
    }

    /// <summary>Makes a group; for global administrators.</summary>
    [Needs("identity:manage")]
    public static async Task<GroupFields> CreateGroup(
        [FromServices] Caller caller,
        [FromServices] IGroups groups,
        CancellationToken cancellationToken,
        string name,
        ExternalClaimInput? external = null
    ) => new((await groups.CreateAsync(caller.Actor, name, external?.ToClaim(), cancellationToken)).Value());

    /// <summary>Puts a subject into a group, as far as you administer all that the group is granted; never yourself.</summary>
    [Needs("identity:manage")]
    public static async Task<GroupFields> AddToGroup(
        [FromServices] Caller caller,
        [FromServices] IGroups groups,
        CancellationToken cancellationToken,
        [Id] string group,
        [Id] string member
    ) => new((await groups.AddMemberAsync(caller.Actor, group, member, cancellationToken)).Value());

    /// <summary>Takes a subject out of a group, at once.</summary>
    [Needs("identity:manage")]
    public static async Task<GroupFields> RemoveFromGroup(
        [FromServices] Caller caller,
        [FromServices] IGroups groups,
        CancellationToken cancellationToken,
        [Id] string group,
        [Id] string member
    ) => new((await groups.RemoveMemberAsync(caller.Actor, group, member, cancellationToken)).Value());

    /// <summary>Records that a dataset was made from others, graded as declared.</summary>
    [Needs("dataset:write")]
    public static async Task<DerivationFields> RecordDerivation(
        [FromServices] Caller caller,
        [FromServices] IDatasets datasets,
        CancellationToken cancellationToken,
        List<string> inputs,
        string output,
        string description,
        List<ColumnSourceInput>? columns = null
    )
    {
        var sources = Unique(columns ?? [], column => column.Column, column => (IReadOnlyList<string>)column.From);
        var derivation = await datasets.DeriveAsync(
            caller.Actor,
            [.. Arguments.Items(inputs, nameof(inputs)).Select(Arguments.Sha256)],
            Arguments.Sha256(output),
            description,
            sources,
            cancellationToken
        );
        return new DerivationFields(derivation.Value());
    }

    /// <summary>Declares what a dataset's columns hold, its quasi-identifiers, legal basis and purpose.</summary>
    [Needs("dataset:declare")]
    public static async Task<DatasetFields> DeclareDataset(
        [FromServices] Caller caller,
        [FromServices] IDatasets datasets,
        CancellationToken cancellationToken,
        string sha256,
        DatasetDeclarationInput declaration
    )
    {
        var declared = new DatasetDeclaration
        {
            Columns = Unique(declaration.Columns ?? [], column => column.Column, column => column.Kind),
            QuasiIdentifiers = Optional(declaration.QuasiIdentifiers, "quasiIdentifiers"),
            SensitiveColumns = Optional(declaration.SensitiveColumns, "sensitiveColumns"),
            LeastK = declaration.LeastK,
            LegalBasis = declaration.LegalBasis,
            Purpose = declaration.Purpose,
        };
        return new(
            (await datasets.DeclareAsync(caller.Actor, Arguments.Sha256(sha256), declared, cancellationToken)).Value()
        );
    }

    /// <summary>Makes an anonymised copy of a dataset; the copy is scanned again and linked to its source.</summary>
    [Needs("dataset:write")]
    [Cost(Own = 1_000)]
    public static async Task<DatasetFields> AnonymiseDataset(
        [FromServices] Caller caller,
        [FromServices] IDatasets datasets,
        CancellationToken cancellationToken,
        string sha256,
        string outputName,
        List<ColumnTreatmentInput> treatments
    ) =>
        new(
            (
                await datasets.AnonymiseAsync(
                    caller.Actor,
                    Arguments.Sha256(sha256),
                    outputName,
                    [
                        .. Arguments
                            .Items(treatments, nameof(treatments))
                            .Select(treatment => new ColumnTreatment(
                                treatment.Column,
                                treatment.Method.ToString().ToLowerInvariant(),
                                treatment.Parameter ?? ""
                            )),
                    ],
                    cancellationToken
                )
            ).Value()
        );

    /// <summary>Creates a signed compliance report about a version.</summary>
    [Needs("report:create")]
    [Cost(Own = 1_000)]
    public static async Task<ReportFields> CreateReport(
        [FromServices] Caller caller,
        [FromServices] IReports reports,
        CancellationToken cancellationToken,
        string model,
        int version,
        string regulation
    ) =>
        new(
            (
                await reports.CreateAsync(
                    caller.Actor,
                    regulation,
                    new ModelVersionRef(model, version),
                    cancellationToken
                )
            ).Value()
        );

    private static async Task<RequestFields> ReviewAsync(
        Caller caller,
        IPromotions promotions,
        string id,
        bool approve,
        string comment,
        CancellationToken cancellationToken
    ) =>
        new(
            (await promotions.ReviewAsync(caller.Actor, Arguments.Id(id), approve, comment, cancellationToken)).Value()
        );

    private static IReadOnlyList<string>? Optional(List<string>? items, string name) =>
        items is null ? null : Arguments.Items(items, name);

    private static Dictionary<string, TValue> Unique<TItem, TValue>(
        IReadOnlyList<TItem> items,
        Func<TItem, string> key,
        Func<TItem, TValue> value
    )
    {
        var result = new Dictionary<string, TValue>();
        foreach (var item in Arguments.Items(items, "columns"))
        {
            if (!result.TryAdd(key(item), value(item)))
            {
                throw new FieldFailure(Failure.Invalid("graphql.duplicate_column", "A column is named twice."));
            }
        }

        return result;
    }
}
