using System.ComponentModel.DataAnnotations;
using Governance.Platform.Database;
using Microsoft.Extensions.Options;

namespace Governance.Platform.Keys;

/// <summary>
/// Where the keys of subjects lie. Bound from the section <c>Governance:SubjectKeys</c>. Their place must not be in the backups
/// of database or data directory: restoring one would bring keys back.
/// </summary>
public sealed class SubjectKeyOptions : IValidatableObject
{
    /// <summary>The name of the directory.</summary>
    public const string InDirectory = "directory";

    /// <summary>The name of the database server.</summary>
    public const string PostgreSql = DatabaseOptions.PostgreSql;

    /// <summary>
    /// <c>directory</c> (one gateway, or a directory that all of them mount) or <c>postgresql</c> (a database of its own, for several
    /// gateways). Default <c>directory</c>.
    /// </summary>
    [AllowedValues(InDirectory, PostgreSql)]
    public string Provider { get; set; } = InDirectory;

    /// <summary>The directory, outside of the data directory. Default: the key file's path with <c>.subjects</c> after it.</summary>
    public string Directory { get; set; } = "";

    /// <summary>Npgsql connection string of the database, as <c>Governance:Database:ConnectionString</c>; another database than that one.</summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>File whose first line is the password, instead of a password in the connection string. Default none.</summary>
    public string PasswordFile { get; set; } = "";

    /// <summary>Seconds between two looks for erasures by other gateways, 1–300. Default 10.</summary>
    [Range(1, 300)]
    public int WatchSeconds { get; set; } = 10;

    /// <summary>Whether the provider is <c>postgresql</c>.</summary>
    public bool IsPostgreSql => Provider == PostgreSql;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!IsPostgreSql)
        {
            if (ConnectionString.Length > 0 || PasswordFile.Length > 0)
            {
                yield return new ValidationResult(
                    "Governance:SubjectKeys:ConnectionString and PasswordFile need Governance:SubjectKeys:Provider=postgresql."
                );
            }

            yield break;
        }

        if (Directory.Length > 0)
        {
            yield return new ValidationResult(
                "Governance:SubjectKeys:Directory needs Governance:SubjectKeys:Provider=directory."
            );
        }

        foreach (var wrong in AsDatabase().Validate(validationContext))
        {
            yield return new ValidationResult(
                wrong.ErrorMessage!.Replace("Governance:Database", "Governance:SubjectKeys", StringComparison.Ordinal)
            );
        }
    }

    /// <summary>The settings of the database, which follow the rules of the main one.</summary>
    internal DatabaseOptions AsDatabase() =>
        new()
        {
            Provider = DatabaseOptions.PostgreSql,
            ConnectionString = ConnectionString,
            PasswordFile = PasswordFile,
        };
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
public sealed partial class SubjectKeyOptionsValidator : IValidateOptions<SubjectKeyOptions>;
