using Governance.Identity.Contracts;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Registry.Contracts;
using Governance.Registry.Upstream;
using Governance.Registry.Webhooks;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Governance.Registry.Wire;

/// <summary>What the routes work with.</summary>
internal sealed record RegistryPorts(
    IDbContextFactory<GovernanceDb> Databases,
    IWriter Writer,
    IBlobStore Blobs,
    IAccess Access,
    IMoveGate Gate,
    IVersionIntake Intake,
    IReadGate Reads,
    IInputDatasets Datasets,
    IKeyWrap Keys,
    WebhookSender Webhooks,
    Mirror Mirror,
    Latecomers Latecomers,
    IOptions<RegistryOptions> Options,
    TimeProvider Clock,
    ILogger<RegistryPorts> Logger
);
