using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit;
using Governance.Audit.Contracts;
using Governance.Audit.Sequencing;
using Governance.Identity;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Erasure;
using Governance.Identity.Federation;
using Governance.Identity.Startup;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Governance.Tests.Audit;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Governance.Tests.Identity;

/// <summary>Erasing a person, on the real log: what goes, what stays, what goes on after a crash or a restored backup, and what prevents it.</summary>
public sealed class ErasureTests : IAsyncLifetime
{
    private const string Name = "rita.unforgettable";
    private const string Display = "Rita Unforgettable";
    private const string Login = "login-of-unforgettable";
    private const string Issuer = "https://id.example";
    private readonly string _root = Directory.CreateTempSubdirectory("governance-erase-").FullName;
    private TestDatabase _database = null!;
    private Actor _ada = null!;
    private Actor _bea = null!;
    private Actor _paul = null!;
    private string _rita = "";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await StartAsync();
        _ada = await EnrolAsync("ada", "Ada", "admin");
        _bea = await EnrolAsync("bea", "Bea", "admin");
        _paul = await EnrolAsync("paul", "Paul", "privacy-officer");
        _rita = (await EnrolAsync(Name, Display, "reviewer")).Id;
        var linked = await Get<Logins>().LinkAsync(_ada, _rita, Issuer, Login, Token);
        Assert.True((await Get<Confirmations>().ConfirmAsync(_bea, linked.Value.Confirmation, Token)).Ok);
        await ActAsync();
        await _database.SequenceAsync();
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task Two_administrators_erase_a_person_and_the_proof_verifies_offline()
    {
        var asked = await Get<Erasures>().AskAsync(_ada, _rita, "no-longer-needed", Token);
        var waiting = await Get<Erasures>().FindAsync(_rita, Token);
        var own = await Get<Confirmations>().ConfirmAsync(_ada, asked.Value, Token);
        var confirmed = await Get<Confirmations>().ConfirmAsync(_bea, asked.Value, Token);
        var begun = await Get<Erasures>().FindAsync(_rita, Token);
        await Get<EraseJob>().RunAsync(_rita, Token);
        await _database.SequenceAsync();

        var done = await Get<Erasures>().FindAsync(_rita, Token);
        Assert.Equal(("waiting", "begun", "done"), (waiting!.State, begun!.State, done!.State));
        Assert.Equal("identity.own_confirmation", own.Failure?.Code);
        Assert.True(confirmed.Ok);
        Assert.NotNull((await Get<SubjectKeys>().FindAsync(_rita, Token))!.Erased);
        var proof = done.Proof!.Value;
        var entry = (await Get<IAuditLog>().FindAsync([proof], Token))[proof];
        Assert.Equal(("identity.erased", $"subject:{_rita}"), (entry.Kind, entry.Subject));
        var verified = Get<ILogVerifier>()
            .VerifyInclusion(
                (JsonObject)JsonNode.Parse(entry.Canonical)!,
                entry.Salt,
                (await Get<IAuditLog>().ProveAsync(proof, Token))!,
                Get<ILogKey>().VerifierKey
            );
        Assert.True(verified.Ok, verified.Failure?.Code);
    }

    [Fact]
    public async Task Nothing_names_the_person_any_more_and_the_pseudonym_stays()
    {
        await EraseAsync();

        await using var db = _database.Read();
        var row = await db.Set<SubjectRow>().AsNoTracking().SingleAsync(known => known.Id == _rita, Token);
        Assert.Equal(("", false, null), (row.DisplayName, row.Enabled, row.PasswordHash));
        Assert.DoesNotContain("rita", row.Name, StringComparison.OrdinalIgnoreCase);
        Assert.Empty(await db.Set<LoginRow>().Where(login => login.SubjectId == _rita).ToListAsync(Token));
        Assert.Null(await Get<Logins>().FindAsync(Issuer, Login, Token));
        // The login comes back as nobody, and is shut.
        var stranger = Get<LoginNames>().Of(Issuer, Login);
        Assert.False((await db.Set<SubjectRow>().SingleAsync(known => known.Id == stranger, Token)).Enabled);
        Assert.NotEmpty((await Get<IAuditLog>().QueryAsync(new AuditQuery { ActorId = _rita }, Token)).Items);
    }

