using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Privacy;
using Governance.Privacy.Contracts;

namespace Governance.Cli.Commands;

/// <summary><c>govern privacy</c>: the privacy engine beside the data; only kinds, counts and positions come out.</summary>
internal static class PrivacyCommands
{
    public static Command Create(Surroundings surroundings) =>
        new("privacy", "Finds and treats personal data, beside the data: values are never shown.")
        {
            PrivacyScan.Create(surroundings),
            PrivacyColumns.Create(surroundings),
            PrivacyText.Create(surroundings),
            PrivacyAnonymity.Create(surroundings),
            PrivacyAnonymise.Create(surroundings),
        };

    public static Argument<string> CsvFile() => new("file") { Description = "CSV file with a header row." };

    public static Option<string?> Policy() =>
        Shared.File("--policy", "Privacy policy (YAML); the shipped one when left out.");

    /// <summary>The policy named, or the shipped one, which is part of this program.</summary>
    public static string PolicyText(Invocation run, Option<string?> policy)
    {
        if (run.Get(policy) is { } path)
        {
            return InputFile.ReadText(path);
        }

        using var stream = typeof(PrivacyCommands).Assembly.GetManifestResourceStream("privacy.yaml")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    public static TableReport Scan(Invocation run, Argument<string> file, Option<string?> policy)
    {
        var path = run.Get(file);
        InputFile.Open(path).Dispose();
        return PrivacyTools.ScanCsv(path, PolicyText(run, policy), run.Cancelled).OrStop();
    }

    public static void SayColumns(Invocation run, TableReport report)
    {
        foreach (var column in report.Columns)
        {
            run.Say(
                column.What == "NONE"
                    ? $"  {column.Name}: no personal data ({column.Evidence})"
                    : $"  {column.Name}: {column.What}, {column.State}, {column.Role}, "
                        + $"{column.Matches} of {column.Rows} values ({column.Evidence})"
            );
        }
    }

    public static JsonArray Columns(TableReport report) =>
        [
            .. report.Columns.Select(column => new JsonObject
            {
                ["name"] = column.Name,
                ["type"] = column.What,
                ["state"] = column.State,
                ["role"] = column.Role,
                ["evidence"] = column.Evidence,
                ["matches"] = column.Matches,
                ["rows"] = column.Rows,
            }),
        ];

    public static JsonObject? Measure(AnonymityMeasure? measure) =>
        measure is null
            ? null
            : new JsonObject
            {
                ["quasiIdentifiers"] = new JsonArray([.. measure.QuasiIdentifiers.Select(name => (JsonNode)name)]),
                ["setBy"] = measure.SetBy,
                ["k"] = measure.K,
                ["leastK"] = measure.LeastK,
                ["classes"] = measure.Classes,
                ["rows"] = measure.Rows,
                ["uniqueRows"] = measure.UniqueRows,
                ["l"] = measure.L,
            };

    public static string Sentence(AnonymityMeasure measure) =>
        $"Over {string.Join(", ", measure.QuasiIdentifiers)}: k = {measure.K} (at least {measure.LeastK} is asked), "
        + $"{measure.Classes} classes, {measure.UniqueRows} of {measure.Rows} rows alone"
        + (measure.L is { } l ? $", l = {l}." : ".");
}

/// <summary><c>govern privacy scan</c>.</summary>
internal static class PrivacyScan
{
    private static readonly Argument<string> File = PrivacyCommands.CsvFile();
    private static readonly Option<string?> Policy = PrivacyCommands.Policy();
    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "scan",
            "Profiles every column, measures anonymity and judges the table as the gateway would. Exit 1 unless it passes.",
            "govern privacy scan customers.csv",
            "govern privacy scan customers.csv --policy privacy.yaml --format json"
        )
        {
            File,
            Policy,
            Format,
        }.Runs(surroundings, Run);

    private static int Run(Invocation run)
    {
        var report = PrivacyCommands.Scan(run, File, Policy);
        var outcome = report.Verdict.Outcome.ToString().ToUpperInvariant();
        if (run.IsJson(Format))
        {
            run.Say(
                new JsonObject
                {
                    ["rows"] = report.Rows,
                    ["columns"] = PrivacyCommands.Columns(report),
                    ["anonymity"] = PrivacyCommands.Measure(report.Anonymity),
                    ["outcome"] = outcome,
                    ["reasons"] = new JsonArray([.. report.Verdict.Reasons.Select(reason => (JsonNode)reason)]),
                    ["rulesVersion"] = report.Verdict.RulesVersion,
                }
            );
        }
        else
        {
            run.Say($"{run.Get(File)}: {report.Rows} rows, {report.Columns.Count} columns");
            PrivacyCommands.SayColumns(run, report);
            if (report.Anonymity is { } measure)
            {
                run.Say(PrivacyCommands.Sentence(measure));
            }

            run.Say($"Verdict: {outcome}");
            foreach (var reason in report.Verdict.Reasons)
            {
                run.Say($"  - {reason}");
            }
        }

        return report.Verdict.Outcome == PrivacyOutcome.Pass ? Exit.Fine : Exit.Refused;
    }
}

