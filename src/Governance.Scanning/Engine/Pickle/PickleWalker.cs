using System.Globalization;
using System.Text;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Pickle;

/// <summary>
/// Executes one pickle symbolically (CPython <c>Lib/pickle.py</c>, protocols 0–5) and reports what loading it would
/// import and call. Nothing is ever loaded: a value is at most a name, a number or a short text.
/// </summary>
internal sealed class PickleWalker
{
    private const int TupleKept = 16;
    private readonly Content _content;
    private readonly string _path;
    private readonly Findings _findings;
    private readonly ScanBudget _budget;
    private readonly int _nesting;
    private readonly PickleInput _input;
    private readonly PickleStack _stack;
    private readonly PickleMemo _memo;
    private readonly Dictionary<(string, string), ImportValue> _imports = [];
    private readonly List<(ImportValue Import, long Offset)> _makers = [];
    private long _frameEnd = -1;

    public PickleWalker(Content content, long start, string path, Findings findings, ScanBudget budget, int nesting)
    {
        _content = content;
        _path = path;
        _findings = findings;
        _budget = budget;
        _nesting = nesting;
        _input = new PickleInput(content, start);
        _stack = new PickleStack(budget.Options.MaxStack);
        _memo = new PickleMemo(budget.Options.MaxStack);
    }

    /// <summary>Offset after the last byte used.</summary>
    public long Position => _input.Position;

    /// <summary>Whether anything was imported.</summary>
    public bool SawImport => _imports.Count > 0;

    /// <summary>Walks to STOP and returns the value that loading would give.</summary>
    public PickleValue Walk()
    {
        try
        {
            return Run();
        }
        finally
        {
            JudgeMakers();
        }
    }

    private PickleValue Run()
    {
        for (long executed = 1; ; executed++)
        {
            if ((executed & 0xFFF) == 0)
            {
                _budget.TakeOpcodes(0x1000);
            }

            var offset = _input.Position;
            var opcode = _input.Byte();
            if (opcode == '.')
            {
                LeaveFrame(offset, isStop: true);
                return _stack.Pop();
            }

            try
            {
                Execute(opcode, offset);
            }
            catch (MalformedException malformed) when (malformed.Offset is null)
            {
                throw new MalformedException(malformed.Message, offset);
            }

            LeaveFrame(offset, isStop: false);
        }
    }

    // CPython's two unpicklers disagree on what follows an argument that crosses a frame end, so a file may show them
    // different programs.
    private void LeaveFrame(long offset, bool isStop)
    {
        if (_frameEnd < 0)
        {
            return;
        }

        if (_input.Position > _frameEnd || (isStop && _input.Position != _frameEnd))
        {
            throw new MalformedException("frame boundary inside an opcode", offset);
        }

        if (_input.Position == _frameEnd)
        {
            _frameEnd = -1;
        }
    }

    private void Execute(byte opcode, long offset)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                if (_input.Byte() > 5)
                {
                    throw new MalformedException("unknown pickle protocol");
                }

                break;
            case 0x95: // FRAME
                StartFrame();
                break;
            case (byte)'(':
                _stack.Mark();
                break;
            case (byte)'0':
                _stack.PopOrMark();
                break;
            case (byte)'1': // POP_MARK
                _stack.PopToMark();
                break;
            case (byte)'2': // DUP
                _stack.Push(_stack.Peek());
                break;

            case (byte)'N':
                _stack.Push(PickleValue.None);
                break;
            case 0x88 or 0x89: // NEWTRUE, NEWFALSE
                _stack.Push(PickleValue.Opaque);
                break;
            case (byte)'I' or (byte)'L':
                PushNumber(_input.Line());
                break;
            case (byte)'J':
                _stack.Push(new NumberValue((int)_input.Unsigned(4)));
                break;
            case (byte)'K':
                _stack.Push(new NumberValue(_input.Byte()));
                break;
            case (byte)'M':
                _stack.Push(new NumberValue(_input.Unsigned(2)));
                break;
            case 0x8a: // LONG1
                PushLong(_input.Byte());
                break;
            case 0x8b: // LONG4
                PushLong(_input.Unsigned(4));
                break;
            case (byte)'F':
                _input.Line();
                _stack.Push(PickleValue.Opaque);
                break;
            case (byte)'G':
                _input.Skip(8);
                _stack.Push(PickleValue.Opaque);
                break;

