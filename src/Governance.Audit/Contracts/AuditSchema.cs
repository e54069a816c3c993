namespace Governance.Audit.Contracts;

/// <summary>What the schema of the log needs beyond its tables.</summary>
public static class AuditSchema
{
    /// <summary>
    /// SQLite statements that refuse UPDATE and DELETE on every table of the log; run once by the migration after the tables
    /// exist. Running them again changes nothing. They stop mistakes; against an attacker stands the tree.
    /// </summary>
    public static string TriggerSql { get; } =
        string.Join('\n', new[] { "audit_entry", "audit_leaf", "audit_node", "audit_checkpoint" }.Select(Refuse));

    private static string Refuse(string table) =>
        $"""
            CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
            CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
            """;
}
