using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;

namespace Governance.Tests.Identity;

/// <summary>Which external groups a token's claims name: only ever the ones that were meant.</summary>
public sealed class ExternalGroupsTests
{
    private const string Issuer = "https://login.example/tenant/v2.0";
    private static readonly ExternalClaim Release = new(Issuer, "groups", "3f2a7c1e-0000-4000-8000-aaaaaaaaaaaa");
    private static readonly ExternalClaim Admins = new(Issuer, "groups", "Admins");
    private static readonly ExternalClaim Other = new("https://other.example", "groups", "Admins");
    private static readonly ExternalClaim Single = new(Issuer, "wids", "62e90394");
    private static readonly ExternalClaim[] Known = [Release, Admins, Other, Single];

    private static readonly string[] AttackIssuers =
    [
        "https://login.example/tenant/v2.0/",
        "https://LOGIN.example/tenant/v2.0",
        "https://login.example/Tenant/v2.0",
        "https://login.example/tenant/v2.0#",
        "https://login.example/tenant/v2.0?x=1",
        "http://login.example/tenant/v2.0",
        "https://login.example:443/tenant/v2.0",
        "https://login.example/tenant/../tenant/v2.0",
        "https://login.example/%74enant/v2.0",
        "https://lоgin.example/tenant/v2.0", // Cyrillic о
        "https://login.example./tenant/v2.0",
        " https://login.example/tenant/v2.0",
        "https://login.example/tenant/v2.0\0",
        "https://login.example/tenant",
        "https://login.example/*",
        "",
    ];

    private static readonly string[] AttackValues =
    [
        "admins",
        "ADMINS",
        "aDMINS",
        "Admins ",
        " Admins",
        "Admins\n",
        "\tAdmins",
        "Admins\0",
        "\uFEFFAdmins",
        "Admins\u200B",
        "Ad\u200Dmins",
        "Ad\u00ADmins",
        "\u202EAdmins",
        "Аdmins", // Cyrillic А
        "Admіns", // Cyrillic і
        "Αdmins", // Greek Α
        "Ａｄｍｉｎｓ", // full width
        "Admıns", // dotless i
        "𝐀dmins",
        "Adm\u0131ns",
        "Admińs",
        "Admin\u0301s",
        "Admins,Users",
        "Users,Admins",
        "Users Admins",
        "Admins;Users",
        "Users|Admins",
        "[\"Admins\"]",
        "\"Admins\"",
        "'Admins'",
        "{\"name\":\"Admins\"}",
        "/Admins",
        "Admins/",
        "/corp/Admins",
        "corp\\Admins",
        "CN=Admins",
        "CN=Admins,OU=Groups,DC=corp",
        "Admins@corp",
        "Admins*",
        "*",
        "Admin",
        "AdminsX",
        "%41dmins",
        "&#65;dmins",
        "\\u0041dmins",
        "Admins\u0000Users",
        "role:Admins",
        "",
    ];

    // What stands where the value or the array of values is expected.
    private static readonly string[] AttackShapes =
    [
        """{"groups":[["Admins"]]}""",
        """{"groups":["x",["Admins"]]}""",
        """{"groups":["Admins",["x"]]}""",
        """{"groups":["Admins",{"id":"x"}]}""",
        """{"groups":["Admins",1]}""",
        """{"groups":["Admins",null]}""",
        """{"groups":["Admins",true]}""",
        """{"groups":{"Admins":true}}""",
        """{"groups":{"0":"Admins"}}""",
        """{"groups":{"value":"Admins"}}""",
        """{"groups":{"groups":["Admins"]}}""",
        """{"groups":null}""",
        """{"groups":0}""",
        """{"groups":true}""",
        """{"groups":[]}""",
        """{"groups":{}}""",
        """{"Groups":["Admins"]}""",
        """{"GROUPS":["Admins"]}""",
        """{"groups ":["Admins"]}""",
        """{"grоups":["Admins"]}""",
        """{"group":["Admins"]}""",
        """{"roles":["Admins"]}""",
        """{"role":"Admins"}""",
        """{"sub":"Admins"}""",
        """{"scope":"Admins"}""",
        """{"realm_access":{"groups":["Admins"]}}""",
        """{"resource_access":{"governance":{"groups":["Admins"]}}}""",
        """{"https://login.example/groups":["Admins"]}""",
        """{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://evil.example"}}}""",
        """{"_claim_names":{"groups":"src1"},"groups":["Admins"]}""",
        """{"hasgroups":true}""",
        """{"wids":"3f2a7c1e-0000-4000-8000-aaaaaaaaaaaa"}""",
        """{"groups":"62e90394"}""",
        """{"wids":62390394}""",
        """{"wids":{"$eq":"62e90394"}}""",
    ];

