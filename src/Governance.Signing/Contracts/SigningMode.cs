namespace Governance.Signing.Contracts;

/// <summary>How versions are signed when they are registered.</summary>
public enum SigningMode
{
    /// <summary>For the registrant's pseudonym: short-lived certificate, entry in the signature log, timestamp.</summary>
    Identity,

    /// <summary>With the gateway's signing key, without certificate, log entry and timestamp.</summary>
    Key,
}
