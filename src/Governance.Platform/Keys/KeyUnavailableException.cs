namespace Governance.Platform.Keys;

/// <summary>A key cannot be made or used where it lies; says where and why in one sentence without secrets.</summary>
public sealed class KeyUnavailableException : IOException
{
    /// <summary>With what an operator should read.</summary>
    public KeyUnavailableException(string message, Exception? inner = null)
        : base(message, inner) { }
}
