namespace Governance.Gateway.Database.PostgreSql;

/// <summary>
/// Turns tables that a migration has just made, still empty, into partitioned ones: same columns and indexes. PostgreSQL wants
/// the partition key in every unique index, so it is added there as last column; that the shorter key is unique too follows
/// from the serializable units that write it (and for entries from the unique serial and id of a leaf).
/// </summary>
internal static class Partitioning
{
    /// <summary>Log entries and metrics by month; of the labels the params by month, and the tags, which are few and live long, together.</summary>
    public static string Sql { get; } =
        Partition("audit_entry", "At", "RANGE (\"At\")")
        + """

            CREATE TABLE audit_entry_other PARTITION OF audit_entry DEFAULT;

            """
        + Partition("registry_metrics", "WrittenMs", "RANGE (\"WrittenMs\")")
        + """

            CREATE TABLE registry_metrics_other PARTITION OF registry_metrics DEFAULT;

            """
        + Partition("registry_labels", "WrittenMs", "LIST (\"Scope\")")
        + """

            CREATE TABLE registry_tags PARTITION OF registry_labels DEFAULT;
            CREATE UNIQUE INDEX "IX_registry_tags_key" ON registry_tags ("Scope", "ObjectId", "Key");
            CREATE TABLE registry_params PARTITION OF registry_labels FOR VALUES IN (3, 5) PARTITION BY RANGE ("WrittenMs");
            CREATE TABLE registry_params_other PARTITION OF registry_params DEFAULT;

            """;

    private static string Partition(string table, string column, string by) =>
        $"""
            DO $$
            DECLARE
                primary_key text := (
                    SELECT regexp_replace(pg_get_constraintdef(oid), '\)$', ', "{column}")')
                    FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'p');
                indexes text[] := (
                    SELECT array_agg(CASE WHEN indisunique
                        THEN regexp_replace(pg_get_indexdef(indexrelid), '\)$', ', "{column}")')
                        ELSE pg_get_indexdef(indexrelid) END)
                    FROM pg_index WHERE indrelid = '{table}'::regclass AND NOT indisprimary);
                statement text;
            BEGIN
                ALTER TABLE {table} RENAME TO {table}_plain;
                CREATE TABLE {table} (LIKE {table}_plain INCLUDING DEFAULTS INCLUDING IDENTITY) PARTITION BY {by};
                DROP TABLE {table}_plain;
                EXECUTE 'ALTER TABLE {table} ADD CONSTRAINT "PK_{table}" ' || primary_key;
                FOREACH statement IN ARRAY coalesce(indexes, ARRAY[]::text[]) LOOP
                    EXECUTE statement;
                END LOOP;
            END $$;
            """;
}
