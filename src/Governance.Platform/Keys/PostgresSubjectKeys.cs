using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Platform.Jobs;
using Npgsql;

namespace Governance.Platform.Keys;

/// <summary>
/// Keys of subjects in a PostgreSQL database of their own, for several gateways. Each is wrapped under the installation's
/// key-encryption key, and so is what stays when one is destroyed. That moves the table to another file, so that no page keeps it.
/// </summary>
/// <remarks>
/// What the server itself keeps (write-ahead log, archives, replicas, backups) is the operator's: this database must have none that
/// outlives a key.
/// </remarks>
internal sealed class PostgresSubjectKeys : ISubjectKeyStore, IAsyncDisposable
{
    /// <summary>Server (also of a replica) and database, whatever name or address leads there.</summary>
    public const string Where =
        "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || current_database() AS \"Value\"";

    private const int KeySize = 32;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Always = TimeSpan.FromDays(365 * 1000);
    private readonly NpgsqlDataSource _source;
    private readonly IKeyWrap _wrap;
    private volatile bool _made;

    public PostgresSubjectKeys(SubjectKeyOptions options, IKeyWrap wrap)
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
    }

    public async Task<StoredSubjectKey?> FindAsync(string subject, CancellationToken cancellationToken)
    {
        await MakeTableAsync(cancellationToken);
        await using var command = _source.CreateCommand(
            "SELECT key, erased FROM governance_subject_key WHERE subject = $1"
        );
        command.Parameters.AddWithValue(subject);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return !await reader.ReadAsync(cancellationToken) ? null
            : await reader.IsDBNullAsync(0, cancellationToken)
                ? new StoredSubjectKey(null, Erased(subject, reader.GetFieldValue<byte[]>(1)))
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

    // The living rows move to a new file, and the old one goes with the commit. VACUUM FULL would take along whatever an old
    // snapshot anywhere in the database might still see; here nobody can see it who has not locked the table. That is waited for, but
    // not for long: whoever reads after us waits with us.
    public async Task DestroyAsync(SubjectErasure erasure, CancellationToken cancellationToken)
    {
        await MakeTableAsync(cancellationToken);
        if (await HasAsync(erasure, cancellationToken))
        {
            return;
        }

        await using var connection = await _source.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new("SET LOCAL lock_timeout = '200ms'"),
                new("LOCK TABLE governance_subject_key IN ACCESS EXCLUSIVE MODE"),
                new("DELETE FROM governance_subject_key WHERE subject = $1")
                {
                    Parameters = { new() { Value = erasure.Subject } },
                },
                new("CREATE TEMPORARY TABLE kept ON COMMIT DROP AS TABLE governance_subject_key"),
                new("TRUNCATE governance_subject_key"),
                new("INSERT INTO governance_subject_key TABLE kept"),
                new("INSERT INTO governance_subject_key (subject, erased, changed) VALUES ($1, $2, clock_timestamp())")
                {
                    Parameters =
                    {
                        new() { Value = erasure.Subject },
                        new() { Value = ErasureRecord.Seal(erasure, _wrap) },
                    },
                },
            },
        };
        try
        {
            await batch.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (PostgresException busy) when (busy.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            throw new JobPostponedException(Patience);
        }

        await transaction.CommitAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<Result<SubjectErasure>>> ErasuresAsync(
        TimeSpan? within,
        CancellationToken cancellationToken
    )
    {
        await MakeTableAsync(cancellationToken);
        await using var command = _source.CreateCommand(
            "SELECT subject, erased FROM governance_subject_key WHERE key IS NULL AND changed >= now() - $1"
        );
        command.Parameters.AddWithValue(within ?? Always);
        var found = new List<Result<SubjectErasure>>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            found.Add(Erasure(reader.GetString(0), reader.GetFieldValue<byte[]>(1)));
        }

        return found;
    }

    public async Task<string> WhereAsync(CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand(Where);
        return (string)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private static string Purpose(string subject) => $"subject-key:{subject}";

    private async Task<bool> HasAsync(SubjectErasure erasure, CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand(
            "SELECT erased FROM governance_subject_key WHERE subject = $1 AND key IS NULL"
        );
        command.Parameters.AddWithValue(erasure.Subject);
        return await command.ExecuteScalarAsync(cancellationToken) is byte[] record
            && Erasure(erasure.Subject, record) is { Ok: true } known
            && known.Value.EntryId == erasure.EntryId;
    }

    private SubjectErasure Erased(string subject, byte[] record)
    {
        var read = Erasure(subject, record);
        return read.Ok ? read.Value : throw new SubjectKeyException(read.Failure);
    }

    private Result<SubjectErasure> Erasure(string subject, byte[] record)
    {
        var read = ErasureRecord.Open(record, _wrap);
        return read.Ok && read.Value.Subject == subject ? read : SubjectKeyException.ErasureForged;
    }

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
                erased bytea,
                changed timestamptz,
                CHECK ((key IS NULL) = (erased IS NOT NULL AND changed IS NOT NULL)));
            """;
        await command.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        _made = true;
    }
}
