using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;

namespace Governance.Cli.Server;

/// <summary>What a sign-in left behind.</summary>
/// <param name="AccessToken">Access token.</param>
/// <param name="RefreshToken">Refresh token, good for one use.</param>
/// <param name="ExpiresAt">When the access token ends.</param>
internal sealed record SavedToken(string AccessToken, string RefreshToken, DateTimeOffset ExpiresAt)
{
    /// <summary>
    /// Whether the sign-in behind the access token was at most so long before its issue. Both moments are the server's, so its
    /// clock may differ from ours; they are whole seconds.
    /// </summary>
    public bool IsSignedInWithin(TimeSpan span) =>
        AccessToken.Split('.') is [_, var payload, _]
        && Base64Url.IsValid(payload)
        && CanonicalJson.TryParse(Base64Url.DecodeFromChars(payload)) is JsonObject claims
        && claims["iat"] is JsonValue issued
        && issued.TryGetValue<long>(out var issuedAt)
        && claims["auth_time"] is JsonValue signedIn
        && signedIn.TryGetValue<long>(out var signedInAt)
        && issuedAt - signedInAt <= span.TotalSeconds + 1;
}

/// <summary>
/// The tokens of <c>govern login</c>: one file per gateway, readable by its owner only, below the user's configuration
/// directory. A lock file keeps two runs from using the same refresh token, which would end both.
/// </summary>
internal sealed class SavedTokens
{
    private const int MaxFile = 64 * 1024;
    private readonly string _path;

    public SavedTokens(Surroundings surroundings, Uri server)
    {
        var configuration = surroundings.Variable("XDG_CONFIG_HOME") is { Length: > 0 } set
            ? set
            : Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData);
        var name = Digest.Of(server.GetLeftPart(UriPartial.Authority)).Hex[..32];
        _path = Path.Combine(configuration, "governance", "tokens", $"{name}.json");
    }

    /// <summary>The token, or null when nobody is signed in there.</summary>
    public SavedToken? Read()
    {
        if (!File.Exists(_path))
        {
            return null;
        }

        using var file = File.OpenRead(_path);
        var bytes = new byte[MaxFile + 1];
        var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return
            read <= MaxFile
            && CanonicalJson.TryParse(bytes.AsSpan(0, read)) is JsonObject json
            && json["access_token"] is JsonValue access
            && access.TryGetValue<string>(out var token)
            && json["refresh_token"] is JsonValue refresh
            && refresh.TryGetValue<string>(out var renewal)
            && json["expires_at"] is JsonValue expires
            && expires.TryGetValue<long>(out var seconds)
            ? new SavedToken(token, renewal, DateTimeOffset.UnixEpoch.AddSeconds(seconds))
            : null;
    }

    public void Write(SavedToken token)
    {
        var directory = Path.GetDirectoryName(_path)!;
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(directory);
        }
        else
        {
            Directory.CreateDirectory(
                directory,
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            );
        }

        var json = new JsonObject
        {
            ["access_token"] = token.AccessToken,
            ["refresh_token"] = token.RefreshToken,
            ["expires_at"] = token.ExpiresAt.ToUnixTimeSeconds(),
        };
        DurableFile.WriteSecret(_path, Encoding.UTF8.GetBytes(json.ToJsonString()));
    }

    public void Delete() => File.Delete(_path);

    /// <summary>Waits at most half a minute until no other run changes the file.</summary>
    public async Task<IDisposable> LockAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return new FileStream(
                    _path + ".lock",
                    FileMode.OpenOrCreate,
                    FileAccess.ReadWrite,
                    FileShare.None,
                    bufferSize: 1,
                    FileOptions.DeleteOnClose
                );
            }
            catch (IOException) when (attempt < 300)
            {
                await Task.Delay(100, cancellationToken);
            }
        }
    }
}
