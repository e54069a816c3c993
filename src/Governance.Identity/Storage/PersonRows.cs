namespace Governance.Identity.Storage;

/// <summary>What became of a change that a second administrator looks at.</summary>
internal enum ConfirmationState
{
    Pending,
    Confirmed,
    Rejected,
}

/// <summary>A privileged change that waits for, or had, its second administrator.</summary>
internal sealed class ConfirmationRow
{
    public Guid Id { get; set; }

    /// <summary>What kind of change, a constant of the part that asked.</summary>
    public string Kind { get; set; } = "";

    /// <summary>Whose account; null for a grant to a group.</summary>
    public string? SubjectId { get; set; }

    /// <summary>The group of a grant or membership; else null.</summary>
    public string? GroupId { get; set; }

    /// <summary>Id of the row that the change is about; empty when subject and group say it.</summary>
    public string ObjectId { get; set; } = "";

    /// <summary>What the second administrator reads, as a JSON object; holds nothing that the log may not hold.</summary>
    public string Details { get; set; } = "{}";

    /// <summary>Whether the account can't approve or administer while this is pending.</summary>
    public bool Holds { get; set; }
    public string RequestedBy { get; set; } = "";
    public DateTimeOffset RequestedAt { get; set; }
    public DateTimeOffset ExpiresAt { get; set; }
    public ConfirmationState State { get; set; }
    public string? DecidedBy { get; set; }
    public DateTimeOffset? DecidedAt { get; set; }
}

/// <summary>The one-time code by which a person sets credentials; the newest of a person alone counts.</summary>
internal sealed class EnrolmentRow
{
    public string SubjectId { get; set; } = "";

    /// <summary>SHA-256 of the code, hex.</summary>
    public string CodeHash { get; set; } = "";
    public DateTimeOffset ExpiresAt { get; set; }
}

/// <summary>One sign-in of a person in one browser. Cookies and tokens name it; what they may do ends with it.</summary>
internal sealed class SessionRow
{
    /// <summary>Random, 32 hex characters; the <c>sid</c> of cookies and tokens.</summary>
    public string Id { get; set; } = "";
    public string SubjectId { get; set; } = "";

    /// <summary>How the person proved who they are: <c>amr</c> values (RFC 8176) between blanks.</summary>
    public string Methods { get; set; } = "";

    /// <summary>Browser and system in two words, for the person's own list.</summary>
    public string Device { get; set; } = "";
    public DateTimeOffset AuthenticatedAt { get; set; }
    public DateTimeOffset ExpiresAt { get; set; }

    /// <summary>Signed out of this browser: its cookies end.</summary>
    public DateTimeOffset? EndedAt { get; set; }

    /// <summary>Signed out everywhere, reset or disabled: the tokens that came of it end too.</summary>
    public DateTimeOffset? RevokedAt { get; set; }
}

/// <summary>A passkey (WebAuthn credential) of a person.</summary>
internal sealed class PasskeyRow
{
    /// <summary>Credential id, base64url.</summary>
    public string Id { get; set; } = "";
    public string SubjectId { get; set; } = "";

    /// <summary>The person's own name for it.</summary>
    public string Name { get; set; } = "";

    /// <summary>COSE key.</summary>
    public byte[] PublicKey { get; set; } = [];
    public long SignCount { get; set; }

    /// <summary>Transports that the authenticator told of, between blanks.</summary>
    public string Transports { get; set; } = "";
    public bool BackupEligible { get; set; }
    public bool BackedUp { get; set; }
    public DateTimeOffset CreatedAt { get; set; }
    public DateTimeOffset? UsedAt { get; set; }
}

/// <summary>A recovery code that was not used yet.</summary>
internal sealed class RecoveryCodeRow
{
    /// <summary>SHA-256 of pseudonym and code, hex.</summary>
    public string Hash { get; set; } = "";
    public string SubjectId { get; set; } = "";
}

/// <summary>Wrong attempts from one direction against one name, existing or not.</summary>
internal sealed class AttemptRow
{
    /// <summary>SHA-256 of what is counted together, hex.</summary>
    public string Id { get; set; } = "";
    public int Count { get; set; }

    /// <summary>When counting starts anew.</summary>
    public DateTimeOffset ResetsAt { get; set; }
}

/// <summary>A challenge that was answered; until it expires it can't be answered again.</summary>
internal sealed class AnsweredRow
{
    /// <summary>SHA-256 of the challenge, hex.</summary>
    public string Id { get; set; } = "";
    public DateTimeOffset ExpiresAt { get; set; }
}

/// <summary>A login at an external issuer that belongs to a person.</summary>
internal sealed class LoginRow
{
    public Guid Id { get; set; }
    public string SubjectId { get; set; } = "";

    /// <summary>Issuer identifier, compared byte by byte.</summary>
    public string Issuer { get; set; } = "";

    /// <summary>The issuer's immutable name of the person, compared byte by byte.</summary>
    public string ExternalId { get; set; } = "";
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>When a second administrator confirmed it; before, it is nobody's.</summary>
    public DateTimeOffset? ConfirmedAt { get; set; }

    /// <summary>When it was taken away; such a row opens nothing, and says only whose the login once was.</summary>
    public DateTimeOffset? UnlinkedAt { get; set; }
}
