namespace Governance.Audit.Contracts;

/// <summary>What the schema of the log needs beyond its tables.</summary>
public static class AuditSchema
{
    private const string Signatures = "audit_signature";
    private const string Cosignatures = "audit_cosignature";
    private static readonly string[] Tables = ["audit_entry", "audit_leaf", "audit_node", "audit_checkpoint"];

    /// <summary>
    /// SQLite statements that refuse UPDATE and DELETE on every table of the log; run once by the migration after the tables
    /// exist. Running them again changes nothing. They stop mistakes; against an attacker stands the tree.
    /// </summary>
    public static string TriggerSql { get; } = string.Join('\n', Tables.Select(Refuse));

    /// <summary>The same for PostgreSQL, where TRUNCATE is refused too.</summary>
    public static string PostgresTriggerSql { get; } =
        """
            CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;

            """ + string.Join('\n', Tables.Select(RefuseOnPostgres));

    /// <summary>The same for the table of the signature log, which came later; <see cref="TriggerSql"/> must have run.</summary>
    public static string SignatureTriggerSql { get; } = Refuse(Signatures);

    /// <summary>The same for PostgreSQL; <see cref="PostgresTriggerSql"/> must have run.</summary>
    public static string PostgresSignatureTriggerSql { get; } = RefuseOnPostgres(Signatures);

    /// <summary>The same for the cosignatures of witnesses; <see cref="TriggerSql"/> must have run.</summary>
    public static string CosignatureTriggerSql { get; } = Refuse(Cosignatures);

    /// <summary>The same for PostgreSQL; <see cref="PostgresTriggerSql"/> must have run.</summary>
    public static string PostgresCosignatureTriggerSql { get; } = RefuseOnPostgres(Cosignatures);

    private static string RefuseOnPostgres(string table) =>
        $"""
            CREATE OR REPLACE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
            FOR EACH ROW EXECUTE FUNCTION audit_append_only();
            CREATE OR REPLACE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION audit_append_only();
            CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
            """;

    private static string Refuse(string table) =>
        $"""
            CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
            CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
            """;
}
