using System.Net.Http.Headers;

namespace Governance.Cli.Server;

/// <summary>Sends the token of <c>govern login</c> and renews it shortly before it ends.</summary>
internal sealed class SignedInHandler(HttpMessageHandler inner, Uri server, SavedTokens saved, TimeProvider clock)
    : DelegatingHandler(inner)
{
    private static readonly TimeSpan Early = TimeSpan.FromSeconds(30);

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request,
        CancellationToken cancellationToken
    )
    {
        var token = await CurrentAsync(cancellationToken);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await base.SendAsync(request, cancellationToken);
    }

    /// <summary>An access token that is good for another 30 s at least.</summary>
    public async Task<string> CurrentAsync(CancellationToken cancellationToken)
    {
        if (saved.Read() is { } known && IsGood(known))
        {
            return known.AccessToken;
        }

        using var locked = await saved.LockAsync(cancellationToken);
        if (saved.Read() is not { } old)
        {
            throw NotSignedIn();
        }

        if (IsGood(old))
        {
            return old.AccessToken; // another run was quicker
        }

        // Not disposed: that would end the handler below, which is ours to use only.
#pragma warning disable CA2000
        var issuer = new Issuer(new HttpClient(InnerHandler!, disposeHandler: false) { BaseAddress = server }, clock);
#pragma warning restore CA2000
        var renewed = await issuer.RefreshAsync(old.RefreshToken, cancellationToken);
        if (renewed is null)
        {
            saved.Delete();
            throw NotSignedIn();
        }

        saved.Write(renewed);
        return renewed.AccessToken;
    }

    private bool IsGood(SavedToken token) => clock.GetUtcNow() + Early < token.ExpiresAt;

    private static Stop NotSignedIn() =>
        Stop.Unusable("signed_out", "Your sign-in ended. Run govern login --server with this address again.");
}
