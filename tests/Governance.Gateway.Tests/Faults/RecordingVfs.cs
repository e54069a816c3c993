using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Governance.Gateway.Tests.Faults;

/// <summary>
/// SQLite's own file layer with ears: what it does to the files of a recorded directory is told to the <see cref="DiskTape"/> of that
/// directory, in order, and done, unless the tape says that the disk refuses. Files elsewhere are opened as ever (https://www.sqlite.org/vfs.html).
/// </summary>
internal static unsafe partial class RecordingVfs
{
    private const int MethodsSize = 19 * 8;
    private static readonly Lock Registering = new();
    private static readonly ConcurrentDictionary<string, DiskTape> Tapes = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<nint, (DiskTape Tape, string Path)> Open = new();
    private static readonly ConcurrentDictionary<nint, nint> Ours = new();
    private static readonly ConcurrentDictionary<nint, nint> Theirs = new();
    private static Vfs* _original;

    /// <summary>Records what happens below a directory until the tape is disposed; connections that are open already are not heard.</summary>
    public static DiskTape Record(string directory)
    {
        lock (Registering)
        {
            if (_original is null)
            {
                Register();
            }
        }

        var tape = new DiskTape(directory, () => Tapes.TryRemove(directory, out _));
        Assert.True(Tapes.TryAdd(directory, tape));
        return tape;
    }

    private static void Register()
    {
        _original = Find(null);
        var vfs = (Vfs*)NativeMemory.AllocZeroed((nuint)sizeof(Vfs));
        *vfs = *_original;
        vfs->Next = null;
        vfs->Name = (byte*)Marshal.StringToCoTaskMemUTF8("recording");
        vfs->Open = &OpenFile;
        vfs->Delete = &DeleteFile;
        Assert.Equal(0, Register(vfs, 1));
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OpenFile(Vfs* vfs, byte* name, FileHead* file, int flags, int* outFlags)
    {
        var answer = _original->Open(vfs, name, file, flags, outFlags);
        if (answer == 0 && TapeOf(name) is var (tape, path))
        {
            Open[(nint)file] = (tape, path);
            file->Methods = (Methods*)Ours.GetOrAdd((nint)file->Methods, Wrap);
        }

        return answer;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int DeleteFile(Vfs* vfs, byte* name, int syncDirectory)
    {
        var answer = _original->Delete(vfs, name, syncDirectory);
        if (answer == 0 && TapeOf(name) is var (tape, path))
        {
            tape.Add(new DiskStep(DiskStepKind.Delete, path));
        }

        return answer;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Close(FileHead* file)
    {
        Open.TryRemove((nint)file, out _);
        return Original(file)->Close(file);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(FileHead* file, void* bytes, int count, long offset)
    {
        var heard = Open.TryGetValue((nint)file, out var known);
        if (heard && known.Tape.Fault() is not 0 and var fault)
        {
            return fault;
        }

        var answer = Original(file)->Write(file, bytes, count, offset);
        if (answer == 0 && heard)
        {
            var copy = new ReadOnlySpan<byte>(bytes, count).ToArray();
            known.Tape.Add(new DiskStep(DiskStepKind.Write, known.Path, offset, copy));
        }

        return answer;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Truncate(FileHead* file, long size)
    {
        var heard = Open.TryGetValue((nint)file, out var known);
        if (heard && known.Tape.Fault() is not 0 and var fault)
        {
            return fault;
        }

        var answer = Original(file)->Truncate(file, size);
        if (answer == 0 && heard)
        {
            known.Tape.Add(new DiskStep(DiskStepKind.Truncate, known.Path, size));
        }

        return answer;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Sync(FileHead* file, int flags)
    {
        var heard = Open.TryGetValue((nint)file, out var known);
        if (heard && known.Tape.Fault() is not 0 and var fault)
        {
            return fault;
        }

        var answer = Original(file)->Sync(file, flags);
        if (answer == 0 && heard)
        {
            known.Tape.Add(new DiskStep(DiskStepKind.Sync, known.Path));
        }

        return answer;
    }

    private static Methods* Original(FileHead* file) => (Methods*)Theirs[(nint)file->Methods];

    private static nint Wrap(nint original)
    {
        var ours = (Methods*)NativeMemory.Alloc(MethodsSize);
        var theirs = (Methods*)original;
        // A table of an older version is shorter.
        var size = theirs->Version switch
        {
            1 => 13 * 8,
            2 => 17 * 8,
            _ => MethodsSize,
        };
        NativeMemory.Copy(theirs, ours, (nuint)size);
        ours->Close = &Close;
        ours->Write = &Write;
        ours->Truncate = &Truncate;
        ours->Sync = &Sync;
        Theirs[(nint)ours] = original;
        return (nint)ours;
    }

    private static (DiskTape Tape, string Path)? TapeOf(byte* name)
    {
        if (name is null || Marshal.PtrToStringUTF8((nint)name) is not { } path)
        {
            return null;
        }

        return Tapes.TryGetValue(Path.GetDirectoryName(path) ?? "", out var tape)
            ? (tape, Path.GetFileName(path))
            : null;
    }

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_vfs_find")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    private static partial Vfs* Find(byte* name);

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_vfs_register")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    private static partial int Register(Vfs* vfs, int makeDefault);

    [StructLayout(LayoutKind.Sequential)]
    private struct Vfs
    {
        public int Version;
        public int FileSize;
        public int LongestPath;
        public Vfs* Next;
        public byte* Name;
        public void* Data;
        public delegate* unmanaged[Cdecl]<Vfs*, byte*, FileHead*, int, int*, int> Open;
        public delegate* unmanaged[Cdecl]<Vfs*, byte*, int, int> Delete;
        public fixed long Rest[14];
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct FileHead
    {
        public Methods* Methods;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Methods
    {
        public long Version;
        public delegate* unmanaged[Cdecl]<FileHead*, int> Close;
        public void* Read;
        public delegate* unmanaged[Cdecl]<FileHead*, void*, int, long, int> Write;
        public delegate* unmanaged[Cdecl]<FileHead*, long, int> Truncate;
        public delegate* unmanaged[Cdecl]<FileHead*, int, int> Sync;
    }
}
