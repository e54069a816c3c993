using System.Collections.Frozen;
using System.Globalization;
using Governance.Identity.Contracts;
using Governance.Kernel;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Governance.Identity.Engine;

/// <summary>What roles.yaml says.</summary>
/// <param name="Roles">Role → permissions.</param>
/// <param name="Groups">Groups to begin with, and what they are granted.</param>
/// <param name="ExternalMaxAge">How old the token may be that says who is in an external group.</param>
internal sealed record RolePolicy(
    FrozenDictionary<string, RoleDefinition> Roles,
    IReadOnlyList<GroupDefinition> Groups,
    TimeSpan ExternalMaxAge
);

/// <summary>A group to begin with.</summary>
internal sealed record GroupDefinition(string Name, ExternalClaim? External, IReadOnlyList<RoleGrant> Grants);

/// <summary>
/// Reads <c>policies/roles.yaml</c>: a mapping <c>roles</c> → role → <c>everywhere</c> and <c>own</c> → permissions, and
/// optionally <c>groups</c> with what they are granted. The vocabulary is closed: another key, role or permission, a
/// repetition or a missing role is refused with line and column.
/// Read from the event stream, so no tag can name a type and no alias can multiply anything.
/// </summary>
internal static class RoleFile
{
    public const int MaxLength = 64 * 1024;
    private const int MaxGroups = 1000;
    private const int DefaultMaxAgeMinutes = 60;

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

    /// <summary>The permissions that roles give: everybody and every actor have the other two without one.</summary>
    public static readonly FrozenSet<string> Grantable = Permissions
        .All.Where(permission => permission != Permissions.Public && permission != Permissions.Self)
        .Select(permission => permission.Name)
        .ToFrozenSet(StringComparer.Ordinal);

    public static Result<RolePolicy> Parse(string text)
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
        private const int MaxName = 64;
        private const int MaxText = 256;

        public RolePolicy Document()
        {
            parser.Consume<StreamStart>();
            Expect<DocumentStart>("an empty file");
            var roles = new Dictionary<string, RoleDefinition>(StringComparer.Ordinal);
            var groups = new List<GroupDefinition>();
            var minutes = DefaultMaxAgeMinutes;
            var start = Mapping(
                "the file",
                (key, at) =>
                {
                    switch (key)
                    {
                        case "roles":
                            Mapping("'roles'", (name, nameAt) => roles.Add(name, Role(name, nameAt)));
                            break;
                        case "groups":
                            Sequence("expected a list of groups", groupAt => groups.Add(Group(groupAt)));
                            break;
                        case "external_groups_max_age_minutes":
                            minutes = Minutes();
                            break;
                        default:
                            throw new RoleFileException(
                                at,
                                $"unknown key '{key}', expected 'roles', 'groups' or 'external_groups_max_age_minutes'"
                            );
                    }
                }
            );
            Expect<DocumentEnd>("more than one document");
            Expect<StreamEnd>("more than one document");
            if (RoleNames.FirstOrDefault(name => !roles.ContainsKey(name)) is { } missing)
            {
                throw new RoleFileException(start, $"role '{missing}' is missing");
            }

            var twice =
                groups.GroupBy(group => group.Name).FirstOrDefault(same => same.Count() > 1)?.Key
                ?? groups
                    .Where(group => group.External is not null)
                    .GroupBy(group => group.External)
                    .FirstOrDefault(same => same.Count() > 1)
                    ?.Last()
                    .Name;
            return twice is null && groups.Count <= MaxGroups
                ? new RolePolicy(
                    roles.ToFrozenDictionary(StringComparer.Ordinal),
                    groups,
                    TimeSpan.FromMinutes(minutes)
                )
                : throw new RoleFileException(
                    start,
                    twice is null ? "more than 1000 groups" : $"group '{twice}' or what it is bound to appears twice"
                );
        }

