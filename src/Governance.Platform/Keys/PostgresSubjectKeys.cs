using System.Security.Cryptography;
using Npgsql;

namespace Governance.Platform.Keys;

/// <summary>
/// Keys of subjects in a PostgreSQL database of their own, for several gateways. Each is wrapped under the installation's
/// key-encryption key. Destroying one deletes the row's key and rewrites the table, so that no page keeps it.
/// </summary>
/// <remarks>
/// What the server itself keeps (write-ahead log, archives, replicas, backups) is the operator's: this database must have none that
/// outlives a key.
/// </remarks>
internal sealed class PostgresSubjectKeys : ISubjectKeyStore, IAsyncDisposable
{
    private const int KeySize = 32;
    private readonly NpgsqlDataSource _source;
    private readonly IKeyWrap _wrap;
    private readonly TimeProvider _clock;
    private volatile bool _made;

    public PostgresSubjectKeys(SubjectKeyOptions options, IKeyWrap wrap, TimeProvider clock)
    {
        var text =
            options.AsDatabase().Parse() ?? throw new InvalidOperationException("The connection string is malformed.");
        text.ApplicationName ??= "governance-keys";
        text.MaxPoolSize = 10;
        text.PersistSecurityInfo = false;
        if (options.PasswordFile.Length > 0)
        {
            text.Password = File.ReadLines(options.PasswordFile).FirstOrDefault() ?? "";
        }

        _source = new NpgsqlDataSourceBuilder(text.ConnectionString).Build();
        _wrap = wrap;
        _clock = clock;
    }

    public async Task<StoredSubjectKey?> FindAsync(string subject, CancellationToken cancellationToken)
    {
        await MakeTableAsync(cancellationToken);
        await using var command = _source.CreateCommand(
            "SELECT key, entry, at FROM governance_subject_key WHERE subject = $1"
        );
        command.Parameters.AddWithValue(subject);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return !await reader.ReadAsync(cancellationToken) ? null
            : await reader.IsDBNullAsync(0, cancellationToken)
                ? new StoredSubjectKey(null, Erasure(subject, reader.GetGuid(1), reader.GetInt64(2)))
            : new StoredSubjectKey(_wrap.Unwrap(reader.GetFieldValue<byte[]>(0), Purpose(subject)), null);
    }

    public async Task<StoredSubjectKey> CreateAsync(string subject, CancellationToken cancellationToken)
    {
        await MakeTableAsync(cancellationToken);
        var key = RandomNumberGenerator.GetBytes(KeySize);
        await using (
            var command = _source.CreateCommand(
                "INSERT INTO governance_subject_key (subject, key) VALUES ($1, $2) ON CONFLICT DO NOTHING"
            )
        )
        {
            command.Parameters.AddWithValue(subject);
            command.Parameters.AddWithValue(_wrap.Wrap(key, Purpose(subject)));
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        CryptographicOperations.ZeroMemory(key);
        return await FindAsync(subject, cancellationToken)
            ?? throw new CryptographicException("The key of a subject is gone without an erasure.");
    }

    public async Task DestroyAsync(SubjectErasure erasure, CancellationToken cancellationToken)
    {
        await MakeTableAsync(cancellationToken);
        await using (
            var command = _source.CreateCommand(
                """
                INSERT INTO governance_subject_key (subject, key, entry, at, changed) VALUES ($1, NULL, $2, $3, $4)
                ON CONFLICT (subject) DO UPDATE SET key = NULL, entry = $2, at = $3, changed = $4
                """
            )
        )
        {
            command.Parameters.AddWithValue(erasure.Subject);
            command.Parameters.AddWithValue(erasure.EntryId);
            command.Parameters.AddWithValue(erasure.At.ToUnixTimeMilliseconds());
            command.Parameters.AddWithValue(_clock.GetUtcNow().ToUnixTimeMilliseconds());
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        // An updated row leaves its old self in the page, and the plain VACUUM does not overwrite it.
        await using var rewrite = _source.CreateCommand("VACUUM FULL governance_subject_key");
        await rewrite.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<SubjectErasure>> ErasuresAsync(
        DateTimeOffset since,
        CancellationToken cancellationToken
    )
    {
        await MakeTableAsync(cancellationToken);
        await using var command = _source.CreateCommand(
            "SELECT subject, entry, at FROM governance_subject_key WHERE changed >= $1"
        );
        command.Parameters.AddWithValue(since.ToUnixTimeMilliseconds());
        var found = new List<SubjectErasure>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            found.Add(Erasure(reader.GetString(0), reader.GetGuid(1), reader.GetInt64(2)));
        }

        return found;
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private static string Purpose(string subject) => $"subject-key:{subject}";

    private static SubjectErasure Erasure(string subject, Guid entry, long at) =>
        new(subject, entry, DateTimeOffset.FromUnixTimeMilliseconds(at));

    // Gateways that start at once wait for each other: making a table that is being made fails.
    private async Task MakeTableAsync(CancellationToken cancellationToken)
    {
        if (_made)
        {
            return;
        }

        await using var connection = await _source.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = """
            SELECT pg_advisory_xact_lock(7102331);
            CREATE TABLE IF NOT EXISTS governance_subject_key (
                subject text COLLATE "C" PRIMARY KEY,
                key bytea,
                entry uuid,
                at bigint,
                changed bigint,
                CHECK ((key IS NULL) = (entry IS NOT NULL AND at IS NOT NULL AND changed IS NOT NULL)));
            """;
        await command.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        _made = true;
    }
}
