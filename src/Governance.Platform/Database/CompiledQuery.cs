using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Metadata;

namespace Governance.Platform.Database;

/// <summary>A hot query, translated once per database model instead of looked up by its expression at every call.</summary>
/// <param name="compile">Calls <c>EF.CompileAsyncQuery</c>.</param>
public sealed class CompiledQuery<TQuery>(Func<TQuery> compile)
    where TQuery : class
{
    private readonly ConditionalWeakTable<IModel, TQuery> _byModel = [];

    /// <summary>The query for contexts of this one's model.</summary>
    public TQuery For(GovernanceDb db) => _byModel.GetValue(db.Model, _ => compile());
}
