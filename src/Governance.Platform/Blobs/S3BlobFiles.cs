using System.Buffers;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Governance.Kernel;
using Microsoft.Win32.SafeHandles;

namespace Governance.Platform.Blobs;

/// <summary>
/// Stored forms as objects <c>blobs/&lt;sha256&gt;</c> of a bucket. The staged file is sent in parts, each signed with its own
/// digest; the object appears when the last part is acknowledged, or not at all. Nothing is sent anywhere but to the endpoint:
/// no proxy, no redirect, no search for credentials.
/// </summary>
internal sealed class S3BlobFiles : IBlobFiles, IDisposable
{
    private const int LeastPart = 8 << 20;
    private const int MostParts = 10_000;
    private const string Prefix = "blobs/";
    private readonly AmazonS3Client _client;
    private readonly string _bucket;

    public S3BlobFiles(S3Options options)
    {
        var secret = options.SecretKey.Length > 0 ? options.SecretKey : File.ReadAllText(options.SecretKeyFile).Trim();
        _bucket = options.Bucket;
        _client = new AmazonS3Client(
            new BasicAWSCredentials(options.AccessKey, secret),
            new AmazonS3Config
            {
                ServiceURL = options.Endpoint,
                AuthenticationRegion = options.Region,
                ForcePathStyle = options.PathStyle,
                Timeout = TimeSpan.FromSeconds(options.TimeoutSeconds),
                MaxErrorRetry = options.Retries,
                RetryMode = RequestRetryMode.Standard,
                AllowAutoRedirect = false,
                // Checksums in trailers are not understood by every store; each part is signed with its digest anyway.
                RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
                ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
                HttpClientFactory = new DirectClients(),
            }
        );
    }

    public void Dispose() => _client.Dispose();

    public async Task PlaceAsync(SafeFileHandle staged, string path, Digest digest, CancellationToken cancellationToken)
    {
        var length = RandomAccess.GetLength(staged);
        await CallAsync(
            () =>
                length <= LeastPart
                    ? SendWholeAsync(staged, length, digest, cancellationToken)
                    : SendPartsAsync(staged, length, digest, cancellationToken),
            cancellationToken
        );
        // A store that says yes and keeps something else is found out here, and by the digests at the latest.
        var stored = await CallAsync(
            () => _client.GetObjectMetadataAsync(_bucket, KeyOf(digest), cancellationToken),
            cancellationToken
        );
        if (stored.ContentLength != length)
        {
            throw new BlobsUnavailableException("The store keeps another number of bytes than it was sent.");
        }
    }

