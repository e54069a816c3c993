using System.Security.Cryptography;
using Microsoft.Data.Sqlite;

namespace Governance.Gateway.Tests.Faults;

/// <summary>
/// The files of a database as a dead machine left them, opened as the next start opens them, and looked at with SQL and SHA-256 alone:
/// nothing of the product's own reading is trusted here.
/// </summary>
internal sealed class CrashState : IDisposable
{
    private readonly string _directory;
    private readonly SqliteConnection _connection;

    public CrashState(string directory, IReadOnlyDictionary<string, byte[]> files)
    {
        _directory = directory;
        Directory.CreateDirectory(directory);
        foreach (var (name, content) in files.Where(file => !file.Key.EndsWith("-shm", StringComparison.Ordinal)))
        {
            File.WriteAllBytes(Path.Combine(directory, name), content);
        }

        _connection = new SqliteConnection($"Data Source={Path.Combine(directory, "governance.db")};Pooling=false");
        _connection.Open();
    }

    /// <summary>What must not be, in words; empty when all holds.</summary>
    public IReadOnlyList<string> Broken(IEnumerable<(string Name, string Sql)> told)
    {
        var problems = new List<string>();
        if (Rows("PRAGMA integrity_check").Single()[0] is not "ok" and var damage)
        {
            problems.Add($"damaged: {damage}");
        }

        problems.AddRange(Rows("PRAGMA foreign_key_check").Select(row => $"a row of {row[0]} lacks what it refers to"));
        problems.AddRange(told.Where(one => !Holds(one.Sql)).Select(one => $"lost: {one.Name}"));
        if (problems.Count == 0 && Rows("SELECT 1 FROM sqlite_master WHERE name = 'registry_versions'").Count > 0)
        {
            problems.AddRange(WithoutEntry());
            problems.AddRange(KeysWithoutEntry());
            problems.AddRange(BrokenTree());
        }

        return problems;
    }

    public void Dispose()
    {
        _connection.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    // Every table that names the entry of its rows, whichever module it is of, and what moved into Production.
    private IEnumerable<string> WithoutEntry()
    {
        var naming = Rows(
            """
            SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
            WHERE t.type = 'table' AND c.name IN ('EntryId', 'ClosingEntryId', 'ProofId')
            """
        );
        foreach (var name in naming)
        {
            var rows = Rows(
                $"""
                SELECT 1 FROM "{name[0]}" r WHERE r."{name[1]}" IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM audit_entry e WHERE e."Id" = r."{name[1]}")
                """
            );
            if (rows.Count > 0)
            {
                yield return $"{rows.Count} rows of {name[0]} without their entry";
            }
        }

        var moved = Rows(
            """
            SELECT v."Number" FROM registry_versions v WHERE v."Stage" = 'Production' AND NOT EXISTS (
                SELECT 1 FROM promotion_decision d JOIN audit_entry e ON e."Id" = d."EntryId"
                WHERE d."ModelId" = v."ModelId" AND d."Version" = v."Number" AND d."Target" = 'Production' AND d."Used" = 1)
            """
        );
        foreach (var version in moved)
        {
            yield return $"version {version[0]} is in Production without a decision";
        }
    }

    // Keys have no column for it: the entry says which number of which task.
    private IEnumerable<string> KeysWithoutEntry() =>
        Rows(
                """
                SELECT k."Name", k."Number" FROM platform_key k WHERE k."Number" > 1 AND NOT EXISTS (
                    SELECT 1 FROM audit_entry e WHERE e."Kind" = 'signing.key_rotated' AND e."Outcome" = 'done'
                    AND e."Subject" = 'key:' || k."Name" AND instr(e."Canonical", '"number":' || k."Number" || '}') > 0)
                """
            )
            .Select(key => $"key {key[0]} {key[1]} without its entry");

    // RFC 6962 §2.1, over the leaves as they stand.
    private IEnumerable<string> BrokenTree()
    {
        var leaves = Rows("""SELECT "Index", "Hash" FROM audit_leaf ORDER BY "Index" """);
        if (leaves.Where((leaf, i) => (long)leaf[0] != i).Any())
        {
            yield return "the leaves have a gap";
        }

        var hashes = leaves.Select(leaf => (byte[])leaf[1]).ToArray();
        var checkpoints = Rows("""SELECT "Size", "Root" FROM audit_checkpoint ORDER BY "Size" DESC LIMIT 3""");
        foreach (var checkpoint in checkpoints)
        {
            var size = (long)checkpoint[0];
            if (size > hashes.Length || !Root(hashes.AsSpan(0, (int)size)).SequenceEqual((byte[])checkpoint[1]))
            {
                yield return $"the checkpoint of {size} leaves is not the root of these";
            }
        }
    }

    private static byte[] Root(ReadOnlySpan<byte[]> leaves)
    {
        if (leaves.Length == 1)
        {
            return leaves[0];
        }

        var left = 1;
        while (left * 2 < leaves.Length)
        {
            left *= 2;
        }

        return SHA256.HashData([1, .. Root(leaves[..left]), .. Root(leaves[left..])]);
    }

    private bool Holds(string sql)
    {
        try
        {
            return Rows(sql).Count > 0;
        }
        catch (SqliteException)
        {
            return false; // not even the table is there
        }
    }

    private List<object[]> Rows(string sql)
    {
        using var command = _connection.CreateCommand();
#pragma warning disable CA2100 // texts of this test
        command.CommandText = sql;
#pragma warning restore CA2100
        using var reader = command.ExecuteReader();
        var rows = new List<object[]>();
        while (reader.Read())
        {
            var row = new object[reader.FieldCount];
            reader.GetValues(row);
            rows.Add(row);
        }

        return rows;
    }
}