/// <summary><c>govern privacy columns</c>.</summary>
internal static class PrivacyColumns
{
    private static readonly Argument<string> File = PrivacyCommands.CsvFile();
    private static readonly Option<string?> Policy = PrivacyCommands.Policy();
    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "columns",
            "Says of every column what it holds, in what state and role; judges nothing.",
            "govern privacy columns customers.csv --format json"
        )
        {
            File,
            Policy,
            Format,
        }.Runs(surroundings, Run);

    private static int Run(Invocation run)
    {
        var report = PrivacyCommands.Scan(run, File, Policy);
        if (run.IsJson(Format))
        {
            run.Say(new JsonObject { ["rows"] = report.Rows, ["columns"] = PrivacyCommands.Columns(report) });
        }
        else
        {
            PrivacyCommands.SayColumns(run, report);
        }

        return Exit.Fine;
    }
}

/// <summary><c>govern privacy anonymity</c>.</summary>
internal static class PrivacyAnonymity
{
    private static readonly Argument<string> File = PrivacyCommands.CsvFile();

    private static readonly Option<string> Quasi = new("--quasi")
    {
        Description = "Columns that together could single out a person, separated by commas.",
        HelpName = "a,b",
        Required = true,
    };

    private static readonly Option<string?> Sensitive = new("--sensitive")
    {
        Description = "Sensitive columns, for l-diversity, separated by commas.",
        HelpName = "c,d",
    };

    private static readonly Option<int> LeastK = new("--least-k")
    {
        Description = "Smallest group that is enough; below it the exit code is 1.",
        HelpName = "n",
        DefaultValueFactory = _ => 5,
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "anonymity",
            "Measures k-anonymity, and l-diversity of sensitive columns, over every row.",
            "govern privacy anonymity patients.csv --quasi age,zip,sex --sensitive diagnosis"
        )
        {
            File,
            Quasi,
            Sensitive,
            LeastK,
            Format,
        }.Runs(surroundings, Run);

    private static int Run(Invocation run)
    {
        var path = run.Get(File);
        InputFile.Open(path).Dispose();
        if (run.Get(LeastK) < 1)
        {
            throw Stop.Usage("--least-k is a number from 1.");
        }

        var measure = PrivacyTools
            .Measure(path, Names(run.Need(Quasi)), Names(run.Get(Sensitive)), run.Get(LeastK), run.Cancelled)
            .OrStop();
        if (run.IsJson(Format))
        {
            run.Say(PrivacyCommands.Measure(measure)!);
        }
        else
        {
            run.Say(PrivacyCommands.Sentence(measure));
        }

        return measure.K >= measure.LeastK ? Exit.Fine : Exit.Refused;
    }

    private static string[] Names(string? list) =>
        list?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
}

/// <summary><c>govern privacy anonymise</c>.</summary>
internal static class PrivacyAnonymise
{
    private static readonly Argument<string> File = PrivacyCommands.CsvFile();

    private static readonly Option<string[]> Plan = new("--plan")
    {
        Description =
            "What is done to each column, separated by commas: column=keep, drop, mask[:n kept at the end], "
            + "generalise:10 (bands), generalise:year, generalise:prefix:3, tokenise. Every column must be named. May be repeated.",
        HelpName = "col=method[:param],…",
        Required = true,
    };

    private static readonly Option<string> Out = Shared.RequiredFile("--out", "CSV to write; must not exist.");

    private static readonly Option<string?> TokenKey = Shared.File(
        "--token-key",
        "32 bytes or more that key the tokens; without it the key is random and thrown away."
    );

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "anonymise",
            "Writes a treated copy of a table. Measure the copy again before you rely on it.",
            "govern privacy anonymise people.csv --plan name=drop,email=tokenise,age=generalise:10,city=keep --out safe.csv"
        )
        {
            File,
            Plan,
            Out,
            TokenKey,
        }.Runs(surroundings, Run);

    private static int Run(Invocation run)
    {
        var (path, output) = (run.Get(File), run.Need(Out));
        InputFile.Open(path).Dispose();
        if (System.IO.File.Exists(output) || Directory.Exists(output))
        {
            throw Stop.Unusable("exists", $"{output} exists already; a table is never overwritten.");
        }

        if (!Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(output))))
        {
            throw Stop.Unusable("unwritable", $"{output} cannot be written: there is no such folder.");
        }

        var treatments = run.Need(Plan).SelectMany(part => part.Split(',')).Select(Treatment).ToList();
        var key = run.Get(TokenKey) is { } keyPath ? InputFile.Read(keyPath, 4096) : null;
        var temporary = OutputFile.TemporaryBeside(output);
        try
        {
            var rows = PrivacyTools.AnonymiseCsv(path, temporary, treatments, key, run.Cancelled).OrStop();
            System.IO.File.Move(temporary, output, overwrite: false);
            run.Say($"Wrote {output}: {rows} rows.");
            return Exit.Fine;
        }
        finally
        {
            OutputFile.DeleteIfThere(temporary);
        }
    }

    private static ColumnTreatment Treatment(string text)
    {
        var equals = text.LastIndexOf('=');
        if (equals <= 0)
        {
            throw Stop.Usage("A plan is column=method[:parameter], separated by commas.");
        }

        var method = text[(equals + 1)..].Split(':', 2);
        return new ColumnTreatment(text[..equals].Trim(), method[0].Trim(), method.Length > 1 ? method[1].Trim() : "");
    }
}
