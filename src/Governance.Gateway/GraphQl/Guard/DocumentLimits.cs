namespace Governance.Gateway.GraphQl.Guard;

/// <summary>What a GraphQL request may ask for at most. Constants, not options: loosening one is a reviewed change.</summary>
internal static class DocumentLimits
{
    public const int BodyBytes = 1_000_000;
    public const int JsonDepth = 32;
    public const int Characters = 16_000;
    public const int Tokens = 1_000;
    public const int SyntaxDepth = 64;
    public const int Depth = 12;
    public const int IntrospectionLists = 2;
    public const int Aliases = 30;
    public const int Directives = 30;
    public const int Fragments = 20;
    public const int Operations = 5;
    public const int RootFields = 10;
    public const int Selections = 1_000;
    public const int Cost = 20_000;
    public const int CostPerMinute = 200_000_000;
    public const int ListItems = 200;
    public const int DefaultFirst = 50;
    public const int Errors = 10;
    public const int CacheCharacters = 4_000_000;
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
}
