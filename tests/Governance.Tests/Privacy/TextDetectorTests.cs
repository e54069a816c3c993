using Governance.Privacy;

namespace Governance.Tests.Privacy;

public sealed class TextDetectorTests
{
    [Theory]
    [InlineData("write to ana.lima+x@example.org.", "EMAIL", "ana.lima+x@example.org")]
    [InlineData("a,52,ana@example.org|x", "EMAIL", "ana@example.org")]
    [InlineData("CPF 529.982.247-25", "BR_CPF", "529.982.247-25")]
    [InlineData("cpf: 52998224725", "BR_CPF", "52998224725")]
    [InlineData("empresa 12.ABC.345/01DE-35", "BR_CNPJ", "12.ABC.345/01DE-35")]
    [InlineData("paid 4111 1111 1111 1111 today", "CREDIT_CARD", "4111 1111 1111 1111")]
    [InlineData("DE89 3704 0044 0532 0130 00 bitte", "IBAN", "DE89 3704 0044 0532 0130 00")]
    [InlineData("from 203.0.113.77 at", "IP_ADDRESS", "203.0.113.77")]
    [InlineData("client 2001:db8:1:2:3:4:5:6 up", "IP_ADDRESS", "2001:db8:1:2:3:4:5:6")]
    [InlineData("ssn 536-90-4399", "US_SSN", "536-90-4399")]
    [InlineData("ligue +55 11 96477-6773", "PHONE", "+55 11 96477-6773")]
    [InlineData("tel: 030 23613893", "PHONE", "030 23613893")]
    [InlineData("nascida em 12/08/1979", "DATE_OF_BIRTH", "12/08/1979")]
    [InlineData("paciente Maria Souza voltou", "PERSON_NAME", "Maria Souza")]
    public void Finds_an_identifier_with_its_exact_span(string text, string kind, string value)
    {
        var found = Assert.Single(PrivacyTools.DetectText(text));

        Assert.Equal(kind, found.Kind);
        Assert.Equal(value, text[found.Start..found.End]);
    }

    [Theory]
    [InlineData("529.982.247-24")]
    [InlineData("111.111.111-11")]
    [InlineData("0.4111111111111111")]
    [InlineData("icon@2x.png")]
    [InlineData("git@github.com:org/repo.git")]
    [InlineData("version 10.2.3.4")]
    [InlineData("1.2.3.4.5")]
    [InlineData("127.0.0.1")]
    [InlineData("1774642858039")]
    [InlineData("2026-01-02T03:04:05Z")]
    [InlineData("666-12-3456")]
    [InlineData("DE88370400440532013000")]
    [InlineData("hotel 1234567")]
    [InlineData("std::vector::begin")]
    [InlineData("***.456.789-**")]
    public void Leaves_look_alikes_alone(string text) => Assert.Empty(PrivacyTools.DetectText(text));

    [Fact]
    public void Long_hostile_texts_end_quickly()
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();

        foreach (var unit in new[] { "1", "1 ", "a@", "DE12 ", "1.", "(1)", "A. ", "Ana ", ":0", "12-", "A1" })
        {
            PrivacyTools.DetectText(string.Concat(Enumerable.Repeat(unit, 20_000)));
        }

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), clock.Elapsed.ToString());
    }
}
