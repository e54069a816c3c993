using System.Formats.Tar;
using System.IO.Compression;
using System.Text;

namespace Governance.Tests.Scanning;

/// <summary>Containers around payloads, and ways to damage them.</summary>
internal static class Archives
{
    public static byte[] Zip(params (string Name, byte[] Content)[] members) =>
        Zip(CompressionLevel.NoCompression, members);

    public static byte[] Zip(CompressionLevel level, params (string Name, byte[] Content)[] members)
    {
        using var bytes = new MemoryStream();
        using (var archive = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in members)
            {
                using var member = archive.CreateEntry(name, level).Open();
                member.Write(content);
            }
        }

        return bytes.ToArray();
    }

    public static byte[] Gzip(byte[] content) =>
        Compress(content, target => new GZipStream(target, CompressionLevel.Fastest));

    public static byte[] Zlib(byte[] content) =>
        Compress(content, target => new ZLibStream(target, CompressionLevel.Fastest));

    public static byte[] Tar(string name, byte[] content)
    {
        using var bytes = new MemoryStream();
        using (var writer = new TarWriter(bytes, TarEntryFormat.Ustar, leaveOpen: true))
        {
            writer.WriteEntry(
                new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) }
            );
        }

        return bytes.ToArray();
    }

    public static byte[] TarLink(string name, string target)
    {
        using var bytes = new MemoryStream();
        using (var writer = new TarWriter(bytes, TarEntryFormat.Ustar, leaveOpen: true))
        {
            writer.WriteEntry(new UstarTarEntry(TarEntryType.SymbolicLink, name) { LinkName = target });
        }

        return bytes.ToArray();
    }

    public static byte[] Npy(string descr, byte[] data)
    {
        var header = Encoding.ASCII.GetBytes(
            $"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}".PadRight(117) + "\n"
        );
        return [0x93, .. "NUMPY"u8, 1, 0, .. PickleAssembler.Length(header.Length, 2), .. header, .. data];
    }

    /// <summary>Changes bytes at an offset from each place where a signature stands.</summary>
    public static byte[] Patch(byte[] archive, ReadOnlySpan<byte> signature, int offset, params byte[] value)
    {
        var copy = (byte[])archive.Clone();
        for (var at = 0; at + signature.Length <= copy.Length; at++)
        {
            if (copy.AsSpan(at).StartsWith(signature))
            {
                value.CopyTo(copy, at + offset);
            }
        }

        return copy;
    }

    private static byte[] Compress(byte[] content, Func<Stream, Stream> open)
    {
        using var bytes = new MemoryStream();
        using (var stream = open(bytes))
        {
            stream.Write(content);
        }

        return bytes.ToArray();
    }
}
