using Governance.Kernel;

namespace Governance.Cli.Server;

/// <summary>Ends the verb with one sentence when the server cannot be reached or is not trusted.</summary>
internal sealed class ClearErrors(HttpMessageHandler inner, Uri address) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException error) when (error.HttpRequestError == HttpRequestError.SecureConnectionError)
        {
            throw new Stop(
                Exit.Unusable,
                Failure.Invalid(
                    "server.not_trusted",
                    $"The certificate of {address} is not trusted for that name. Name the CA that issued it with --ca; a gateway keeps its own in tls/ca.pem of its data directory."
                )
            );
        }
        catch (HttpRequestException)
        {
            throw new Stop(
                Exit.Unusable,
                Failure.Invalid(
                    "server.unreachable",
                    $"Nothing answers at {address}. Is the gateway running, and is the port right?"
                )
            );
        }
    }
}
