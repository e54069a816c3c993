using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;
using Governance.Platform.Blobs;

namespace Governance.Platform.Keys;

/// <summary>
/// Keys of subjects in a directory outside of the data directory, one wrapped file each, named by the SHA-256 of the pseudonym:
/// <c>HASH.key</c>, and <c>HASH.erased</c> from when the key was destroyed. Both are bound to the subject by their wrapping, so that
/// one cannot pass for another's. Processes that mount the directory may share it. Nothing is written where the mark of the store is
/// not: the directory is gone, or not mounted, and what a gateway wrote into another one would be missed.
/// </summary>
internal sealed class DirectorySubjectKeys(
    PlatformOptions platform,
    SubjectKeyOptions options,
    IKeyWrap wrap,
    TimeProvider clock
) : ISubjectKeyStore
{
    private const int KeySize = 32;
    private const int MaxLength = 4096;

    private readonly string _directory =
        options.Directory.Length > 0 ? options.Directory : $"{platform.KeyFile}.subjects";

    public Task<StoredSubjectKey?> FindAsync(string subject, CancellationToken cancellationToken) =>
        Task.FromResult(Find(subject));

    public Task<StoredSubjectKey> CreateAsync(string subject, CancellationToken cancellationToken)
    {
        if (Find(subject) is { } found)
        {
            return Task.FromResult(found);
        }

        if (subject != SubjectKeyHome.Nobody)
        {
            ThrowUnlessMarked();
        }

        var key = RandomNumberGenerator.GetBytes(KeySize);
        var first = DurableFile.TryWriteNewSecret(KeyFile(subject), wrap.Wrap(key, Purpose(subject)));

        // Another process was quicker; or erased the subject meanwhile, which then counts.
        if (!first || File.Exists(ErasedFile(subject)))
        {
            CryptographicOperations.ZeroMemory(key);
            return Task.FromResult(
                Find(subject) ?? throw new CryptographicException("The key of a subject is gone without an erasure.")
            );
        }

        return Task.FromResult(new StoredSubjectKey(key, null));
    }

    public Task DestroyAsync(SubjectErasure erasure, CancellationToken cancellationToken)
    {
        ThrowUnlessMarked();

        // First that it is erased, then the key: whatever dies between the two leaves no key that would be used again.
        DurableFile.WriteSecret(ErasedFile(erasure.Subject), ErasureRecord.Seal(erasure, wrap));
        DurableFile.Destroy(KeyFile(erasure.Subject));
        ThrowUnlessMarked(); // it may have gone meanwhile
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<Result<SubjectErasure>>> ErasuresAsync(
        TimeSpan? within,
        CancellationToken cancellationToken
    )
    {
        var since = within is { } time ? clock.GetUtcNow() - time : DateTimeOffset.MinValue;
        var found = new List<Result<SubjectErasure>>();
        if (Directory.Exists(_directory))
        {
            foreach (var file in new DirectoryInfo(_directory).EnumerateFiles("*.erased"))
            {
                if (file.LastWriteTimeUtc >= since.UtcDateTime)
                {
                    found.Add(ReadErasure(file.FullName));
                }
            }
        }

        return Task.FromResult<IReadOnlyList<Result<SubjectErasure>>>(found);
    }

    private static string Purpose(string subject) => $"subject-key:{subject}";

    private string KeyFile(string subject) => Path.Combine(_directory, $"{NameOf(subject)}.key");

    private string ErasedFile(string subject) => Path.Combine(_directory, $"{NameOf(subject)}.erased");

    private static string NameOf(string subject) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(subject)));

    private void ThrowUnlessMarked()
    {
        if (!File.Exists(KeyFile(SubjectKeyHome.Nobody)))
        {
            throw new SubjectKeyException(SubjectKeyException.WrongStore);
        }
    }

    private StoredSubjectKey? Find(string subject)
    {
        if (Read(ErasedFile(subject)) is not null)
        {
            var read = ReadErasure(ErasedFile(subject));
            var erasure = read.Ok ? read.Value : throw new SubjectKeyException(read.Failure);
            DurableFile.Destroy(KeyFile(subject)); // there only if whoever destroyed it died, or somebody put it back
            return new StoredSubjectKey(null, erasure);
        }

        if (Read(KeyFile(subject)) is not { } wrapped)
        {
            return null;
        }

        // Whoever made it may not have come to this yet, and now it is used.
        DurableFile.SyncDirectory(_directory);
        return new StoredSubjectKey(wrap.Unwrap(wrapped, Purpose(subject)), null);
    }

    // What cannot be opened, and a pipe, which whoever opens it would wait for, are no gateway's either.
    private Result<SubjectErasure> ReadErasure(string path)
    {
        var read = ErasureRecord.Open(RegularFile.Is(path) ? Read(path) ?? [] : [], wrap);
        return read.Ok && $"{NameOf(read.Value.Subject)}.erased" == Path.GetFileName(path)
            ? read
            : SubjectKeyException.ErasureForged;
    }

    private static byte[]? Read(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            if (file.Length > MaxLength)
            {
                return []; // too long to be one of ours, and nothing unwraps
            }

            var content = new byte[file.Length];
            file.ReadExactly(content);
            return content;
        }
        catch (Exception absent) when (absent is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}
