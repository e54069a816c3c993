using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Governance.Platform.Database;

/// <summary>Which database, and how to reach it. Bound from the section <c>Governance:Database</c>.</summary>
public sealed class DatabaseOptions : IValidatableObject
{
    /// <summary>The name of the embedded database.</summary>
    public const string Sqlite = "sqlite";

    /// <summary>The name of the database server.</summary>
    public const string PostgreSql = "postgresql";

    /// <summary><c>sqlite</c> (a file in the data directory, one gateway) or <c>postgresql</c>. Default <c>sqlite</c>.</summary>
    [AllowedValues(Sqlite, PostgreSql)]
    public string Provider { get; set; } = Sqlite;

    /// <summary>Npgsql connection string, for <c>postgresql</c> only. A server that is not on this machine needs <c>SSL Mode=VerifyFull</c>.</summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>File whose first line is the password, instead of a password in the connection string. Default none.</summary>
    public string PasswordFile { get; set; } = "";

    /// <summary>Most connections of one gateway, 4–500. Default 40; a third of them may write at a time.</summary>
    [Range(4, 500)]
    public int MaxConnections { get; set; } = 40;

    /// <summary>Whether the provider is <c>postgresql</c>.</summary>
    public bool IsPostgreSql => Provider == PostgreSql;

    // For tests: every unit runs, is rolled back and runs again, so that one which cannot run twice is found.
    internal bool Rehearse { get; set; }

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!IsPostgreSql)
        {
            if (ConnectionString.Length > 0 || PasswordFile.Length > 0)
            {
                yield return new ValidationResult(
                    "Governance:Database:ConnectionString and PasswordFile need Governance:Database:Provider=postgresql."
                );
            }

            yield break;
        }

        if (Parse() is not { Host.Length: > 0 } text)
        {
            yield return new ValidationResult(
                "Governance:Database:ConnectionString must be a connection string with a host."
            );
        }
        else if (text.SslMode != SslMode.VerifyFull && !text.Host.Split(',').All(IsHere))
        {
            yield return new ValidationResult(
                "Governance:Database:ConnectionString names another machine and needs SSL Mode=VerifyFull."
            );
        }
        else if (PasswordFile.Length > 0 && text.Password is { Length: > 0 })
        {
            yield return new ValidationResult(
                "Governance:Database: the password is in the connection string or in PasswordFile, not in both."
            );
        }
    }

    /// <summary>For people: where the database is, without user or password.</summary>
    public override string ToString() =>
        Parse() is { Host: { } host } text && IsPostgreSql
            ? $"PostgreSQL {host}/{text.Database}"
            : "SQLite in the data directory";

    /// <summary>The connection string in parts, or null when it is none. Its own error texts could hold the password.</summary>
    internal NpgsqlConnectionStringBuilder? Parse()
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(ConnectionString);
        }
        catch (Exception malformed) when (malformed is ArgumentException or FormatException)
        {
            return null;
        }
    }

    private static bool IsHere(string host) =>
        host.StartsWith('/')
        || host.StartsWith('@')
        || host is "localhost" or "127.0.0.1" or "::1"
        || host.StartsWith("localhost:", StringComparison.Ordinal)
        || host.StartsWith("127.0.0.1:", StringComparison.Ordinal);
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
public sealed partial class DatabaseOptionsValidator : IValidateOptions<DatabaseOptions>;