    [Fact]
    public async Task The_log_holds_before_and_after_and_tells_erased_entries_from_altered_ones()
    {
        Assert.Equal(0, (await HoldsAsync()).Erased);

        await EraseAsync();

        Assert.True((await HoldsAsync()).Erased >= 4);
        var all = await EntriesAsync();
        Assert.All(
            all.Where(entry => entry.ActorId == _rita && entry.Kind == "test.happened"),
            entry => Assert.Equal((0, true), (entry.Salt.Length, entry.ErasedBy is not null))
        );
        await _database.SqlAsync(
            TestServer.IsPostgreSql
                ? "DROP TRIGGER IF EXISTS audit_entry_no_update ON audit_entry"
                : "DROP TRIGGER IF EXISTS audit_entry_no_update"
        );
        await _database.SqlAsync(
            $"UPDATE audit_entry SET \"Canonical\" = replace(\"Canonical\", 'version:fraud/1', 'version:fraud/2'), \"Subject\" = 'version:fraud/2' WHERE \"ActorId\" = '{_rita}'"
        );
        Assert.Equal("audit.entry_altered", (await _database.CheckAsync()).Failure?.Code);
    }

    [Fact]
    public async Task No_byte_of_name_login_or_salt_is_left_in_any_file()
    {
        var salts = (await EntriesAsync())
            .Where(entry => entry.ActorId == _rita || entry.Subject == $"subject:{_rita}")
            .Select(entry => entry.Salt)
            .ToList();
        var keys = Keys().Select(file => File.ReadAllBytes(file)).ToList();
        Assert.True(salts.Count > 4);
        if (!TestServer.IsPostgreSql)
        {
            Assert.NotEmpty(Holding(Encoding.UTF8.GetBytes(Display)));
            Assert.NotEmpty(Holding(Encoding.UTF8.GetBytes(Name)));
            Assert.NotEmpty(Holding(Encoding.UTF8.GetBytes(Login)));
        }

        await EraseAsync();
        var left = Keys().Select(file => File.ReadAllBytes(file)).ToList();

        byte[][] gone =
        [
            Encoding.UTF8.GetBytes(Display),
            Encoding.UTF8.GetBytes(Name),
            Encoding.UTF8.GetBytes(Login),
            .. salts,
            .. keys.Where(key => !left.Any(other => other.AsSpan().SequenceEqual(key))),
        ];
        Assert.Equal(keys.Count - 1, left.Count);
        Assert.All(gone, bytes => Assert.Empty(Holding(bytes)));
    }

    [Theory]
    [InlineData(0)] // after the entry, before the key
    [InlineData(1)] // after the key, before the log of changes
    [InlineData(2)] // after that, before the last entry
    [InlineData(3)] // after that, before the job was marked
    public async Task An_erasure_goes_on_at_the_next_start_wherever_it_died(int steps)
    {
        await ConfirmAsync();
        await using (var db = _database.Read())
        {
            var row = await db.Set<ErasureRow>().SingleAsync(known => known.SubjectId == _rita, Token);
            if (steps >= 1)
            {
                var erasure = new SubjectErasure(_rita, row.EntryId, row.BeganAt);
                await Get<SubjectKeys>().DestroyAsync(erasure, Token);
            }

            if (steps >= 2)
            {
                Assert.True(await db.TryForgetDeletedAsync(Token));
            }
        }

        if (steps >= 3)
        {
            await Get<EraseJob>().RunAsync(_rita, Token);
        }

        await RestartAsync();
        await Get<EraseJob>().RunAsync(_rita, Token); // its job, which was still there

        Assert.Equal("done", (await Get<Erasures>().FindAsync(_rita, Token))!.State);
        Assert.NotNull((await Get<SubjectKeys>().FindAsync(_rita, Token))!.Erased);
        await _database.SequenceAsync();
        Assert.True((await HoldsAsync()).Erased > 0);
        Assert.Single(
            await EntriesAsync(),
            entry => entry.Kind == "identity.erased" && entry.Subject == $"subject:{_rita}"
        );
        Assert.Single(
            await EntriesAsync(),
            entry => entry.Kind == SubjectErasure.Kind && entry.Subject == $"subject:{_rita}"
        );
    }

