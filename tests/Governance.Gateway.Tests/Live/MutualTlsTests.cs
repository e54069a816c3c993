using System.Net;
using System.Net.Http.Json;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Governance.Tests.Identity;

namespace Governance.Gateway.Tests.Live;

/// <summary>Services that prove themselves by certificates at the listener of the real host (RFC 8705).</summary>
public sealed class MutualTlsTests(MutualTlsGateway host) : IClassFixture<MutualTlsGateway>
{
    private const string Name = "robot.example";

    [Theory]
    [InlineData("the authority", false)]
    [InlineData("the authority", true)]
    [InlineData("an authority below", false)]
    [InlineData("other letters", false)]
    [InlineData("no usage named", false)]
    public async Task A_certificate_of_an_authority_with_the_registered_name_proves_a_service(string kind, bool rsa)
    {
        var client = NewName();
        await host.RegisterAsync(client, Name);
        using var certificate = kind switch
        {
            "an authority below" => host.Below.Issue(Name),
            "other letters" => host.Authority.Issue("Robot.EXAMPLE"),
            "no usage named" => host.Authority.Issue(Name, usage: null),
            _ => host.Authority.Issue(Name, rsa: rsa),
        };

        var (status, body) = await TokenAsync(certificate, client);

        Assert.Equal(HttpStatusCode.OK, status);
        var token = body["access_token"]!.GetValue<string>();
        Assert.Equal(HttpStatusCode.OK, await WhoAmIAsync(host.Client(certificate, token)));
        using var other = host.Authority.Issue(Name);
        Assert.Equal(HttpStatusCode.Unauthorized, await WhoAmIAsync(host.Client(other, token)));
        Assert.Equal(HttpStatusCode.Unauthorized, await WhoAmIAsync(Bearer(token)));
    }

