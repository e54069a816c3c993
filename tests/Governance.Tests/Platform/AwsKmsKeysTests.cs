using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;
using Governance.Platform.Keys;
using Governance.Platform.Outbound;
using Microsoft.AspNetCore.Http;

namespace Governance.Tests.Platform;

/// <summary>Keys behind the interface of AWS KMS, spoken over HTTPS with a server that checks every signature; AWS itself was never asked.</summary>
public sealed class AwsKmsKeysTests : IAsyncLifetime
{
    private static readonly byte[] Digest = SHA256.HashData("what is signed"u8);
    private KmsServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await KmsServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public void A_key_of_the_service_signs_and_every_request_is_signed()
    {
        using var keys = Keys(_server.Options);

        var made = keys.Make("governance signing");
        using var held = HeldKey.At(keys, made.Reference, made.Spki);

        // Half of all signatures have an integer with a leading zero or a sign byte.
        for (var i = 0; i < 20; i++)
        {
            Assert.True(EcdsaP256.Verify(made.Spki, [(byte)i], EcdsaP256.Sign(held, [(byte)i])));
        }

        Assert.Equal("aws-kms", held.Place);
        Assert.StartsWith("arn:aws:kms:", made.Reference, StringComparison.Ordinal);
        Assert.Equal(0, _server.Refused);
        Assert.Equal(
            ["TrentService.CreateKey", "TrentService.GetPublicKey", "TrentService.Sign"],
            _server.Asked.Distinct()
        );
    }

    [Fact]
    public void A_key_that_is_not_known_everywhere_yet_is_waited_for()
    {
        using var keys = Keys(_server.Options);
        _server.StillUnknown = 2;

        var made = keys.Make("governance signing");

        Assert.Equal([made.Reference], _server.Keys.Keys);
        Assert.Equal(4, _server.Asked.Count);
    }

    [Theory]
    [InlineData(400, "ThrottlingException")]
    [InlineData(503, "ServiceUnavailableException")]
    public void What_is_throttled_is_asked_again_after_a_pause(int status, string type)
    {
        using var keys = Keys(_server.Options);
        var made = keys.Make("governance signing");
        _server.Asked.Clear();
        _server.Instead.Enqueue(KmsServer.Error(status, type));
        _server.Instead.Enqueue(KmsServer.Error(status, type));

        var signature = keys.Sign(made.Reference, Digest);

        Assert.Equal(64, signature.Length);
        Assert.Equal(3, _server.Asked.Count);
    }

    [Theory]
    [InlineData(false)] // before the answer
    [InlineData(true)] // in the middle of it
    public void A_connection_that_breaks_is_a_key_that_cannot_be_used_now(bool answering)
    {
        var options = _server.Options;
        options.AwsKms.Retries = 0;
        using var keys = Keys(options);
        var made = keys.Make("governance signing");

        for (var i = 0; i < 20; i++) // handler and package ask again by themselves
        {
            Break();
        }

        Assert.Throws<KeyUnavailableException>(() => keys.Sign(made.Reference, Digest));

        void Break() =>
            _server.Instead.Enqueue(async context =>
            {
                if (answering)
                {
                    context.Response.ContentLength = 100;
                    await context.Response.Body.WriteAsync("{"u8.ToArray());
                    await context.Response.Body.FlushAsync();
                }

                context.Abort();
            });
    }