    [Fact]
    public async Task A_restored_backup_is_erased_again_before_it_is_served()
    {
        await StopAsync();
        await TestServer.BackUpAsync(_root);
        await StartAsync();
        await EraseAsync();
        var first = (await Get<Erasures>().FindAsync(_rita, Token))!.Entry;
        await StopAsync();
        await TestServer.RestoreAsync(_root);

        await StartAsync();

        var again = (await Get<Erasures>().FindAsync(_rita, Token))!;
        Assert.Equal("done", again.State);
        Assert.NotEqual(first, again.Entry);
        await using (var db = _database.Read())
        {
            var row = await db.Set<SubjectRow>().AsNoTracking().SingleAsync(known => known.Id == _rita, Token);
            Assert.Equal(("", false), (row.DisplayName, row.Enabled));
        }

        if (!TestServer.IsPostgreSql)
        {
            Assert.Empty(Holding(Encoding.UTF8.GetBytes(Display)));
        }

        var entry = (await EntriesAsync()).Single(one => one.Id == again.Entry);
        var text = JsonNode.Parse(entry.Canonical)!["details"]!;
        Assert.Equal((first.ToString(), true), (text["erasedBy"]!.ToString(), text["replayed"]!.GetValue<bool>()));
        Assert.All(
            (await EntriesAsync()).Where(one => one.Kind == "test.happened"),
            one => Assert.Equal(again.Entry, one.ErasedBy)
        );
        await _database.SequenceAsync();
        Assert.True((await HoldsAsync()).Erased > 0);

        // And once only.
        await RestartAsync();
        Assert.Equal(again.Entry, (await Get<Erasures>().FindAsync(_rita, Token))!.Entry);
    }

    [Theory]
    [InlineData(false, false)] // not mounted, or mistyped
    [InlineData(false, true)] // the same, and nothing is left that says so but the database
    [InlineData(true, false)] // another installation's
    [InlineData(true, true)]
    public async Task An_erasure_waits_for_the_own_key_store(bool another, bool lost)
    {
        var elsewhere = Path.Combine(_root, "elsewhere");
        await ConfirmAsync();
        if (another)
        {
            var other = new SubjectKeyOptions { Directory = elsewhere };
            var store = new DirectorySubjectKeys(new(), other, Get<IKeyWrap>(), TimeProvider.System);
            await store.CreateAsync("(store)", Token);
        }

        await StopAsync();
        if (lost)
        {
            File.Delete(Path.Combine(_root, "data", "keys", "subject-store.key"));
        }

        var refused = await Assert.ThrowsAsync<SubjectKeyException>(() => StartAsync(elsewhere));
        var waiting = await Get<Erasures>().FindAsync(_rita, Token);
        await StopAsync();
        var made = Directory.Exists(elsewhere) ? Directory.GetFiles(elsewhere).Length : 0;
        var before = Keys().Length;
        await StartAsync();
        var done = await Get<Erasures>().FindAsync(_rita, Token);

        Assert.Equal("keys.wrong_store", refused.Code);
        Assert.Equal(("begun", null), (waiting!.State, waiting.Proof));
        Assert.Equal(another ? 1 : 0, made);
        Assert.Equal("done", done!.State);
        Assert.Equal(before - 1, Keys().Length);
    }

    [Fact]
    public async Task A_log_that_is_under_keys_is_not_opened_with_an_empty_store()
    {
        var elsewhere = Path.Combine(_root, "elsewhere");
        await StopAsync();
        File.Delete(Path.Combine(_root, "data", "keys", "subject-store.key"));

        var refused = await Assert.ThrowsAsync<SubjectKeyException>(() => StartAsync(elsewhere));
        await StopAsync();
        await StartAsync();

        Assert.Equal("keys.wrong_store", refused.Code);
        Assert.False(Directory.Exists(elsewhere));
        Assert.Equal(0, (await HoldsAsync()).Erased);
    }

