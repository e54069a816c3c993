using System.Globalization;
using Governance.Privacy.Contracts;

namespace Governance.Privacy.Engine;

/// <summary>
/// Answers what, state and role of a column from its counts, first rule that applies:
/// form of a treatment (redacted, hash, token, mask) → content with a detector → name of a direct identifier → birth dates →
/// name of a sensitive or quasi-identifying column → people's names by shape → technical name → category → number → free text.
/// What none of them answers is UNKNOWN.
/// </summary>
internal static class ColumnClassifier
{
    private const double Most = 0.9;

    // Share of values by chance that pass the check, for the evidence.
    private static readonly Dictionary<string, double> Chance = new(StringComparer.Ordinal)
    {
        [Kinds.Cpf] = 0.01,
        [Kinds.Cnpj] = 0.01,
        [Kinds.Card] = 0.1,
        [Kinds.Iban] = 0.01,
    };

    /// <summary>The finding of a column. <paramref name="hashOf"/> says whose values it hashes, when that was proven.</summary>
    public static ColumnFinding Classify(
        ColumnProfile profile,
        PrivacyPolicy policy,
        (string Column, string Evidence)? hashOf
    )
    {
        var hint = policy.HintOf(profile.Name);
        if (profile.Present == 0)
        {
            return Answer(
                profile,
                hint is null or { Role: Roles.Other } ? Kinds.None : hint.Kind,
                hint is { Role: Roles.Direct } ? States.Redacted : States.None,
                hint?.Role ?? Roles.Other,
                "no values",
                0
            );
        }

        return Treated(profile, hint, hashOf)
            ?? ByContent(profile, hint)
            ?? ByName(profile, hint)
            ?? ByShape(profile, policy, hint)
            ?? Unknown(profile, "neither a rule nor a name says what it is");
    }

    private static ColumnFinding? Treated(
        ColumnProfile profile,
        NameHint? hint,
        (string Column, string Evidence)? hashOf
    )
    {
        var kind = hint is null or { Role: Roles.Other } ? null : hint.Kind;
        if (Mostly(profile, profile.Of(Shape.Redacted)))
        {
            return Answer(
                profile,
                kind ?? Kinds.None,
                States.Redacted,
                hint?.Role ?? Roles.Other,
                "redaction marks",
                profile.Of(Shape.Redacted)
            );
        }

        if (Mostly(profile, profile.Of(Shape.PasswordHash)))
        {
            return Answer(
                profile,
                Kinds.PasswordHash,
                States.Hashed,
                Roles.Direct,
                "form of a password hash",
                profile.Of(Shape.PasswordHash)
            );
        }

        if (hashOf is { } source)
        {
            return Answer(profile, kind ?? "HASH", States.Hashed, Roles.Direct, source.Evidence, profile.Present);
        }

        // Whether a hash was keyed can't be seen: without a declaration it counts as guessable.
        var opaque = profile.Of(Shape.HexHash) + profile.Of(Shape.Base64);
        if (Mostly(profile, opaque) && hint is not { Role: Roles.Other })
        {
            return kind is null
                ? Unknown(profile, "hashes or opaque codes of an unknown source")
                : Answer(profile, kind, States.Hashed, hint!.Role, "form of a hash, named " + kind, opaque);
        }

        var tokens = profile.Of(Shape.Token) + profile.Of(Shape.Uuid);
        if (Mostly(profile, tokens) && hint is not { Role: Roles.Other })
        {
            return Unknown(profile, "tokens: a declaration or an observed tokenise step must say how they were made");
        }

        var masked = profile.Of(Shape.Masked);
        return Mostly(profile, masked + profile.Of(Shape.Redacted)) && masked > 0
            ? Answer(
                profile,
                kind ?? Kinds.Unknown,
                States.Masked,
                hint?.Role is null or Roles.Other ? Roles.Direct : hint.Role,
                "masking marks",
                masked
            )
            : null;
    }

