using System.Collections.Frozen;
using Governance.Identity.Contracts;
using Governance.Kernel;

namespace Governance.Identity.Engine;

/// <summary>A grant with what its role means.</summary>
internal sealed record HeldGrant(RoleGrant Grant, RoleDefinition Role);

/// <summary>
/// The grants of one subject, arranged so that asking about one object looks at few of them however many there are: by kind,
/// and there by what stands before the first star of the pattern.
/// </summary>
internal sealed class GrantIndex
{
    public static readonly GrantIndex Empty = new([], FrozenDictionary<string, RoleDefinition>.Empty);
    private readonly HeldGrant[] _global;
    private readonly FrozenDictionary<ObjectKind, ByPrefix> _patterns;
    private readonly FrozenDictionary<string, DateTimeOffset> _until;
    private readonly IReadOnlyDictionary<string, RoleDefinition> _roles;

    public GrantIndex(IEnumerable<RoleGrant> grants, IReadOnlyDictionary<string, RoleDefinition> roles)
    {
        _roles = roles;
        All = [.. grants.Where(grant => roles.ContainsKey(grant.Role)).Select(g => new HeldGrant(g, roles[g.Role]))];
        _global = [.. All.Where(held => held.Grant.Kind == ObjectKind.None)];
        _patterns = All.Where(held => held.Grant.Kind != ObjectKind.None)
            .GroupBy(held => held.Grant.Kind)
            .ToFrozenDictionary(kind => kind.Key, kind => new ByPrefix(kind));
        var until = new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal);
        foreach (var held in All)
        {
            var end = held.Grant.ExpiresAt ?? DateTimeOffset.MaxValue;
            foreach (var permission in held.Role.Everywhere.Concat(held.Role.Own))
            {
                until[permission] = until.TryGetValue(permission, out var known) && known > end ? known : end;
            }
        }

        _until = until.ToFrozenDictionary(StringComparer.Ordinal);
    }

    public IReadOnlyList<HeldGrant> All { get; }

    /// <summary>Until when some grant gives the permission on something; the beginning of time when none does.</summary>
    public DateTimeOffset Until(string permission) => _until.GetValueOrDefault(permission, DateTimeOffset.MinValue);

    public IReadOnlyList<string> RolesGiving(string permission) =>
        [
            .. _roles
                .Values.Where(role => role.Everywhere.Contains(permission) || role.Own.Contains(permission))
                .Select(role => role.Name)
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>The global grants, and those whose pattern matches the object.</summary>
    public IEnumerable<HeldGrant> Reaching(AccessTarget target) =>
        _patterns.TryGetValue(target.Kind, out var patterns) ? _global.Concat(patterns.Matching(target.Name)) : _global;

    private sealed class ByPrefix
    {
        private readonly Dictionary<string, HeldGrant[]> _names = new(StringComparer.Ordinal);
        private readonly Dictionary<string, HeldGrant[]> _prefixes = new(StringComparer.Ordinal);
        private readonly int[] _lengths;

        public ByPrefix(IEnumerable<HeldGrant> grants)
        {
            var split = grants.ToLookup(held => held.Grant.Pattern.Contains('*', StringComparison.Ordinal));
            foreach (var same in split[false].GroupBy(held => held.Grant.Pattern))
            {
                _names.Add(same.Key, [.. same]);
            }

            foreach (var same in split[true].GroupBy(held => held.Grant.Pattern.Split('*')[0]))
            {
                _prefixes.Add(same.Key, [.. same]);
            }

            _lengths = [.. _prefixes.Keys.Select(prefix => prefix.Length).Distinct().Order()];
        }

        public IEnumerable<HeldGrant> Matching(string name)
        {
            foreach (var held in _names.GetValueOrDefault(name, []))
            {
                yield return held;
            }

            foreach (var length in _lengths)
            {
                if (length > name.Length)
                {
                    yield break;
                }

                foreach (var held in Starting(name.AsSpan(0, length)))
                {
                    if (NamePattern.Matches(held.Grant.Pattern, name))
                    {
                        yield return held;
                    }
                }
            }
        }

        private HeldGrant[] Starting(ReadOnlySpan<char> prefix) =>
            _prefixes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(prefix, out var found) ? found : [];
    }
}
