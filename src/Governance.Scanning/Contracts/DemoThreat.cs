using System.Text;

namespace Governance.Scanning.Contracts;

/// <summary>A harmless threat for demonstrations and tests: bytes that a scanner must refuse.</summary>
public static class DemoThreat
{
    /// <summary>
    /// A pickle of protocol 4 that would call <c>os.system</c> with an <c>echo</c>. This program only stores and scans
    /// these bytes; nothing in it ever loads a pickle. The same bytes each time.
    /// </summary>
    public static byte[] MaliciousPickle()
    {
        using var bytes = new MemoryStream();
        bytes.Write([0x80, 4]);
        WriteText(bytes, "os");
        WriteText(bytes, "system");
        bytes.WriteByte(0x93);
        WriteText(bytes, "echo this model would have run a command");
        bytes.Write([0x85, (byte)'R', (byte)'.']);
        return bytes.ToArray();
    }

    private static void WriteText(MemoryStream bytes, string text)
    {
        var encoded = Encoding.UTF8.GetBytes(text);
        bytes.WriteByte(0x8c);
        bytes.WriteByte((byte)encoded.Length);
        bytes.Write(encoded);
    }
}
