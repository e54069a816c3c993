using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Policy;
using Governance.Policy.Contracts;
using Governance.Policy.Engine;

namespace Governance.Cli.Commands;

/// <summary><c>govern policy</c>: reads promotion policies, runs the cases beside them, and changes what is in force.</summary>
internal static class PolicyCommands
{
    private static readonly Option<string> FileOption = new("--file")
    {
        Description = "Promotion policy.",
        HelpName = "file",
        DefaultValueFactory = _ => "policies/promotion.yaml",
    };

    private static readonly Option<string> Cases = new("--cases")
    {
        Description = "Cases that it must decide as they say.",
        HelpName = "file",
        DefaultValueFactory = _ => "policies/promotion.cases.yaml",
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings)
    {
        var policy = new Command("policy", "Checks policies, and proposes and approves new ones.")
        {
            new Verb("lint", "Reads a promotion policy strictly.", "govern policy lint --file promotion.yaml")
            {
                FileOption,
            }.Runs(surroundings, Lint),
            new Verb(
                "test",
                "Decides every case by the policy. Exit 1 if one comes out differently.",
                "govern policy test --file promotion.yaml --cases promotion.cases.yaml"
            )
            {
                FileOption,
                Cases,
                Format,
            }.Runs(surroundings, Test),
        };
        foreach (var verb in PolicyChangeCommands.Create(surroundings))
        {
            policy.Add(verb);
        }

        return policy;
    }

    private static int Lint(Invocation run)
    {
        var policy = Read(run);
        run.Say($"{run.Need(FileOption)}: in order, sha256:{policy.Digest}");
        return Exit.Fine;
    }

    private static int Test(Invocation run)
    {
        var policy = Read(run);
        var failed = 0;
        var cases = PolicyCase.ReadAll(InputFile.ReadText(run.Need(Cases)));
        foreach (var item in cases)
        {
            var decision = policy.Decide(item.Facts);
            var problem = item.Compare(decision);
            failed += problem is null ? 0 : 1;
            if (run.IsJson(Format))
            {
                run.Say(
                    new JsonObject
                    {
                        ["name"] = item.Name,
                        ["passed"] = problem is null,
                        ["problem"] = problem,
                    }
                );
            }
            else
            {
                run.Say(problem is null ? $"  ok      {item.Name}" : $"  FAILED  {item.Name}: {problem}");
            }
        }

        if (!run.IsJson(Format))
        {
            run.Say($"{cases.Count - failed} of {cases.Count} cases as expected, policy sha256:{policy.Digest}");
        }

        return failed == 0 ? Exit.Fine : Exit.Refused;
    }

    private static IPromotionPolicy Read(Invocation run)
    {
        var path = run.Need(FileOption);
        try
        {
            return PolicyModule.ParsePromotion(InputFile.ReadText(path));
        }
        catch (PolicySyntaxException error)
        {
            throw new Stop(Exit.Refused, Failure.Invalid("policy.syntax", $"{path}, {error.Message}"));
        }
    }
}