            case (byte)'S':
                _stack.Push(PickleText.Quoted(_input.Line()));
                break;
            case (byte)'V':
                _stack.Push(PickleText.RawUnicodeEscape(_input.Line()));
                break;
            case (byte)'U': // SHORT_BINSTRING
                PushText(_input.Byte(), maybePickle: true);
                break;
            case (byte)'T': // BINSTRING
                PushText(_input.Unsigned(4), maybePickle: true);
                break;
            case 0x8c: // SHORT_BINUNICODE
                PushText(_input.Byte(), maybePickle: false);
                break;
            case (byte)'X':
                PushText(_input.Unsigned(4), maybePickle: false);
                break;
            case 0x8d: // BINUNICODE8
                PushText(_input.Unsigned(8), maybePickle: false);
                break;
            case (byte)'C': // SHORT_BINBYTES
                PushBytes(_input.Byte());
                break;
            case (byte)'B':
                PushBytes(_input.Unsigned(4));
                break;
            case 0x8e or 0x96: // BINBYTES8, BYTEARRAY8
                PushBytes(_input.Unsigned(8));
                break;
            case 0x97: // NEXT_BUFFER
                _stack.Push(PickleValue.Opaque);
                break;
            case 0x98: // READONLY_BUFFER
                _stack.Peek();
                break;

            case (byte)']'
            or 0x8f: // EMPTY_LIST, EMPTY_SET
                _stack.Push(PickleValue.Opaque);
                break;
            case (byte)'}':
                _stack.Push(new MappingValue());
                break;
            case (byte)')':
                _stack.Push(new TupleValue([], 0));
                break;
            case (byte)'l' or 0x91: // LIST, FROZENSET
                _stack.PopToMark();
                _stack.Push(PickleValue.Opaque);
                break;
            case (byte)'t':
                _stack.Push(Tuple(_stack.PopToMark()));
                break;
            case 0x85 or 0x86 or 0x87: // TUPLE1, TUPLE2, TUPLE3
                PushTuple(opcode - 0x84);
                break;
            case (byte)'d':
                var pairs = _stack.PopToMark();
                var fresh = new MappingValue();
                SetItems(fresh, pairs, offset);
                _stack.Push(fresh);
                break;
            case (byte)'a':
                _stack.Pop();
                Change(_stack.Peek(), offset);
                break;
            case (byte)'e' or 0x90: // APPENDS, ADDITEMS
                _stack.PopToMark();
                Change(_stack.Peek(), offset);
                break;
            case (byte)'s':
                var item = _stack.Pop();
                var key = _stack.Pop();
                SetItems(_stack.Peek(), [key, item], offset);
                break;
            case (byte)'u': // SETITEMS
                var items = _stack.PopToMark();
                SetItems(_stack.Peek(), items, offset);
                break;

            case (byte)'p':
                _memo.Put(MemoIndex(_input.Line()), _stack.Peek());
                break;
            case (byte)'q':
                _memo.Put(_input.Byte(), _stack.Peek());
                break;
            case (byte)'r':
                _memo.Put(_input.Unsigned(4), _stack.Peek());
                break;
            case 0x94: // MEMOIZE
                _memo.Put(_memo.Count, _stack.Peek());
                break;
            case (byte)'g':
                _stack.Push(_memo.Get(MemoIndex(_input.Line())));
                break;
            case (byte)'h':
                _stack.Push(_memo.Get(_input.Byte()));
                break;
            case (byte)'j':
                _stack.Push(_memo.Get(_input.Unsigned(4)));
                break;

