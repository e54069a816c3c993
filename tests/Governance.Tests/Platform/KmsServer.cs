using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Governance.Platform.Keys;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Tests.Platform;

/// <summary>
/// What speaks AWS KMS over HTTPS (AWS JSON 1.1; CreateKey, GetPublicKey, Sign) with real P-256 keys in memory, and takes only what is
/// signed with its secret for its region and service, here and now.
/// </summary>
internal sealed partial class KmsServer : IAsyncDisposable
{
    public const string AccessKey = "AKIDTEST";
    public const string SecretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYTESTKEY";
    private const string Region = "eu-central-1";
    private readonly ConcurrentDictionary<string, ECDsa> _keys = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("governance-kms-").FullName;
    private readonly WebApplication _app;
    private readonly X509Certificate2 _certificate;

    private KmsServer()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllText(Path.Combine(_directory, "ca.pem"), _certificate.ExportCertificatePem());
        CredentialFile = Path.Combine(_directory, "credential");
        File.WriteAllText(CredentialFile, $"{AccessKey}\n{SecretKey}\n");
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(_certificate))
        );
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    public string CredentialFile { get; }

    /// <summary>Session token that requests must carry, when set.</summary>
    public string? SessionToken { get; set; }

    /// <summary>What the next requests are answered instead: one each.</summary>
    public ConcurrentQueue<Func<HttpContext, Task>> Instead { get; } = new();

    /// <summary>Names of the operations that came, in their order, refused ones included.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    /// <summary>Requests whose signature was not right.</summary>
    public int Refused { get; private set; }

    /// <summary>Requests of one kind that were under way at a time, at most.</summary>
    public int Most => _most;

    /// <summary>How often a key that was made is not known yet.</summary>
    public int StillUnknown { get; set; }

    public TimeSpan Pause { get; set; }

    public IReadOnlyDictionary<string, ECDsa> Keys => _keys;

    private int _most;
    private int _now;

    public KeyOptions Options =>
        new()
        {
            Provider = "aws-kms",
            AwsKms = new AwsKmsOptions
            {
                Region = Region,
                Endpoint = Url.Replace("127.0.0.1", "localhost"),
                CredentialFile = CredentialFile,
                Authorities = Path.Combine(_directory, "ca.pem"),
            },
        };

    private string Url =>
        _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    public static async Task<KmsServer> StartAsync()
    {
        var server = new KmsServer();
        await server._app.StartAsync();
        return server;
    }

    /// <summary>The service is gone.</summary>
    public async Task StopAsync() => await _app.DisposeAsync();

    /// <summary>An answer with an error of the service.</summary>
    public static Func<HttpContext, Task> Error(int status, string type) =>
        context => WriteAsync(context, status, new JsonObject { ["__type"] = type, ["message"] = "No." });

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _certificate.Dispose();
        foreach (var key in _keys.Values)
        {
            key.Dispose();
        }

        Directory.Delete(_directory, recursive: true);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var now = Interlocked.Increment(ref _now);
        _most = Math.Max(_most, now);
        try
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            var operation = context.Request.Headers["X-Amz-Target"].ToString();
            Asked.Enqueue(operation);
            if (!IsSigned(context.Request, body.ToArray()))
            {
                Refused++;
                await Error(400, "InvalidSignatureException")(context);
                return;
            }

            if (Instead.TryDequeue(out var instead))
            {
                await instead(context);
                return;
            }

            await Task.Delay(Pause);
            var input = JsonNode.Parse(body.ToArray())!.AsObject();
            switch (operation)
            {
                case "TrentService.CreateKey":
                    await WriteAsync(context, 200, Create(input));
                    break;
                case "TrentService.GetPublicKey" when StillUnknown-- <= 0 && Find(input) is { } key:
                    await WriteAsync(
                        context,
                        200,
                        new JsonObject
                        {
                            ["KeyId"] = $"{input["KeyId"]}",
                            ["KeySpec"] = "ECC_NIST_P256",
                            ["KeyUsage"] = "SIGN_VERIFY",
                            ["PublicKey"] = Convert.ToBase64String(key.ExportSubjectPublicKeyInfo()),
                        }
                    );
                    break;
                case "TrentService.Sign" when Find(input) is { } key:
                    await WriteAsync(context, 200, Sign(key, input));
                    break;
                case "TrentService.GetPublicKey" or "TrentService.Sign":
                    await Error(400, "NotFoundException")(context);
                    break;
                default:
                    await Error(400, "UnknownOperationException")(context);
                    break;
            }
        }
        finally
        {
            Interlocked.Decrement(ref _now);
        }
    }

    private JsonObject Create(JsonObject input)
    {
        Assert.Equal("ECC_NIST_P256", $"{input["KeySpec"]}");
        Assert.Equal("SIGN_VERIFY", $"{input["KeyUsage"]}");
        var id = Guid.NewGuid().ToString();
        var arn = $"arn:aws:kms:{Region}:111122223333:key/{id}";
        _keys[arn] = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new JsonObject
        {
            ["KeyMetadata"] = new JsonObject
            {
                ["Arn"] = arn,
                ["KeyId"] = id,
                ["KeySpec"] = "ECC_NIST_P256",
                ["KeyUsage"] = "SIGN_VERIFY",
                ["Description"] = $"{input["Description"]}",
            },
        };
    }

    private ECDsa? Find(JsonObject input) => _keys.GetValueOrDefault($"{input["KeyId"]}");

    private static JsonObject Sign(ECDsa key, JsonObject input)
    {
        Assert.Equal("DIGEST", $"{input["MessageType"]}");
        Assert.Equal("ECDSA_SHA_256", $"{input["SigningAlgorithm"]}");
        var digest = Convert.FromBase64String($"{input["Message"]}");
        Assert.Equal(32, digest.Length);
        lock (key)
        {
            return new JsonObject
            {
                ["KeyId"] = $"{input["KeyId"]}",
                ["SigningAlgorithm"] = "ECDSA_SHA_256",
                ["Signature"] = Convert.ToBase64String(key.SignHash(digest, DSASignatureFormat.Rfc3279DerSequence)),
            };
        }
    }

    private bool IsSigned(HttpRequest request, byte[] body)
    {
        var headers = request.Headers.ToDictionary(
            header => header.Key.ToLowerInvariant(),
            header => header.Value.ToString()
        );
        var match = Authorization().Match(headers.GetValueOrDefault("authorization", ""));
        var signed = match.Groups["signed"].Value;
        return match.Success
            && match.Groups["key"].Value == AccessKey
            && match.Groups["scope"].Value == $"{headers["x-amz-date"][..8]}/{Region}/kms/aws4_request"
            && Math.Abs((DateTimeOffset.UtcNow - TimeOf(headers["x-amz-date"])).TotalMinutes) < 5
            && new[] { "host", "x-amz-date", "x-amz-target" }.All(signed.Split(';').Contains)
            && (SessionToken is null || signed.Split(';').Contains("x-amz-security-token"))
            && headers.GetValueOrDefault("x-amz-security-token") == SessionToken
            && match.Groups["signature"].Value
                == SigV4.Of(
                    request.Method,
                    request.Path,
                    request.QueryString.Value!.TrimStart('?'),
                    headers,
                    signed,
                    body,
                    match.Groups["scope"].Value,
                    SecretKey
                );
    }

    private static DateTimeOffset TimeOf(string text) =>
        DateTimeOffset.ParseExact(
            text,
            "yyyyMMdd'T'HHmmss'Z'",
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal
        );

    private static Task WriteAsync(HttpContext context, int status, JsonObject body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/x-amz-json-1.1";
        return context.Response.WriteAsync(body.ToJsonString());
    }

    [GeneratedRegex(
        """\AAWS4-HMAC-SHA256 Credential=(?<key>\w+)/(?<scope>[^,]+), ?SignedHeaders=(?<signed>[^,]+), ?Signature=(?<signature>[0-9a-f]{64})\z"""
    )]
    private static partial Regex Authorization();
}