    private static ColumnFinding? ByContent(ColumnProfile profile, NameHint? hint)
    {
        ColumnFinding? best = null;
        var found = new List<string>();
        foreach (var kind in Kinds.Detected)
        {
            var tally = profile.Tally(kind);
            var weak = AboveChance(kind, tally) ? tally.Weak : 0;
            var padded = kind == Kinds.Cpf && hint?.Kind == Kinds.Cpf ? profile.PaddedCpf : 0;
            var whole = tally.Whole + weak + padded;
            var all = whole + tally.Embedded;
            // A phone number needs a word or a prefix; formatted digits alone are found only where they are the whole column.
            if (all == 0 || (kind == Kinds.Phone && IsOtherNumber(profile, hint)))
            {
                continue;
            }

            // A name in a column that is named for something direct (a street, a contact) adds nothing to that name.
            if (kind == Kinds.PersonName && hint is { Role: Roles.Direct } && !IsFreeText(profile))
            {
                continue;
            }

            found.Add($"{kind} {Text(all)}");
            if (all > (best?.Matches ?? 0))
            {
                var isColumn = whole * 2 >= profile.Present;
                best = Answer(
                    profile,
                    kind,
                    States.Raw,
                    isColumn || !IsFreeText(profile) ? Roles.Direct : Roles.FreeText,
                    Evidence(kind, tally, isColumn),
                    all
                );
            }
        }

        if (best is { What: Kinds.Ip } && Mostly(profile, profile.TruncatedIps))
        {
            return best with { State = States.Truncated, Role = Roles.Quasi, Evidence = "addresses ending in 0" };
        }

        return found.Count < 2 ? best : best! with { Evidence = $"{best.Evidence}; found: {string.Join(", ", found)}" };
    }

    private static string Evidence(string kind, KindTally tally, bool isColumn)
    {
        var form = Chance.TryGetValue(kind, out var chance)
            ? $"check digits {Text(tally.Whole + tally.Embedded + tally.Weak)}/{Text(Math.Max(tally.Tried, 1))}, {chance * 100:0.#} % by chance"
            : "format";
        return isColumn ? form : $"{form}, inside longer values";
    }

    // Four standard deviations over what chance passes.
    private static bool AboveChance(string kind, KindTally tally)
    {
        if (!Chance.TryGetValue(kind, out var chance))
        {
            return false;
        }

        var expected = chance * tally.Tried;
        return tally.Weak + tally.Whole > expected + (4 * Math.Sqrt(expected)) + 1;
    }

    private static ColumnFinding? ByName(ColumnProfile profile, NameHint? hint)
    {
        if (hint is null or { Role: Roles.Other })
        {
            return
                profile.Of(Shape.Date) >= profile.Present * Most
                && profile.YearRange.Last - profile.YearRange.First >= 40
                ? Answer(
                    profile,
                    Kinds.BirthDate,
                    States.Raw,
                    Roles.Direct,
                    $"dates over {profile.YearRange.Last - profile.YearRange.First} years",
                    profile.Of(Shape.Date)
                )
                : null;
        }

        return hint.Role == Roles.Direct ? DirectByName(profile, hint) : IndirectByName(profile, hint);
    }

    private static ColumnFinding? DirectByName(ColumnProfile profile, NameHint hint)
    {
        var named = $"name of the column says {hint.Kind}";
        switch (hint.Kind)
        {
            // These have a form: a column without it is misnamed, and the rules of shape decide.
            case Kinds.Email or Kinds.Iban or Kinds.Ip or Kinds.Cnpj:
                return null;
            case Kinds.Phone:
                return profile.PhoneDigits * 2 >= profile.Present ? Raw(profile.PhoneDigits) : null;
            case Kinds.Ssn:
                return profile.SsnDigits * 2 >= profile.Present ? Raw(profile.SsnDigits) : null;
            case Kinds.Cpf or Kinds.Card:
                return profile.Tally(hint.Kind).Tried * 2 >= profile.Present
                    ? Unknown(profile, $"{named}, but its check digits pass no more often than by chance")
                    : null;
            case Kinds.BirthDate:
                return profile.Of(Shape.Date) * 2 >= profile.Present ? Raw(profile.Of(Shape.Date))
                    : IsYearLike(profile)
                        ? Answer(profile, hint.Kind, States.Generalised, Roles.Quasi, named + ", years", profile.Years)
                    : Raw(profile.Present);
            case "GPS" when profile.Of(Shape.Decimal) > 0 && profile.FewPlaces >= profile.Of(Shape.Decimal):
                return Answer(
                    profile,
                    hint.Kind,
                    States.Truncated,
                    Roles.Quasi,
                    named + ", few places",
                    profile.Present
                );
            default:
                // One fraction among many keys is no measure.
                return
                    profile.Of(Shape.Decimal) * 2 > profile.Present
                    || (profile.Categories?.Count ?? 99) <= 2 && profile.Present > 20
                    ? null
                    : Raw(profile.Present);
        }

        ColumnFinding Raw(long matches) => Answer(profile, hint.Kind, States.Raw, Roles.Direct, named, matches);
    }

