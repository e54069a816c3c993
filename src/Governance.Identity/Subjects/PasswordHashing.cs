using System.Security.Cryptography;
using Governance.Identity.Storage;
using Governance.Kernel;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Subjects;

/// <summary>PBKDF2-HMAC-SHA-512 with 210,000 iterations (OWASP Password Storage) through the framework's hasher.</summary>
internal sealed class PasswordHashing
{
    private readonly PasswordHasher<SubjectRow> _hasher;
    private readonly SubjectRow _nobody = new();
    private readonly string _dummy;

    public PasswordHashing()
        : this(iterations: 210_000) { }

    /// <summary>For tests, in which many sign in.</summary>
    internal PasswordHashing(int iterations)
    {
        _hasher = new(Options.Create(new PasswordHasherOptions { IterationCount = iterations }));
        _dummy = _hasher.HashPassword(_nobody, RandomNumberGenerator.GetHexString(64, lowercase: true));
    }

    public string Hash(Secret password) => _hasher.HashPassword(_nobody, password.Reveal());

    /// <summary>Whether the password fits. Without a hash it takes as long and is false: who does not exist answers like who does.</summary>
    public bool Verify(string? hash, Secret password) =>
        _hasher.VerifyHashedPassword(_nobody, hash ?? _dummy, password.Reveal()) != PasswordVerificationResult.Failed
        && hash is not null;
}
