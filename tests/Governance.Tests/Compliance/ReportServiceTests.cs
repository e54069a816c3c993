using System.Text;
using Governance.Audit.Contracts;
using Governance.Compliance;
using Governance.Compliance.Contracts;
using Governance.Compliance.Engine;
using Governance.Compliance.Reports;
using Governance.Evidence.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Policy.Contracts;
using Governance.Privacy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;
using Governance.Tests.Platform;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Governance.Tests.Compliance;

public sealed class ReportServiceTests : IAsyncLifetime, IDisposable
{
    private static readonly Actor Auditor = new(ActorKind.Person, "p-auditor");
    private static readonly Actor Scoped = new(ActorKind.Person, "p-scoped");
    private static readonly Actor Viewer = new(ActorKind.Person, "p-viewer");
    private static readonly Actor Blind = new(ActorKind.Person, "p-blind");

    private readonly FakeWorld _world = new(Sample.Facts());
    private readonly FakeAccess _access = new();
    private readonly FakeSigner _signer = new();
    private TestDatabase _database = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private IReports Reports => _database.Get<IReports>();

    private ReportReader Reader => _database.Get<ReportReader>();

    public async ValueTask InitializeAsync()
    {
        _access.Grants[Auditor.Id] = new RoleGrant("auditor", ObjectKind.None, "");
        _access.Grants[Scoped.Id] = new RoleGrant("auditor", ObjectKind.Model, "other-*");
        _access.Grants[Viewer.Id] = new RoleGrant("viewer", ObjectKind.None, "");
        _access.Grants[Blind.Id] = new RoleGrant("blind-auditor", ObjectKind.None, "");
        _database = await TestDatabase.StartAsync(services =>
        {
            services.AddSingleton<IRegistryReader>(_world);
            services.AddSingleton<IEvidence>(_world);
            services.AddSingleton<IDatasets>(_world);
            services.AddSingleton<IPromotions>(_world);
            services.AddSingleton<IPolicies>(_world);
            services.AddSingleton<IDecisionCodec>(_world);
            services.AddSingleton<IAuditLog>(_world);
            services.AddSingleton<IAccess>(_access);
            services.AddSingleton<ISigner>(_signer);
            services.AddSingleton<IVerifier>(_signer);
            services.AddSingleton<ISignatureJournal>(_signer);
            services.AddCompliance();
        });
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    public void Dispose() => _signer.Dispose();

    [Fact]
    public async Task A_created_report_is_kept_logged_and_verifies()
    {
        var created = await CreateAsync();

        var file = await BytesAsync(created.Id, ReportForm.Json);
        var verified = ReportVerifier.Verify(file, _signer.TrustedRoot, _signer);
        Assert.True(verified.Ok, verified.Failure?.Message);
        Assert.Equal(created.Id, verified.Value.ReportId);
        var entry = Assert.Single(_database.Log.Entries, item => item.Kind == "compliance.report_created");
        Assert.Equal(LogOutcome.Done, entry.Outcome);
        Assert.Equal(verified.Value.Digest.Hex, entry.Details["report_sha256"]!.GetValue<string>());
    }

    [Fact]
    public async Task All_forms_are_covered_by_the_one_signature()
    {
        var created = await CreateAsync();
        var bundle = await BytesAsync(created.Id, ReportForm.Bundle);

        foreach (var form in new[] { ReportForm.Csv, ReportForm.Pdf })
        {
            var bytes = await BytesAsync(created.Id, form);
            Assert.True(ReportVerifier.VerifyDetached(bytes, bundle, _signer.TrustedRoot, _signer).Ok);
        }
    }

    [Fact]
    public async Task Facts_come_from_the_other_modules()
    {
        _world.Facts = Sample.Facts() with { Ancestors = [] };
        var met = await Reports.EvaluateAsync(Sample.Version, "gdpr", Token);
        Assert.Equal(ControlState.Met, met!.Single(control => control.Id == "GDPR-5.1f").State);
        Assert.Equal(ControlState.Met, met!.Single(control => control.Id == "GDPR-25").State);

        _signer.ModelVerifies = false;
        var gap = await Reports.EvaluateAsync(Sample.Version, "gdpr", Token);
        Assert.Equal(ControlState.Gap, gap!.Single(control => control.Id == "GDPR-5.1f").State);
    }

    [Fact]
    public async Task Decisions_are_replayed()
    {
        _world.Facts = Sample.Facts() with
        {
            Decisions = [new DecisionFact(Sample.Decision("stage:Production"), null)],
        };
        Assert.Equal(ControlState.Met, await StateAsync());

        _world.Replayed = Verdict.Deny;
        Assert.Equal(ControlState.Gap, await StateAsync());

        _world.Replayed = null;
        Assert.Equal(ControlState.NotEvidenced, await StateAsync());

        async Task<ControlState> StateAsync() =>
            (await Reports.EvaluateAsync(Sample.Version, "gdpr", Token))!
                .Single(control => control.Id == "GDPR-5.2")
                .State;
    }

    [Fact]
    public async Task Derivations_are_followed_to_their_sources_and_to_what_is_lost()
    {
        var raw = Sample.Dataset("raw") with { LegalBasis = null };
        var lost = Digest.Of("lost");
        var input = Sample.Dataset("clean") with { DerivedFrom = [raw.Sha256, lost] };
        _world.Facts = Sample.Facts(input) with { Ancestors = [raw] };

        var facts = await _database.Get<FactGatherer>().GatherAsync(Sample.Version, Token);

        Assert.Equal([raw.Sha256], facts!.Ancestors.Select(dataset => dataset.Sha256));
        Assert.Equal([lost], facts.UnknownAncestors);
    }

    [Fact]
    public async Task An_unknown_version_or_regulation_has_no_controls()
    {
        Assert.Null(await Reports.EvaluateAsync(new ModelVersionRef("nobody", 1), "gdpr", Token));
        Assert.Null(await Reports.EvaluateAsync(Sample.Version, "iso", Token));
        Assert.Equal(["gdpr", "hipaa", "lgpd"], Reports.Regulations);
    }

    [Fact]
    public async Task An_unknown_regulation_is_refused()
    {
        var result = await Reports.CreateAsync(Auditor, "iso", Sample.Version, Token);

        Assert.Equal("compliance.unknown_regulation", result.Failure?.Code);
    }

    [Fact]
    public async Task Who_may_not_create_sees_the_same_as_for_an_absent_version_and_it_is_logged()
    {
        var absent = await Reports.CreateAsync(Auditor, "gdpr", new ModelVersionRef("nobody", 1), Token);
        Assert.Equal(
            ("compliance.version_not_found", FailureKind.NotFound),
            (absent.Failure?.Code, absent.Failure!.Kind)
        );
        foreach (var actor in new[] { Viewer, Scoped, Blind, Actor.Anonymous })
        {
            Assert.Equal(absent.Failure, (await Reports.CreateAsync(actor, "gdpr", Sample.Version, Token)).Failure);
        }

        Assert.Equal(5, _database.Log.Entries.Count(entry => entry.Outcome == LogOutcome.Refused));
        Assert.DoesNotContain(_database.Log.Entries, entry => entry.Kind == "compliance.report_created");
    }

    [Fact]
    public async Task Who_may_not_read_sees_the_same_as_for_an_absent_report_and_it_is_logged()
    {
        var created = await CreateAsync();
        var absent = await Reader.OpenAsync(Auditor, Guid.Empty, ReportForm.Json, Token);
        Assert.Equal("compliance.report_not_found", absent.Failure?.Code);
        foreach (var actor in new[] { Viewer, Scoped, Blind, Actor.Anonymous })
        {
            Assert.Equal(absent.Failure, (await Reader.OpenAsync(actor, created.Id, ReportForm.Json, Token)).Failure);
        }

        Assert.Equal(5, _database.Log.Entries.Count(entry => entry.Outcome == LogOutcome.Refused));
        Assert.DoesNotContain(_database.Log.Entries, entry => entry.Kind == "compliance.report_read");
    }

    [Fact]
    public async Task A_read_is_in_the_log_before_the_first_byte_and_its_end_after_the_last()
    {
        var created = await CreateAsync();
        var body = new EntryWatchingStream(_database.Log);
        var context = Context(Auditor, body);

        await ReportEndpoints.ReadAsync(context, Reader, created.Id.ToString(), "pdf");

        Assert.Equal([LogOutcome.Begun], body.SeenAtFirstByte);
        Assert.Equal(
            [LogOutcome.Begun, LogOutcome.Done],
            _database.Log.Entries.Where(entry => entry.Kind == "compliance.report_read").Select(entry => entry.Outcome)
        );
        Assert.Equal("application/pdf", context.Response.ContentType);
        Assert.Equal("%PDF", Encoding.ASCII.GetString(body.ToArray(), 0, 4));
        Assert.Equal("nosniff", context.Response.Headers.XContentTypeOptions);
    }

    [Fact]
    public async Task A_read_that_breaks_off_is_not_logged_as_done()
    {
        var created = await CreateAsync();
        var context = Context(Auditor, new BrokenStream());

        await Assert.ThrowsAsync<IOException>(() =>
            ReportEndpoints.ReadAsync(context, Reader, created.Id.ToString(), "json")
        );

        Assert.Equal(
            [LogOutcome.Begun],
            _database.Log.Entries.Where(entry => entry.Kind == "compliance.report_read").Select(entry => entry.Outcome)
        );
    }

    [Theory]
    [InlineData(null, "text/csv", "text/csv; charset=utf-8; header=present")]
    [InlineData(null, "text/html;q=0.9, application/pdf;q=0.5", "application/pdf")]
    [InlineData(null, "*/*", "application/json")]
    [InlineData("csv", "application/pdf", "text/csv; charset=utf-8; header=present")]
    [InlineData("bundle", "", "application/vnd.dev.sigstore.bundle.v0.3+json")]
    public async Task The_form_is_chosen_by_format_or_accept(string? format, string accept, string expected)
    {
        var created = await CreateAsync();
        var context = Context(Auditor, new MemoryStream());
        context.Request.Headers.Accept = accept;

        await ReportEndpoints.ReadAsync(context, Reader, created.Id.ToString(), format);

        Assert.Equal(expected, context.Response.ContentType);
    }

    [Theory]
    [InlineData("xml", 400)]
    [InlineData("JSON", 400)]
    public async Task An_unknown_format_is_refused(string format, int status)
    {
        var result = await ReportEndpoints.ReadAsync(Context(Auditor, new MemoryStream()), Reader, "x", format);

        Assert.Equal(status, Assert.IsType<IStatusCodeHttpResult>(result, exactMatch: false).StatusCode);
    }

    [Fact]
    public async Task A_text_that_is_no_id_is_not_found()
    {
        var result = await ReportEndpoints.ReadAsync(Context(Auditor, new MemoryStream()), Reader, "../x", null);

        Assert.Equal(404, Assert.IsType<IStatusCodeHttpResult>(result, exactMatch: false).StatusCode);
    }

    [Theory]
    [InlineData("{\"regulation\":\"gdpr\",\"model\":\"income\",\"version\":2}", 200)]
    [InlineData("{\"regulation\":\"gdpr\",\"model\":\"income\",\"version\":2,\"x\":1}", 400)]
    [InlineData("{\"regulation\":\"gdpr\",\"model\":\"a\",\"model\":\"income\",\"version\":2}", 400)]
    [InlineData("{\"regulation\":\"gdpr\",\"model\":\"income\"}", 400)]
    [InlineData("{\"regulation\":null,\"model\":\"income\",\"version\":2}", 400)]
    [InlineData("{\"regulation\":\"gdpr\",\"model\":\"income\",\"version\":\"2\"}", 400)]
    [InlineData("{\"regulation\":\"gdpr\",\"model\":\"\",\"version\":2}", 400)]
    [InlineData("{\"regulation\":\"gdpr\",\"model\":\"income\",\"version\":0}", 400)]
    [InlineData("{\"regulation\":\"gdpr\",\"model\":\"income\",\"version\":99999999999}", 400)]
    [InlineData("{\"regulation\":\"nope\",\"model\":\"income\",\"version\":2}", 400)]
    [InlineData("{\"regulation\":\"gdpr\",\"model\":\"other\",\"version\":2}", 404)]
    [InlineData("[]", 400)]
    [InlineData("null", 400)]
    [InlineData("", 400)]
    [InlineData("{", 400)]
    public async Task The_request_is_read_strictly(string body, int status)
    {
        Assert.Equal(status, await PostAsync(Encoding.UTF8.GetBytes(body)));
    }

    [Fact]
    public async Task A_request_over_its_limit_is_too_large()
    {
        Assert.Equal(413, await PostAsync(new byte[9000]));
    }

    [Fact]
    public async Task Lists_are_paged_newest_first_and_show_only_what_the_caller_may_read()
    {
        var ids = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            ids.Add((await CreateAsync()).Id);
        }

        ids.Sort();
        ids.Reverse();
        var first = (await Reader.ListAsync(Auditor, null, 3, null, Token)).Value;
        var second = (await Reader.ListAsync(Auditor, null, 3, first.NextToken, Token)).Value;

        Assert.Equal(
            ids.Select(id => id.ToString()).OrderDescending(StringComparer.Ordinal),
            first.Items.Concat(second.Items).Select(view => view.Id.ToString())
        );
        Assert.Null(second.NextToken);
        Assert.Empty((await Reader.ListAsync(Scoped, null, 3, null, Token)).Value.Items);
        Assert.Empty((await Reader.ListAsync(Auditor, "other", 3, null, Token)).Value.Items);
        Assert.Equal("compliance.bad_page", (await Reader.ListAsync(Auditor, null, 201, null, Token)).Failure?.Code);
        Assert.Equal("compliance.bad_page", (await Reader.ListAsync(Auditor, null, 1, "x", Token)).Failure?.Code);
    }