    [Fact]
    public void A_key_that_was_made_and_cannot_be_read_is_named()
    {
        var options = _server.Options;
        options.TimeoutSeconds = 1;
        using var keys = Keys(options);
        _server.StillUnknown = int.MaxValue;

        var failed = Assert.Throws<KeyUnavailableException>(() => keys.Make("governance signing"));

        Assert.Contains(Assert.Single(_server.Keys.Keys), failed.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AccessDeniedException")]
    [InlineData("DisabledException")]
    [InlineData("KMSInvalidStateException")]
    public void What_is_refused_is_said_once_with_the_services_word_for_it(string type)
    {
        using var keys = Keys(_server.Options);
        var made = keys.Make("governance signing");
        _server.Asked.Clear();
        _server.Instead.Enqueue(KmsServer.Error(400, type));

        var refused = Assert.Throws<KeyUnavailableException>(() => keys.Sign(made.Reference, Digest));

        Assert.Contains(type, refused.Message, StringComparison.Ordinal);
        Assert.Contains(made.Reference, refused.Message, StringComparison.Ordinal);
        Assert.Single(_server.Asked);
    }

    [Fact]
    public void A_wrong_secret_is_refused_and_not_shown()
    {
        File.WriteAllText(_server.CredentialFile, $"{KmsServer.AccessKey}\nsome-other-secret");
        using var keys = Keys(_server.Options);

        var refused = Assert.Throws<KeyUnavailableException>(() => keys.Make("governance signing"));

        Assert.Contains("InvalidSignature", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("some-other-secret", refused.ToString(), StringComparison.Ordinal);
        Assert.Empty(_server.Keys);
    }

    [Fact]
    public void Credentials_that_live_a_short_time_are_replaced_while_it_runs()
    {
        using var keys = Keys(_server.Options);
        var made = keys.Make("governance signing");

        _server.SessionToken = "token-1";
        File.WriteAllText(_server.CredentialFile, $"{KmsServer.AccessKey}\n{KmsServer.SecretKey}\ntoken-1\n");

        Assert.Equal(64, keys.Sign(made.Reference, Digest).Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData("one")]
    [InlineData("one two three four")]
    public void A_credential_that_is_none_is_found_at_the_start(string text)
    {
        File.WriteAllText(_server.CredentialFile, text);
        using var keys = Keys(_server.Options);

        Assert.Throws<KeyUnavailableException>(keys.Check);
    }

    [Fact]
    public void A_service_that_does_not_answer_is_waited_for_no_longer_than_allowed()
    {
        var options = _server.Options;
        options.TimeoutSeconds = 1;
        using var keys = Keys(options);
        var made = keys.Make("governance signing");
        _server.Instead.Enqueue(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        var watch = Stopwatch.StartNew();

        var late = Assert.Throws<KeyUnavailableException>(() => keys.Sign(made.Reference, Digest));

        Assert.Contains("within 1 seconds", late.Message, StringComparison.Ordinal);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.9, 5);
    }

    [Fact]
    public void An_answer_without_end_is_not_read()
    {
        var options = _server.Options;
        options.AwsKms.Retries = 0;
        using var keys = Keys(options);
        var made = keys.Make("governance signing");
        _server.Instead.Enqueue(async context =>
        {
            for (var i = 0; i < 64 && !context.RequestAborted.IsCancellationRequested; i++)
            {
                await context.Response.Body.WriteAsync(Encoding.ASCII.GetBytes(new string(' ', 65_536)));
            }
        });

        Assert.Throws<KeyUnavailableException>(() => keys.Sign(made.Reference, Digest));
    }

    [Theory]
    [InlineData("""{"Signature":"AAAA"}""")]
    [InlineData("""{"Signature":"MAYCAQACAQA="}""")]
    [InlineData("{}")]
    [InlineData("not JSON")]
    public void An_answer_that_is_no_signature_is_not_taken_for_one(string answer)
    {
        var options = _server.Options;
        options.AwsKms.Retries = 0;
        using var keys = Keys(options);
        var made = keys.Make("governance signing");
        _server.Instead.Enqueue(context => context.Response.WriteAsync(answer));

        Assert.Throws<KeyUnavailableException>(() => keys.Sign(made.Reference, Digest));
    }

    [Fact]
    public async Task No_more_requests_are_under_way_than_allowed()
    {
        var options = _server.Options;
        options.Concurrency = 3;
        using var keys = Keys(options);
        var made = keys.Make("governance signing");
        _server.Pause = TimeSpan.FromMilliseconds(20);

        await Parallel.ForEachAsync(
            Enumerable.Range(0, 30),
            new ParallelOptions
            {
                MaxDegreeOfParallelism = 10,
                CancellationToken = TestContext.Current.CancellationToken,
            },
            (_, _) =>
            {
                keys.Sign(made.Reference, Digest);
                return ValueTask.CompletedTask;
            }
        );

        Assert.InRange(_server.Most, 1, 3);
    }

    [Fact]
    public void A_server_with_a_certificate_of_somebody_else_is_not_talked_to()
    {
        var options = _server.Options;
        options.AwsKms.Authorities = "";
        options.AwsKms.Retries = 0;
        using var keys = Keys(options);

        Assert.Throws<KeyUnavailableException>(() => keys.Make("governance signing"));

        Assert.Empty(_server.Asked);
    }

    // AWS's test suite for Signature Version 4: get-vanilla, post-vanilla, get-vanilla-query-order-key-case, post-x-www-form-urlencoded.
    [Theory]
    [InlineData("GET", "", "", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")]
    [InlineData("POST", "", "", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")]
    [InlineData(
        "GET",
        "Param2=value2&Param1=value1",
        "",
        "",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    )]
    [InlineData(
        "POST",
        "",
        "application/x-www-form-urlencoded",
        "Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
    )]
    public void The_server_of_these_tests_computes_the_signatures_that_AWS_publishes(
        string method,
        string query,
        string contentType,
        string body,
        string signature
    )
    {
        var headers = new Dictionary<string, string>
        {
            ["host"] = "example.amazonaws.com",
            ["x-amz-date"] = "20150830T123600Z",
        };
        var signed = "host;x-amz-date";
        if (contentType.Length > 0)
        {
            headers["content-type"] = contentType;
            signed = $"content-type;{signed}";
        }

        Assert.Equal(
            signature,
            SigV4.Of(
                method,
                "/",
                query,
                headers,
                signed,
                Encoding.UTF8.GetBytes(body),
                "20150830/us-east-1/service/aws4_request",
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
            )
        );
    }

    private static AwsKmsKeys Keys(KeyOptions options) => new(options, new SystemHostAddresses(), TimeProvider.System);
}