    [Theory]
    [InlineData("gone")]
    [InlineData("empty")]
    [InlineData("another")]
    public async Task An_erasure_waits_for_a_key_store_that_went_while_the_gateway_serves(string place)
    {
        var store = Path.Combine(_root, "kek.subjects");
        var before = Keys().Length;
        await ConfirmAsync();
        Directory.Move(store, $"{store}.away");
        if (place != "gone")
        {
            Directory.CreateDirectory(store);
        }

        if (place == "another")
        {
            await Get<ISubjectKeyStore>().CreateAsync("(store)", Token);
        }

        var refused = await Assert.ThrowsAsync<SubjectKeyException>(() => Get<EraseJob>().RunAsync(_rita, Token));
        var waiting = await Get<Erasures>().FindAsync(_rita, Token);
        var made = Directory.Exists(store) ? Directory.GetFiles(store).Length : -1;
        if (made >= 0)
        {
            Directory.Delete(store, recursive: true);
        }

        Directory.Move($"{store}.away", store);
        await Get<EraseJob>().RunAsync(_rita, Token);

        Assert.Equal("keys.wrong_store", refused.Code);
        Assert.Equal(("begun", null), (waiting!.State, waiting.Proof));
        Assert.Equal(
            place switch
            {
                "gone" => -1,
                "empty" => 0,
                _ => 1,
            },
            made
        );
        Assert.Equal("done", (await Get<Erasures>().FindAsync(_rita, Token))!.State);
        Assert.Equal(before - 1, Keys().Length);
    }

