using Governance.Kernel;

namespace Governance.Platform.Keys;

/// <summary>The key store holds what no gateway of this installation put there, or is not its key store.</summary>
public sealed class SubjectKeyException : Exception
{
    /// <summary>The store is empty, an older copy, or another installation's.</summary>
    public static readonly Failure WrongStore = Failure.Conflict(
        "keys.wrong_store",
        "The key store of subjects is not the one that this data directory belongs to. Check Governance:SubjectKeys and that its place is mounted."
    );

    /// <summary>Somebody without the key-encryption key wrote an erasure.</summary>
    public static readonly Failure ErasureForged = Failure.Conflict(
        "keys.erasure_forged",
        "The key store of subjects holds an erasure that no gateway wrote. Restore the row or file, and look for who changed it."
    );

    /// <summary>The store lies where its keys would come back with a backup.</summary>
    public static readonly Failure SameDatabase = Failure.Conflict(
        "keys.same_database",
        "Governance:SubjectKeys names the database of the gateway itself: a restored backup would bring destroyed keys back."
    );

    /// <summary>For one of the failures above.</summary>
    public SubjectKeyException(Failure failure, Exception? inner = null)
        : base($"{failure?.Code}: {failure?.Message}", inner) => Code = failure?.Code ?? "";

    /// <summary>The code of the failure.</summary>
    public string Code { get; }

    /// <summary>What a log may say of an exception: its code, or its type.</summary>
    public static string Name(Exception exception) =>
        exception is SubjectKeyException known ? known.Code : exception?.GetType().Name ?? "";
}
