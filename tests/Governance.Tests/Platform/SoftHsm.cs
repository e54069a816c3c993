using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Governance.Platform.Keys;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Governance.Tests.Platform;

/// <summary>SoftHSM 2 in this process, with a directory of tokens that goes with it.</summary>
internal static partial class SoftHsm
{
    public const string Pin = "4711-0815";
    private static readonly Lock Making = new();

    // Before the library is loaded, which reads it once; the environment that .NET shows is not the one that libraries see.
    static SoftHsm()
    {
        var root = Directory.CreateTempSubdirectory("governance-hsm-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(root, recursive: true);
        Configuration = Path.Combine(root, "softhsm2.conf");
        Tokens = Directory.CreateDirectory(Path.Combine(root, "tokens")).FullName;
        File.WriteAllText(
            Configuration,
            $"directories.tokendir = {Tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        );
        if (SetEnvironment("SOFTHSM2_CONF", Configuration, 1) != 0)
        {
            throw new InvalidOperationException("The environment cannot be set.");
        }
    }

    /// <summary>What another process needs in <c>SOFTHSM2_CONF</c> to see the same tokens.</summary>
    public static string Configuration { get; }

    public static string Tokens { get; }

    public static string Module { get; } =
        new[]
        {
            "/usr/lib/softhsm/libsofthsm2.so",
            "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
            "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        }.FirstOrDefault(File.Exists) ?? throw new InvalidOperationException("SoftHSM is not there: install softhsm2.");

    public static IPkcs11Library Library => Pkcs11Modules.Load(Module);

    /// <summary>A new token; gives back the settings of a gateway that keeps its keys in it.</summary>
    /// <param name="directory">Where to put the file with the PIN.</param>
    /// <param name="pin">What the file says, when not the PIN.</param>
    public static KeyOptions NewToken(string directory, string pin = Pin)
    {
        var label = $"t-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        lock (Making)
        {
            var slot = Library
                .GetSlotList(SlotsType.WithOrWithoutTokenPresent)
                .First(slot => !slot.GetTokenInfo().TokenFlags.TokenInitialized);
            slot.InitToken("so-pin", label);
            using var session = slot.OpenSession(SessionType.ReadWrite);
            session.Login(CKU.CKU_SO, "so-pin");
            session.InitPin(Pin);
            session.Logout();
        }

        var file = Path.Combine(directory, $"{label}.pin");
        File.WriteAllText(file, $"{pin}\n");
        return new KeyOptions
        {
            Provider = "pkcs11",
            Pkcs11 = new Pkcs11Options
            {
                Module = Module,
                Token = label,
                PinFile = file,
            },
        };
    }

    public static ISlot SlotOf(KeyOptions options) =>
        Library
            .GetSlotList(SlotsType.WithTokenPresent)
            .Single(slot => slot.GetTokenInfo().Label == options.Pkcs11.Token);

    /// <summary>Does something with all objects that have the label, beside the gateway.</summary>
    public static T With<T>(KeyOptions options, string label, Func<ISession, List<IObjectHandle>, T> work)
    {
        using var session = SlotOf(options).OpenSession(SessionType.ReadWrite);
        try
        {
            session.Login(CKU.CKU_USER, Pin);
        }
        catch (Pkcs11Exception exception) when (exception.RV == CKR.CKR_USER_ALREADY_LOGGED_IN)
        {
            // By the gateway: one login is for all sessions of the process.
        }

        return work(
            session,
            session.FindAllObjects([Pkcs11Modules.Factories.ObjectAttributeFactory.Create(CKA.CKA_LABEL, label)])
        );
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
