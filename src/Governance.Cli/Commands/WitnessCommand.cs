using System.CommandLine;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Audit.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Cli.Commands;

/// <summary><c>govern witness</c>: a process apart from every gateway that cosigns checkpoints which extend what it knows.</summary>
internal static class WitnessCommand
{
    private static readonly Option<string> Name = new("--name")
    {
        Description = "Name of the witness, host and path without scheme; it stands in every cosignature.",
        HelpName = "name",
        Required = true,
    };

    private static readonly Option<string> Key = Shared.RequiredFile(
        "--key",
        "Its private key (PEM, mode 0600), made on the first run; the sizes it cosigned are kept beside it."
    );

    private static readonly Option<bool> ShowKey = new("--show-key")
    {
        Description = "Only print the verifier key, which gateways and verifiers are told, and end.",
    };

    private static readonly Option<string?> State = new("--state")
    {
        Description = "Directory of what it must not forget; one process at a time.",
        HelpName = "directory",
    };

    private static readonly Option<string[]> Log = new("--log")
    {
        Description = "Verifier keys of the logs to watch.",
        HelpName = "vkey",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string[]> Root = new("--trusted-root")
    {
        Description = "trusted_root.json of gateways whose audit logs to watch.",
        HelpName = "file",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string[]> New = new("--new")
    {
        Description = "Origins of logs to begin with: the first checkpoint of each is taken as it comes.",
        HelpName = "origin",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string> Listen = new("--listen")
    {
        Description = "Address and port to listen on. Plain HTTP on loopback only; elsewhere name --cert.",
        HelpName = "address:port",
        DefaultValueFactory = _ => "127.0.0.1:7443",
    };

    private static readonly Option<string?> Certificate = Shared.File("--cert", "Certificate with its chain, PEM.");

    private static readonly Option<string?> CertificateKey = Shared.File("--cert-key", "Key of the certificate, PEM.");

    private static readonly Option<int> PerMinute = new("--per-minute")
    {
        Description = "Most requests of one address in a minute, 1-100000.",
        HelpName = "count",
        DefaultValueFactory = _ => 600,
    };

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "witness",
            "Runs a witness: cosigns checkpoints of a log that extend what it knows, and nothing else (C2SP tlog-witness).",
            "govern witness --name witness.example/w1 --key witness.key --show-key",
            "govern witness --name witness.example/w1 --key witness.key --state witness/ --trusted-root trusted_root.json --new localhost/governance/log --listen 0.0.0.0:7443 --cert cert.pem --cert-key cert.key"
        )
        {
            Name,
            Key,
            ShowKey,
            State,
            Log,
            Root,
            New,
            Listen,
            Certificate,
            CertificateKey,
            PerMinute,
        }.Runs(surroundings, RunAsync);

    private static async Task<int> RunAsync(Invocation run)
    {
        if (run.Get(ShowKey))
        {
            run.Say(Witness.KeyOf(run.Need(Key), run.Need(Name)).OrStop());
            return Exit.Fine;
        }

        var state = run.Get(State) ?? throw Stop.Usage("A witness needs its --state directory.");
        var perMinute = run.Get(PerMinute);
        if (perMinute is < 1 or > 100_000)
        {
            throw Stop.Usage("--per-minute is 1 to 100000.");
        }

        var logs = run.Get(Log)!.Concat(run.Get(Root)!.SelectMany(LogsOf)).Distinct(StringComparer.Ordinal).ToList();
        if (logs.Count == 0)
        {
            throw Stop.Usage("Name the logs to watch, by --log or --trusted-root.");
        }

        using var certificate = ReadCertificate(run);
        var address = Address(run, certificate is not null);
        using var witness = Witness
            .Open(
                new WitnessSettings(run.Need(Name), run.Need(Key), state, logs, run.Get(New)!),
                run.Surroundings.Clock
            )
            .OrStop(Exit.Refused);
        await using var server = await WitnessServer.StartAsync(witness, address, certificate, perMinute, run);
        run.Say($"Witness {witness.VerifierKey}");
        foreach (var (origin, size) in witness.Sizes)
        {
            run.Say($"Watching {origin} from size {size}");
        }

        run.Say($"Listening on {server.Address}");
        await server.EndAsync(run.Cancelled);
        return Exit.Fine;
    }

    private static IReadOnlyList<string> LogsOf(string trustedRoot) =>
        TrustedRootFile.LogVerifierKeys(InputFile.Read(trustedRoot, InputFile.Small)).OrStop();

    private static IPEndPoint Address(Invocation run, bool secure)
    {
        if (!IPEndPoint.TryParse(run.Get(Listen)!, out var address) || !run.Get(Listen)!.Contains(':'))
        {
            throw Stop.Usage("--listen is an address and a port, such as 127.0.0.1:7443 or [::]:7443.");
        }

        return secure || IPAddress.IsLoopback(address.Address)
            ? address
            : throw Stop.Usage("Plain HTTP is served on loopback only: name --cert and --cert-key.");
    }

    private static X509Certificate2? ReadCertificate(Invocation run)
    {
        var (certificate, key) = (run.Get(Certificate), run.Get(CertificateKey));
        if (certificate is null && key is null)
        {
            return null;
        }

        if (certificate is null || key is null)
        {
            throw Stop.Usage("--cert and --cert-key belong together.");
        }

        try
        {
            return X509Certificate2.CreateFromPem(InputFile.ReadText(certificate), InputFile.ReadText(key));
        }
        catch (CryptographicException)
        {
            throw Stop.Unusable(
                "bad_certificate",
                "The certificate and its key are not PEM, or do not belong together."
            );
        }
    }
}
