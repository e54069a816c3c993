using System.Text.Json.Nodes;
using Governance.Identity.Engine;

namespace Governance.Tests.Identity;

/// <summary>Each check of RFC 9449 §4.3 fails alone, by its own name.</summary>
public sealed class DpopProofTests : IDisposable
{
    private const string Target = "https://gateway.example:8443/api/v1/whoami";
    private const string Token = "the.access.token";
    private readonly ClientKey _key = new();

    public void Dispose() => _key.Dispose();

    private DpopRequest Request =>
        new("GET", [new Uri(Target)], DateTimeOffset.UtcNow, TimeSpan.FromSeconds(60))
        {
            AccessToken = Token,
            KeyThumbprint = _key.Thumbprint,
            AcceptsNonce = nonce => nonce == "ours",
        };

    [Fact]
    public void A_good_proof_passes_every_check()
    {
        var (proof, failed) = DpopProof.Read([Good()], Request);

        Assert.Null(failed);
        Assert.Equal(_key.Thumbprint, proof!.KeyThumbprint);
    }

    [Fact]
    public void No_header_is_no_proof_and_two_are_too_many()
    {
        Assert.Equal((null, null), DpopProof.Read([], Request));
        Assert.Equal((null, DpopCheck.OneHeader), DpopProof.Read([Good(), Good()], Request));
    }

    public static TheoryData<string, string, string?> Changes =>
        new()
        {
            { nameof(DpopCheck.RequiredClaims), "jti", null },
            { nameof(DpopCheck.RequiredClaims), "jti", "\"\"" },
            { nameof(DpopCheck.RequiredClaims), "jti", "7" },
            { nameof(DpopCheck.RequiredClaims), "htm", null },
            { nameof(DpopCheck.RequiredClaims), "htu", null },
            { nameof(DpopCheck.RequiredClaims), "iat", null },
            { nameof(DpopCheck.RequiredClaims), "iat", "\"1700000000\"" },
            { nameof(DpopCheck.RequiredClaims), "ath", null },
            { nameof(DpopCheck.Type), "header:typ", null },
            { nameof(DpopCheck.Type), "header:typ", "\"JWT\"" },
            { nameof(DpopCheck.Type), "header:typ", "\"at+jwt\"" },
            { nameof(DpopCheck.Algorithm), "header:alg", "\"none\"" },
            { nameof(DpopCheck.Algorithm), "header:alg", "\"HS256\"" },
            { nameof(DpopCheck.Algorithm), "header:alg", "\"RS256\"" },
            { nameof(DpopCheck.Algorithm), "header:alg", "\"es256\"" },
            { nameof(DpopCheck.Signature), "header:alg", "\"ES384\"" },
            { nameof(DpopCheck.Signature), "header:alg", "\"PS256\"" },
            { nameof(DpopCheck.WellFormed), "header:jwk", null },
            { nameof(DpopCheck.WellFormed), "header:jwk", "\"key\"" },
            { nameof(DpopCheck.WellFormed), "header:crit", "[\"exp\"]" },
            { nameof(DpopCheck.Method), "htm", "\"POST\"" },
            { nameof(DpopCheck.Method), "htm", "\"get\"" },
            { nameof(DpopCheck.Target), "htu", "\"https://gateway.example:8443/api/v1/whoam\"" },
            { nameof(DpopCheck.Target), "htu", "\"https://gateway.example:8443/API/v1/whoami\"" },
            { nameof(DpopCheck.Target), "htu", "\"http://gateway.example:8443/api/v1/whoami\"" },
            { nameof(DpopCheck.Target), "htu", "\"https://gateway.example/api/v1/whoami\"" },
            { nameof(DpopCheck.Target), "htu", "\"https://user@gateway.example:8443/api/v1/whoami\"" },
            { nameof(DpopCheck.Target), "htu", "\"/api/v1/whoami\"" },
            { nameof(DpopCheck.Nonce), "nonce", null },
            { nameof(DpopCheck.Nonce), "nonce", "\"theirs\"" },
            { nameof(DpopCheck.Fresh), "iat", "1000000000" },
            { nameof(DpopCheck.Fresh), "iat", "4000000000" },
            { nameof(DpopCheck.TokenHash), "ath", "\"AAAA\"" },
        };

    [Theory]
    [MemberData(nameof(Changes))]
    public void One_change_fails_one_check(string check, string member, string? value)
    {
        var text = _key.Proof(
            "GET",
            Target,
            Token,
            "ours",
            (header, claims) =>
            {
                var json = member.StartsWith("header:", StringComparison.Ordinal) ? header : claims;
                var name = member.Split(':')[^1];
                json.Remove(name);
                if (value is not null)
                {
                    json[name] = JsonNode.Parse(value);
                }
            }
        );

        Assert.Equal(check, DpopProof.Read([text], Request).Failed.ToString());
    }

    [Fact]
    public void A_private_key_in_the_proof_is_refused()
    {
        var text = _key.Proof("GET", Target, Token, "ours", (header, _) => header["jwk"]!["d"] = "AAAA");

        Assert.Equal(DpopCheck.NoPrivateKey, DpopProof.Read([text], Request).Failed);
    }

    [Fact]
    public void Another_key_is_refused_although_its_proof_is_good()
    {
        using var other = new ClientKey();

        Assert.Equal(DpopCheck.TokenKey, DpopProof.Read([other.Proof("GET", Target, Token, "ours")], Request).Failed);
    }

    [Fact]
    public void A_key_that_did_not_sign_is_refused()
    {
        using var other = new ClientKey();
        var text = other.Proof("GET", Target, Token, "ours", (header, _) => header["jwk"] = _key.Public);

        Assert.Equal(DpopCheck.Signature, DpopProof.Read([text], Request).Failed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a.b")]
    [InlineData("a.b.c.d")]
    [InlineData("e30.e30.")]
    [InlineData("e30.e30.AAAA")]
    [InlineData("e30=.e30.AAAA")]
    [InlineData("eyJ0eXAiOjEsInR5cCI6Mn0.e30.AAAA")]
    public void What_is_no_proof_is_not_well_formed(string text) =>
        Assert.Equal(DpopCheck.WellFormed, DpopProof.Read([text], Request).Failed);

    [Fact]
    public void A_proof_has_a_greatest_length()
    {
        var text = _key.Proof("GET", Target, Token, "ours", (_, claims) => claims["more"] = new string('x', 8192));

        Assert.Equal(DpopCheck.WellFormed, DpopProof.Read([text], Request).Failed);
    }

    [Theory]
    [InlineData("HTTPS://GATEWAY.example:8443/api/v1/whoami")]
    [InlineData("https://gateway.example:8443/api/v1/%77hoami")]
    [InlineData("https://gateway.example:8443/api/v1/./whoami")]
    [InlineData("https://gateway.example:8443/api/v1/whoami?x=1#y")]
    public void The_address_is_compared_as_an_address(string written)
    {
        var text = _key.Proof("GET", written, Token, "ours");

        Assert.Null(DpopProof.Read([text], Request).Failed);
    }

    private string Good() => _key.Proof("GET", Target, Token, "ours");
}
