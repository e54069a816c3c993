using Governance.Identity;
using Governance.Identity.Access;
using Governance.Identity.Contracts;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Policy;
using Governance.Policy.Change;
using Governance.Policy.Contracts;
using Governance.Policy.Storage;
using Governance.Tests.Identity;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Policy;

/// <summary>A new text takes two persons, replaces the one it was made for, and is in force from its time on.</summary>
public sealed class ProposalTests : IAsyncLifetime
{
    private const string Promotion = "promotion";
    private readonly ShiftedClock _clock = new();
    private readonly Watch _watch = new();
    private readonly FailingLog _failing = new();
    private TestDatabase _database = null!;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private Proposals Proposals => _database.Get<Proposals>();

    private IPolicies Policies => _database.Get<IPolicies>();

    public async ValueTask InitializeAsync()
    {
        _database = await TestDatabase.StartAsync(
            services =>
                services
                    .AddOptions<IdentityOptions>()
                    .Services.AddSingleton<IModelContribution, IdentityModel>()
                    .AddSingleton<SubjectReader>()
                    .AddSingleton<StepUp>()
                    .AddSingleton<IAdministration, Administration>()
                    .AddSingleton<RecordingLog>()
                    .AddSingleton<ILogAppender>(provider =>
                    {
                        _failing.Inner = provider.GetRequiredService<RecordingLog>();
                        return _failing;
                    })
                    .AddSingleton<IPolicyWatch>(_watch)
                    .AddPolicy(),
            clock: _clock
        );
        await _database.Get<PolicySeed>().RunAsync(Now);
        await _database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var roles = await File.ReadAllTextAsync(
                    Path.Combine(TestDatabase.PoliciesDirectory(), "roles.yaml"),
                    token
                );
                session.Db.Add(
                    new RoleTextRow
                    {
                        Id = Guid.CreateVersion7(session.Now),
                        Text = roles,
                        Digest = Digest.Of(roles).Hex,
                        CreatedAt = session.Now,
                    }
                );
                foreach (var name in new[] { "ada", "bea", "carl", "bot" })
                {
                    Enrol(session, name, name == "bot" ? ActorKind.Service : ActorKind.Person);
                }

                return default(Unit);
            },
            Now
        );
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task A_text_that_another_person_approves_is_in_force_with_its_editor_and_on_record()
    {
        var before = await Policies.PromotionAsync(Now);

        var proposed = await ProposeAsync("ada", Text(2));
        var meanwhile = await Policies.PromotionAsync(Now);
        var approved = await Proposals.ApproveAsync(Person("bea"), Promotion, proposed.Id, Now);

        Assert.Null(approved.Failure);
        Assert.Equal(before.Digest, meanwhile.Digest);
        var after = await Policies.PromotionAsync(Now);
        Assert.Equal((Digest.Of(Text(2)), "ada"), (after.Digest, after.LastEditor));
        Assert.Equal(TimeSpan.FromHours(2), after.ApprovalLifetime);
        Assert.Equal(after.Digest, await DigestAsync());
        Assert.NotNull(await Policies.FindPromotionAsync(before.Digest, Now));
        var entries = _database.Log.Entries.Where(entry => entry.Subject == "policy:promotion").Skip(1).ToList();
        Assert.Equal(["policy.proposed", "policy.activated"], entries.Select(entry => entry.Kind).Distinct());
        Assert.Equal("bea", entries[^1].Actor.Id);
        Assert.Equal(
            (before.Digest.Hex, after.Digest.Hex, "ada"),
            (
                $"{entries[^1].Details["base"]}",
                $"{entries[^1].Details["sha256"]}",
                $"{entries[^1].Details["proposedBy"]}"
            )
        );
        Assert.Contains((Promotion, TimeSpan.Zero), _watch.Seen);
    }

    [Theory]
    [InlineData("ada", "policy.own_proposal")] // who proposed it
    [InlineData("bot", "identity.persons_only")] // a service with the role
    [InlineData("nobody", "identity.denied")]
    public async Task It_takes_another_person_who_administers(string by, string code)
    {
        var proposed = await ProposeAsync("ada", Text(2));
        var actor = by == "bot" ? new Actor(ActorKind.Service, "bot") : Person(by);

        var approved = await Proposals.ApproveAsync(actor, Promotion, proposed.Id, Now);
        var rejected = await Proposals.RejectAsync(actor, Promotion, proposed.Id, Now);

        Assert.Equal((code, code), (approved.Failure?.Code, rejected.Failure?.Code));
        await AssertUnchangedAsync();
        Assert.Equal(
            2,
            _database.Log.Entries.Count(entry =>
                entry.Outcome == LogOutcome.Refused && $"{entry.Details["code"]}" == code
            )
        );
    }

    [Fact]
    public async Task Who_is_held_signed_in_long_ago_or_is_a_service_neither_proposes_nor_approves()
    {
        var proposed = await ProposeAsync("ada", Text(2));
        await HoldAsync("carl");
        var old = Person("bea") with { AuthenticatedAt = _clock.GetUtcNow().AddHours(-1) };
        var bot = new Actor(ActorKind.Service, "bot");

        foreach (
            var (actor, code) in new[]
            {
                (Person("carl"), "identity.denied"),
                (old, "identity.reauthentication_needed"),
                (bot, "identity.persons_only"),
            }
        )
        {
            var approved = await Proposals.ApproveAsync(actor, Promotion, proposed.Id, Now);
            var other = await Proposals.ProposeAsync(actor, Promotion, Text(3), "Why not.", null, Now);
            Assert.Equal((code, code), (approved.Failure?.Code, other.Failure?.Code));
        }

        await AssertUnchangedAsync();
    }

    [Fact]
    public async Task What_somebody_proposed_who_is_held_or_gone_is_not_approved()
    {
        var held = await ProposeAsync("ada", Text(2));
        var gone = await ProposeAsync("carl", Text(3));
        await HoldAsync("ada");
        await _database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                (await session.Db.Set<SubjectRow>().SingleAsync(subject => subject.Id == "carl", token)).Enabled =
                    false;
                return default(Unit);
            },
            Now
        );

        Assert.Equal("policy.proposer_gone", await ApproveCodeAsync("bea", held.Id));
        Assert.Equal("policy.proposer_gone", await ApproveCodeAsync("bea", gone.Id));
        await AssertUnchangedAsync();
        Assert.Null((await Proposals.RejectAsync(Person("bea"), Promotion, held.Id, Now)).Failure);
    }

    [Fact]
    public async Task Of_two_proposals_on_one_text_one_comes_into_force_however_they_race()
    {
        var first = await ProposeAsync("ada", Text(2));
        var second = await ProposeAsync("bea", Text(3));

        var codes = await Task.WhenAll(
            Task.Run(() => ApproveCodeAsync("carl", first.Id), Now),
            Task.Run(() => ApproveCodeAsync("carl", second.Id), Now)
        );

        Assert.Equal(new[] { null, "policy.changed" }, codes.Order());
        Assert.Equal(2, await RowsAsync());
    }

    [Fact]
    public async Task A_proposal_is_decided_once_and_taken_back_only_by_who_made_it()
    {
        var withdrawn = await ProposeAsync("ada", Text(2));
        var rejected = await ProposeAsync("ada", Text(2));
        var approved = await ProposeAsync("ada", Text(2));

        Assert.Equal(
            "policy.not_own_proposal",
            (await Proposals.WithdrawAsync(Person("bea"), Promotion, withdrawn.Id, Now)).Failure?.Code
        );
        Assert.Null((await Proposals.WithdrawAsync(Person("ada"), Promotion, withdrawn.Id, Now)).Failure);
        Assert.Null((await Proposals.RejectAsync(Person("bea"), Promotion, rejected.Id, Now)).Failure);
        Assert.Null(await ApproveCodeAsync("bea", approved.Id));
        foreach (var done in new[] { withdrawn, rejected, approved })
        {
            Assert.Equal("policy.no_proposal", await ApproveCodeAsync("bea", done.Id));
        }

        var other = await ProposeAsync("ada", Text(3));
        Assert.Equal(
            "policy.no_proposal",
            (await Proposals.ApproveAsync(Person("bea"), "signers", other.Id, Now)).Failure?.Code
        );
        Assert.Equal(2, await RowsAsync());
    }

    [Fact]
    public async Task A_scheduled_text_decides_from_its_time_on_and_not_before()
    {
        var before = (await Policies.PromotionAsync(Now)).Digest;
        var proposed = await ProposeAsync("ada", Text(2), _clock.GetUtcNow().AddHours(1));
        Assert.Null(await ApproveCodeAsync("bea", proposed.Id));

        Assert.Equal((before, before), ((await Policies.PromotionAsync(Now)).Digest, await DigestAsync()));
        Assert.InRange(_watch.Seen[^1].Wait, TimeSpan.FromMinutes(59), TimeSpan.FromHours(1));
        _clock.Advance(TimeSpan.FromMinutes(59));
        Assert.Equal((before, before), ((await Policies.PromotionAsync(Now)).Digest, await DigestAsync()));

        // Whoever decided by the old text a moment ago compares with this one in the transaction.
        _clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(Digest.Of(Text(2)), await DigestAsync());
        var after = await Policies.PromotionAsync(Now);
        Assert.Equal((Digest.Of(Text(2)), "ada"), (after.Digest, after.LastEditor));
    }

    [Fact]
    public async Task What_is_proposed_beside_a_scheduled_text_knows_of_it_and_overtakes_it()
    {
        var blind = await ProposeAsync("ada", Text(3));
        var late = await ProposeAsync("ada", Text(2), _clock.GetUtcNow().AddHours(1));
        Assert.Null(await ApproveCodeAsync("bea", late.Id));
        Assert.Equal("policy.changed", await ApproveCodeAsync("bea", blind.Id));

        var urgent = await ProposeAsync("ada", Text(3));
        Assert.Equal(late.Digest, urgent.Base);
        Assert.Null(await ApproveCodeAsync("bea", urgent.Id));

        _clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal(Digest.Of(Text(3)), (await Policies.PromotionAsync(Now)).Digest);
    }

    [Fact]
    public async Task A_clock_that_goes_back_brings_no_old_text_back()
    {
        var proposed = await ProposeAsync("ada", Text(2));
        Assert.Null(await ApproveCodeAsync("bea", proposed.Id));

        _clock.Advance(TimeSpan.FromDays(-1));

        Assert.Equal(Digest.Of(Text(2)), (await Policies.PromotionAsync(Now)).Digest);
        Assert.Equal(Digest.Of(Text(2)), await DigestAsync());
    }

    [Fact]
    public async Task A_former_text_comes_back_as_a_change_like_any_other()
    {
        var shipped = await Policies.TextAsync(Promotion, Now);
        Assert.Null(await ApproveCodeAsync("bea", (await ProposeAsync("ada", Text(2))).Id));
        Assert.Null(await ApproveCodeAsync("ada", (await ProposeAsync("bea", shipped.Text)).Id));

        var back = await Policies.PromotionAsync(Now);
        Assert.Equal((shipped.Digest, "bea"), (back.Digest, back.LastEditor));
        Assert.Equal(3, await RowsAsync());
    }

    [Theory]
    [InlineData("version: 2\n", "line 1, column 10")]
    [InlineData("version: 1\napprovals: { lifetime_hours: 0 }\n", "line 2, column 30")]
    [InlineData("version: 1\nunknown: 1\n", "line 2, column 1")]
    [InlineData("version: 1\n\"version\": 1\n", "line 2, column")]
    [InlineData("a: [1\n", "line")]
    [InlineData("a: &x 1\nb: *x\n", "line 1")]
    [InlineData("a: \"\\UFFFFFFFF\"\n", "line 1")]
    [InlineData("version: 1 # hidden\rapprovals: 1\n", "line 1, column 21")]
    [InlineData("version: 1 # \u202e\n", "line 1, column 14")]
    [InlineData("version: 1\n\0free", "line 2, column 1")]
    [InlineData("", "line 1")]
    public async Task A_text_that_breaks_its_grammar_changes_nothing_and_is_told_where(string text, string place)
    {
        var refused = await Proposals.ProposeAsync(Person("ada"), Promotion, text, "Broken.", null, Now);

        Assert.Equal("policy.syntax", refused.Failure?.Code);
        Assert.Contains(place, refused.Failure!.Message, StringComparison.Ordinal);
        await AssertUnchangedAsync();
    }

    [Theory]
    [InlineData("privacy", "Why not.", "policy.unknown")]
    [InlineData("roles", "Why not.", "policy.unknown")]
    [InlineData(Promotion, " ", "policy.no_reason")]
    [InlineData(Promotion, "a\nb", "policy.no_reason")]
    public async Task What_is_no_proposal_is_refused(string name, string reason, string code) =>
        Assert.Equal(
            code,
            (await Proposals.ProposeAsync(Person("ada"), name, Text(2), reason, null, Now)).Failure?.Code
        );

    [Fact]
    public async Task The_text_in_force_is_no_change()
    {
        var (text, _) = await Policies.TextAsync(Promotion, Now);

        var same = await Proposals.ProposeAsync(Person("ada"), Promotion, text, "Again.", null, Now);

        Assert.Equal("policy.same", same.Failure?.Code);
    }

    [Fact]
    public async Task Row_and_entry_commit_together_or_not_at_all()
    {
        var proposed = await ProposeAsync("ada", Text(2));
        _failing.Kind = "policy.activated";

        await Assert.ThrowsAsync<IOException>(() => ApproveCodeAsync("bea", proposed.Id));
        await AssertUnchangedAsync();

        _failing.Kind = "";
        Assert.Null(await ApproveCodeAsync("bea", proposed.Id));
        Assert.Equal(2, await RowsAsync());
    }

    private static string Text(int hours) =>
        $$"""
            version: 1
            approvals: { lifetime_hours: {{hours}} }
            free_aliases: []
            rules:
              "stage:Production":
                require: {}
                carry_out: [release-manager]
                approvals: [{ role: reviewer, count: 1 }]
            """;

    private Actor Person(string name) => new(ActorKind.Person, name) { AuthenticatedAt = _clock.GetUtcNow() };

    private async Task<ProposalRow> ProposeAsync(string by, string text, DateTimeOffset? activeFrom = null)
    {
        var proposed = await Proposals.ProposeAsync(Person(by), Promotion, text, "Because.", activeFrom, Now);
        Assert.Null(proposed.Failure);
        return proposed.Value;
    }

    private async Task<string?> ApproveCodeAsync(string by, Guid id) =>
        (await Proposals.ApproveAsync(Person(by), Promotion, id, Now)).Failure?.Code;

    private async Task<Digest> DigestAsync() =>
        (
            await _database.Writer.WriteAsync<Digest>(
                async (session, token) => await Policies.PromotionDigestAsync(session, token),
                Now
            )
        ).Value;

    private async Task<int> RowsAsync()
    {
        await using var db = _database.Read();
        return await db.Set<PolicyRow>().CountAsync(row => row.Name == Promotion, Now);
    }

    private async Task AssertUnchangedAsync()
    {
        Assert.Equal(1, await RowsAsync());
        Assert.DoesNotContain(
            _database.Log.Entries,
            entry => entry.Kind == "policy.activated" && entry.Outcome == LogOutcome.Done
        );
    }

    private Task HoldAsync(string person) =>
        _database.Writer.WriteAsync<Unit>(
            (session, _) =>
            {
                session.Db.Add(
                    new ConfirmationRow
                    {
                        Id = Guid.CreateVersion7(session.Now),
                        Kind = "credentials",
                        SubjectId = person,
                        Holds = true,
                        RequestedBy = "system",
                    }
                );
                return Task.FromResult<Result<Unit>>(default(Unit));
            },
            Now
        );

    private static void Enrol(WriteSession session, string name, ActorKind kind)
    {
        session.Db.Add(
            new SubjectRow
            {
                Id = name,
                Kind = kind,
                Name = name,
                Enabled = true,
                CreatedAt = session.Now,
            }
        );
        var grant = GrantRow.Of(new RoleGrant("admin", ObjectKind.None, ""), Actor.System, session.Now);
        grant.SubjectId = name;
        session.Db.Add(grant);
    }

    private sealed class Watch : IPolicyWatch
    {
        public List<(string Name, TimeSpan Wait)> Seen { get; } = [];

        public Task OnApprovedAsync(
            WriteSession session,
            string name,
            Guid proposal,
            TimeSpan wait,
            CancellationToken cancellationToken
        )
        {
            Seen.Add((name, wait));
            return Task.CompletedTask;
        }
    }

    /// <summary>Breaks where an entry of a kind would be written.</summary>
    private sealed class FailingLog : ILogAppender
    {
        public string Kind { get; set; } = "";

        public RecordingLog Inner { get; set; } = null!;

        public Task<IReadOnlyList<Guid>> AppendAsync(
            GovernanceDb db,
            IReadOnlyCollection<LogEntry> entries,
            DateTimeOffset now,
            CancellationToken cancellationToken
        ) =>
            entries.Any(entry => entry.Kind == Kind)
                ? throw new IOException("The log is full.")
                : Inner.AppendAsync(db, entries, now, cancellationToken);

        public Task<IReadOnlyList<string>> LastSealedAsync(GovernanceDb db, CancellationToken cancellationToken) =>
            Inner.LastSealedAsync(db, cancellationToken);
    }
}
