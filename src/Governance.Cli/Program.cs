using Governance.Cli;

return await Govern.RunAsync(args, Surroundings.OfProcess(), Console.Out, Console.Error, CancellationToken.None);
