using System.Reflection;
using System.Runtime.InteropServices;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Governance.Platform.Keys;

/// <summary>
/// The PKCS#11 libraries of this process, each loaded once and kept: initializing and finalizing one counts for the whole process
/// (OASIS PKCS#11 3.1 §5.4), so ending it with one gateway would take it from under another.
/// </summary>
internal static class Pkcs11Modules
{
    private static readonly Lock Loading = new();
    private static readonly Dictionary<string, IPkcs11Library> Loaded = new(StringComparer.Ordinal);

    // The package asks for libdl, a name that glibc gives to its developers' files only.
    static Pkcs11Modules() =>
        NativeLibrary.SetDllImportResolver(
            typeof(Pkcs11InteropFactories).Assembly,
            static (name, _, _) => name == "libdl" ? NativeLibrary.Load("libdl.so.2") : 0
        );

    public static Pkcs11InteropFactories Factories { get; } = new();

    public static IPkcs11Library Load(string path)
    {
        lock (Loading)
        {
            if (!Loaded.TryGetValue(path, out var library))
            {
                library = Factories.Pkcs11LibraryFactory.LoadPkcs11Library(Factories, path, AppType.MultiThreaded);
                Loaded.Add(path, library);
            }

            return library;
        }
    }
}
