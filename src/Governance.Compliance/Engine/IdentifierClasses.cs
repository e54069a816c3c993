using System.Collections.Frozen;
using Governance.Privacy.Contracts;

namespace Governance.Compliance.Engine;

/// <summary>A class of identifiers that a control asks about.</summary>
/// <param name="Key">Name used in catalogues.</param>
/// <param name="Kinds">Kinds of the privacy module (<see cref="ColumnFinding.What"/>) that belong to it, found or declared.</param>
/// <param name="Detected">Whether detectors look for the whole class, so that finding nothing says something.</param>
internal sealed record IdentifierClass(string Key, FrozenSet<string> Kinds, bool Detected)
{
    /// <summary>Kinds whose coarsened form may be allowed, but whose coarseness isn't recorded.</summary>
    public FrozenSet<string> AllowedCoarse { get; init; } = [];

    /// <summary>Kinds that may be allowed as they stand, depending on values that aren't recorded.</summary>
    public FrozenSet<string> MayBeAllowed { get; init; } = [];
}

/// <summary>The one table between kinds of identifiers, as the privacy module names them, and what the regulations ask about.</summary>
internal static class IdentifierClasses
{
    /// <summary>Column classified as holding no personal data.</summary>
    public const string None = "NONE";

    /// <summary>Column neither classified nor declared.</summary>
    public const string Unknown = "UNKNOWN";

    /// <summary>Kinds that name or single out a person by themselves.</summary>
    public static readonly FrozenSet<string> Direct = Set(
        "PERSON_NAME",
        "EMAIL",
        "PHONE",
        "FAX",
        "ADDRESS",
        "US_SSN",
        "US_ITIN",
        "US_NPI",
        "US_DEA",
        "US_MBI",
        "BR_CPF",
        "BR_CNPJ",
        "BR_RG",
        "BR_PIS",
        "BR_CNS",
        "BR_TITULO_ELEITOR",
        "BR_CNH",
        "DE_STEUER_ID",
        "DE_PERSONALAUSWEIS",
        "ES_DNI",
        "IT_CODICE_FISCALE",
        "FR_NIR",
        "UK_NINO",
        "UK_NHS",
        "PASSPORT",
        "MRN",
        "HEALTH_PLAN_ID",
        "CREDIT_CARD",
        "IBAN",
        "BANK_ACCOUNT",
        "DRIVER_LICENCE",
        "VIN",
        "DEVICE_ID",
        "MAC_ADDRESS",
        "IP_ADDRESS",
        "URL",
        "BIOMETRIC",
        "PHOTO",
        "PERSON_KEY",
        "GPS"
    );

    /// <summary>Kinds that GDPR Art. 9 and LGPD Art. 5, II protect specially: known by column name or declaration only.</summary>
    public static readonly FrozenSet<string> Special = Set(
        "HEALTH",
        "RACE",
        "RELIGION",
        "POLITICS",
        "UNION",
        "SEX_LIFE",
        "GENETIC",
        "BIOMETRIC"
    );

    /// <summary>Kinds about convictions and offences: known by column name or declaration only.</summary>
    public static readonly FrozenSet<string> Criminal = Set("CRIMINAL");

    /// <summary>States in which nothing of the original value is left.</summary>
    public static readonly FrozenSet<string> Gone = Set("redacted", "none");

    /// <summary>States in which a value still leads back to one person, given a list of candidates or a key.</summary>
    public static readonly FrozenSet<string> Code = Set("hashed", "keyed-hash", "token");

    /// <summary>State of a column whose values were coarsened.</summary>
    public static readonly FrozenSet<string> Coarsened = Set("generalised", "truncated");

    /// <summary>The classes of 45 CFR 164.514(b)(2)(i), by key.</summary>
    public static readonly FrozenDictionary<string, IdentifierClass> ByKey = new[]
    {
        Found("names", "PERSON_NAME"),
        Found("geography", "ADDRESS", "CITY", "POSTAL_CODE", "REGION", "GPS") with
        {
            // Three leading digits of a populous area are allowed, and so is a whole state.
            AllowedCoarse = Set("POSTAL_CODE", "CITY"),
            MayBeAllowed = Set("REGION"),
        },
        Found("dates", "DATE_OF_BIRTH", "DATE", "BIRTH_YEAR", "AGE") with
        {
            // A year alone is allowed; an age, or a birth year, that shows more than 89 years is not.
            AllowedCoarse = Set("DATE_OF_BIRTH", "DATE"),
            MayBeAllowed = Set("AGE", "BIRTH_YEAR"),
        },
        Found("phone-numbers", "PHONE"),
        Unsought("fax-numbers", "FAX"),
        Found("email-addresses", "EMAIL"),
        Found("social-security-numbers", "US_SSN"),
        Unsought("medical-record-numbers", "MRN", "UK_NHS"),
        Unsought("health-plan-numbers", "HEALTH_PLAN_ID", "US_MBI", "BR_CNS"),
        Found("account-numbers", "IBAN", "CREDIT_CARD", "BANK_ACCOUNT"),
        Unsought("licence-numbers", "DRIVER_LICENCE", "BR_CNH", "US_DEA", "US_NPI"),
        Unsought("vehicle-identifiers", "VIN"),
        Unsought("device-identifiers", "DEVICE_ID", "MAC_ADDRESS"),
        Unsought("web-addresses", "URL"),
        Found("ip-addresses", "IP_ADDRESS"),
        Unsought("biometrics", "BIOMETRIC"),
        Unsought("photographs", "PHOTO"),
        Unsought(
            "other-unique-codes",
            "PERSON_KEY",
            "PASSPORT",
            "US_ITIN",
            "BR_CPF",
            "BR_CNPJ",
            "BR_RG",
            "BR_PIS",
            "BR_TITULO_ELEITOR",
            "DE_STEUER_ID",
            "DE_PERSONALAUSWEIS",
            "ES_DNI",
            "IT_CODICE_FISCALE",
            "FR_NIR",
            "UK_NINO",
            "PASSWORD_HASH"
        ),
    }.ToFrozenDictionary(item => item.Key);

    private static IdentifierClass Found(string key, params string[] kinds) => new(key, Set(kinds), true);

    private static IdentifierClass Unsought(string key, params string[] kinds) => new(key, Set(kinds), false);

    private static FrozenSet<string> Set(params string[] words) => words.ToFrozenSet(StringComparer.Ordinal);
}
