using Governance.Evidence.Attest;
using Governance.Evidence.Contracts;
using Governance.Evidence.Produce;
using Governance.Evidence.Read;
using Governance.Evidence.Signatures;
using Governance.Evidence.Storage;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Policy.Contracts;
using Governance.Privacy.Contracts;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Governance.Evidence;

/// <summary>Wires the production and reading of evidence.</summary>
public static class EvidenceModule
{
    /// <summary>Adds the module's services and its implementations of the registry's and privacy's ports.</summary>
    public static IServiceCollection AddEvidence(this IServiceCollection services)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, EvidenceModel>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IBlobReferences, DocumentReferences>());
        services.TryAddSingleton<IEvidence, EvidenceReader>();
        services.TryAddSingleton<ISignatures, SignatureStandings>();
        services.TryAddSingleton<RecordedBundles>();
        services.TryAddSingleton<SignatureReview>();
        services.AddSingleton<IJobHandler>(provider => provider.GetRequiredService<SignatureReview>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPolicyWatch, SignerPolicyWatch>());
        services.TryAddSingleton<IVersionIntake, VersionIntake>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IRevocationWatch, RevocationWatch>());
        services.TryAddSingleton<IReadGate, SignatureReadGate>();
        services.TryAddSingleton<IInputDatasets, InputDatasets>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IDatasetWatch, DatasetWatch>());
        services.TryAddSingleton<AttestationWriter>();
        AddProducer<ScanProducer>(services);
        AddProducer<SbomProducer>(services);
        AddProducer<SignatureProducer>(services);
        AddProducer<LineageProducer>(services);
        AddProducer<PrivacyProducer>(services);
        return services;
    }

    /// <summary>Has signatures judged again that were judged by another signer policy; at start, once the policies are there.</summary>
    public static Task ReviewSignaturesAsync(IServiceProvider services, CancellationToken cancellationToken) =>
        services.GetRequiredService<SignatureReview>().RunAsync(cancellationToken);

    /// <summary>Maps the documents of a version.</summary>
    public static void MapEvidence(this IEndpointRouteBuilder routes) => EvidenceEndpoints.Map(routes);

    private static void AddProducer<TProducer>(IServiceCollection services)
        where TProducer : class, IEvidenceProducer
    {
        services.AddSingleton<TProducer>();
        services.AddSingleton<IJobHandler>(provider => new EvidenceJobHandler(
            provider.GetRequiredService<TProducer>(),
            provider.GetRequiredService<IRegistryReader>(),
            provider.GetRequiredService<IVersionStatus>(),
            provider.GetRequiredService<AttestationWriter>(),
            provider.GetRequiredService<IBlobStore>(),
            provider.GetRequiredService<IWriter>(),
            provider.GetRequiredService<ISignatureJournal>()
        ));
    }
}