    private static ColumnFinding IndirectByName(ColumnProfile profile, NameHint hint)
    {
        var bands = profile.Of(Shape.Band) + profile.Of(Shape.YearMonth);
        var state =
            bands > 0 || (hint.Kind is "BIRTH_YEAR" or "DATE" && IsYearLike(profile)) ? States.Generalised
            : hint.Kind == "POSTAL_CODE" && profile.Longest <= 4 ? States.Truncated
            : States.Raw;
        return Answer(profile, hint.Kind, state, hint.Role, $"name of the column says {hint.Kind}", profile.Present);
    }

    private static ColumnFinding? ByShape(ColumnProfile profile, PrivacyPolicy policy, NameHint? hint)
    {
        if (profile.NameShaped >= profile.Present * 0.6 && profile.GivenNamed >= profile.Present * 0.1)
        {
            return Answer(
                profile,
                Kinds.PersonName,
                States.Raw,
                Roles.Direct,
                $"capitalised words, given names in {Text(profile.GivenNamed)} of {Text(profile.Present)}",
                profile.NameShaped
            );
        }

        if (hint is { Role: Roles.Other })
        {
            return None(profile, "technical name of the policy; no identifier in its values");
        }

        if (profile.IsSequence)
        {
            return None(profile, "row number: whole numbers at one constant step");
        }

        var numbers = profile.Of(Shape.Whole) + profile.Of(Shape.Decimal);
        if (numbers == profile.Present)
        {
            var key = profile.Of(Shape.Decimal) * 10 < numbers && profile.Longest >= 5 && profile.WholeNumbersUnique;
            return key
                ? Unknown(profile, "whole numbers, unique per row: could be the key of a record")
                : None(profile, "numeric measure");
        }

        if (IsCategory(profile, policy))
        {
            return None(profile, $"category of {Text(profile.Categories!.Count)} values, none identifying");
        }

        if (profile.Of(Shape.Band) + numbers == profile.Present)
        {
            return IsShared(profile, policy)
                ? None(profile, "numeric bands")
                : Unknown(profile, "bands too narrow to be shared: could be the key of a record");
        }

        return IsFreeText(profile)
            ? Answer(
                profile,
                Kinds.Unknown,
                States.Raw,
                Roles.FreeText,
                $"free text: no identifier found in {Text(profile.Present)} values; names can't be ruled out",
                0
            )
            : null;
    }

    // Few distinct short values, each shared on average by enough rows, none in the form of a person's name.
    private static bool IsCategory(ColumnProfile profile, PrivacyPolicy policy) =>
        IsShared(profile, policy)
        && profile.Categories is { } categories
        && profile.Longest <= policy.MaxCategoryLength
        && profile.Sentences == 0
        && profile.GivenNamed == 0
        && profile.Of(Shape.Date) == 0
        && !categories.Keys.Any(value => GivenNames.Contains(value));

    private static bool IsShared(ColumnProfile profile, PrivacyPolicy policy) =>
        profile.Categories is { } categories && profile.Present >= (long)policy.LeastK * categories.Count;

    private static bool IsFreeText(ColumnProfile profile) => profile.Sentences * 2 >= profile.Present;

    private static bool IsYearLike(ColumnProfile profile) =>
        profile.Years + profile.Of(Shape.Band) >= profile.Present * Most;

    // National phone formats meet document and postal numbers of other names.
    private static bool IsOtherNumber(ColumnProfile profile, NameHint? hint) =>
        hint is { Role: not Roles.Other } && hint.Kind != Kinds.Phone && !IsFreeText(profile);

    private static bool Mostly(ColumnProfile profile, long count) => count >= profile.Present * Most && count > 0;

    private static ColumnFinding None(ColumnProfile profile, string evidence) =>
        Answer(profile, Kinds.None, States.None, Roles.Other, evidence, 0);

    private static ColumnFinding Unknown(ColumnProfile profile, string evidence) =>
        Answer(profile, Kinds.Unknown, States.None, Roles.Unknown, evidence, 0);

    private static ColumnFinding Answer(
        ColumnProfile profile,
        string what,
        string state,
        string role,
        string evidence,
        long matches
    ) => new(profile.Name, what, state, role, evidence, matches, profile.Rows);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
