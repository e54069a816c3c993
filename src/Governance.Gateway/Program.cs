using Governance.Gateway.Demo;
using Governance.Gateway.Hosting;
using Governance.Gateway.Tls;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Policy.Engine;
using Microsoft.Extensions.Options;

try
{
    if (args is ["demo", .. var rest])
    {
        return await DemoCommand.RunAsync(rest);
    }

    if (args is ["--help" or "-h"])
    {
        Console.WriteLine(
            """
            Governance gateway.

              dotnet run --project src/Governance.Gateway                   serve
              dotnet run --project src/Governance.Gateway -- demo           play the whole story, then keep serving
              dotnet run --project src/Governance.Gateway -- demo --exit    play the whole story, then end with 0 or 1

            Settings: appsettings.json < environment Governance__Section__Key < --Governance:Section:Key=value.
            See docs/reference/configuration.md.
            """
        );
        return 0;
    }

    if (args is [var word, ..] && !word.StartsWith('-'))
    {
        Console.Error.WriteLine($"'{word}' is not a command. See --help.");
        return 2;
    }

    await using var app = await GatewayHost.BuildAsync(args, demo: false);
    var options = app.Services.GetRequiredService<PlatformOptions>();
    Console.WriteLine($"Data directory:     {options.DataDirectory}");
    Console.WriteLine($"Database:           {app.Services.GetRequiredService<DatabaseOptions>()}");
    Console.WriteLine(
        $"Key-encryption key: {options.KeyFile} (keep a copy apart from the data; without it the keys are lost)"
    );
    var certificates = app.Services.GetRequiredService<ServerCertificates>();
    Console.WriteLine(
        certificates.FromFiles
            ? $"Certificate:        {certificates.Server.Subject}, valid to {certificates.ValidTo:u}"
            : $"CA for clients:     {certificates.CertificatePath}"
    );
    Console.WriteLine($"Address:            {options.PublicUrl}");
    await app.RunAsync();
    return 0;
}
catch (Exception problem)
    when (problem
            is InvalidOperationException
                or OptionsValidationException
                or PolicySyntaxException
                or IOException
                or UnauthorizedAccessException
                or System.Data.Common.DbException
    )
{
    // Settings, directories, addresses and policies explain themselves in one sentence.
    Console.Error.WriteLine(problem.Message);
    return 2;
}
