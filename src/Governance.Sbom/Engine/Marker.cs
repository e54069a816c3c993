using System.Diagnostics.CodeAnalysis;

namespace Governance.Sbom.Engine;

/// <summary>
/// An environment marker, PEP 508. Evaluated for CPython on Linux; what depends on anything else is unknown, and unknown
/// never excludes a library.
/// </summary>
internal sealed class Marker
{
    private const int MaxDepth = 16;
    private readonly Node _root;

    private Marker(Node root, string text) => (_root, Text) = (root, text);

    public string Text { get; }

    public static bool TryParse(string text, [NotNullWhen(true)] out Marker? marker)
    {
        var parser = new Parser(text);
        var root = parser.Or(0);
        marker = root is not null && parser.AtEnd ? new Marker(root, text.Trim()) : null;
        return marker is not null;
    }

    /// <summary>True, false, or null when it depends on something that is not recorded.</summary>
    public bool? Evaluate(string? python) => _root.Evaluate(python);

    private abstract record Node
    {
        public abstract bool? Evaluate(string? python);
    }

    private sealed record Both(Node Left, Node Right) : Node
    {
        public override bool? Evaluate(string? python) => Left.Evaluate(python) & Right.Evaluate(python);
    }

    private sealed record Either(Node Left, Node Right) : Node
    {
        public override bool? Evaluate(string? python) => Left.Evaluate(python) | Right.Evaluate(python);
    }

    private sealed record Compare(Operand Left, string Operator, Operand Right) : Node
    {
        public override bool? Evaluate(string? python)
        {
            var left = Left.Resolve(python);
            var right = Right.Resolve(python);
            if (left is null || right is null)
            {
                return null;
            }

            return Left.IsPython || Right.IsPython ? Release(left, right) : Plain(left, right);
        }

        private bool? Plain(string left, string right) =>
            Operator switch
            {
                "==" or "===" => left == right,
                "!=" => left != right,
                "in" => right.Contains(left, StringComparison.Ordinal),
                "not in" => !right.Contains(left, StringComparison.Ordinal),
                _ => null,
            };

        private bool? Release(string left, string right)
        {
            if (!Version.TryParse(Three(left), out var a) || !Version.TryParse(Three(right), out var b))
            {
                return null;
            }

            return Operator switch
            {
                "==" or "===" => a == b,
                "!=" => a != b,
                "<" => a < b,
                "<=" => a <= b,
                ">" => a > b,
                ">=" => a >= b,
                _ => null,
            };
        }

        private static string Three(string version) =>
            version.Count(c => c == '.') switch
            {
                0 => version + ".0.0",
                1 => version + ".0",
                _ => version,
            };
    }

    private sealed record Operand(string Text, bool IsVariable)
    {
        public bool IsPython => IsVariable && Text is "python_version" or "python_full_version";

        public string? Resolve(string? python) =>
            !IsVariable
                ? Text
                : Text switch
                {
                    "python_full_version" => python,
                    "python_version" => python is null ? null : string.Join('.', python.Split('.').Take(2)),
                    "sys_platform" => "linux",
                    "platform_system" => "Linux",
                    "os_name" => "posix",
                    "implementation_name" => "cpython",
                    "platform_python_implementation" => "CPython",
                    "extra" => "",
                    _ => null,
                };
    }

    private sealed class Parser(string text)
    {
        private static readonly string[] Operators = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];
        private int _at;

        public bool AtEnd
        {
            get
            {
                Skip();
                return _at == text.Length;
            }
        }

        public Node? Or(int depth)
        {
            var left = And(depth);
            while (left is not null && Word("or"))
            {
                left = And(depth) is { } right ? new Either(left, right) : null;
            }

            return left;
        }

        private Node? And(int depth)
        {
            var left = Atom(depth);
            while (left is not null && Word("and"))
            {
                left = Atom(depth) is { } right ? new Both(left, right) : null;
            }

            return left;
        }

        private Node? Atom(int depth)
        {
            if (Symbol("("))
            {
                return depth < MaxDepth && Or(depth + 1) is { } inner && Symbol(")") ? inner : null;
            }

            return ReadOperand() is { } left && ReadOperator() is { } op && ReadOperand() is { } right
                ? new Compare(left, op, right)
                : null;
        }

        private string? ReadOperator() =>
            Word("in") ? "in"
            : Word("not") ? (Word("in") ? "not in" : null)
            : Array.Find(Operators, Symbol);

        private Operand? ReadOperand()
        {
            Skip();
            if (_at < text.Length && text[_at] is '\'' or '"')
            {
                var end = text.IndexOf(text[_at], _at + 1);
                if (end < 0)
                {
                    return null;
                }

                var quoted = text[(_at + 1)..end];
                _at = end + 1;
                return new Operand(quoted, IsVariable: false);
            }

            var start = _at;
            while (_at < text.Length && (char.IsAsciiLetter(text[_at]) || text[_at] is '_' or '.'))
            {
                _at++;
            }

            return _at > start ? new Operand(text[start.._at], IsVariable: true) : null;
        }

        private bool Word(string word)
        {
            Skip();
            var end = _at + word.Length;
            return (end >= text.Length || !PythonText.IsNameCharacter(text[end])) && Symbol(word);
        }

        private bool Symbol(string symbol)
        {
            Skip();
            if (string.CompareOrdinal(text, _at, symbol, 0, symbol.Length) != 0)
            {
                return false;
            }

            _at += symbol.Length;
            return true;
        }

        private void Skip()
        {
            while (_at < text.Length && text[_at] is ' ' or '\t')
            {
                _at++;
            }
        }
    }
}