    public async Task<IStoredBytes?> OpenAsync(Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            var found = await CallAsync(
                () => _client.GetObjectMetadataAsync(_bucket, KeyOf(digest), cancellationToken),
                cancellationToken
            );
            return new StoredObject(this, KeyOf(digest), found.ETag, found.ContentLength);
        }
        catch (BlobsUnavailableException exception) when (IsStatus(exception, HttpStatusCode.NotFound))
        {
            await RequireAbsentAsync(digest, cancellationToken);
            return null;
        }
    }

    // The answer to HEAD has no text: it may be the bucket that is missing, which says nothing about the object.
    private async Task RequireAbsentAsync(Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            using var _ = await CallAsync(
                () => _client.GetObjectAsync(_bucket, KeyOf(digest), cancellationToken),
                cancellationToken
            );
        }
        catch (BlobsUnavailableException exception)
            when (exception.InnerException is AmazonS3Exception { ErrorCode: "NoSuchKey" })
        {
            return;
        }

        throw new BlobsUnavailableException("The store of blobs does not know what it keeps.");
    }

    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        const string key = "probe";
        var sent = RandomNumberGenerator.GetBytes(64);
        var received = new byte[sent.Length];
        await CallAsync(
            async () =>
            {
                using var content = new MemoryStream(sent, writable: false);
                await _client.PutObjectAsync(
                    new PutObjectRequest
                    {
                        BucketName = _bucket,
                        Key = key,
                        InputStream = content,
                        UseChunkEncoding = false,
                    },
                    cancellationToken
                );
                using var answer = await _client.GetObjectAsync(_bucket, key, cancellationToken);
                await answer.ResponseStream.ReadExactlyAsync(received, cancellationToken);
                return answer.ContentLength;
            },
            cancellationToken
        );
        if (!sent.AsSpan().SequenceEqual(received))
        {
            throw new BlobsUnavailableException("The store of blobs keeps other bytes than it was sent.");
        }
    }

    public Task DeleteAsync(Digest digest, CancellationToken cancellationToken) =>
        CallAsync(() => _client.DeleteObjectAsync(_bucket, KeyOf(digest), cancellationToken), cancellationToken);

    public async IAsyncEnumerable<StoredFile> ListAsync(
        string prefix,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var request = new ListObjectsV2Request { BucketName = _bucket, Prefix = Prefix + prefix };
        ListObjectsV2Response page;
        do
        {
            page = await CallAsync(() => _client.ListObjectsV2Async(request, cancellationToken), cancellationToken);
            foreach (var item in page.S3Objects ?? [])
            {
                if (Digest.TryParse(item.Key[Prefix.Length..], out var digest))
                {
                    yield return new StoredFile(
                        digest,
                        new DateTimeOffset((item.LastModified ?? DateTime.MaxValue).ToUniversalTime())
                    );
                }
            }

            request.ContinuationToken = page.NextContinuationToken;
        } while (page.IsTruncated == true);
    }

    /// <summary>Ends uploads whose gateway died between the first part and the last: their parts take space and show nowhere.</summary>
    public async Task CleanAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        var request = new ListMultipartUploadsRequest { BucketName = _bucket, Prefix = Prefix };
        ListMultipartUploadsResponse page;
        do
        {
            page = await CallAsync(
                () => _client.ListMultipartUploadsAsync(request, cancellationToken),
                cancellationToken
            );
            foreach (var upload in page.MultipartUploads ?? [])
            {
                if ((upload.Initiated ?? DateTime.MaxValue).ToUniversalTime() < before.UtcDateTime)
                {
                    await AbortAsync(upload.Key, upload.UploadId, cancellationToken);
                }
            }

            (request.KeyMarker, request.UploadIdMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
        } while (page.IsTruncated == true);
    }

    private static bool IsStatus(BlobsUnavailableException exception, HttpStatusCode status) =>
        exception.InnerException is AmazonServiceException answer && answer.StatusCode == status;

    private static string KeyOf(Digest digest) => Prefix + digest.Hex;

    private async Task<bool> SendWholeAsync(
        SafeFileHandle staged,
        long length,
        Digest digest,
        CancellationToken cancellationToken
    )
    {
        using var part = await Part.ReadAsync(staged, 0, (int)length, cancellationToken);
        var request = new PutObjectRequest
        {
            BucketName = _bucket,
            Key = KeyOf(digest),
            InputStream = part.Content,
            AutoCloseStream = false,
            // Signed as a whole: stores that do not know chunked signatures keep them as content.
            UseChunkEncoding = false,
        };
        await _client.PutObjectAsync(request, cancellationToken);
        return true;
    }

    private async Task<bool> SendPartsAsync(
        SafeFileHandle staged,
        long length,
        Digest digest,
        CancellationToken cancellationToken
    )
    {
        var key = KeyOf(digest);
        var started = await _client.InitiateMultipartUploadAsync(_bucket, key, cancellationToken);
        try
        {
            var size = (int)Math.Min(Array.MaxLength, Math.Max(LeastPart, (length + MostParts - 1) / MostParts));
            var sent = new List<PartETag>();
            for (long at = 0; at < length; at += size)
            {
                using var part = await Part.ReadAsync(staged, at, (int)Math.Min(size, length - at), cancellationToken);
                var answer = await _client.UploadPartAsync(
                    new UploadPartRequest
                    {
                        BucketName = _bucket,
                        Key = key,
                        UploadId = started.UploadId,
                        PartNumber = sent.Count + 1,
                        InputStream = part.Content,
                        PartSize = part.Content.Length,
                        UseChunkEncoding = false,
                    },
                    cancellationToken
                );
                sent.Add(new PartETag(sent.Count + 1, answer.ETag));
            }

            await _client.CompleteMultipartUploadAsync(
                new CompleteMultipartUploadRequest
                {
                    BucketName = _bucket,
                    Key = key,
                    UploadId = started.UploadId,
                    PartETags = sent,
                },
                cancellationToken
            );
            return true;
        }
        catch
        {
            await TryAbortAsync(key, started.UploadId);
            throw;
        }
    }

    private async Task TryAbortAsync(string key, string upload)
    {
        try
        {
            await AbortAsync(key, upload, CancellationToken.None);
        }
        catch (BlobsUnavailableException)
        {
            // The clean-up of the next collection does it.
            return;
        }
    }

    private Task AbortAsync(string key, string upload, CancellationToken cancellationToken) =>
        CallAsync(() => _client.AbortMultipartUploadAsync(_bucket, key, upload, cancellationToken), cancellationToken);

    // Whatever goes wrong between here and the store says nothing about the bytes.
    private static async Task<T> CallAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call();
        }
        catch (Exception exception)
            when (exception is AmazonServiceException or AmazonClientException or HttpRequestException or IOException
                || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested)
            )
        {
            throw new BlobsUnavailableException("The store of blobs does not answer as it should.", exception);
        }
    }

    /// <summary>An object, read in ranges on the condition that it is still the same one.</summary>
    private sealed class StoredObject(S3BlobFiles files, string key, string tag, long length) : IStoredBytes
    {
        public long Length => length;

        public async ValueTask ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken) =>
            await CallAsync(
                async () =>
                {
                    using var part = await files._client.GetObjectAsync(
                        new GetObjectRequest
                        {
                            BucketName = files._bucket,
                            Key = key,
                            ByteRange = new Amazon.S3.Model.ByteRange(offset, offset + buffer.Length - 1),
                            EtagToMatch = tag,
                        },
                        cancellationToken
                    );
                    if (part.ContentLength != buffer.Length)
                    {
                        throw new HttpRequestException("Not the range that was asked for.");
                    }

                    await part.ResponseStream.ReadExactlyAsync(buffer, cancellationToken);
                    return true;
                },
                cancellationToken
            );

        public void Dispose() { }
    }

    /// <summary>A stretch of a staged file in rented memory: it can be sent again when a request is repeated.</summary>
    private sealed class Part : IDisposable
    {
        private readonly byte[] _buffer;

        private Part(byte[] buffer, int length)
        {
            _buffer = buffer;
            Content = new MemoryStream(buffer, 0, length, writable: false);
        }

        public MemoryStream Content { get; }

        public static async Task<Part> ReadAsync(
            SafeFileHandle file,
            long offset,
            int length,
            CancellationToken cancellationToken
        )
        {
            var buffer = ArrayPool<byte>.Shared.Rent(length);
            var done = 0;
            while (done < length)
            {
                var read = await RandomAccess.ReadAsync(
                    file,
                    buffer.AsMemory(done, length - done),
                    offset + done,
                    cancellationToken
                );
                done += read > 0 ? read : throw new EndOfStreamException();
            }

            return new Part(buffer, length);
        }

        public void Dispose()
        {
            Content.Dispose();
            ArrayPool<byte>.Shared.Return(_buffer);
        }
    }

    private sealed class DirectClients : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) =>
            new(
                new SocketsHttpHandler
                {
                    UseProxy = false,
                    UseCookies = false,
                    AllowAutoRedirect = false,
                    ConnectTimeout = TimeSpan.FromSeconds(10),
                    PooledConnectionLifetime = TimeSpan.FromMinutes(5),
                }
            )
            {
                Timeout = Timeout.InfiniteTimeSpan,
            };
    }
}