    [Theory]
    [InlineData("another authority of the same name")]
    [InlineData("signed by itself")]
    [InlineData("signed by a client's certificate")]
    [InlineData("signed by a client's certificate of the same name")]
    [InlineData("of an authority that nobody named")]
    [InlineData("ended")]
    [InlineData("not yet")]
    [InlineData("another name")]
    [InlineData("a name below")]
    [InlineData("a name that begins alike")]
    [InlineData("a wildcard")]
    [InlineData("the name as common name only")]
    [InlineData("no name")]
    [InlineData("for servers only")]
    [InlineData("for signing code only")]
    public async Task A_certificate_with_a_fault_proves_nobody(string fault)
    {
        var client = NewName();
        await host.RegisterAsync(client, Name);
        using var impostor = new ClientAuthority("authority of the tests");
        using var unnamed = host.Below.Below("unnamed");
        using var certificate = fault switch
        {
            "another authority of the same name" => impostor.Issue(Name),
            "signed by itself" => ClientAuthority.SelfSigned(Name),
            "signed by a client's certificate" => SignedByClient("below a client"),
            "signed by a client's certificate of the same name" => SignedByClient("client"),
            "of an authority that nobody named" => unnamed.Issue(Name),
            "ended" => host.Authority.Issue(Name, from: -9, until: -1),
            "not yet" => host.Authority.Issue(Name, from: 1, until: 9),
            "another name" => host.Authority.Issue("other.example"),
            "a name below" => host.Authority.Issue($"x.{Name}"),
            "a name that begins alike" => host.Authority.Issue($"{Name}.elsewhere.example"),
            "a wildcard" => host.Authority.Issue("*.example"),
            "the name as common name only" => host.Authority.Issue(null, commonName: Name),
            "no name" => host.Authority.Issue(null),
            "for servers only" => host.Authority.Issue(Name, ClientAuthority.ForServers),
            _ => host.Authority.Issue(Name, "1.3.6.1.5.5.7.3.3"),
        };

        var (status, body) = await TokenAsync(certificate, client);

        // An answer, so the certificate was shown: this listener speaks with nobody else.
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Equal("invalid_client", body["error"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("disabled")]
    [InlineData("another name")]
    [InlineData("another method")]
    public async Task A_registration_that_was_taken_away_ends_the_certificate_and_its_tokens(string how)
    {
        var client = NewName();
        var id = (await host.RegisterAsync(client, Name))["id"]!.GetValue<string>();
        using var certificate = host.Authority.Issue(Name);
        var (_, body) = await TokenAsync(certificate, client);
        var token = body["access_token"]!.GetValue<string>();
        Assert.Equal(HttpStatusCode.OK, await WhoAmIAsync(host.Client(certificate, token)));

        var admin = host.Gateway.Http("admin");
        using var changed = how switch
        {
            "disabled" => await admin.PostAsJsonAsync(
                $"/api/v1/subjects/{id}/enabled",
                new JsonObject { ["enabled"] = false }
            ),
            "another name" => await ChangeAsync(
                id,
                new JsonObject { ["method"] = "tls_client_auth", ["dnsName"] = "other.example" }
            ),
            _ => await ChangeAsync(id, new JsonObject { ["method"] = "client_secret" }),
        };

        Assert.True(changed.IsSuccessStatusCode, changed.StatusCode.ToString());
        var (status, refusal) = await TokenAsync(certificate, client);
        Assert.Equal((HttpStatusCode.Unauthorized, "invalid_client"), (status, refusal["error"]!.GetValue<string>()));
        await EventuallyAsync(async () =>
            await WhoAmIAsync(host.Client(certificate, token)) == HttpStatusCode.Unauthorized
        );
    }

    [Fact]
    public async Task A_registered_certificate_proves_its_service_and_one_of_the_authority_does_not()
    {
        var client = NewName();
        using var certificate = ClientKey.Certificate();
        using var ofAuthority = host.Authority.Issue(Name);
        await host.RegisterAsync(client, certificate);

        var (status, body) = await TokenAsync(certificate, client);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(
            HttpStatusCode.OK,
            await WhoAmIAsync(host.Client(certificate, body["access_token"]!.GetValue<string>()))
        );
        Assert.Equal(HttpStatusCode.Unauthorized, (await TokenAsync(ofAuthority, client)).Status);
    }

    [Fact]
    public async Task Without_a_certificate_the_listener_speaks_to_nobody()
    {
        using var client = new HttpClient(
            Hosting.Loopback.Trusting(X509CertificateLoader.LoadCertificateFromFile(host.Gateway.AuthorityPath))
        );

        await Assert.ThrowsAsync<HttpRequestException>(() =>
            client.GetAsync(new Uri($"{host.Url}/health/live"), TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public async Task A_certificate_is_nobody_by_itself_and_a_bearer_token_counts_there_too()
    {
        using var certificate = ClientKey.Certificate();

        Assert.Equal(HttpStatusCode.Unauthorized, await WhoAmIAsync(host.Client(certificate)));
        Assert.Equal(
            HttpStatusCode.OK,
            await WhoAmIAsync(host.Client(certificate, host.Gateway.TokenOf("training-pipeline")))
        );
    }

    [Theory]
    [InlineData("-tls1_2", "ECDHE-ECDSA-AES256-GCM-SHA384", true)]
    [InlineData("-tls1_2", "ECDHE-ECDSA-AES128-SHA256", false)]
    [InlineData("-tls1_1", "ALL", false)]
    public async Task The_listener_takes_no_older_tls_and_no_weaker_suites_than_the_other(
        string version,
        string suites,
        bool spoken
    )
    {
        using var certificate = ClientKey.Certificate();
        var (file, key) = ClientAuthority.Write(certificate, host.Directory, NewName());

        var run = await ChildProcess.RunAsync(
            "openssl",
            [
                "s_client",
                "-connect",
                new Uri(host.Url).Authority,
                "-servername",
                "localhost",
                "-CAfile",
                host.Gateway.AuthorityPath,
                "-cert",
                file,
                "-key",
                key,
                version,
                "-cipher",
                $"{suites}:@SECLEVEL=0",
            ],
            TimeSpan.FromSeconds(30)
        );

        Assert.Equal(spoken, run.ExitCode == 0);
    }

    private X509Certificate2 SignedByClient(string commonName)
    {
        using var client = host.Authority.Issue(Name, commonName: "client");
        using var signer = ClientAuthority.Of(client);
        return signer.Issue(Name, commonName: commonName);
    }

    private Task<HttpResponseMessage> ChangeAsync(string id, JsonObject authentication) =>
        host
            .Gateway.Http("admin")
            .PutAsJsonAsync(
                $"/api/v1/services/{id}/authentication",
                new JsonObject { ["authentication"] = authentication }
            );

    private HttpClient Bearer(string token)
    {
        var client = host.Gateway.Anonymous();
        client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return client;
    }

    private async Task<(HttpStatusCode Status, JsonNode Body)> TokenAsync(X509Certificate2 certificate, string name)
    {
        using var client = host.Client(certificate);
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string> { ["grant_type"] = "client_credentials", ["client_id"] = name }
        );
        using var answer = await client.PostAsync(
            new Uri("/connect/token", UriKind.Relative),
            form,
            TestContext.Current.CancellationToken
        );
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return (answer.StatusCode, JsonNode.Parse(text)!);
    }

    private static async Task<HttpStatusCode> WhoAmIAsync(HttpClient client)
    {
        using (client)
        {
            using var answer = await client.GetAsync(
                new Uri("/api/v1/whoami", UriKind.Relative),
                TestContext.Current.CancellationToken
            );
            return answer.StatusCode;
        }
    }

    private static async Task EventuallyAsync(Func<Task<bool>> holds)
    {
        for (var tries = 0; tries < 24; tries++)
        {
            if (await holds())
            {
                return;
            }

            await Task.Delay(250, TestContext.Current.CancellationToken);
        }

        Assert.Fail("It did not come about within six seconds.");
    }

    private static string NewName() => $"robot-{Guid.CreateVersion7():n}";
}
