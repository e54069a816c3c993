using System.Security.Cryptography;
using System.Text;

namespace Governance.Identity.SignIn;

/// <summary>The one-time code that proves its holder sees this gateway's console. Lives in memory of one process only.</summary>
internal sealed class SetupCode
{
    private volatile string? _code;

    /// <summary>Whether set-up is open.</summary>
    public bool IsOpen => _code is not null;

    /// <summary>Opens set-up with a new code of 120 random bits.</summary>
    public string Open() => _code = RandomNumberGenerator.GetHexString(30, lowercase: true);

    public void Close() => _code = null;

    public bool Matches(string code) =>
        _code is { } expected
        && CryptographicOperations.FixedTimeEquals(
            SHA256.HashData(Encoding.UTF8.GetBytes(expected)),
            SHA256.HashData(Encoding.UTF8.GetBytes(code.Trim()))
        );
}
