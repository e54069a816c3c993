using Governance.Audit;
using Governance.Audit.Contracts;
using Governance.Compliance;
using Governance.Compliance.Contracts;
using Governance.Console;
using Governance.Evidence;
using Governance.Gateway.Access;
using Governance.Gateway.Database;
using Governance.Gateway.GraphQl;
using Governance.Gateway.Tls;
using Governance.Identity;
using Governance.Lineage;
using Governance.Platform;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Keys;
using Governance.Policy;
using Governance.Privacy;
using Governance.Privacy.Contracts;
using Governance.Promotion;
using Governance.Registry;
using Governance.Sbom;
using Governance.Scanning;
using Governance.Signing;
using Governance.Signing.Contracts;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using OpenTelemetry.Metrics;

namespace Governance.Gateway.Hosting;

/// <summary>Composes the gateway: settings, modules, pipeline.</summary>
public static class GatewayHost
{
    /// <summary>
    /// Builds a gateway on an opened data directory, migrated and seeded, not yet listening. Settings: appsettings.json below
    /// environment variables (<c>Governance__Section__Key</c>) below command-line arguments below <paramref name="overrides"/>.
    /// </summary>
    public static async Task<WebApplication> BuildAsync(
        string[] args,
        bool demo,
        IReadOnlyDictionary<string, string?>? overrides = null,
        Action<IServiceCollection>? configure = null
    )
    {
        var builder = WebApplication.CreateBuilder(
            new WebApplicationOptions
            {
                ContentRootPath = AppContext.BaseDirectory,
                EnvironmentName = Environments.Production,
            }
        );
        builder.Configuration.Sources.Clear();
        builder
            .Configuration.AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true)
            .AddEnvironmentVariables()
            .AddCommandLine(args)
            .AddInMemoryCollection(overrides ?? new Dictionary<string, string?>());
        var options = Read(builder.Configuration, "", new GatewayOptionsValidator());
        if (builder.Configuration.GetSection("Kestrel").Exists())
        {
            // The framework would open whatever listeners this section names, plain ones included.
            throw new InvalidOperationException("The section Kestrel is not read; set Governance:Urls.");
        }

        var platform = Paths.Resolve(options);
        var database = Read(builder.Configuration, "Database", new DatabaseOptionsValidator());
        if (demo && database.IsPostgreSql)
        {
            throw new InvalidOperationException("The demo empties its data, so it runs on SQLite only.");
        }

        if (
            database.IsPostgreSql
            && builder.Configuration.GetValue<int?>("Governance:Identity:SigningKeyLeadMinutes") is < 1
        )
        {
            throw new InvalidOperationException(
                "Governance:Identity:SigningKeyLeadMinutes is at least 1 on PostgreSQL: gateways beside would refuse tokens of a key that they do not know yet."
            );
        }

