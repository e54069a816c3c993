using System.Collections.Frozen;

namespace Governance.Privacy.Engine;

/// <summary>Common given names of the languages in scope: evidence that a column of capitalised words holds people. A hint, never a proof.</summary>
internal static class GivenNames
{
    private static readonly FrozenSet<string> Names = (
        "adam adriana adriano agnes aisha alan albert alberto alejandra alejandro alessandra alessandro alex alexander alexandra alexandre alfred alice "
        + "alicia aline amanda amelia amy ana anders andre andrea andreas andrew angela angelo anita anna anne annie antje anthony antoine antonia antonio "
        + "aparecida arthur artur ashley augusto aurora barbara beatriz benedikt benjamin bernardo bernd bianca birgit brandon brenda brian bruna bruno caio "
        + "camila camille carla carlo carlos carmen carol carolina caroline catarina catherine cecilia celine charles charlotte chiara christian christina "
        + "christine christopher claire clara clarice claude claudia claudio cristiano cristina dagmar daniel daniela danilo david davide debora deborah "
        + "denise dennis diana diego dieter dominique donald donna dorothy douglas edson eduarda eduardo edward elena eliane elias elisa elisabeth elizabeth "
        + "ella ellen emilia emily emma emmanuel enrico enzo eric erik ernst esther eva evelyn fabian fabiana fabio federica federico felipe felix fernanda "
        + "fernando flavia flavio florian frances francesca francesco francisca francisco francois frank franz frederico friedrich gabriel gabriela gary "
        + "george georg gerald gerhard gilberto gianluca giorgia giovanni giulia giuseppe gloria grace greta guilherme gunter gustavo hannah hans harold "
        + "heather heike heinrich heinz helena helen helga henri henrique henry herbert hugo igor ines inge ingrid irene isabel isabella isabelle ivan "
        + "jacob jacqueline jacques james jan jana janet janice jason javier jean jeffrey jennifer jens jessica joan joana joao joaquim jochen joel john "
        + "jonas jonathan jorge jose joseph joshua joyce juan juana judith juergen julia julian juliana juliane julie julio jurgen justin karen karin karl "
        + "kathleen katrin kelly kenneth kevin kimberly klaus kyle lara larissa larry laura lauren laurent lea leandro lena leon leonardo leticia lewis "
        + "liam lina linda lisa livia lorena lorenzo louis louise luana luca lucas lucia luciana lucy luigi luis luisa luiz lukas madison magdalena manuel "
        + "manuela mara marc marcel marcela marcello marcelo marcia marcio marco marcos margaret maria mariana marie marina mario marion mark marlene marta "
        + "martha martin martina mary mateo mateus matheus mathieu matteo matthew matthias mauricio max maximilian megan melanie melissa michael michel "
        + "michele michelle miguel monica monika nadine nancy natalia nathalie nathan nicholas nicolas nicole nikolaus nina noah nora norbert olivia oscar "
        + "otto pablo pamela paola paolo patricia patrick paul paula paulo pedro peter petra philip philippe pierre rachel rafael rafaela raimundo ralf ralph "
        + "raquel raul raymond rebecca regina renata renate renato ricardo richard rita robert roberta roberto rodrigo roger roland roman ronald rosa rose "
        + "rudolf russell ruth ryan sabine samanta samantha samuel sandra sandro sara sarah scott sean sebastian sebastiao sergio sharon shirley silvia simon "
        + "simone sofia sophia sophie stefan stefanie stefano stephanie stephen steven susan susana susanne sven sylvia tatiana teresa theo theodor theresa "
        + "thiago thomas tiago tim timothy tobias tomas ursula uwe valentina valeria vanessa vera veronica veronika victor victoria vincent vincenzo vinicius "
        + "virginia vitor vitoria viviane volker walter wanda wellington werner william willie wolfgang xavier yasmin yolanda yvonne zoe"
    )
        .Split(' ')
        .ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Whether a word, in any case and with or without accents, is a common given name.</summary>
    public static bool Contains(ReadOnlySpan<char> word) =>
        word.Length is >= 2 and <= 20 && Names.Contains(ColumnName.Fold(word));
}