            case (byte)'c': // GLOBAL
                _stack.Push(ImportLines(offset));
                break;
            case 0x93: // STACK_GLOBAL
                var name = _stack.Pop();
                _stack.Push(ImportFromStack(_stack.Pop(), name, offset));
                break;
            case 0x82 or 0x83 or 0x84: // EXT1, EXT2, EXT4
                PushExtension(_input.Unsigned(1 << (opcode - 0x82)), offset);
                break;
            case (byte)'P':
                PushPersistent(PickleText.Utf8(_input.Line()), offset);
                break;
            case (byte)'Q':
                PushPersistent(_stack.Pop(), offset);
                break;

            case (byte)'R': // REDUCE
                var given = _stack.Pop();
                _stack.Push(Reduce(_stack.Pop(), given, offset));
                break;
            case 0x81: // NEWOBJ
                var arguments = _stack.Pop();
                _stack.Push(Call(_stack.Pop(), arguments, offset));
                break;
            case 0x92: // NEWOBJ_EX
                _stack.Pop();
                var positional = _stack.Pop();
                _stack.Push(Call(_stack.Pop(), positional, offset));
                break;
            case (byte)'i': // INST
                var made = ImportLines(offset);
                made.Pushed++;
                _stack.Push(Call(made, Tuple(_stack.PopToMark()), offset));
                break;
            case (byte)'o': // OBJ
                var parts = _stack.PopToMark();
                if (parts.IsEmpty)
                {
                    throw new MalformedException("OBJ without a class");
                }