        var directory = DataDirectory.Open(platform.DataDirectory, demo, shared: database.IsPostgreSql);
        AddLogging(builder, demo);
        AddServices(builder.Services, builder.Configuration, options, platform, database, directory, demo);
        configure?.Invoke(builder.Services);
        builder.Host.UseDefaultServiceProvider(provider => provider.ValidateScopes = provider.ValidateOnBuild = true);
        var app = builder.Build();
        app.Lifetime.ApplicationStarted.Register(() => Listeners.Require(app, demo));
        try
        {
            Listeners.RequireFree(options.Urls);
            await PrepareAsync(app);
            Map(app);
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Adds every module; shared by the host and by the design-time context of the migrations.</summary>
    public static void AddModules(IServiceCollection services)
    {
        services.AddPlatform();
        services.AddSingleton<ILogReaders, LogReaders>();
        services.AddSingleton<IPrivacyPolicySource, PrivacyPolicySource>();
        services.AddAudit();
        services.AddIdentity();
        services.AddLineage();
        services.AddScanning();
        services.AddSbom();
        services.AddSigning();
        services.AddPrivacy();
        services.AddPolicy();
        services.AddRegistry();
        services.AddEvidence();
        services.AddPromotion();
        services.AddCompliance();
        services.AddGraphQl();
    }

    private static TOptions Read<TOptions>(
        IConfiguration configuration,
        string section,
        IValidateOptions<TOptions> validator
    )
        where TOptions : class, new()
    {
        var options = new TOptions();
        configuration.GetSection(section.Length == 0 ? "Governance" : $"Governance:{section}").Bind(options);
        var validated = validator.Validate(section, options);
        return validated.Failed ? throw new InvalidOperationException(validated.FailureMessage) : options;
    }

    private static SubjectKeyOptions ReadSubjectKeys(IConfiguration configuration, PlatformOptions platform, bool demo)
    {
        var keys = Read(configuration, "SubjectKeys", new SubjectKeyOptionsValidator());
        keys.PasswordFile = Paths.Absolute(keys.PasswordFile);
        if (demo)
        {
            // Nobody restores a demo; its keys go with what it empties.
            keys.Directory = Path.Combine(platform.DataDirectory, "subject-keys");
            return keys;
        }

        keys.Directory = Paths.Absolute(keys.Directory);
        return
            keys.Directory == platform.DataDirectory
            || keys.Directory.StartsWith(platform.DataDirectory + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? throw new InvalidOperationException(
                "Governance:SubjectKeys:Directory must lie outside the data directory: a restored copy of it must bring no key back."
            )
            : keys;
    }

    private static AuditOptions ReadAudit(IConfiguration configuration)
    {
        var audit = Read(configuration, "Audit", new AuditOptionsValidator());
        audit.CheckpointDirectory = Paths.Absolute(audit.CheckpointDirectory);
        audit.CheckpointWebhookSecretFile = Paths.Absolute(audit.CheckpointWebhookSecretFile);
        audit.CheckpointWebhookAuthorities = Paths.Absolute(audit.CheckpointWebhookAuthorities);
        foreach (var witness in audit.Witnesses)
        {
            witness.Authorities = Paths.Absolute(witness.Authorities);
        }

        string[] files =
        [
            audit.CheckpointWebhookSecretFile,
            audit.CheckpointWebhookAuthorities,
            .. audit.Witnesses.Select(witness => witness.Authorities),
        ];
        return files.FirstOrDefault(file => file.Length > 0 && !File.Exists(file)) is { } missing
            ? throw new InvalidOperationException($"Governance:Audit names {missing}, which is not there.")
            : audit;
    }

    private static KeyOptions ReadKeys(IConfiguration configuration)
    {
        var keys = Read(configuration, "Keys", new KeyOptionsRanges());
        keys.Pkcs11.Module = Paths.Absolute(keys.Pkcs11.Module);
        keys.Pkcs11.PinFile = Paths.Absolute(keys.Pkcs11.PinFile);
        keys.AwsKms.CredentialFile = Paths.Absolute(keys.AwsKms.CredentialFile);
        keys.AwsKms.Authorities = Paths.Absolute(keys.AwsKms.Authorities);
        var validated = new KeyOptionsValidator().Validate("Keys", keys);
        return validated.Failed ? throw new InvalidOperationException(validated.FailureMessage) : keys;
    }

    private static void AddLogging(WebApplicationBuilder builder, bool demo)
    {
        builder.Logging.ClearProviders().AddConfiguration(builder.Configuration.GetSection("Logging"));
        if (demo)
        {
            // The story is what one reads on the console; what goes wrong still shows.
            builder.Logging.SetMinimumLevel(LogLevel.Warning).AddSimpleConsole(console => console.SingleLine = true);
            builder.Logging.AddFilter(static (_, level) => level >= LogLevel.Error);
        }
        else
        {
            builder.Logging.AddJsonConsole(console => console.UseUtcTimestamp = true);
        }
    }

    private static void AddServices(
        IServiceCollection services,
        IConfiguration configuration,
        GatewayOptions options,
        PlatformOptions platform,
        DatabaseOptions database,
        DataDirectory directory,
        bool demo
    )
    {
        services.AddSingleton(_ => directory);
        services.AddSingleton(options);
        services.AddSingleton(platform);
        services.AddSingleton(database);
        var mutualTls = Read(configuration, "MutualTls", new MutualTlsOptionsValidator());
        services.AddSingleton(mutualTls);
        services.AddSingleton(Read(configuration, "Jobs", new JobOptionsValidator()));
        services.AddSingleton(Read(configuration, "Blobs", new BlobOptionsValidator()));
        services.AddSingleton(Read(configuration, "Blobs:S3", new S3OptionsValidator()));
        services.AddSingleton(ReadSubjectKeys(configuration, platform, demo));
        services.AddSingleton(ReadKeys(configuration));
        services.AddSingleton(ReadAudit(configuration));
        services.AddSingleton(Read(configuration, "Signing", new SigningOptionsValidator()));
        services.AddSingleton(Read(configuration, "Compliance", new ComplianceOptionsValidator()));
        services.AddSingleton(Read(configuration, "Privacy", new PrivacyOptionsValidator()));
        services.AddSingleton(Read(configuration, "Tls", new TlsOptionsValidator()));
        services.AddSingleton(Read(configuration, "Limits", new LimitOptionsValidator()));
        AddModules(services);
        Bind(services, configuration, platform, mutualTls, demo);
        services.AddSingleton<ServerCertificates>();
        services.AddHostedService<CertificateWatch>();
        services.AddSingleton<Proxies>();
        services.AddSingleton<ConnectionCount>();
        services.AddSingleton<RequestBudget>();
        services.AddSingleton<IConfigureOptions<KestrelServerOptions>, KestrelSetup>();
        services.AddProblemDetails();
        services.AddHealthChecks().AddCheck<ReadyCheck>("ready", tags: ["ready"]);
        services
            .AddOpenTelemetry()
            .WithMetrics(metrics =>
                metrics
                    .AddMeter(
                        "Microsoft.AspNetCore.Hosting",
                        "Microsoft.AspNetCore.Server.Kestrel",
                        "System.Runtime",
                        "Governance.*"
                    )
                    .AddPrometheusExporter()
            );
    }

    private static void Bind(
        IServiceCollection services,
        IConfiguration configuration,
        PlatformOptions platform,
        MutualTlsOptions mutualTls,
        bool demo
    )
    {
        services.AddOptions<RegistryOptions>().Bind(configuration.GetSection("Governance:Registry"));
        services.AddOptions<ScanningOptions>().Bind(configuration.GetSection("Governance:Scanning"));
        services
            .AddOptions<IdentityOptions>()
            .Bind(configuration.GetSection("Governance:Identity"))
            .Configure<IServiceProvider>(
                (identity, provider) =>
                {
                    identity.Demo = demo;
                    if (demo)
                    {
                        identity.AccessTokenMinutes = 720;
                        identity.SignInPerMinute = 600;
                        identity.TokensPerMinute = 600;
                    }

                    foreach (var issuer in identity.Issuers)
                    {
                        issuer.AuthorityFile = Paths.Absolute(issuer.AuthorityFile);
                        issuer.ClientSecretFile = Paths.Absolute(issuer.ClientSecretFile);
                    }

                    if (mutualTls.Port > 0)
                    {
                        identity.MutualTlsUrl = new UriBuilder(platform.PublicUrl)
                        {
                            Port = mutualTls.Port,
                        }.Uri.GetLeftPart(UriPartial.Authority);
                        identity.ClientAuthorities.AddRange(mutualTls.Authorities());
                    }

                    identity.Backchannel = () => Loopback.To(provider.GetRequiredService<ServerCertificates>());
                }
            );
    }

    private static async Task PrepareAsync(WebApplication app)
    {
        // Made first, so that a key that cannot be read stops the start before the database is touched, and so that every key
        // is older than the first entry that it vouches for.
        _ = app.Services.GetRequiredService<IKeyWrap>();
        _ = app.Services.GetRequiredService<ISigner>();
        if (await app.Services.GetRequiredService<IBlobStore>().CheckAsync(CancellationToken.None) is { } unusable)
        {
            throw new InvalidOperationException(
                $"{unusable.Message} Check Governance:Blobs:S3 and that the bucket exists and the key may read and write it."
            );
        }

        await Schema.MigrateAsync(app.Services, CancellationToken.None);
        await IdentityModule.EraseAgainAsync(app.Services, CancellationToken.None);
        await app.Services.GetRequiredService<KeyRing>().RefreshAsync(CancellationToken.None);
        SigningModule.CheckKeys(app.Services);
        await app.Services.GetRequiredService<PolicySeed>().RunAsync(CancellationToken.None);
        await EvidenceModule.ReviewSignaturesAsync(app.Services, CancellationToken.None);
        _ = app.Services.GetRequiredService<IReports>(); // reads the catalogues, or says what is wrong with them
    }

    private static void Map(WebApplication app)
    {
        app.UseExceptionHandler(new ExceptionHandlerOptions { ExceptionHandler = ErrorAnswers.HandleAsync });
        app.Services.GetRequiredService<Proxies>().Use(app);
        app.UseMiddleware<OriginGate>();
        app.UseRouting();
        app.UseIdentity(counted => counted.UseMiddleware<RequestBudget>());
        app.MapIdentity();
        app.MapConsole();
        app.MapRegistry();
        app.MapSigning();
        app.MapAudit();
        app.MapPrivacy();
        app.MapPolicy();
        app.MapEvidence();
        app.MapPromotion();
        app.MapCompliance();
        app.MapGraphQl();
        CanEndpoint.Map(app);
        Operations.Map(app);
        _ = Inventory.Of(((IEndpointRouteBuilder)app).DataSources);
    }
}
