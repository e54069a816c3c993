using Governance.Kernel;
using Governance.Registry.Contracts;

namespace Governance.Registry.Engine;

/// <summary>MLflow's rules for names, aliases and stages.</summary>
internal static class RegistryNames
{
    public const int MaxName = 250;

    public static Failure? CheckName(string what, string name)
    {
        if (string.IsNullOrWhiteSpace(name))
        {
            return MissingParameter("name");
        }

        return name.Length > MaxName || !IsPlainText(name)
            ? Failure.Invalid(
                "registry.bad_name",
                $"A {what} name has 1 to {MaxName} characters and no control characters."
            )
            : null;
    }

    public static Failure MissingParameter(string name) =>
        Failure.Invalid(
            "registry.missing_parameter",
            $"Missing value for required parameter '{name}'. See the API docs for more information about request parameters."
        );

    public static Failure? CheckAlias(string alias)
    {
        if (alias.Length is 0 or > 255 || !alias.All(c => char.IsLetterOrDigit(c) || c is '_' or '-'))
        {
            return Failure.Invalid(
                "registry.bad_alias",
                "An alias has 1 to 255 characters: letters, digits, underscore and hyphen."
            );
        }

        if (alias.Equals("latest", StringComparison.OrdinalIgnoreCase))
        {
            return Failure.Invalid("registry.reserved_alias", "'latest' alias name (case insensitive) is reserved.");
        }

        return alias.Length > 1 && alias[0] is 'v' or 'V' && alias.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0
            ? Failure.Invalid("registry.reserved_alias", $"Version alias name '{alias}' is reserved.")
            : null;
    }

    /// <summary>The canonical spelling of a stage, or null.</summary>
    public static string? Stage(string text) =>
        Move.Stages.FirstOrDefault(stage => stage.Equals(text, StringComparison.OrdinalIgnoreCase));

    public static Failure BadStage(string text) =>
        Failure.Invalid(
            "registry.bad_stage",
            $"Invalid Model Version stage: {Quote(text)}. Value must be one of None, Staging, Production, Archived."
        );

    /// <summary>Text of the caller inside an error message: bounded and printable.</summary>
    public static string Quote(string text) =>
        new([.. text.Take(200).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)]);

    public static bool IsPlainText(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsControl(text[i]))
            {
                return false;
            }

            if (char.IsSurrogate(text[i]) && (i + 1 >= text.Length || !char.IsSurrogatePair(text, i++)))
            {
                return false;
            }
        }

        return true;
    }
}
