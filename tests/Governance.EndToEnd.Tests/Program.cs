using Governance.EndToEnd.Tests;
using Xunit.Runner.InProc.SystemConsole;

return args is [UpstreamProcess.Verb, var url, var root, var pause]
    ? await UpstreamProcess.ServeAsync(url, root, pause)
    : await ConsoleRunner.Run(args);
