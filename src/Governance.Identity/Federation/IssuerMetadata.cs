using System.Text;
using Governance.Identity.Contracts;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Governance.Identity.Federation;

/// <summary>
/// Metadata and keys of one provider: fetched when first needed, once an hour, and when a token names a key not seen before, but
/// never more than twice a minute. When the provider does not answer, what is known goes on counting for
/// <see cref="ExternalIssuer.KeysHours"/>; then nothing of it is accepted.
/// </summary>
internal sealed partial class IssuerMetadata(ExternalIssuer issuer, TimeProvider clock, ILogger<IssuerMetadata> logger)
    : IConfigurationManager<OpenIdConnectConfiguration>,
        IDisposable
{
    private const int MaxKeys = 64;
    private static readonly TimeSpan Fresh = TimeSpan.FromHours(1);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);
    private readonly HttpClient _client = AuthorityOnly.For(issuer);
    private readonly SemaphoreSlim _one = new(1, 1);
    private volatile Known? _known;
    private volatile bool _stale;
    private long _tried = long.MinValue;

    private sealed record Known(OpenIdConnectConfiguration Configuration, DateTimeOffset At);

    public ExternalIssuer Issuer { get; } = issuer;

    /// <summary>The one way to this provider.</summary>
    public HttpClient Client => _client;

    /// <summary>What counts now, or null.</summary>
    public async ValueTask<OpenIdConnectConfiguration?> CurrentAsync(CancellationToken cancellationToken)
    {
        var known = _known;
        if (known is null || _stale || clock.GetUtcNow() - known.At > Fresh)
        {
            await RefreshAsync(cancellationToken);
            known = _known;
        }

        return known is not null && clock.GetUtcNow() - known.At < TimeSpan.FromHours(Issuer.KeysHours)
            ? known.Configuration
            : null;
    }

    /// <summary>The key of this id among those that count, looking anew when it is not there.</summary>
    public async ValueTask<SecurityKey?> KeyAsync(string id, CancellationToken cancellationToken)
    {
        if (Find(await CurrentAsync(cancellationToken), id) is { } key)
        {
            return key;
        }

        await RefreshAsync(cancellationToken);
        return Find(await CurrentAsync(cancellationToken), id);
    }

    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel) =>
        await CurrentAsync(cancel) ?? throw new HttpRequestException("The provider does not answer.");

    /// <summary>Look anew before the next answer: a key was not there.</summary>
    public void RequestRefresh() => _stale = true;

    public void Dispose()
    {
        _client.Dispose();
        _one.Dispose();
    }

    private static SecurityKey? Find(OpenIdConnectConfiguration? configuration, string id) =>
        configuration?.SigningKeys.SingleOrDefault(key => string.Equals(key.KeyId, id, StringComparison.Ordinal));

    private async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            var now = clock.GetTimestamp();
            if (_tried != long.MinValue && clock.GetElapsedTime(_tried, now) < Pause)
            {
                return;
            }

            _tried = now;
            _stale = false;
            _known = new Known(await FetchAsync(cancellationToken), clock.GetUtcNow());
        }
        catch (Exception problem)
            when (problem is HttpRequestException or InvalidDataException or TaskCanceledException or IOException
                && !cancellationToken.IsCancellationRequested
            )
        {
            Unanswered(Issuer.Name, problem.GetType().Name);
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<OpenIdConnectConfiguration> FetchAsync(CancellationToken cancellationToken)
    {
        var address = Issuer.Authority.TrimEnd('/') + "/.well-known/openid-configuration";
        var configuration = await ReadAsync(address, OpenIdConnectConfiguration.Create, cancellationToken);

        // Metadata that names another issuer is how one provider passes for another (RFC 8414 §3.3, RFC 9700 §4.4).
        if (!string.Equals(configuration.Issuer, Issuer.Authority, StringComparison.Ordinal))
        {
            throw new InvalidDataException("The metadata names another issuer.");
        }

        var keys = await ReadAsync(configuration.JwksUri ?? "", JsonWebKeySet.Create, cancellationToken);
        foreach (var key in keys.Keys.Where(IsUsable).Take(MaxKeys).GroupBy(key => key.Kid, StringComparer.Ordinal))
        {
            configuration.SigningKeys.Add(
                key.Count() == 1 ? key.Single() : throw new InvalidDataException("A key id stands twice.")
            );
        }

        return configuration;
    }

    private async Task<T> ReadAsync<T>(string address, Func<string, T> parse, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri))
        {
            throw new InvalidDataException("The metadata names no address.");
        }

        using var answer = await _client.GetAsync(uri, cancellationToken);
        if (!answer.IsSuccessStatusCode)
        {
            throw new InvalidDataException("The provider refused.");
        }

        var bytes = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
        if (StrictJson.Parse(bytes) is null)
        {
            throw new InvalidDataException("The provider's answer is no JSON object.");
        }

        try
        {
            return parse(Encoding.UTF8.GetString(bytes));
        }
        catch (Exception malformed) when (malformed is ArgumentException or System.Text.Json.JsonException)
        {
            throw new InvalidDataException("The provider's answer is malformed.", malformed);
        }
    }

    // Public keys for signatures only, each with a name: a shared secret among them would let anybody sign who can read them.
    private static bool IsUsable(JsonWebKey key) =>
        key.Kid is { Length: > 0 and <= 256 }
        && key.Use is null or "" or "sig"
        && key.KeySize >= (key.Kty == JsonWebAlgorithmsKeyTypes.RSA ? 2048 : 256)
        && key.Kty is JsonWebAlgorithmsKeyTypes.RSA or JsonWebAlgorithmsKeyTypes.EllipticCurve;

    [LoggerMessage(3040, LogLevel.Warning, "The provider {Name} gave no metadata or keys that can be used: {Problem}")]
    private partial void Unanswered(string name, string problem);
}
