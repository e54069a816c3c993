using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Pickle;

/// <summary>What the walker knows of one value that an unpickler would have on its stack.</summary>
internal abstract class PickleValue
{
    /// <summary>A value of no interest: a list, a float, a long text.</summary>
    public static readonly PickleValue Opaque = new OpaqueValue();

    /// <summary>None.</summary>
    public static readonly PickleValue None = new OpaqueValue();

    /// <summary>A type that was made of types: NoneType, <c>list[str]</c>, <c>str | None</c>. See <see cref="TypeRules"/>.</summary>
    public static readonly PickleValue Type = new OpaqueValue();

    private sealed class OpaqueValue : PickleValue;
}

/// <summary>A text of bounded length.</summary>
internal sealed class TextValue(string text) : PickleValue
{
    /// <summary>The text after unescaping.</summary>
    public string Text => text;
}

/// <summary>An integer that fits 64 bits.</summary>
internal sealed class NumberValue(long number) : PickleValue
{
    /// <summary>The integer.</summary>
    public long Number => number;
}

/// <summary>A tuple; items beyond the kept ones are forgotten.</summary>
internal sealed class TupleValue(PickleValue[] items, int count) : PickleValue
{
    /// <summary>The first items.</summary>
    public PickleValue[] Items => items;

    /// <summary>Items that the tuple really has.</summary>
    public int Count => count;
}

/// <summary>A dictionary, of which only a few text keys are kept.</summary>
internal sealed class MappingValue : PickleValue
{
    private const int MaxKept = 32;
    private List<(string Key, PickleValue Value)>? _entries;

    /// <summary>A key that would replace how an object behaves, or null.</summary>
    public string? ReachingKey { get; private set; }

    /// <summary>Notes one entry.</summary>
    public void Set(PickleValue key, PickleValue value)
    {
        if (key is not TextValue text)
        {
            return;
        }

        if (text.Text.StartsWith("__", StringComparison.Ordinal) && ImportRules.IsReachingDunder(text.Text))
        {
            ReachingKey ??= text.Text;
        }

        if ((_entries ??= []).Count < MaxKept)
        {
            _entries.Add((text.Text, value));
        }
    }

    /// <summary>The last value of a key, or null.</summary>
    public PickleValue? Get(string key) => _entries?.LastOrDefault(entry => entry.Key == key).Value;
}

/// <summary>A resolved <c>module.name</c>.</summary>
internal sealed class ImportValue(string module, string name, ScanClass severity) : PickleValue
{
    /// <summary>Module and attribute, as Python 3 would resolve them.</summary>
    public string FullName { get; } = $"{module}.{name}";

    /// <summary>How the rules judge it.</summary>
    public ScanClass Class => severity;

    /// <summary>How often it was put on the stack.</summary>
    public long Pushed { get; set; }

    /// <summary>How often it was taken from there to make a type and nothing else.</summary>
    public long MadeTypes { get; set; }
}

/// <summary>The result of a call or of building an object.</summary>
internal sealed class InstanceValue(PickleValue callable, PickleValue arguments) : PickleValue
{
    /// <summary>What was called.</summary>
    public PickleValue Callable => callable;

    /// <summary>With what.</summary>
    public PickleValue Arguments => arguments;

    /// <summary>State given by BUILD, or null.</summary>
    public PickleValue? State { get; set; }
}
