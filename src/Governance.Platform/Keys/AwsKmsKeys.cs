using System.Formats.Asn1;
using System.Security.Cryptography;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using Amazon.Runtime;
using Governance.Platform.Outbound;

namespace Governance.Platform.Keys;

/// <summary>
/// Keys in AWS KMS: key spec ECC_NIST_P256, ECDSA_SHA_256 over a digest. Requests go to the one endpoint, each signed (SigV4): no proxy, no
/// redirect, no search for credentials. What fails or is throttled is repeated with growing pauses, within the time limit of the whole.
/// </summary>
internal sealed class AwsKmsKeys : IKeyProvider, IDisposable
{
    public const string ProviderName = "aws-kms";
    private const int MaxAnswer = 65_536;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly KeyOptions _options;
    private readonly TimeProvider _clock;
    private readonly SemaphoreSlim _free;
    private readonly Lazy<AmazonKeyManagementServiceClient> _client;

    public AwsKmsKeys(KeyOptions options, IHostAddresses hosts, TimeProvider clock)
    {
        (_options, _clock) = (options, clock);
        _free = new SemaphoreSlim(options.Concurrency);
        _client = new Lazy<AmazonKeyManagementServiceClient>(() => Connect(options, hosts));
    }

    public string Name => ProviderName;

    private AmazonKeyManagementServiceClient Client => _client.Value;

    public void Check() => _ = new FileCredentials(_options.AwsKms).GetCredentials();

    public MadeKey Make(string label)
    {
        var arn = "";
        try
        {
            return Call("make a key", MakeAsync);
        }
        catch (KeyUnavailableException exception) when (arn.Length > 0)
        {
            throw new KeyUnavailableException(
                $"{exception.Message} {arn} was made all the same, and is not used.",
                exception
            );
        }

        async Task<MadeKey> MakeAsync(CancellationToken cancellationToken)
        {
            var made = await Client.CreateKeyAsync(
                new CreateKeyRequest
                {
                    KeySpec = KeySpec.ECC_NIST_P256,
                    KeyUsage = KeyUsageType.SIGN_VERIFY,
                    Description = label,
                },
                cancellationToken
            );
            arn =
                made.KeyMetadata?.Arn ?? throw new KeyUnavailableException("AWS KMS made a key and does not name it.");
            return new MadeKey(arn, await PublicAsync(arn, cancellationToken));
        }
    }

    public byte[] Sign(string reference, ReadOnlySpan<byte> digest)
    {
        var data = digest.ToArray();
        return Call(
            $"sign with {reference}",
            async cancellationToken =>
            {
                using var message = new MemoryStream(data, writable: false);
                var signed = await Client.SignAsync(
                    new SignRequest
                    {
                        KeyId = reference,
                        Message = message,
                        MessageType = MessageType.DIGEST,
                        SigningAlgorithm = SigningAlgorithmSpec.ECDSA_SHA_256,
                    },
                    cancellationToken
                );
                return Raw(signed.Signature?.ToArray() ?? []);
            }
        );
    }

    public void Dispose()
    {
        if (_client.IsValueCreated)
        {
            Client.Dispose();
        }

        _free.Dispose();
    }

