using System.Collections.Frozen;
using Governance.Identity.Contracts;
using Governance.Kernel;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Governance.Identity.Engine;

/// <summary>
/// Reads <c>policies/roles.yaml</c>: a mapping <c>roles</c> → role → <c>everywhere</c> and <c>own</c> → permissions. The
/// vocabulary is closed: another key, role or permission, a repetition or a missing role is refused with line and column.
/// Read from the event stream, so no tag can name a type and no alias can multiply anything.
/// </summary>
internal static class RoleFile
{
    public const int MaxLength = 64 * 1024;

    /// <summary>The seven roles, no fewer and no more.</summary>
    public static readonly FrozenSet<string> RoleNames = FrozenSet.Create(
        StringComparer.Ordinal,
        "viewer",
        "data-scientist",
        "reviewer",
        "release-manager",
        "privacy-officer",
        "auditor",
        "admin"
    );

    // Everybody and every actor have these two without a role.
    private static readonly FrozenSet<string> Grantable = Permissions
        .All.Where(permission => permission != Permissions.Public && permission != Permissions.Self)
        .Select(permission => permission.Name)
        .ToFrozenSet(StringComparer.Ordinal);

    public static Result<FrozenDictionary<string, RoleDefinition>> Parse(string text)
    {
        if (text.Length > MaxLength)
        {
            return Failure.Invalid("identity.roles_invalid", "roles.yaml is longer than 65,536 characters.");
        }

        try
        {
            using var reader = new StringReader(text);
            return new Reading(new Parser(reader)).Document();
        }
        catch (RoleFileException refused)
        {
            return Refused(refused.At, refused.Message);
        }
        catch (YamlException malformed)
        {
            return Refused(malformed.Start, "this is not YAML that can be read");
        }
    }

    private static Failure Refused(Mark at, string reason) =>
        Failure.Invalid("identity.roles_invalid", $"roles.yaml line {at.Line}, column {at.Column}: {reason}.");

    private sealed class RoleFileException(Mark at, string reason) : Exception(reason)
    {
        public Mark At => at;
    }

    private sealed class Reading(IParser parser)
    {
        public FrozenDictionary<string, RoleDefinition> Document()
        {
            parser.Consume<StreamStart>();
            Expect<DocumentStart>("an empty file");
            var roles = new Dictionary<string, RoleDefinition>(StringComparer.Ordinal);
            var start = Mapping(
                "the file",
                (key, at) =>
                {
                    if (key != "roles")
                    {
                        throw new RoleFileException(at, $"unknown key '{key}', expected 'roles'");
                    }

                    Mapping("'roles'", (name, nameAt) => roles.Add(name, Role(name, nameAt)));
                }
            );
            Expect<DocumentEnd>("more than one document");
            Expect<StreamEnd>("more than one document");
            var missing = RoleNames.FirstOrDefault(name => !roles.ContainsKey(name));
            return missing is null
                ? roles.ToFrozenDictionary(StringComparer.Ordinal)
                : throw new RoleFileException(start, $"role '{missing}' is missing");
        }

        private RoleDefinition Role(string name, Mark at)
        {
            if (!RoleNames.Contains(name))
            {
                throw new RoleFileException(at, $"unknown role '{name}'");
            }

            var everywhere = new HashSet<string>(StringComparer.Ordinal);
            var own = new HashSet<string>(StringComparer.Ordinal);
            Mapping(
                $"role '{name}'",
                (key, keyAt) =>
                    Names(
                        key switch
                        {
                            "everywhere" => everywhere,
                            "own" => own,
                            _ => throw new RoleFileException(
                                keyAt,
                                $"unknown key '{key}', expected 'everywhere' or 'own'"
                            ),
                        }
                    )
            );
            var twice = everywhere.FirstOrDefault(own.Contains);
            return twice is null
                ? new RoleDefinition(
                    name,
                    everywhere.ToFrozenSet(StringComparer.Ordinal),
                    own.ToFrozenSet(StringComparer.Ordinal)
                )
                : throw new RoleFileException(at, $"permission '{twice}' is both everywhere and own");
        }

        private void Names(HashSet<string> permissions)
        {
            Expect<SequenceStart>("expected a list of permissions");
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                var (name, at) = Text();
                if (!Grantable.Contains(name))
                {
                    throw new RoleFileException(at, $"unknown permission '{name}'");
                }

                if (!permissions.Add(name))
                {
                    throw new RoleFileException(at, $"permission '{name}' is listed twice");
                }
            }
        }

        private Mark Mapping(string what, Action<string, Mark> member)
        {
            var start = Expect<MappingStart>($"{what} must be a mapping").Start;
            var seen = new HashSet<string>(StringComparer.Ordinal);
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                var (key, at) = Text();
                if (!seen.Add(key))
                {
                    throw new RoleFileException(at, $"'{key}' appears twice");
                }

                member(key, at);
            }

            return start;
        }

        private (string Value, Mark At) Text()
        {
            var scalar = Expect<Scalar>("expected a plain name");
            return scalar.Anchor.IsEmpty && scalar.Tag.IsEmpty && scalar.Value.Length is > 0 and <= 64
                ? (scalar.Value, scalar.Start)
                : throw new RoleFileException(scalar.Start, "expected a plain name without anchor or tag");
        }

        private T Expect<T>(string otherwise)
            where T : ParsingEvent =>
            parser.TryConsume<T>(out var found)
                ? found
                : throw new RoleFileException(parser.Current?.Start ?? Mark.Empty, otherwise);
    }
}
