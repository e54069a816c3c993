using System.Collections.Frozen;
using Governance.Privacy.Contracts;

namespace Governance.Compliance.Engine;

/// <summary>A class of identifiers that a control asks about.</summary>
/// <param name="Key">Name used in catalogues.</param>
/// <param name="Kinds">Kinds of the privacy module (<see cref="ColumnFinding.What"/>) that belong to it, found or declared.</param>
/// <param name="Detected">Whether detectors look for the whole class, so that finding nothing says something.</param>
/// <param name="Coarse">Kinds whose generalised form may be allowed, but whose coarseness is not recorded.</param>
internal sealed record IdentifierClass(string Key, FrozenSet<string> Kinds, bool Detected, FrozenSet<string> Coarse);

/// <summary>The one table between kinds of identifiers, as the privacy module names them, and what the regulations ask about.</summary>
internal static class IdentifierClasses
{
    /// <summary>Column classified as holding no personal data.</summary>
    public const string None = "NONE";

    /// <summary>Column neither classified nor declared.</summary>
    public const string Unknown = "UNKNOWN";

    /// <summary>Kinds that name a person by themselves.</summary>
    public static readonly FrozenSet<string> Direct = Set(
        "PERSON_NAME",
        "EMAIL",
        "PHONE",
        "FAX",
        "STREET_ADDRESS",
        "US_SSN",
        "CPF",
        "CNPJ",
        "NATIONAL_ID",
        "PASSPORT",
        "MRN",
        "HEALTH_PLAN_ID",
        "PAYMENT_CARD",
        "IBAN",
        "BANK_ACCOUNT",
        "LICENCE_NUMBER",
        "VEHICLE_ID",
        "DEVICE_ID",
        "MAC_ADDRESS",
        "IP_ADDRESS",
        "URL",
        "BIOMETRIC",
        "PHOTO",
        "CUSTOMER_ID"
    );

    /// <summary>Kinds that GDPR Art. 9 and LGPD Art. 5, II protect specially; declared by a privacy officer, no detector yet.</summary>
    public static readonly FrozenSet<string> Special = Set(
        "HEALTH",
        "DIAGNOSIS",
        "RACE",
        "ETHNICITY",
        "RELIGION",
        "POLITICS",
        "UNION_MEMBERSHIP",
        "SEX_LIFE",
        "GENETIC",
        "BIOMETRIC"
    );

    /// <summary>Kinds about convictions and offences; declared, no detector yet.</summary>
    public static readonly FrozenSet<string> Criminal = Set("CRIMINAL_RECORD");

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
        new IdentifierClass(
            "geography",
            Set("STREET_ADDRESS", "CITY", "COUNTY", "POSTCODE", "ZIP", "GEO_COORDINATE"),
            Detected: true,
            Coarse: Set("POSTCODE", "ZIP")
        ),
        new IdentifierClass(
            "dates",
            Set("DATE_OF_BIRTH", "DATE", "AGE"),
            Detected: true,
            Coarse: Set("DATE_OF_BIRTH", "DATE", "AGE")
        ),
        Found("phone-numbers", "PHONE"),
        Unsought("fax-numbers", "FAX"),
        Found("email-addresses", "EMAIL"),
        Found("social-security-numbers", "US_SSN"),
        Unsought("medical-record-numbers", "MRN"),
        Unsought("health-plan-numbers", "HEALTH_PLAN_ID"),
        Found("account-numbers", "IBAN", "PAYMENT_CARD", "BANK_ACCOUNT"),
        Unsought("licence-numbers", "LICENCE_NUMBER"),
        Unsought("vehicle-identifiers", "VEHICLE_ID"),
        Unsought("device-identifiers", "DEVICE_ID", "MAC_ADDRESS"),
        Unsought("web-addresses", "URL"),
        Found("ip-addresses", "IP_ADDRESS"),
        Unsought("biometrics", "BIOMETRIC"),
        Unsought("photographs", "PHOTO"),
        Unsought("other-unique-codes", "CPF", "CNPJ", "NATIONAL_ID", "PASSPORT", "CUSTOMER_ID"),
    }.ToFrozenDictionary(item => item.Key);

    private static IdentifierClass Found(string key, params string[] kinds) => new(key, Set(kinds), true, []);

    private static IdentifierClass Unsought(string key, params string[] kinds) => new(key, Set(kinds), false, []);

    private static FrozenSet<string> Set(params string[] words) => words.ToFrozenSet(StringComparer.Ordinal);
}
