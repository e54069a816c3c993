using System.CommandLine;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Governance.Cli.Server;

/// <summary>Where the gateway is and whom to trust about it; the token comes from the environment or from <c>govern login</c>, never from an argument.</summary>
internal static class ServerOptions
{
    public const string TokenVariable = "GOVERN_TOKEN";

    private static readonly Option<string> Server = new("--server")
    {
        Description = "Address of the gateway, https only.",
        HelpName = "url",
        Required = true,
    };

    private static readonly Option<string?> Authority = Shared.File(
        "--ca",
        "CA certificate in PEM: the gateway's certificate must come from it. Left out: the system's trust."
    );

    private static readonly Option<bool> Insecure = new("--insecure")
    {
        Description = "Accept any certificate; for loopback addresses only.",
    };

    /// <summary>Adds the options to a verb.</summary>
    public static Verb WithServer(this Verb verb)
    {
        verb.Add(Server);
        verb.Add(Authority);
        verb.Add(Insecure);
        return verb;
    }

    /// <summary>A connection that sends the token of the environment, else that of <c>govern login</c>.</summary>
    public static GatewayClient Connect(Invocation run)
    {
        var token = run.Surroundings.Variable(TokenVariable);
        if (!string.IsNullOrWhiteSpace(token))
        {
            return token.Trim().All(c => c is > ' ' and < '\x7f')
                ? new GatewayClient(Address(run), Handler(run), token.Trim())
                : throw Stop.Unusable("bad_token", $"{TokenVariable} is not an access token.");
        }

        return new GatewayClient(Address(run), SignedIn(run), null);
    }

    /// <summary>The sign-in of <c>govern login</c>.</summary>
    public static SignedInHandler SignedIn(Invocation run)
    {
        var address = Address(run);
        var saved = new SavedTokens(run.Surroundings, address);
        if (saved.Read() is null)
        {
            throw Stop.Unusable(
                "no_token",
                $"Run govern login for this server, or set {TokenVariable} to an access token; it is never an argument."
            );
        }

        return new SignedInHandler(new ClearErrors(Handler(run), address), address, saved, run.Surroundings.Clock);
    }

    /// <summary>The authorization server of the gateway, its address, and where its tokens are kept.</summary>
    public static (Issuer Issuer, Uri Address, SavedTokens Saved) Issuer(Invocation run)
    {
        var address = Address(run);
        var http = new HttpClient(new ClearErrors(Handler(run), address)) { BaseAddress = address };
        return (new Issuer(http, run.Surroundings.Clock), address, new SavedTokens(run.Surroundings, address));
    }

    /// <summary>A connection to what is public; no token is sent.</summary>
    public static GatewayClient ConnectPublic(Invocation run) => new(Address(run), Handler(run), null);

    private static Uri Address(Invocation run) =>
        Uri.TryCreate(run.Need(Server), UriKind.Absolute, out var address)
        && address is { Scheme: "https", UserInfo: "", Query: "", Fragment: "", AbsolutePath: "/" }
            ? address
            : throw Stop.Usage("--server is an https address such as https://localhost:8443, without path or user.");

    private static SocketsHttpHandler Handler(Invocation run)
    {
        var insecure = run.Get(Insecure);
        if (insecure && !Address(run).IsLoopback)
        {
            throw Stop.Usage("--insecure is for loopback addresses only; name the --ca.");
        }

        return new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(15),
            SslOptions = insecure ? TrustAnyone() : Trust(run.Get(Authority)),
        };
    }

    private static SslClientAuthenticationOptions Trust(string? authorityPath) =>
        authorityPath is null
            ? new SslClientAuthenticationOptions { CertificateRevocationCheckMode = X509RevocationMode.Online }
            : new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { ReadAuthority(authorityPath) },
                    RevocationMode = X509RevocationMode.NoCheck, // a private CA publishes no list
                },
            };

    private static X509Certificate2 ReadAuthority(string path)
    {
        try
        {
            return X509Certificate2.CreateFromPem(InputFile.ReadText(path));
        }
        catch (CryptographicException)
        {
            throw Stop.Unusable("bad_ca", $"{path} holds no certificate in PEM.");
        }
    }

    // Asked for by name, and only where nobody sits between: Handler has checked that the address is loopback.
#pragma warning disable CA5359 // see above
    private static SslClientAuthenticationOptions TrustAnyone() =>
        new() { RemoteCertificateValidationCallback = (_, _, _, _) => true };
#pragma warning restore CA5359
}