    [Fact]
    public void A_bad_catalogue_stops_the_host()
    {
        var directory = Directory.CreateTempSubdirectory("governance-test-");
        try
        {
            File.WriteAllText(Path.Combine(directory.FullName, "a.yaml"), "regulation: x\n");
            var services = new ServiceCollection();
            services.AddSingleton(new Governance.Platform.PlatformOptions());
            services.AddSingleton(new ComplianceOptions { CataloguesDirectory = directory.FullName });
            services.AddCompliance();
            using var provider = services.BuildServiceProvider();

            Assert.Throws<CatalogueException>(() => provider.GetServices<IHostedService>().ToList());
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private async Task<ReportView> CreateAsync()
    {
        var created = await Reports.CreateAsync(Auditor, "gdpr", Sample.Version, Token);
        Assert.True(created.Ok, created.Failure?.Message);
        return created.Value;
    }

    private async Task<byte[]> BytesAsync(Guid id, ReportForm form)
    {
        var opened = await Reader.OpenAsync(Auditor, id, form, Token);
        await using var content = opened.Value.Content;
        using var bytes = new MemoryStream();
        await content.CopyToAsync(bytes, Token);
        return bytes.ToArray();
    }

    private async Task<int> PostAsync(byte[] body)
    {
        var context = Context(Auditor, new MemoryStream());
        context.Request.Body = new MemoryStream(body);
        var result = await ReportEndpoints.CreateAsync(context, Reports);
        return (result.Result as IStatusCodeHttpResult)?.StatusCode ?? 200;
    }

    private static DefaultHttpContext Context(Actor actor, Stream body)
    {
        var context = new DefaultHttpContext();
        context.SetActor(actor);
        context.Response.Body = body;
        return context;
    }

    private sealed class EntryWatchingStream(RecordingLog log) : MemoryStream
    {
        public IReadOnlyList<LogOutcome>? SeenAtFirstByte { get; private set; }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            SeenAtFirstByte ??=
            [
                .. log.Entries.Where(entry => entry.Kind == "compliance.report_read").Select(entry => entry.Outcome),
            ];
            return base.WriteAsync(buffer, cancellationToken);
        }
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override ValueTask WriteAsync(
            ReadOnlyMemory<byte> buffer,
            CancellationToken cancellationToken = default
        ) => throw new IOException("The reader went away.");
    }
}
