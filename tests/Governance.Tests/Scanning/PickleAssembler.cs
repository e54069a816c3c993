using System.Buffers.Binary;
using System.Text;

namespace Governance.Tests.Scanning;

/// <summary>Writes pickles opcode by opcode. What it makes is only ever scanned.</summary>
internal sealed class PickleAssembler
{
    private readonly MemoryStream _bytes = new();

    public static PickleAssembler Proto(byte version) => new PickleAssembler().Raw(0x80, version);

    public static PickleAssembler Plain() => new();

    public PickleAssembler Raw(params byte[] bytes)
    {
        _bytes.Write(bytes);
        return this;
    }

    public PickleAssembler Op(char opcode) => Raw((byte)opcode);

    public PickleAssembler Ascii(string text) => Raw(Encoding.Latin1.GetBytes(text));

    public PickleAssembler Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return bytes.Length < 256
            ? Raw(0x8c, (byte)bytes.Length).Raw(bytes)
            : Op('X').Raw(Length(bytes.Length, 4)).Raw(bytes);
    }

    public PickleAssembler Bytes(byte[] bytes) => Op('B').Raw(Length(bytes.Length, 4)).Raw(bytes);

    public PickleAssembler Int(byte value) => Raw((byte)'K', value);

    public PickleAssembler Global(string module, string name) => Ascii($"c{module}\n{name}\n");

    public PickleAssembler StackGlobal(string module, string name) => Text(module).Text(name).Raw(0x93);

    public PickleAssembler Frame(long length) => Raw(0x95).Raw(Length(length, 8));

    public byte[] Stop() => Op('.').ToArray();

    public byte[] ToArray() => _bytes.ToArray();

    public static byte[] Length(long value, int bytes)
    {
        var raw = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(raw, value);
        return raw[..bytes];
    }
}
