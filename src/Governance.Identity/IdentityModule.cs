using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Identity.Access;
using Governance.Identity.Account;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Erasure;
using Governance.Identity.Federation;
using Governance.Identity.Server;
using Governance.Identity.Services;
using Governance.Identity.Sessions;
using Governance.Identity.SignIn;
using Governance.Identity.Startup;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Keys;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.EntityFrameworkCore.Models;
using OpenIddict.Server;
using OpenIddict.Validation;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;
using Permissions = Governance.Kernel.Permissions;

namespace Governance.Identity;

/// <summary>Persons, services, roles and grants; the embedded OAuth 2.0 / OpenID Connect issuer; the gate before every route.</summary>
public static class IdentityModule
{
    /// <summary>Adds the module. The host binds <see cref="IdentityOptions"/> from <c>Governance:Identity</c>.</summary>
    public static IServiceCollection AddIdentity(
        this IServiceCollection services,
        Action<IdentityOptions>? configure = null
    )
    {
        var options = services.AddOptions<IdentityOptions>().ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<IdentityOptions>, IdentityOptionsValidator>()
        );
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, IdentityModel>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, TokenModel>());
        services.TryAddSingleton<SubjectReader>();
        services.TryAddSingleton<IAccess>(provider => provider.GetRequiredService<SubjectReader>());
        services.TryAddSingleton<Administration>();
        services.TryAddSingleton<IAdministration>(provider => provider.GetRequiredService<Administration>());
        services.TryAddSingleton<SubjectStore>();
        services.TryAddSingleton<ISubjects>(provider => provider.GetRequiredService<SubjectStore>());
        services.TryAddSingleton<GrantStore>();
        services.TryAddSingleton<IGrants>(provider => provider.GetRequiredService<GrantStore>());
        services.TryAddSingleton<IGroups, GroupStore>();
        services.TryAddSingleton<Confirmations>();
        services.TryAddSingleton<IConfirmations>(provider => provider.GetRequiredService<Confirmations>());
        services.TryAddSingleton<Enrolments>();
        services.TryAddSingleton<Logins>();
        services.TryAddSingleton<ILoginOwners>(provider => provider.GetRequiredService<Logins>());
        services.TryAddSingleton<ILogins>(provider => provider.GetRequiredService<Logins>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfirmable, AccountConfirmation>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfirmable, GrantConfirmation>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfirmable, LoginConfirmation>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfirmable, ErasureConfirmation>());
        services.TryAddSingleton<BeginErasure>();
        services.TryAddSingleton<Erasures>();
        services.TryAddSingleton<EraseJob>();
        services.AddSingleton<IJobHandler>(provider => provider.GetRequiredService<EraseJob>());
        services.TryAddSingleton<EraseAgain>();
        services.TryAddSingleton<LegalHolds>();
        services.TryAddSingleton<ActorReader>();
        services.TryAddSingleton<OwnRequests>();
        services.TryAddSingleton<AttemptLimiter>();
        services.TryAddSingleton<LoginNames>();
        services.TryAddSingleton<ExternalTokens>();
        services.TryAddSingleton<ExternalSubjects>();
        services.TryAddSingleton<ExternalSignIn>();
        services.AddSingleton<IConfigureOptions<OpenIdConnectOptions>>(provider =>
            provider.GetRequiredService<ExternalSignIn>()
        );
        services.TryAddSingleton<PasswordHashing>();
        services.TryAddSingleton<PasswordSignIn>();
        services.TryAddSingleton<SecondStep>();
        services.TryAddSingleton<Passkeys>();
        services.TryAddSingleton<DeviceCookie>();
        services.TryAddSingleton<SessionStore>();
        services.TryAddSingleton<BrowserSignIn>();
        services.TryAddSingleton<Credentials>();
        services.TryAddSingleton<StepUp>();
        services.TryAddSingleton<IStepUp>(provider => provider.GetRequiredService<StepUp>());
        services.TryAddSingleton<SetupCode>();
        services.TryAddSingleton<ServerKeys>();
        services.TryAddSingleton<Clients>();
        services.TryAddSingleton<ReplayStore>();
        services.TryAddSingleton<DpopNonces>();
        services.TryAddSingleton<DpopGuard>();
        services.TryAddSingleton<ServiceStore>();
        services.TryAddScoped<TokenFamily>();
        services.AddHostedService<IdentityStartup>();
        services.AddHostedService<TokenPruner>();
        services.AddHostedService<KeyKeeper>();
        services.AddHostedService<SessionPruner>();
        AddIssuer(services);
        AddPages(services);
        return services;
    }

    /// <summary>
    /// The gate: attempt limits, protocol endpoints, who asks, what <paramref name="counted"/> adds, which then knows the caller, and
    /// for every route its permission. Call it after routing and before anything that answers requests.
    /// </summary>
    public static IApplicationBuilder UseIdentity(
        this IApplicationBuilder app,
        Action<IApplicationBuilder>? counted = null
    )
    {
        app.ApplicationServices.GetRequiredService<ExternalSignIn>()
            .Register(app.ApplicationServices.GetRequiredService<IAuthenticationSchemeProvider>());
        var actors = app.ApplicationServices.GetRequiredService<ActorReader>();
        app.ApplicationServices.GetRequiredService<ServerKeys>().Taken += (_, _) => actors.ForgetTokens();
        app.UseMiddleware<AttemptGate>();
        app.UseAuthentication();
        app.UseMiddleware<CallerMiddleware>();
        counted?.Invoke(app);
        return app.UseMiddleware<AccessMiddleware>();
    }

    /// <summary>Maps sign-in, sign-out, set-up, the protocol's interactive endpoints and the administration API.</summary>
    public static IEndpointRouteBuilder MapIdentity(this IEndpointRouteBuilder routes)
    {
        var connect = routes.MapGroup("/connect").RequirePermission(Permissions.Public).ExcludeFromDescription();
        connect.MapGet("/authorize", TokenEndpoints.AuthorizeAsync);
        connect
            .MapPost("/authorize", TokenEndpoints.AuthorizeAsync)
            .AddEndpointFilter<RouteHandlerBuilder, PageRefusals>();
        connect.MapPost("/token", TokenEndpoints.ExchangeAsync);
        SignInPages.Map(routes);
        DevicePage.Map(routes);
        ServiceEndpoints.Map(routes);
        KeyEndpoints.Map(routes);
        AccountPages.Map(routes);
        SubjectEndpoints.Map(routes);
        GrantEndpoints.Map(routes);
        ErasureEndpoints.Map(routes);
        return routes;
    }

    /// <summary>
    /// Erases in the database whom the key store knows as erased, and ends what was begun. The host calls it on every start, after
    /// the schema is there and before anything is served.
    /// </summary>
    public static Task EraseAgainAsync(IServiceProvider services, CancellationToken cancellationToken) =>
        services.GetRequiredService<EraseAgain>().RunAsync(cancellationToken);

    private static void AddIssuer(IServiceCollection services)
    {
        services
            .AddOpenIddict()
            .AddCore(core =>
            {
                core.UseEntityFrameworkCore().UseDbContext<GovernanceDb>();
                core.ReplaceApplicationManager<OpenIddictEntityFrameworkCoreApplication, ClientManager>();
            })
            .AddServer(server =>
            {
                server
                    .SetAuthorizationEndpointUris("connect/authorize")
                    .SetPushedAuthorizationEndpointUris("connect/par")
                    .SetTokenEndpointUris("connect/token")
                    .SetDeviceAuthorizationEndpointUris("connect/device")
                    .SetEndUserVerificationEndpointUris(DevicePage.Path[1..])
                    .SetIntrospectionEndpointUris("connect/introspect")
                    .SetRevocationEndpointUris("connect/revoke");
                server
                    .AllowAuthorizationCodeFlow()
                    .RequireProofKeyForCodeExchange()
                    .AllowClientCredentialsFlow()
                    .AllowDeviceAuthorizationFlow()
                    .AllowRefreshTokenFlow()
                    .SetAuthorizationCodeLifetime(TimeSpan.FromMinutes(1))
                    .SetDeviceCodeLifetime(TimeSpan.FromMinutes(10))
                    .SetUserCodeLifetime(TimeSpan.FromMinutes(10))
                    .SetUserCodeCharset([.. UserCodeLetters.Select(letter => letter.ToString())])
                    .SetUserCodeLength(8)
                    .SetRefreshTokenReuseLeeway(TimeSpan.Zero)
                    .DisableSlidingRefreshTokenExpiration()
                    .DisableAccessTokenEncryption();
                server
                    .UseAspNetCore()
                    .EnableAuthorizationEndpointPassthrough()
                    .EnableTokenEndpointPassthrough()
                    .EnableEndUserVerificationEndpointPassthrough();
                AddChecks(server);
            })
            .AddValidation(validation =>
            {
                validation.UseLocalServer();
                validation.AddAudiences(IdentitySchemes.Audience);

                // Without it a revoked token works until it expires.
                validation.EnableTokenEntryValidation();
                validation.EnableAuthorizationEntryValidation();

                // The library knows certificates only and fails on every other confirmation; ActorReader checks both.
                validation.RemoveEventHandler(
                    OpenIddictValidationHandlers.Protection.ValidateProofOfPossession.Descriptor
                );
                validation
                    .UseAspNetCore()
                    .DisableAccessTokenExtractionFromBodyForm()
                    .DisableAccessTokenExtractionFromQueryString();
            });
        services.AddSingleton<IOptionsChangeTokenSource<OpenIddictServerOptions>>(
            provider => new KeyChanges<OpenIddictServerOptions>(tell =>
                provider.GetRequiredService<ServerKeys>().Changed += (_, _) => tell()
            )
        );

        // Its settings are made of the server's, so they follow those and not the keys.
        services.AddSingleton<IOptionsChangeTokenSource<OpenIddictValidationOptions>>(
            provider => new KeyChanges<OpenIddictValidationOptions>(tell =>
                provider.GetRequiredService<IOptionsMonitor<OpenIddictServerOptions>>().OnChange((_, _) => tell())
            )
        );
        services
            .AddOptions<OpenIddictServerOptions>()
            .Configure<ServerKeys, IOptions<IdentityOptions>, PlatformOptions>(Configure)
            .PostConfigure<IOptions<IdentityOptions>>(
                (server, identity) =>
                {
                    if (identity.Value.ClientAuthorities.Count == 0)
                    {
                        server.ClientAuthenticationMethods.Remove(ClientRegistration.PkiTls);
                    }
                }
            );
    }

    // RFC 8628 §6.1: no vowels, so no words, and nothing that looks like a digit.
    private const string UserCodeLetters = "BCDFGHJKLMNPQRSTVWXZ";

    private static void Configure(
        OpenIddictServerOptions server,
        ServerKeys keys,
        IOptions<IdentityOptions> identity,
        PlatformOptions platform
    )
    {
        server.Issuer = new Uri(platform.PublicUrl);
        server.AccessTokenLifetime = TimeSpan.FromMinutes(identity.Value.AccessTokenMinutes);
        server.RefreshTokenLifetime = TimeSpan.FromHours(identity.Value.RefreshTokenHours);
        server.RequestTokenLifetime = TimeSpan.FromMinutes(10);
        foreach (var generation in keys.InUse)
        {
            server.SigningCredentials.Add(new SigningCredentials(generation.Signing, SecurityAlgorithms.EcdsaSha256));
            server.EncryptionCredentials.Add(
                new EncryptingCredentials(
                    generation.Encryption,
                    SecurityAlgorithms.Aes256KW,
                    SecurityAlgorithms.Aes256CbcHmacSha512
                )
            );
        }

        // RFC 9700 §2.1.1: the plain method would show the verifier to whoever sees the request.
        server.CodeChallengeMethods.Remove(CodeChallengeMethods.Plain);
        server.ResponseModes.Remove(ResponseModes.Fragment);
        if (identity.Value.MutualTlsUrl is not { Length: > 0 } address)
        {
            return;
        }

        server.MtlsTokenEndpointAliasUri = new Uri($"{address}/connect/token");
        server.MtlsPushedAuthorizationEndpointAliasUri = new Uri($"{address}/connect/par");
        server.MtlsDeviceAuthorizationEndpointAliasUri = new Uri($"{address}/connect/device");
        server.MtlsIntrospectionEndpointAliasUri = new Uri($"{address}/connect/introspect");
        server.MtlsRevocationEndpointAliasUri = new Uri($"{address}/connect/revoke");
        server.SelfSignedTlsClientAuthenticationPolicy = ClientChain();
        server.PublicKeyInfrastructureTlsClientAuthenticationPolicy = ClientChain();
        server.PublicKeyInfrastructureTlsClientAuthenticationPolicy.CustomTrustStore.AddRange(
            identity.Value.ClientAuthorities
        );
    }

    // Revocation lists are not fetched: that would be an outbound request at the wish of whoever connects.
    private static X509ChainPolicy ClientChain() =>
        new()
        {
            ApplicationPolicy = { new Oid("1.3.6.1.5.5.7.3.2") },
            RevocationMode = X509RevocationMode.NoCheck,
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            DisableCertificateDownloads = true,
        };

    private static void AddChecks(OpenIddictServerBuilder server)
    {
        server.RemoveEventHandler(OpenIddictServerHandlers.Protection.ValidateProofOfPossession.Descriptor);
        Add<ValidateTokenContext, ClientChecks.AssertionParameters>(
            server,
            OpenIddictServerHandlers.Protection.ResolveTokenValidationParameters.Descriptor
        );
        Add<ValidateTokenContext, ReuseChecks.Used>(
            server,
            OpenIddictServerHandlers.Protection.ValidateAudiences.Descriptor
        );
        Add<ProcessAuthenticationContext, ClientChecks.AssertionOnce>(
            server,
            OpenIddictServerHandlers.ValidateClientAssertionIssuer.Descriptor
        );
        Add<ProcessAuthenticationContext, ClientChecks.RegisteredMethod>(
            server,
            OpenIddictServerHandlers.ValidateClientCertificate.Descriptor
        );
        Add<ValidatePushedAuthorizationRequestContext, ClientChecks.PushedKey>(
            server,
            OpenIddictServerHandlers.Authentication.ValidatePushedAuthorizedParty.Descriptor
        );
        server.AddEventHandler<ProcessSignInContext>(handler =>
            handler
                .UseScopedHandler<ReuseChecks.Raced>()
                .SetOrder(OpenIddictServerHandlers.RedeemTokenEntry.Descriptor.Order - 1)
        );
        Add<ProcessSignInContext, BindTokens.Access>(
            server,
            OpenIddictServerHandlers.PrepareAccessTokenPrincipal.Descriptor
        );
        Add<ProcessSignInContext, BindTokens.Refresh>(
            server,
            OpenIddictServerHandlers.PrepareRefreshTokenPrincipal.Descriptor
        );
        Add<ProcessSignInContext, BindTokens.Name>(server, OpenIddictServerHandlers.AttachSignInParameters.Descriptor);
        Add<HandleIntrospectionRequestContext, BindTokens.Describe>(
            server,
            OpenIddictServerHandlers.Introspection.AttachMetadataClaims.Descriptor
        );
        server.AddEventHandler<ApplyTokenResponseContext>(handler =>
            handler.UseSingletonHandler<ProtocolRefusals>().SetOrder(int.MinValue)
        );
        server.AddEventHandler<ApplyIntrospectionResponseContext>(handler =>
            handler.UseSingletonHandler<ProtocolRefusals>().SetOrder(int.MinValue)
        );
        server.AddEventHandler<ApplyRevocationResponseContext>(handler =>
            handler.UseSingletonHandler<ProtocolRefusals>().SetOrder(int.MinValue)
        );
        server.AddEventHandler<ApplyPushedAuthorizationResponseContext>(handler =>
            handler.UseSingletonHandler<ProtocolRefusals>().SetOrder(int.MinValue)
        );
        server.AddEventHandler<ApplyDeviceAuthorizationResponseContext>(handler =>
            handler.UseSingletonHandler<ProtocolRefusals>().SetOrder(int.MinValue)
        );
        Add<HandleConfigurationRequestContext, ServerMetadata>(
            server,
            OpenIddictServerHandlers.Discovery.AttachSecurityRequirements.Descriptor
        );
    }

    private static void Add<TContext, THandler>(OpenIddictServerBuilder server, OpenIddictServerHandlerDescriptor after)
        where TContext : BaseContext
        where THandler : class, IOpenIddictServerHandler<TContext> =>
        server.AddEventHandler<TContext>(handler => handler.UseScopedHandler<THandler>().SetOrder(after.Order + 1));

    private static void AddPages(IServiceCollection services)
    {
        services.AddDataProtection().SetApplicationName("governance");
        services
            .AddOptions<KeyManagementOptions>()
            .Configure<PlatformOptions, IKeyWrap, ILoggerFactory>(
                (management, platform, wrap, loggers) =>
                {
                    var path = Path.Combine(platform.DataDirectory, "keys", "pages");
                    var directory = Directory.CreateDirectory(path);
                    management.XmlRepository = new FileSystemXmlRepository(directory, loggers);
                    management.XmlEncryptor = new KeyWrapXmlEncryptor(wrap);
                }
            );
        services.AddAntiforgery(forgery =>
        {
            forgery.Cookie.Name = "__Host-governance-form";
            forgery.Cookie.Path = "/";
            forgery.Cookie.SecurePolicy = CookieSecurePolicy.Always;
            forgery.SuppressXFrameOptionsHeader = true; // the gate sets it on every answer
        });
        services
            .AddAuthentication()
            .AddCookie(IdentitySchemes.SignIn, cookie => Configure(cookie, "__Host-governance-sign-in"))
            .AddCookie(IdentitySchemes.Session, cookie => Configure(cookie, "__Host-governance"))
            .AddOpenIdConnect(IdentitySchemes.OpenIdConnect, Configure);
        foreach (var scheme in (string[])[IdentitySchemes.SignIn, IdentitySchemes.Session])
        {
            services
                .AddOptions<CookieAuthenticationOptions>(scheme)
                .Configure<IOptions<IdentityOptions>>(
                    (cookie, identity) => cookie.ExpireTimeSpan = TimeSpan.FromHours(identity.Value.SessionHours)
                );
        }

        services
            .AddOptions<OpenIdConnectOptions>(IdentitySchemes.OpenIdConnect)
            .Configure<IOptions<IdentityOptions>, PlatformOptions, OwnRequests>(
                (client, identity, platform, own) =>
                {
                    client.Authority = platform.PublicUrl;
                    client.BackchannelHttpHandler = own.Marking(
                        identity.Value.Backchannel?.Invoke() ?? new HttpClientHandler()
                    );
                }
            );
    }

    private static void Configure(CookieAuthenticationOptions options, string name)
    {
        options.Cookie.Name = name;
        options.Cookie.Path = "/";
        options.Cookie.HttpOnly = true;
        options.Cookie.SecurePolicy = CookieSecurePolicy.Always;
        options.Cookie.SameSite = SameSiteMode.Lax;
        options.SlidingExpiration = false;
        options.Events.OnValidatePrincipal = async validation =>
        {
            var services = validation.HttpContext.RequestServices;
            var live = await services
                .GetRequiredService<SessionStore>()
                .IsLiveAsync(
                    validation.Principal,
                    services.GetRequiredService<TimeProvider>().GetUtcNow(),
                    validation.HttpContext.RequestAborted
                );
            if (!live)
            {
                validation.RejectPrincipal();
            }
        };
    }

    private static void Configure(OpenIdConnectOptions client)
    {
        client.ClientId = IdentitySchemes.ConsoleClient;
        client.SignInScheme = IdentitySchemes.Session;
        client.ResponseType = OpenIdConnectResponseType.Code;
        client.ResponseMode = OpenIdConnectResponseMode.Query; // a cross-site form post would need weaker cookies
        client.UsePkce = true;
        client.MapInboundClaims = false;
        client.SaveTokens = false;
        client.GetClaimsFromUserInfoEndpoint = false;
        client.CallbackPath = "/signin-oidc";
        client.RemoteSignOutPath = default; // nobody signs our users out from elsewhere
        client.Scope.Clear();
        client.Scope.Add(Scopes.OpenId);
        SignInCookies.Harden(client);
        client.Events.OnRemoteFailure = failed =>
            FailedSignIn.AnswerAsync(
                failed,
                $"The answer was too old, was used before, or belongs to another browser."
            );
    }
}
