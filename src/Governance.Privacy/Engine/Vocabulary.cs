namespace Governance.Privacy.Engine;

/// <summary>Kinds of identifiers that have a detector. Kinds known by column name only come from the policy.</summary>
internal static class Kinds
{
    public const string Email = "EMAIL";
    public const string Phone = "PHONE";
    public const string Card = "CREDIT_CARD";
    public const string Iban = "IBAN";
    public const string Ip = "IP_ADDRESS";
    public const string Cpf = "BR_CPF";
    public const string Cnpj = "BR_CNPJ";
    public const string Ssn = "US_SSN";
    public const string BirthDate = "DATE_OF_BIRTH";
    public const string PersonName = "PERSON_NAME";
    public const string PasswordHash = "PASSWORD_HASH";
    public const string None = "NONE";
    public const string Unknown = "UNKNOWN";

    /// <summary>Kinds that the text detector finds, in the order of the profiler's tallies.</summary>
    public static readonly string[] Detected = [Email, Phone, Card, Iban, Ip, Cpf, Cnpj, Ssn, BirthDate, PersonName];
}

/// <summary>What was done to the values of a column.</summary>
internal static class States
{
    public const string Raw = "raw";
    public const string Masked = "masked";
    public const string Hashed = "hashed";
    public const string KeyedHash = "keyed-hash";
    public const string Token = "token";
    public const string Generalised = "generalised";
    public const string Truncated = "truncated";
    public const string Redacted = "redacted";
    public const string None = "none";
}

/// <summary>What a column is to the person behind the row.</summary>
internal static class Roles
{
    public const string Direct = "direct";
    public const string Quasi = "quasi";
    public const string Sensitive = "sensitive";
    public const string FreeText = "free-text";
    public const string Other = "other";
    public const string Unknown = "unknown";
}