        private int Minutes()
        {
            var (text, at) = Text();
            return
                int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var minutes)
                && minutes is >= 1 and <= 1440
                ? minutes
                : throw new RoleFileException(at, "expected whole minutes from 1 to 1440");
        }

        private GroupDefinition Group(Mark at)
        {
            string? name = null;
            ExternalClaim? external = null;
            var grants = new List<RoleGrant>();
            Mapping(
                "a group",
                (key, keyAt) =>
                {
                    switch (key)
                    {
                        case "name":
                            name = Text().Value;
                            break;
                        case "external":
                            external = External(keyAt);
                            break;
                        case "grants":
                            Sequence("expected a list of grants", grantAt => grants.Add(Grant(grantAt)));
                            break;
                        default:
                            throw new RoleFileException(
                                keyAt,
                                $"unknown key '{key}', expected 'name', 'external' or 'grants'"
                            );
                    }
                }
            );
            Require(AccountRules.CheckName(name ?? ""), at);
            return grants.DistinctBy(grant => (grant.Role, grant.Kind, grant.Pattern)).Count() == grants.Count
                ? new GroupDefinition(name!, external, grants)
                : throw new RoleFileException(at, $"group '{name}' is granted the same twice");
        }

        private ExternalClaim External(Mark at)
        {
            var parts = new Dictionary<string, string>(StringComparer.Ordinal);
            Mapping(
                "'external'",
                (key, keyAt) =>
                    parts[
                        key is "issuer" or "claim" or "value"
                            ? key
                            : throw new RoleFileException(
                                keyAt,
                                $"unknown key '{key}', expected 'issuer', 'claim' and 'value'"
                            )
                    ] = Text(MaxText).Value
            );
            var external = new ExternalClaim(
                parts.GetValueOrDefault("issuer", ""),
                parts.GetValueOrDefault("claim", ""),
                parts.GetValueOrDefault("value", "")
            );
            Require(GrantRules.CheckExternal(external), at);
            return external;
        }

        private RoleGrant Grant(Mark at)
        {
            var role = "";
            var scope = (Kind: ObjectKind.None, Pattern: "");
            IReadOnlyList<string> only = [],
                except = [];
            Mapping(
                "a grant",
                (key, keyAt) =>
                {
                    switch (key)
                    {
                        case "role":
                            role = Text().Value;
                            break;
                        case "experiment" or "model" or "dataset" when scope.Kind == ObjectKind.None:
                            scope = (Enum.Parse<ObjectKind>(key, ignoreCase: true), Text(MaxText).Value);
                            break;
                        case "targets":
                            only = Texts();
                            break;
                        case "except":
                            except = Texts();
                            break;
                        default:
                            throw new RoleFileException(
                                keyAt,
                                $"unexpected '{key}': a grant has 'role', one of 'experiment', 'model', 'dataset', and 'targets', 'except'"
                            );
                    }
                }
            );
            var grant = new RoleGrant(role, scope.Kind, scope.Pattern)
            {
                Targets = only.Count + except.Count == 0 ? TargetScope.All : new TargetScope(only, except),
            };
            Require(GrantRules.CheckGrant(grant), at);
            return grant;
        }

        private List<string> Texts()
        {
            var texts = new List<string>();
            Sequence("expected a list of targets", _ => texts.Add(Text(MaxText).Value));
            return texts;
        }

        private static void Require(Failure? broken, Mark at)
        {
            if (broken is not null)
            {
                throw new RoleFileException(at, broken.Message.TrimEnd('.'));
            }
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
            Sequence(
                "expected a list of permissions",
                _ =>
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
            );
        }

        private void Sequence(string otherwise, Action<Mark> item)
        {
            Expect<SequenceStart>(otherwise);
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                item(parser.Current?.Start ?? Mark.Empty);
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

        private (string Value, Mark At) Text(int longest = MaxName)
        {
            var scalar = Expect<Scalar>("expected a plain name");
            return
                scalar.Anchor.IsEmpty && scalar.Tag.IsEmpty && scalar.Value.Length > 0 && scalar.Value.Length <= longest
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
