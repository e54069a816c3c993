using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Gateway.Database.PostgreSql;

/// <summary>
/// The composed model under another name, which only the migrations for PostgreSQL belong to. Nothing else uses it: at run time
/// there is one context on every database.
/// </summary>
/// <param name="options">Provider and connection.</param>
internal sealed class PostgresGovernanceDb(DbContextOptions<GovernanceDb> options) : GovernanceDb(options);
