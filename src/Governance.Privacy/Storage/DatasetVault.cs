using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Blobs;
using Governance.Platform.Keys;

namespace Governance.Privacy.Storage;

/// <summary>Dataset bytes at rest: one file per copy, encrypted under a key of its own that lies wrapped in the copy's row.</summary>
internal sealed class DatasetVault(PlatformOptions options, IKeyWrap keys)
{
    private string Folder => Path.Combine(options.DataDirectory, "datasets");

    /// <summary>Begins a file; until <see cref="EncryptingStream.Complete"/> disposing removes it.</summary>
    public EncryptingStream Create(Guid id)
    {
        DurableFile.CreateDirectory(Folder);
        return new EncryptingStream(PathOf(id), id);
    }

    /// <summary>Wraps the key of a finished file for its row.</summary>
    public byte[] Wrap(Guid id, ReadOnlySpan<byte> key) => keys.Wrap(key, Purpose(id));

    /// <summary>Opens plain bytes; each chunk is authenticated before any of it is returned.</summary>
    public Stream Open(Guid id, byte[] wrappedKey) =>
        new DecryptingStream(
            new FileStream(PathOf(id), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1),
            keys.Unwrap(wrappedKey, Purpose(id)),
            id
        );

    /// <summary>Removes a file; the row forgets its key in the same step, so that copies of the file are useless too.</summary>
    public void Delete(Guid id) => File.Delete(PathOf(id));

    /// <summary>Removes files that no row refers to: uploads cut off by a crash. Their keys were never stored.</summary>
    public void Sweep(IReadOnlySet<Guid> known)
    {
        if (!Directory.Exists(Folder))
        {
            return;
        }

        foreach (var file in Directory.EnumerateFiles(Folder))
        {
            if (!Guid.TryParseExact(Path.GetFileNameWithoutExtension(file), "N", out var id) || !known.Contains(id))
            {
                File.Delete(file);
            }
        }
    }

    private string PathOf(Guid id) => Path.Combine(Folder, $"{id:N}.enc");

    private static string Purpose(Guid id) => $"privacy.dataset:{id:N}";
}

/// <summary>
/// Chunks of 64 KiB under AES-256-GCM; the nonce is the chunk's number and whether it is the last (the STREAM construction),
/// so that chunks can't be reordered, dropped or cut off. The key is used for this one file only.
/// </summary>
internal static class ChunkFormat
{
    public const int ChunkSize = 1 << 16;
    public const int TagSize = 16;
    public const int KeySize = 32;

    public static void Nonce(Span<byte> nonce, long chunk, bool last)
    {
        nonce.Clear();
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(nonce[3..11], chunk);
        nonce[11] = last ? (byte)1 : (byte)0;
    }
}

/// <summary>Hashes and encrypts what is written.</summary>
internal sealed class EncryptingStream : Stream
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly FileStream _file;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(ChunkFormat.KeySize);
    private readonly byte[] _plain = new byte[ChunkFormat.ChunkSize];
    private readonly byte[] _cipher = new byte[ChunkFormat.ChunkSize + ChunkFormat.TagSize];
    private readonly byte[] _id;
    private readonly AesGcm _aes;
    private int _filled;
    private long _chunk;
    private bool _complete;

    public EncryptingStream(string path, Guid id)
    {
        _path = path;
        _temporary = path + ".tmp";
        _id = id.ToByteArray();
        _aes = new AesGcm(_key, ChunkFormat.TagSize);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        _file = new FileStream(_temporary, options);
    }

    /// <summary>Plain bytes so far.</summary>
    public long Size { get; private set; }

    /// <summary>The key, for wrapping.</summary>
    public ReadOnlySpan<byte> Key => _key;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => Size;

    public override long Position
    {
        get => Size;
        set => throw new NotSupportedException();
    }

    /// <summary>Writes the last chunk, makes the file durable and names it. Returns the digest of the plain bytes.</summary>
    public Digest Complete()
    {
        WriteChunk(last: true);
        _file.Flush(flushToDisk: true);
        _file.Dispose();
        File.Move(_temporary, _path);
        DurableFile.SyncDirectory(Path.GetDirectoryName(_path)!);
        _complete = true;
        return Digest.FromBytes(_hash.GetHashAndReset());
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _hash.AppendData(buffer);
        Size += buffer.Length;
        while (buffer.Length > 0)
        {
            // A full chunk is written only when more follows: the last one carries the end mark.
            if (_filled == ChunkFormat.ChunkSize)
            {
                WriteChunk(last: false);
            }

            var part = Math.Min(buffer.Length, ChunkFormat.ChunkSize - _filled);
            buffer[..part].CopyTo(_plain.AsSpan(_filled));
            _filled += part;
            buffer = buffer[part..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
            _aes.Dispose();
            _hash.Dispose();
            CryptographicOperations.ZeroMemory(_key);
            CryptographicOperations.ZeroMemory(_plain);
            if (!_complete)
            {
                File.Delete(_temporary);
            }
        }

        base.Dispose(disposing);
    }

    private void WriteChunk(bool last)
    {
        Span<byte> nonce = stackalloc byte[12];
        ChunkFormat.Nonce(nonce, _chunk++, last);
        _aes.Encrypt(
            nonce,
            _plain.AsSpan(0, _filled),
            _cipher.AsSpan(0, _filled),
            _cipher.AsSpan(_filled, ChunkFormat.TagSize),
            _id
        );
        _file.Write(_cipher, 0, _filled + ChunkFormat.TagSize);
        _filled = 0;
    }
}

/// <summary>Decrypts chunk by chunk; throws <see cref="CryptographicException"/> when a chunk was changed, moved or cut off.</summary>
internal sealed class DecryptingStream(FileStream file, byte[] key, Guid id) : Stream
{
    private readonly AesGcm _aes = new(key, ChunkFormat.TagSize);
    private readonly byte[] _id = id.ToByteArray();
    private readonly byte[] _plain = new byte[ChunkFormat.ChunkSize];
    private readonly byte[] _cipher = new byte[ChunkFormat.ChunkSize + ChunkFormat.TagSize];
    private int _start;
    private int _end;
    private long _chunk;
    private bool _last;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        while (_start == _end)
        {
            if (_last || buffer.IsEmpty)
            {
                return 0;
            }

            ReadChunk();
        }

        var count = Math.Min(buffer.Length, _end - _start);
        _plain.AsSpan(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            file.Dispose();
            _aes.Dispose();
            CryptographicOperations.ZeroMemory(key);
            CryptographicOperations.ZeroMemory(_plain);
        }

        base.Dispose(disposing);
    }

    private void ReadChunk()
    {
        var read = file.ReadAtLeast(_cipher, _cipher.Length, throwOnEndOfStream: false);
        if (read < ChunkFormat.TagSize)
        {
            throw new CryptographicException("The stored dataset is cut off.");
        }

        _last = file.Position == file.Length;
        var size = read - ChunkFormat.TagSize;
        Span<byte> nonce = stackalloc byte[12];
        ChunkFormat.Nonce(nonce, _chunk++, _last);
        _aes.Decrypt(
            nonce,
            _cipher.AsSpan(0, size),
            _cipher.AsSpan(size, ChunkFormat.TagSize),
            _plain.AsSpan(0, size),
            _id
        );
        (_start, _end) = (0, size);
    }
}
