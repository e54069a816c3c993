using System.Collections.Frozen;
using System.Security.Cryptography;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine;

/// <summary>The rule lists of <c>Rules/*.txt</c>: what a name inside a pickle or configuration may refer to.</summary>
internal static class ImportRules
{
    private static readonly FrozenSet<string> DunderReach = new[]
    {
        "__globals__",
        "__builtins__",
        "__class__",
        "__bases__",
        "__base__",
        "__mro__",
        "__subclasses__",
        "__init__",
        "__getattribute__",
        "__getattr__",
        "__dict__",
        "__call__",
        "__code__",
        "__import__",
        "__loader__",
        "__spec__",
        "__reduce__",
        "__reduce_ex__",
        "__setstate__",
        "__self__",
        "__func__",
        "__wrapped__",
        "__new__",
        "__del__",
        "__setattr__",
        "__get__",
        "__closure__",
        "__module__",
    }.ToFrozenSet();

    private static readonly FrozenDictionary<string, string> Python2 = Lines("python2")
        .ToFrozenDictionary(words => words[0], words => words[1]);

    private static readonly FrozenSet<string> Allowed = Names("allow").ToFrozenSet();
    private static readonly FrozenSet<string> Dangerous = Names("dangerous").ToFrozenSet();
    private static readonly FrozenSet<string> Code = Names("code").ToFrozenSet();

    /// <summary>Changes whenever a rule changes.</summary>
    public static string Version { get; } = "2026.11.3+" + ContentHash();

    /// <summary>Attribute names that lead from data to running code.</summary>
    public static bool IsReachingDunder(string name) => DunderReach.Contains(name);

    /// <summary>The name as Python 3 would resolve it.</summary>
    public static string Modernise(string module) => Python2.GetValueOrDefault(module, module);

    /// <summary>Judges <c>module.name</c>, where the name may be dotted.</summary>
    public static ScanClass Classify(string module, string name)
    {
        module = Modernise(module);
        if (IsAllowed(module, name))
        {
            return ScanClass.Clean;
        }

        var isDangerous = Code.Contains($"{module} {name}")
            ? Dangerous.Contains($"{module} {name}")
            : Matches(Dangerous, module, name);
        if (isDangerous || ReachesThroughDots(module, name))
        {
            return ScanClass.Malicious;
        }

        return Matches(Code, module, name) ? ScanClass.ContainsCode : ScanClass.Suspicious;
    }

    private static bool IsAllowed(string module, string name) =>
        Allowed.Contains($"{module} {name}")
        || Prefixes(module).Any(package => Allowed.Contains($"{package}.** {name}"));

    private static bool Matches(FrozenSet<string> rules, string module, string name) =>
        rules.Contains($"{module} {name}") || Prefixes(module).Any(package => rules.Contains($"{package} *"));

    // "a.b" + "os.system" reaches os.system because modules keep what they import as attributes.
    private static bool ReachesThroughDots(string module, string name)
    {
        var parts = name.Split('.');
        if (parts.Any(DunderReach.Contains))
        {
            return true;
        }

        for (var i = 1; i < parts.Length && i <= 16; i++)
        {
            var head = string.Join('.', parts[..i]);
            var tail = string.Join('.', parts[i..]);
            if (
                Matches(Dangerous, $"{module}.{head}", tail)
                || Matches(Dangerous, module, head)
                || Enumerable.Range(0, i).Any(j => Matches(Dangerous, string.Join('.', parts[j..i]), tail))
            )
            {
                return true;
            }
        }

        return false;
    }

    private static IEnumerable<string> Prefixes(string module)
    {
        yield return module;
        for (var dot = module.LastIndexOf('.'); dot > 0; dot = module.LastIndexOf('.', dot - 1))
        {
            yield return module[..dot];
        }
    }

    private static IEnumerable<string> Names(string list) =>
        Lines(list).SelectMany(words => words.Skip(1).Select(name => $"{words[0]} {name}")).Distinct();

    private static IEnumerable<string[]> Lines(string list)
    {
        using var reader = new StreamReader(Open(list));
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0 && line[0] != '#')
            {
                yield return line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            }
        }
    }

    private static string ContentHash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var list in new[] { "allow", "code", "dangerous", "python2" })
        {
            using var stream = Open(list);
            var content = new byte[stream.Length];
            stream.ReadExactly(content);
            hash.AppendData(content);
            hash.AppendData([0]);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..8];
    }

    private static Stream Open(string list) =>
        typeof(ImportRules).Assembly.GetManifestResourceStream(list)
        ?? throw new InvalidOperationException($"The rule list {list} is missing from the assembly.");
}