                _stack.Push(Call(parts[0], Tuple(parts[1..]), offset));
                break;
            case (byte)'b':
                var state = _stack.Pop();
                Build(_stack.Peek(), state, offset);
                break;
            default:
                throw new MalformedException($"unknown opcode 0x{opcode:x2}");
        }
    }

    private void StartFrame()
    {
        var length = _input.Unsigned(8);
        if (_frameEnd >= 0)
        {
            throw new MalformedException("a frame inside a frame");
        }

        if (length > _input.Remaining)
        {
            throw new MalformedException("a frame longer than the file");
        }

        _frameEnd = _input.Position + length;
    }

    private void PushNumber(ReadOnlySpan<byte> line) =>
        _stack.Push(
            long.TryParse(
                line.Trim(" \t\rL"u8),
                NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture,
                out var value
            )
                ? new NumberValue(value)
                : PickleValue.Opaque
        );

    private void PushLong(long length)
    {
        if (length > 8)
        {
            // 0x1950a86a20f9469cfc6c opens a torch file of the kind before zip.
            var isTorchMagic = length == 10 && _input.Bytes(10).SequenceEqual(TorchMagic);
            if (length != 10)
            {
                _input.Skip(length);
            }

            _stack.Push(isTorchMagic ? LegacyTorch : PickleValue.Opaque);
            return;
        }

        long value = 0;
        var bytes = _input.Bytes((int)length);
        for (var i = bytes.Length - 1; i >= 0; i--)
        {
            value = (value << 8) | bytes[i];
        }

        if (length is > 0 and < 8 && bytes[^1] >= 0x80)
        {
            value -= 1L << (int)(8 * length);
        }

        _stack.Push(new NumberValue(value));
    }

    /// <summary>The value of the first pickle of a torch file of the kind before zip.</summary>
    public static readonly PickleValue LegacyTorch = new TextValue("torch magic");

    private static ReadOnlySpan<byte> TorchMagic => [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

    private void PushText(long length, bool maybePickle)
    {
        if (maybePickle)
        {
            LookInside(length);
        }

        if (length <= PickleText.MaxKept)
        {
            _stack.Push(PickleText.Utf8(_input.Bytes((int)length)));
            return;
        }

        _input.Skip(length);
        _stack.Push(PickleValue.Opaque);
    }

    private void PushBytes(long length)
    {
        LookInside(length);
        _input.Skip(length);
        _stack.Push(PickleValue.Opaque);
    }

    // A payload that is itself a pickle waits for a loads() that may come from code out of sight.
    private void LookInside(long length)
    {
        if (length < 4 || _nesting >= _budget.Options.MaxNesting)
        {
            return;
        }

        var start = _input.Position;
        var head = _content.Bytes(start, 2);
        if (head is not [0x80, >= 2 and <= 5])
        {
            return;
        }

        var inner = new Findings();
        try
        {
            new PickleWalker(
                _content.Slice(start, length),
                0,
                $"{_path}!bytes@{start}",
                inner,
                _budget,
                _nesting + 1
            ).Walk();
        }
        catch (MalformedException)
        {
            // Binary data may start like a pickle; what counts is what it imported until then.
        }

        if (inner.Worst == ScanClass.Malicious)
        {
            _findings.AddAll(inner);
        }
    }

    private void PushTuple(int count)
    {
        var items = new PickleValue[count];
        for (var i = count - 1; i >= 0; i--)
        {
            items[i] = _stack.Pop();
        }

        _stack.Push(new TupleValue(items, count));
    }

    private static TupleValue Tuple(ReadOnlySpan<PickleValue> items) =>
        new(items[..Math.Min(items.Length, TupleKept)].ToArray(), items.Length);

    private void SetItems(PickleValue target, ReadOnlySpan<PickleValue> pairs, long offset)
    {
        Change(target, offset);
        if (target is MappingValue mapping)
        {
            for (var i = 0; i + 1 < pairs.Length; i += 2)
            {
                mapping.Set(pairs[i], pairs[i + 1]);
            }
        }
    }

    private void Change(PickleValue target, long offset)
    {
        if (target is ImportValue import)
        {
            Report(ScanClass.Suspicious, "pickle.changes-import", import.FullName, offset);
        }
        else if (target == PickleValue.Type)
        {
            Report(ScanClass.Suspicious, "pickle.changes-import", "a type", offset);
        }
    }

    private static long MemoIndex(ReadOnlySpan<byte> line) =>
        long.TryParse(
            Encoding.ASCII.GetString(line).Replace("_", "", StringComparison.Ordinal),
            NumberStyles.Integer,
            CultureInfo.InvariantCulture,
            out var index
        )
        && index >= 0
            ? index
            : throw new MalformedException("a memo number that is no number");

    private ImportValue ImportLines(long offset)
    {
        var module = Encoding.UTF8.GetString(_input.Line());
        return Import(module, Encoding.UTF8.GetString(_input.Line()), offset);
    }

    private PickleValue ImportFromStack(PickleValue module, PickleValue name, long offset)
    {
        if (module is TextValue moduleText && name is TextValue nameText)
        {
            return Import(moduleText.Text, nameText.Text, offset);
        }

        // No pickler writes this: a name that is computed exists only to be unreadable.
        Report(ScanClass.Malicious, "pickle.computed-import", "an import whose name is computed", offset);
        return PickleValue.Opaque;
    }

    private ImportValue Import(string module, string name, long offset)
    {
        if (_imports.TryGetValue((module, name), out var known))
        {
            return known;
        }

        if (module.Length + name.Length > PickleText.MaxKept)
        {
            throw new MalformedException("an import name over 1,024 characters");
        }

        if (_imports.Count >= 100_000)
        {
            throw new BudgetExceededException("pickle imports");
        }

        var severity = ImportRules.Classify(module, name);
        var import = new ImportValue(ImportRules.Modernise(module), name, severity);
        _imports[(module, name)] = import;
        if (TypeRules.IsMaker(import))
        {
            _makers.Add((import, offset));
        }
        else
        {
            Report(severity, RuleOf(severity), import.FullName, offset);
        }

        return import;
    }

    // Harmless only where each time that it lay on the stack it was called at once and made a type: it may be kept in the memo
    // or inside of something else for another use.
    private void JudgeMakers()
    {
        foreach (var (import, offset) in _makers.Where(maker => maker.Import.Pushed != maker.Import.MadeTypes))
        {
            Report(import.Class, RuleOf(import.Class), import.FullName, offset);
        }
    }

    private static string RuleOf(ScanClass severity) =>
        severity switch
        {
            ScanClass.Malicious => "pickle.dangerous-import",
            ScanClass.ContainsCode => "pickle.code-by-design",
            _ => "pickle.unknown-import",
        };

    private void PushExtension(long code, long offset)
    {
        Report(ScanClass.Suspicious, "pickle.extension-code", $"extension registry code {code}", offset);
        _stack.Push(PickleValue.Opaque);
    }

    private void PushPersistent(PickleValue id, long offset)
    {
        // torch names its storages so: ("storage", type, key, location, elements).
        if (id is not TupleValue { Items: [TextValue { Text: "storage" or "module" }, ..] })
        {
            Report(ScanClass.Suspicious, "pickle.persistent-id", "a persistent id that is not a torch storage", offset);
        }

        _stack.Push(PickleValue.Opaque);
    }

    private PickleValue Reduce(PickleValue callable, PickleValue arguments, long offset)
    {
        if (!TypeRules.MakesType(callable, arguments))
        {
            return Call(callable, arguments, offset);
        }

        if (callable is ImportValue import && TypeRules.IsMaker(import))
        {
            import.MadeTypes++;
        }
        else
        {
            Call(callable, arguments, offset);
        }

        return PickleValue.Type;
    }

    private InstanceValue Call(PickleValue callable, PickleValue arguments, long offset)
    {
        if (callable is ImportValue import)
        {
            foreach (var (severity, rule, detail) in CallRules.Judge(import, arguments))
            {
                Report(severity, rule, detail, offset);
            }
        }
        else
        {
            var source = callable is InstanceValue { Callable: ImportValue maker }
                ? $"result of {maker.FullName}"
                : "a value";
            var (severity, rule) = CallRules.IsWrittenByCloudpickle(callable)
                ? (ScanClass.ContainsCode, "pickle.code-by-design")
                : (ScanClass.Suspicious, "pickle.computed-call");
            Report(severity, rule, $"calls {source}", offset);
        }

        // Only the last call of a chain matters; without this a hostile chain would keep every value alive.
        return new InstanceValue(callable is InstanceValue ? PickleValue.Opaque : callable, arguments);
    }

    private void Build(PickleValue target, PickleValue state, long offset)
    {
        Change(target, offset);
        var reaching = state switch
        {
            MappingValue mapping => mapping.ReachingKey,
            TupleValue tuple => tuple
                .Items.OfType<MappingValue>()
                .Select(part => part.ReachingKey)
                .FirstOrDefault(k => k is not null),
            _ => null,
        };
        if (reaching is not null && !IsCodeByDesign(target))
        {
            Report(ScanClass.Malicious, "pickle.state-gadget", $"state sets {reaching}", offset);
        }

        if (target is not InstanceValue instance)
        {
            return;
        }

        instance.State = state;
        if (instance.Callable is ImportValue { FullName: "joblib.numpy_pickle.NumpyArrayWrapper" })
        {
            SkipJoblibArray(state, offset);
        }
    }

    private static bool IsCodeByDesign(PickleValue target) =>
        target is InstanceValue { Callable: ImportValue { Class: ScanClass.ContainsCode } };

    // joblib writes the bytes of an array between the opcodes, right after the BUILD of its wrapper.
    private void SkipJoblibArray(PickleValue state, long offset)
    {
        if (_frameEnd >= 0 && _input.Position != _frameEnd)
        {
            throw new MalformedException("a joblib array inside a frame", offset);
        }

        var array =
            JoblibArray.Read(state) ?? throw new MalformedException("a joblib array without shape or type", offset);
        if (array.HoldsObjects)
        {
            if (_nesting >= _budget.Options.MaxNesting)
            {
                throw new BudgetExceededException("nesting");
            }

            var inner = new PickleWalker(_content, _input.Position, _path, _findings, _budget, _nesting + 1);
            inner.Walk();
            _input.MoveTo(inner.Position);
            return;
        }

        if (array.Padded)
        {
            _input.Skip(_input.Byte());
        }

        _input.Skip(array.Bytes);
        _frameEnd = -1;
    }

    private void Report(ScanClass severity, string rule, string detail, long offset) =>
        _findings.Add(_path, severity, rule, detail, offset);
}