    [Fact]
    public async Task A_job_that_nobody_asked_for_erases_nobody()
    {
        var login = Get<LoginNames>().Of(Issuer, "stranger");
        await _database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                session.Db.Add(ExternalSubjects.NewRow(login, session.Now));
                await session.Db.SaveChangesAsync(token);
                return default(Unit);
            },
            Token
        );
        var before = Keys().Length;
        foreach (var living in new[] { _paul.Id, login })
        {
            await Get<EraseJob>().RunAsync(living, Token);
            await Get<EraseJob>().GiveUpAsync(living, "it failed 5 times", Token);
        }

        await using var db = _database.Read();
        Assert.False(await db.Set<ErasureRow>().AnyAsync(Token));
        Assert.Equal(before, Keys().Length);
        Assert.DoesNotContain(
            await EntriesAsync(),
            entry => entry.Kind is SubjectErasure.Kind or "identity.erased" or "identity.erasure_stuck"
        );
    }

    [Fact]
    public async Task The_pseudonyms_of_logins_are_erased_at_a_time_that_says_nothing()
    {
        foreach (var other in new[] { "second", "third", "fourth" })
        {
            var linked = await Get<Logins>().LinkAsync(_ada, _rita, Issuer, other, Token);
            Assert.True((await Get<Confirmations>().ConfirmAsync(_bea, linked.Value.Confirmation, Token)).Ok);
        }

        var began = DateTimeOffset.UtcNow;
        await ConfirmAsync();

        await using var db = _database.Read();
        var jobs = await db.Set<JobRow>().Where(job => job.Kind == EraseJob.JobKind).ToListAsync(Token);
        var waits = jobs.Where(job => job.Key != _rita).Select(job => job.DueAt - began).ToList();
        Assert.Equal(4, waits.Count);
        Assert.All(waits, wait => Assert.True(wait < TimeSpan.FromMinutes(61)));
        // All four within two minutes: once in 800,000 runs.
        Assert.Contains(waits, wait => wait > TimeSpan.FromMinutes(2));
        Assert.True(jobs.Single(job => job.Key == _rita).DueAt - began < TimeSpan.FromMinutes(1));
    }

    [Theory]
    [InlineData(false)] // the whole store is a copy from before
    [InlineData(true)] // the key came back beside the erasure
    public async Task A_key_that_came_back_is_destroyed_at_the_next_start(bool beside)
    {
        var store = Path.Combine(_root, "kek.subjects");
        var copies = Keys().Select(file => (file, File.ReadAllBytes(file))).ToList();
        await EraseAsync();
        var first = (await Get<Erasures>().FindAsync(_rita, Token))!.Proof;
        await StopAsync();
        foreach (var erased in Directory.GetFiles(store, "*.erased").Where(_ => !beside))
        {
            File.Delete(erased);
        }

        copies.ForEach(copy => File.WriteAllBytes(copy.file, copy.Item2));

        await StartAsync();

        var again = (await Get<Erasures>().FindAsync(_rita, Token))!;
        Assert.Equal("done", again.State);
        Assert.Equal(beside, first == again.Proof);
        Assert.NotNull((await Get<SubjectKeys>().FindAsync(_rita, Token))!.Erased);
        Assert.Equal(copies.Count - 1, Keys().Length);
        await _database.SequenceAsync();
        Assert.True((await HoldsAsync()).Erased > 0);
    }

    [Fact]
    public async Task Only_logins_that_were_the_persons_are_erased_with_them()
    {
        var stranger = Get<LoginNames>().Of(Issuer, "stranger");
        var moved = Get<LoginNames>().Of(Issuer, "moved");
        await Get<Logins>().LinkAsync(_ada, _rita, Issuer, "stranger", Token);
        var linked = await Get<Logins>().LinkAsync(_ada, _rita, Issuer, "moved", Token);
        await Get<Confirmations>().ConfirmAsync(_bea, linked.Value.Confirmation, Token);
        await Get<Logins>().UnlinkAsync(_ada, _rita, linked.Value.Login, Token);
        var now = await Get<Logins>().LinkAsync(_ada, _paul.Id, Issuer, "moved", Token);
        Assert.True((await Get<Confirmations>().ConfirmAsync(_bea, now.Value.Confirmation, Token)).Ok);

        await EraseAsync();

        await using var db = _database.Read();
        var jobs = await db.Set<JobRow>().Where(job => job.Kind == EraseJob.JobKind).ToListAsync(Token);
        string[] expected = [_rita, Get<LoginNames>().Of(Issuer, Login)];
        Assert.Equal(expected.Order(), jobs.Select(job => job.Key).Order());
        Assert.False(await db.Set<ErasureRow>().AnyAsync(row => row.SubjectId == moved, Token));
        Assert.False(await db.Set<SubjectRow>().AnyAsync(row => row.Id == stranger, Token));
        Assert.Equal(_paul.Id, (await Get<Logins>().FindAsync(Issuer, "moved", Token))!.Id);
        Assert.Empty(await db.Set<LoginRow>().Where(row => row.SubjectId == _rita).ToListAsync(Token));
    }

    [Fact]
    public async Task No_entry_says_whose_login_an_erased_one_was()
    {
        var login = Get<LoginNames>().Of(Issuer, Login);

        await ConfirmAsync();
        var atOnce = await EntriesAsync();
        await using (var db = _database.Read())
        {
            Assert.False((await db.Set<SubjectRow>().SingleAsync(row => row.Id == login, Token)).Enabled);
        }

        await Get<EraseJob>().RunAsync(login, Token);

        Assert.DoesNotContain(atOnce, entry => entry.Canonical.Contains(login, StringComparison.Ordinal));
        var later = (await EntriesAsync()).Where(entry => entry.Subject == $"subject:{login}").ToList();
        Assert.Equal([SubjectErasure.Kind, "identity.erased"], later.Select(entry => entry.Kind).Order().Reverse());
        Assert.All(later, entry => Assert.DoesNotContain(_rita, entry.Canonical, StringComparison.Ordinal));
        Assert.All(later, entry => Assert.Equal(Actor.System.Id, entry.ActorId));
    }

    [Theory]
    [InlineData(false)] // disabled
    [InlineData(true)] // without the role
    public async Task An_erasure_of_somebody_who_administrates_no_more_is_not_confirmed(bool enabled)
    {
        var cleo = await EnrolAsync("cleo", "Cleo", "admin");
        var asked = await Get<Erasures>().AskAsync(cleo, _rita, "unlawful", Token);
        var open = await Get<Confirmations>().RenewAsync(_ada, asked.Value, Token);
        if (enabled)
        {
            var grants = await Get<IGrants>().ListAsync(_ada, cleo.Id, 10, null, Token);
            await Get<IGrants>().RevokeAsync(_ada, Assert.Single(grants.Value.Items).Grant.Id!.Value, Token);
        }
        else
        {
            await Get<SubjectStore>().SetEnabledAsync(_ada, cleo.Id, false, Token);
        }

        var refused = await Get<Confirmations>().ConfirmAsync(_bea, asked.Value, Token);
        var renewed = await Get<Confirmations>().RenewAsync(_ada, asked.Value, Token);
        var own = await Get<Confirmations>().ConfirmAsync(_ada, asked.Value, Token);
        var confirmed = await Get<Confirmations>().ConfirmAsync(_bea, asked.Value, Token);

        Assert.Equal("identity.confirmation_open", open.Failure?.Code);
        Assert.Equal("identity.requester_gone", refused.Failure?.Code);
        Assert.True(renewed.Ok, renewed.Failure?.Code);
        Assert.Equal("identity.own_confirmation", own.Failure?.Code);
        Assert.True(confirmed.Ok, confirmed.Failure?.Code);
    }

    [Fact]
    public async Task A_legal_hold_prevents_an_erasure_until_it_is_lifted()
    {
        const string why = "Unforgettable against Example Ltd";
        var asked = await Get<Erasures>().AskAsync(_ada, _rita, "objection", Token);
        var hold = await Get<LegalHolds>().SetAsync(_paul, _rita, why, Token);
        var confirmed = await Get<Confirmations>().ConfirmAsync(_bea, asked.Value, Token);
        await Get<Confirmations>().RejectAsync(_ada, asked.Value, Token);
        var again = await Get<Erasures>().AskAsync(_ada, _rita, "objection", Token);
        var listed = await Get<LegalHolds>().ListAsync(_rita, Token);
        var lifted = await Get<LegalHolds>().ReleaseAsync(_paul, _rita, hold.Value, "Settled", Token);
        var twice = await Get<LegalHolds>().ReleaseAsync(_paul, _rita, hold.Value, "Settled", Token);
        var after = await Get<Erasures>().AskAsync(_ada, _rita, "objection", Token);

        Assert.Equal("identity.legal_hold", confirmed.Failure?.Code);
        Assert.Equal("identity.legal_hold", again.Failure?.Code);
        Assert.Contains(hold.Value.ToString(), Assert.Single(again.Failure!.Reasons), StringComparison.Ordinal);
        Assert.DoesNotContain("Example", string.Join(' ', again.Failure.Reasons), StringComparison.Ordinal);
        Assert.Equal((_paul.Id, why), (Assert.Single(listed).SetBy, listed[0].Reason));
        Assert.True(lifted.Ok && after.Ok);
        Assert.Equal("identity.no_hold", twice.Failure?.Code);
        var entries = await EntriesAsync();
        Assert.Single(entries, entry => entry.Kind == "identity.erasure_refused");
        var set = entries.Single(entry => entry.Kind == "identity.hold_set");
        Assert.Equal(why, set.Personal?["reason"]?.ToString());
        Assert.DoesNotContain("Example", set.Canonical, StringComparison.Ordinal);
        Assert.Empty(Holding(Encoding.UTF8.GetBytes(why)));
    }

    [Fact]
    public async Task Holds_take_the_right_a_recent_sign_in_and_a_reason()
    {
        var holds = Get<LegalHolds>();
        var tired = _paul with { AuthenticatedAt = DateTimeOffset.UtcNow.AddHours(-1) };
        var service = new Actor(ActorKind.Service, _paul.Id);

        Assert.Equal("identity.hold_denied", (await holds.SetAsync(_ada, _rita, "why", Token)).Failure?.Code);
        Assert.Equal(
            "identity.reauthentication_needed",
            (await holds.SetAsync(tired, _rita, "why", Token)).Failure?.Code
        );
        Assert.Equal("identity.hold_denied", (await holds.SetAsync(service, _rita, "why", Token)).Failure?.Code);
        Assert.Equal("identity.bad_reason", (await holds.SetAsync(_paul, _rita, " ", Token)).Failure?.Code);
        Assert.Equal(
            "identity.bad_reason",
            (await holds.SetAsync(_paul, _rita, new string('x', 401), Token)).Failure?.Code
        );
        Assert.Equal(
            "identity.no_subject",
            (await holds.SetAsync(_paul, new string('0', 32), "why", Token)).Failure?.Code
        );
        Assert.Equal(4, (await EntriesAsync()).Count(entry => entry.Kind == "identity.hold_refused"));
    }

    [Fact]
    public async Task Who_is_erased_stays_so()
    {
        await EraseAsync();

        var enabled = await Get<SubjectStore>().SetEnabledAsync(_ada, _rita, true, Token);
        var reset = await Get<Enrolments>().ResetAsync(_ada, _rita, Token);
        var linked = await Get<Logins>().LinkAsync(_ada, _rita, Issuer, "other", Token);
        var again = await Get<Erasures>().AskAsync(_ada, _rita, "unlawful", Token);
        var held = await Get<LegalHolds>().SetAsync(_paul, _rita, "late", Token);

        Assert.Equal("identity.erased", enabled.Failure?.Code);
        Assert.Equal("identity.no_subject", reset.Failure?.Code);
        Assert.Equal("identity.erased", linked.Failure?.Code);
        Assert.Equal("identity.erased", again.Failure?.Code);
        Assert.Equal("identity.erased", held.Failure?.Code);
    }

    [Fact]
    public async Task Nobody_erases_themselves_or_asks_for_what_makes_no_sense()
    {
        var erasures = Get<Erasures>();
        await erasures.AskAsync(_ada, _rita, "unlawful", Token);

        Assert.Equal("identity.own_erasure", (await erasures.AskAsync(_ada, _ada.Id, "unlawful", Token)).Failure?.Code);
        Assert.Equal("identity.bad_ground", (await erasures.AskAsync(_ada, _rita, "Rita asked", Token)).Failure?.Code);
        Assert.Equal("identity.erasure_waits", (await erasures.AskAsync(_bea, _rita, "unlawful", Token)).Failure?.Code);
        Assert.Equal("identity.denied", (await erasures.AskAsync(_paul, _rita, "unlawful", Token)).Failure?.Code);
        Assert.Equal(
            "identity.no_subject",
            (await erasures.AskAsync(_ada, new string('0', 32), "unlawful", Token)).Failure?.Code
        );
    }

    private T Get<T>()
        where T : notnull => _database.Get<T>();

    private string[] Keys() => Directory.GetFiles(Path.Combine(_root, "kek.subjects"), "*.key");

    private async Task StartAsync(string? keys = null)
    {
        _database = await LogFixture.StartAsync(
            root: _root,
            marked: false,
            add: services =>
            {
                services.AddSingleton(new SubjectKeyOptions { Directory = keys ?? "" });
                services.AddSingleton(new PasswordHashing(iterations: 1_000));
                services.AddIdentity(options =>
                {
                    options.Demo = true; // prints no set-up code
                    options.Issuers.Add(
                        new ExternalIssuer
                        {
                            Name = "id",
                            Authority = Issuer,
                            Audience = "governance",
                        }
                    );
                });
            }
        );
        await Get<EraseAgain>().RunAsync(Token);
        await _database.Services.GetServices<IHostedService>().OfType<IdentityStartup>().Single().StartAsync(Token);
    }

    private ValueTask StopAsync() => ((ServiceProvider)_database.Services).DisposeAsync();

    private async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    private async Task<Actor> EnrolAsync(string name, string display, string role)
    {
        var added = await Get<ISubjects>()
            .EnrolPersonAsync(
                name,
                display,
                new Secret("seven wet otters juggle"),
                [new RoleGrant(role, ObjectKind.None, "")],
                Token
            );
        return new Actor(ActorKind.Person, added.Value.Id) { AuthenticatedAt = DateTimeOffset.UtcNow };
    }

    private async Task ActAsync()
    {
        var entry = new LogEntry(
            "test.happened",
            new Actor(ActorKind.Person, _rita),
            "version:fraud/1",
            LogOutcome.Done
        );
        await _database.Writer.LogAsync(entry, Token);
        await _database.Writer.LogAsync(entry, Token);
    }

    private async Task ConfirmAsync()
    {
        var asked = await Get<Erasures>().AskAsync(_ada, _rita, "no-longer-needed", Token);
        Assert.True((await Get<Confirmations>().ConfirmAsync(_bea, asked.Value, Token)).Ok);
    }

    private async Task EraseAsync()
    {
        await ConfirmAsync();
        await Get<EraseJob>().RunAsync(_rita, Token);
        await Get<EraseJob>().RunAsync(Get<LoginNames>().Of(Issuer, Login), Token);
        await _database.SequenceAsync();
    }

    private async Task<LogHolds> HoldsAsync()
    {
        var holds = await Get<CheckLog>().RunAsync(Token);
        Assert.True(holds.Ok, $"{holds.Failure?.Code} {string.Join(' ', holds.Failure?.Reasons ?? [])}");
        return holds.Value;
    }

    private async Task<IReadOnlyList<AuditEntry>> EntriesAsync() =>
        (await Get<IAuditLog>().QueryAsync(new AuditQuery { First = 200 }, Token)).Items;

    private List<string> Holding(byte[] bytes) =>
        [
            .. Directory
                .EnumerateFiles(_root, "*", SearchOption.AllDirectories)
                .Where(file => !file.EndsWith("-shm", StringComparison.Ordinal) && Contains(file, bytes)),
        ];

    private static bool Contains(string file, byte[] bytes)
    {
        using var read = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var content = new byte[read.Length];
        read.ReadExactly(content);
        return content.AsSpan().IndexOf(bytes) >= 0;
    }
}
