using Governance.Privacy.Engine;

namespace Governance.Tests.Privacy;

public sealed class CheckDigitTests
{
    [Theory]
    [InlineData("52998224725", true)]
    [InlineData("11144477735", true)]
    [InlineData("52998224724", false)]
    [InlineData("11111111111", false)]
    [InlineData("5299822472", false)]
    public void Cpf_needs_both_check_digits(string digits, bool valid) => Assert.Equal(valid, CheckDigits.Cpf(digits));

    [Theory]
    [InlineData("11222333000181", true)]
    [InlineData("12ABC34501DE35", true)]
    [InlineData("12ABC34501DE36", false)]
    [InlineData("12abc34501de35", false)]
    [InlineData("00000000000000", false)]
    public void Cnpj_takes_digits_and_letters(string text, bool valid) => Assert.Equal(valid, CheckDigits.Cnpj(text));

    [Theory]
    [InlineData("4111111111111111", true)]
    [InlineData("378282246310005", true)]
    [InlineData("2720990000000007", true)]
    [InlineData("4111111111111112", false)]
    [InlineData("1234567812345670", false)]
    [InlineData("353811111111110", false)]
    public void Card_needs_an_issuer_and_luhn(string digits, bool valid) =>
        Assert.Equal(valid, CheckDigits.Card(digits));

    [Theory]
    [InlineData("DE89370400440532013000", true)]
    [InlineData("GB29NWBK60161331926819", true)]
    [InlineData("BR1800360305000010009795493C1", true)]
    [InlineData("DE88370400440532013000", false)]
    [InlineData("DE8937040044053201300", false)]
    [InlineData("ZZ89370400440532013000", false)]
    public void Iban_needs_the_length_of_its_country_and_mod_97(string text, bool valid) =>
        Assert.Equal(valid, CheckDigits.Iban(text));

    [Theory]
    [InlineData("536904399", true)]
    [InlineData("000123456", false)]
    [InlineData("666123456", false)]
    [InlineData("900123456", false)]
    [InlineData("536004399", false)]
    [InlineData("536900000", false)]
    [InlineData("078051120", false)]
    [InlineData("078051121", true)]
    public void Ssn_refuses_what_was_never_issued(string digits, bool valid) =>
        Assert.Equal(valid, CheckDigits.Ssn(digits));

    [Fact]
    public void Random_numbers_pass_the_cpf_check_about_once_in_a_hundred()
    {
        var random = new Random(7);

        var passed = Enumerable
            .Range(0, 100_000)
            .Count(_ => CheckDigits.Cpf(random.NextInt64(100_000_000_000).ToString("D11")));

        Assert.InRange(passed, 800, 1_200);
    }
}