    private async Task<byte[]> PublicAsync(string arn, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var known = await Client.GetPublicKeyAsync(new GetPublicKeyRequest { KeyId = arn }, cancellationToken);
                var spki = known.PublicKey?.ToArray() ?? [];
                using var key = ECDsa.Create();
                key.ImportSubjectPublicKeyInfo(spki, out _);
                return Kernel.EcdsaP256.IsP256(key)
                    ? spki
                    : throw new KeyUnavailableException($"AWS KMS made a key that is not one on P-256: {arn}.");
            }
            catch (NotFoundException)
            {
                // A new key is known everywhere in the region only after a while.
                await Task.Delay(Pause, _clock, cancellationToken);
            }
        }
    }

    private T Call<T>(string doing, Func<CancellationToken, Task<T>> call)
    {
        using var limit = new CancellationTokenSource(_options.Timeout, _clock);
        var entered = false;
        try
        {
            _free.Wait(limit.Token);
            entered = true;
            // The package has asynchronous calls only, and who signs here waits; on the pool, so that nothing of ours waits for itself.
#pragma warning disable VSTHRD002 // the reason is above
            return Task.Run(() => call(limit.Token), limit.Token).GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        }
        catch (OperationCanceledException exception)
        {
            throw new KeyUnavailableException(
                $"AWS KMS did not {doing} within {_options.TimeoutSeconds} seconds.",
                exception
            );
        }
        catch (KeyUnavailableException)
        {
            throw; // an IOException itself, but it says already what is wrong
        }
        catch (AmazonServiceException exception)
        {
            throw new KeyUnavailableException(
                $"AWS KMS refused to {doing}: {exception.ErrorCode ?? exception.StatusCode.ToString()}.",
                exception
            );
        }
        catch (Exception exception)
            when (exception
                    is AmazonClientException
                        or HttpRequestException
                        or IOException
                        or TimeoutException
                        or AsnContentException
                        or CryptographicException
            )
        {
            throw new KeyUnavailableException($"AWS KMS could not be asked to {doing}.", exception);
        }
        finally
        {
            if (entered)
            {
                _free.Release();
            }
        }
    }

    // From DER to r ‖ s.
    private static byte[] Raw(byte[] signature)
    {
        var reader = new AsnReader(signature, AsnEncodingRules.DER);
        var pair = reader.ReadSequence();
        reader.ThrowIfNotEmpty();
        var raw = new byte[64];
        Put(pair.ReadInteger(), raw.AsSpan(0, 32));
        Put(pair.ReadInteger(), raw.AsSpan(32));
        pair.ThrowIfNotEmpty();
        return raw;
    }

    private static void Put(System.Numerics.BigInteger value, Span<byte> into)
    {
        if (value.Sign <= 0 || value.GetByteCount(isUnsigned: true) > into.Length)
        {
            throw new AsnContentException();
        }

        value.TryWriteBytes(
            into[(into.Length - value.GetByteCount(isUnsigned: true))..],
            out _,
            isUnsigned: true,
            isBigEndian: true
        );
    }

    private static AmazonKeyManagementServiceClient Connect(KeyOptions options, IHostAddresses hosts)
    {
        var service = options.AwsKms;
        if (service.Region.Length == 0)
        {
            throw new KeyUnavailableException("A key lies in AWS KMS, but Governance:Keys:AwsKms:Region is not set.");
        }

        return new AmazonKeyManagementServiceClient(
            new FileCredentials(service),
            new AmazonKeyManagementServiceConfig
            {
                ServiceURL =
                    service.Endpoint.Length > 0 ? service.Endpoint : $"https://kms.{service.Region}.amazonaws.com",
                AuthenticationRegion = service.Region,
                Timeout = options.Timeout,
                MaxErrorRetry = service.Retries,
                RetryMode = RequestRetryMode.Standard,
                AllowAutoRedirect = false,
                HttpClientFactory = new BoundedClients(service, hosts, options.Concurrency),
            }
        );
    }

    /// <summary>Read for each request, so that short-lived credentials can be replaced while the gateway runs.</summary>
    private sealed class FileCredentials(AwsKmsOptions options) : AWSCredentials
    {
        public override ImmutableCredentials GetCredentials()
        {
            var words = SecretText
                .Read(options.CredentialFile, options.CredentialVariable)
                .Reveal()
                .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return words.Length is 2 or 3
                ? new ImmutableCredentials(words[0], words[1], words.ElementAtOrDefault(2))
                : throw new KeyUnavailableException(
                    "The AWS credential is not an access key, a secret key and at most a session token, one a line."
                );
        }
    }

    private sealed class BoundedClients(AwsKmsOptions options, IHostAddresses hosts, int connections)
        : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig)
        {
            // The operator named the host, which may well be inside.
            var handler = OutboundConnections.Handler(hosts, _ => true, options.Authorities);
            handler.MaxConnectionsPerServer = connections;
            handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2);
            return new HttpClient(new BoundedAnswers(handler)) { Timeout = Timeout.InfiniteTimeSpan };
        }
    }

    private sealed class BoundedAnswers(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request,
            CancellationToken cancellationToken
        )
        {
            var answer = await base.SendAsync(request, cancellationToken);
            try
            {
                await answer.Content.LoadIntoBufferAsync(MaxAnswer, cancellationToken);
                return answer;
            }
            catch
            {
                answer.Dispose();
                throw;
            }
        }
    }
}
