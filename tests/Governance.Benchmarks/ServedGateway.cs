using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Gateway.Hosting;
using Governance.Gateway.Tls;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Governance.Benchmarks;

/// <summary>
/// The measured child: the product's own host with one service account, and job workers that the parent starts and stops,
/// so that the cost of a request and that of the jobs it leaves behind can be told apart.
/// </summary>
internal static class ServedGateway
{
    /// <summary>What the child's answers start with; its log shares the stream.</summary>
    public const string Mark = "@bench ";

    public const string Account = "benchmark";

    /// <summary>Somebody with every right that reads, on names of which there are none.</summary>
    public const string Prober = "prober";

    public static async Task<int> RunAsync(string[] args)
    {
        Type? worker = null;
        await using var app = await GatewayHost.BuildAsync(
            args,
            demo: false,
            configure: services =>
            {
                var jobs = services.Single(service => service.ImplementationType?.Name == "JobWorker");
                worker = jobs.ImplementationType;
                services.Remove(jobs);
            }
        );
        await app.StartAsync();
        var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        await EnrolAsync(app, Account, secret, [new RoleGrant("data-scientist", ObjectKind.None, "")]);
        await EnrolAsync(
            app,
            Prober,
            secret,
            [
                .. from role in new[] { "data-scientist", "reviewer" }
                from kind in new[] { ObjectKind.Experiment, ObjectKind.Model, ObjectKind.Dataset }
                select new RoleGrant(role, kind, "seen-*"),
            ]
        );

        var authority = app.Services.GetRequiredService<ServerCertificates>().CertificatePath;
        Say(string.Create(CultureInfo.InvariantCulture, $"{secret} {authority}"));
        await ObeyAsync(app, worker!);
        await app.StopAsync();
        return 0;
    }

    private static async Task EnrolAsync(WebApplication app, string name, string secret, RoleGrant[] grants)
    {
        var enrolled = await app
            .Services.GetRequiredService<ISubjects>()
            .EnrolServiceAsync(Actor.System, name, new Secret(secret), grants, CancellationToken.None);
        if (!enrolled.Ok)
        {
            throw new InvalidOperationException(enrolled.Failure.Code);
        }
    }

    // Ends with its parent: the input closes.
    private static async Task ObeyAsync(WebApplication app, Type worker)
    {
        IHostedService? jobs = null;
        while (await System.Console.In.ReadLineAsync() is { } order)
        {
            if (order.Split(' ') is ["seed", var template, var models, var versions])
            {
                await Seeding.RunAsync(
                    app.Services,
                    template,
                    int.Parse(models, CultureInfo.InvariantCulture),
                    int.Parse(versions, CultureInfo.InvariantCulture)
                );
                Say("done");
                continue;
            }

            if (order.Split(' ') is ["log", var entries, var atOnce])
            {
                await LogAsync(
                    app.Services.GetRequiredService<IWriter>(),
                    int.Parse(entries, CultureInfo.InvariantCulture),
                    int.Parse(atOnce, CultureInfo.InvariantCulture)
                );
                Say("done");
                continue;
            }

            if (jobs is not null)
            {
                await jobs.StopAsync(CancellationToken.None);
                jobs = null;
            }

            if (order == "jobs on")
            {
                jobs = (IHostedService)ActivatorUtilities.CreateInstance(app.Services, worker);
                await jobs.StartAsync(CancellationToken.None);
            }

            Say("done");
        }

        if (jobs is not null)
        {
            await jobs.StopAsync(CancellationToken.None);
        }
    }

    // As many writers at once as there are connections, each waiting for its commit: what requests that log do.
    private static Task LogAsync(IWriter writer, int entries, int atOnce) =>
        Parallel.ForEachAsync(
            Enumerable.Range(0, entries),
            new ParallelOptions { MaxDegreeOfParallelism = atOnce },
            async (_, cancellationToken) =>
                await writer.LogAsync(
                    new LogEntry("benchmark.entry", Actor.System, "", LogOutcome.Done)
                    {
                        Details = new JsonObject { ["route"] = "/api/v1/benchmark", ["code"] = "benchmark.none" },
                    },
                    cancellationToken
                )
        );

    private static void Say(string text) => System.Console.Out.WriteLine(Mark + text);
}