    public static TheoryData<string> Issuers => [.. AttackIssuers];

    public static TheoryData<string> Values => [.. AttackValues];

    public static TheoryData<string> Shapes => [.. AttackShapes];

    [Theory]
    [MemberData(nameof(Issuers))]
    public void Another_issuer_names_nothing(string issuer) =>
        Assert.Empty(ExternalGroups.Named(issuer, Claims("""{"groups":["Admins"],"wids":"62e90394"}"""), Known));

    [Theory]
    [MemberData(nameof(Values))]
    public void Another_value_names_nothing_alone_or_among_others(string value)
    {
        Assert.Empty(ExternalGroups.Named(Issuer, new JsonObject { ["groups"] = value }, Known));
        Assert.Empty(ExternalGroups.Named(Issuer, new JsonObject { ["groups"] = new JsonArray("x", value) }, Known));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Another_shape_or_claim_names_nothing(string claims) =>
        Assert.Empty(ExternalGroups.Named(Issuer, Claims(claims), Known));

    [Fact]
    public void There_are_enough_attacks() =>
        Assert.True(AttackIssuers.Length + (2 * AttackValues.Length) + AttackShapes.Length > 140);

    [Theory]
    [InlineData("""{"groups":["Admins"]}""", "Admins")]
    [InlineData("""{"groups":"Admins"}""", "Admins")]
    [InlineData("""{"groups":["x","Admins","y"]}""", "Admins")]
    [InlineData("""{"wids":["62e90394"],"groups":["admins"]}""", "62e90394")]
    [InlineData(
        """{"groups":["3f2a7c1e-0000-4000-8000-aaaaaaaaaaaa"],"_claim_names":{"email":"src1"}}""",
        "3f2a7c1e-0000-4000-8000-aaaaaaaaaaaa"
    )]
    public void What_was_meant_is_named(string claims, string value) =>
        Assert.Equal([value], ExternalGroups.Named(Issuer, Claims(claims), Known).Select(group => group.Value));

    [Fact]
    public void The_same_value_of_another_issuer_is_another_group() =>
        Assert.Equal([Other], ExternalGroups.Named(Other.Issuer, Claims("""{"groups":["Admins"]}"""), Known));

    [Fact]
    public void A_token_of_too_many_groups_names_none()
    {
        var many = new JsonArray([
            .. Enumerable.Range(0, ExternalGroups.MaxValues).Select(i => (JsonNode)$"g{i}"),
            "Admins",
        ]);

        Assert.Empty(ExternalGroups.Named(Issuer, new JsonObject { ["groups"] = many }, Known));
    }

    [Theory]
    [InlineData("http://login.example", "groups", "x")]
    [InlineData("login.example", "groups", "x")]
    [InlineData("https://user@login.example", "groups", "x")]
    [InlineData("https://login.example?x=1", "groups", "x")]
    [InlineData("https://login.example", "email", "x@corp")]
    [InlineData("https://login.example", "Email", "x@corp")]
    [InlineData("https://login.example", "preferred_username", "x")]
    [InlineData("https://login.example", "upn", "x")]
    [InlineData("https://login.example", "name", "x")]
    [InlineData("https://login.example", "", "x")]
    [InlineData("https://login.example", "groups", "")]
    [InlineData("https://login.example", "groups", "a\nb")]
    [InlineData("https://login.example", "gro ups", "a")]
    public void A_group_is_bound_to_an_issuer_over_TLS_and_a_claim_that_its_holder_cannot_change(
        string issuer,
        string claim,
        string value
    ) => Assert.Equal("identity.bad_external", GrantRules.CheckExternal(new ExternalClaim(issuer, claim, value))?.Code);

    private static JsonObject Claims(string json) => JsonNode.Parse(json)!.AsObject();
}
