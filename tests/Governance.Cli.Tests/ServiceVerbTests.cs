using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace Governance.Cli.Tests;

public sealed class ServiceVerbTests : IAsyncLifetime
{
    private const string Id = "5f0c3a9e7b1d4c2f8a6e0d9b3c7f1a24";
    private readonly CliRun _cli = new();
    private FakeGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await FakeGateway.StartAsync();
        _cli.Write("ca.pem", _gateway.AuthorityPem);
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _cli.Dispose();
    }

    [Fact]
    public async Task The_list_has_the_services_only_over_all_pages()
    {
        _gateway.Answer = asked =>
            (
                200,
                asked.EndsWith("after=x", StringComparison.Ordinal)
                    ? """{"items":[{"id":"c","kind":"service","displayName":"bot","grants":[]}],"nextToken":null}"""u8.ToArray()
                    : """{"items":[{"id":"a","kind":"person","displayName":"ann","grants":[]},{"id":"b","kind":"service","displayName":"trainer","grants":[{"role":"viewer"}]}],"nextToken":"x"}"""u8.ToArray()
            );

        var answer = await RunAsync("service", "list");

        Assert.Equal((0, "b trainer: viewer\nc bot: \n", ""), (answer.Exit, answer.Out, answer.Error));
    }

    [Theory]
    [InlineData(
        "service create trainer --role viewer auditor",
        "POST /api/v1/services",
        """{"clientId":"trainer","grants":[{"role":"viewer"},{"role":"auditor"}],"authentication":{"method":"client_secret"},"binding":"none"}"""
    )]
    [InlineData(
        "service create robot --method tls_client_auth --dns-name robot.example --binding mutual_tls",
        "POST /api/v1/services",
        """{"clientId":"robot","grants":[],"authentication":{"method":"tls_client_auth","dnsName":"robot.example"},"binding":"mutual_tls"}"""
    )]
    [InlineData(
        $"service change {Id} --binding dpop",
        $"PUT /api/v1/services/{Id}/authentication",
        """{"authentication":{"method":"client_secret"},"binding":"dpop"}"""
    )]
    [InlineData($"service secret {Id}", $"POST /api/v1/services/{Id}/secret", """{"overlapHours":24}""")]
    [InlineData(
        $"service secret {Id} --overlap-hours 0",
        $"POST /api/v1/services/{Id}/secret",
        """{"overlapHours":0}"""
    )]
    public async Task A_verb_becomes_its_request_and_a_secret_is_shown(string line, string address, string body)
    {
        _gateway.AnswerJson(
            $$"""{"id":"{{Id}}","clientId":"trainer","clientSecret":"s3cret","confirmations":["0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11"]}""",
            201
        );

        var answer = await RunAsync(line.Split(' '));

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        Assert.Contains("s3cret", answer.Out, StringComparison.Ordinal);
        Assert.Contains("govern confirmation confirm 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11", answer.Out);
        var seen = Assert.Single(_gateway.Requests);
        Assert.Equal((address, body), ($"{seen.Method} {seen.Address}", seen.Body));
    }

    [Theory]
    [InlineData("disable", "false")]
    [InlineData("enable", "true")]
    public async Task A_service_is_switched(string verb, string enabled)
    {
        _gateway.Answer = _ => (204, []);

        var answer = await RunAsync("service", verb, Id);

        Assert.Equal((0, "Done.\n"), (answer.Exit, answer.Out));
        var seen = Assert.Single(_gateway.Requests);
        Assert.Equal($"POST /api/v1/subjects/{Id}/enabled", $"{seen.Method} {seen.Address}");
        Assert.Equal($"{{\"enabled\":{enabled}}}", seen.Body);
    }

    [Fact]
    public async Task A_service_is_shown()
    {
        _gateway.AnswerJson(
            $$"""{"id":"{{Id}}","clientId":"robot","method":"tls_client_auth","binding":"none","jwks":null,"certificates":[],"dnsName":"robot.example"}"""
        );

        var answer = await RunAsync("service", "show", Id);

        Assert.Equal(
            $"{Id} robot: tls_client_auth, tokens bound to none\n  Certificates of robot.example\n",
            answer.Out
        );
    }

    [Fact]
    public async Task Of_a_certificate_file_the_key_stays_here()
    {
        _gateway.AnswerJson($$"""{"id":"{{Id}}","clientId":"robot","clientSecret":null,"confirmations":[]}""", 201);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=robot", key, HashAlgorithmName.SHA256).CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1),
            DateTimeOffset.UtcNow.AddDays(1)
        );
        var file = _cli.Write("robot.pem", $"{key.ExportPkcs8PrivateKeyPem()}\n{certificate.ExportCertificatePem()}");

        var answer = await RunAsync(
            "service",
            "create",
            "robot",
            "--method",
            "self_signed_tls_client_auth",
            "--certificate",
            file
        );

        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        var authentication = JsonNode.Parse(Assert.Single(_gateway.Requests).Body)!["authentication"]!;
        Assert.Equal(certificate.ExportCertificatePem(), authentication["certificates"]![0]!.GetValue<string>());
        Assert.DoesNotContain("PRIVATE", authentication.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b","d":"c"}]}""")]
    [InlineData("""{"keys":[{"kty":"oct","k":"AAAA"}]}""")]
    [InlineData("""[]""")]
    [InlineData("""{}""")]
    public async Task Private_keys_and_what_are_no_keys_are_not_sent(string set)
    {
        var file = _cli.Write("keys.json", set);

        var answer = await RunAsync("service", "create", "robot", "--method", "private_key_jwt", "--jwks", file);

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("cli.bad_jwks", answer.Error, StringComparison.Ordinal);
        Assert.Empty(_gateway.Requests);
    }

    [Fact]
    public async Task Public_keys_are_sent_as_they_are()
    {
        _gateway.AnswerJson($$"""{"id":"{{Id}}","clientId":"robot","clientSecret":null,"confirmations":[]}""", 201);
        const string set = """{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b"}]}""";
        var file = _cli.Write("keys.json", set);

        var answer = await RunAsync("service", "create", "robot", "--method", "private_key_jwt", "--jwks", file);

        Assert.Equal(($"{Id} robot\n", ""), (answer.Out, answer.Error));
        var body = JsonNode.Parse(Assert.Single(_gateway.Requests).Body)!;
        Assert.Equal(set, body["authentication"]!["jwks"]!.ToJsonString());
    }

    [Fact]
    public async Task A_file_without_a_certificate_is_not_sent()
    {
        var answer = await RunAsync("service", "change", Id, "--certificate", _cli.Write("robot.pem", "hello"));

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("cli.bad_certificate", answer.Error, StringComparison.Ordinal);
        Assert.Empty(_gateway.Requests);
    }

    [Theory]
    [InlineData("list", "GET /api/v1/issuer-keys", "")]
    [InlineData("rotate", "POST /api/v1/issuer-keys", "{}")]
    [InlineData("revoke -b/c", "POST /api/v1/issuer-keys/-b%2Fc/revoke", "{}")]
    public async Task The_keys_of_the_issuer_are_listed_rotated_and_revoked(string verb, string address, string body)
    {
        _gateway.AnswerJson(
            """{"keys":[{"id":"a","createdAt":"2026-11-01","activeFrom":"2026-11-02","signs":true},{"id":"b","createdAt":"2026-11-03","activeFrom":"2026-11-04","signs":false}]}"""
        );

        var answer = await RunAsync(["issuer-key", .. verb.Split(' ')]);

        Assert.Equal(
            "a made 2026-11-01, signs from 2026-11-02 (signs now)\nb made 2026-11-03, signs from 2026-11-04\n",
            answer.Out
        );
        var seen = Assert.Single(_gateway.Requests);
        Assert.Equal((address, body), ($"{seen.Method} {seen.Address}", seen.Body));
    }

    [Theory]
    [InlineData("service create robot --method client_secret_jwt")]
    [InlineData("service create robot --binding tls")]
    [InlineData("service secret x --overlap-hours many")]
    [InlineData("service create")]
    public async Task What_makes_no_sense_is_not_sent(string line)
    {
        var answer = await RunAsync(line.Split(' '));

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("cli.usage", answer.Error, StringComparison.Ordinal);
        Assert.Empty(_gateway.Requests);
    }

    private Task<Answer> RunAsync(params string[] args) =>
        _cli.RunAsync([.. args, "--server", _gateway.Address, "--ca", _cli.At("ca.pem")]);
}
