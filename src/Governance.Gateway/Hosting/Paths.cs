using System.Security.Cryptography;
using System.Text;
using Governance.Platform;

namespace Governance.Gateway.Hosting;

/// <summary>Turns configured paths into absolute ones.</summary>
public static class Paths
{
    /// <summary>The directory of <c>Governance.sln</c> when run from source, else that of the executable.</summary>
    public static string Base { get; } = FindBase();

    /// <summary>Absolute platform settings from the gateway's; the key file must lie outside the data directory.</summary>
    public static PlatformOptions Resolve(GatewayOptions options)
    {
        var data = Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.DataDirectory, Base));
        var keyFile = options.KeyFile.Length > 0 ? Path.GetFullPath(options.KeyFile, Base) : DefaultKeyFile(data);
        if (keyFile.StartsWith(data + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            throw new InvalidOperationException("Governance:KeyFile must lie outside the data directory.");
        }

        return new PlatformOptions
        {
            DataDirectory = data,
            PoliciesDirectory = Path.GetFullPath(options.PoliciesDirectory, Base),
            KeyFile = keyFile,
            PublicUrl = (
                options.PublicUrl.Length > 0
                    ? options.PublicUrl
                    : options.Urls.Replace("*", "localhost", StringComparison.Ordinal)
            ).TrimEnd('/'),
            MigrationsAssembly = typeof(Paths).Assembly.GetName().Name!,
        };
    }

    /// <summary>A configured path made absolute; empty stays empty.</summary>
    public static string Absolute(string path) => path.Length == 0 ? "" : Path.GetFullPath(path, Base);

    private static string DefaultKeyFile(string data)
    {
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(data)))[..16];
        var configuration = Environment.GetFolderPath(
            Environment.SpecialFolder.ApplicationData,
            Environment.SpecialFolderOption.DoNotVerify
        );
        return configuration.Length > 0
            ? Path.Combine(configuration, "governance", $"{name}.kek")
            : $"{data.TrimEnd(Path.DirectorySeparatorChar)}.kek";
    }

    private static string FindBase()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Governance.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? AppContext.BaseDirectory;
    }
}
