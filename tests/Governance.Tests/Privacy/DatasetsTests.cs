using System.Net;
using System.Security.Cryptography;
using System.Text;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Privacy;
using Governance.Privacy.Contracts;
using Governance.Privacy.Demo;
using Governance.Privacy.ScanDataset;
using Governance.Privacy.Storage;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Privacy;

/// <summary>Access by three roles as the shipped role file has them; "ds" and "ds2" are data scientists, "po" is a privacy officer.</summary>
internal sealed class FakeAccess : IAccess
{
    private static readonly Dictionary<string, RoleDefinition> Roles = new(StringComparer.Ordinal)
    {
        ["data-scientist"] = new(
            "data-scientist",
            new HashSet<string>(),
            new HashSet<string> { "dataset:read", "dataset:write", "dataset:read-raw" }
        ),
        ["privacy-officer"] = new(
            "privacy-officer",
            new HashSet<string> { "dataset:read", "dataset:read-raw", "dataset:declare", "finding:read" },
            new HashSet<string>()
        ),
        ["auditor"] = new("auditor", new HashSet<string> { "dataset:read" }, new HashSet<string>()),
    };

    public ValueTask<Rights> RightsOfAsync(Actor actor, CancellationToken cancellationToken) =>
        new(
            new Rights(
                actor,
                actor.Id switch
                {
                    "ds" or "ds2" or "login" => [new RoleGrant("data-scientist", ObjectKind.None, "")],
                    "both" =>
                    [
                        new RoleGrant("data-scientist", ObjectKind.None, ""),
                        new RoleGrant("privacy-officer", ObjectKind.None, ""),
                    ],
                    "po" => [new RoleGrant("privacy-officer", ObjectKind.None, "")],
                    "au" => [new RoleGrant("auditor", ObjectKind.None, "")],
                    _ => [],
                },
                Roles
            )
        );

    public async Task<Rights> RightsNowAsync(Actor actor, CancellationToken cancellationToken) =>
        await RightsOfAsync(actor, cancellationToken);
}

/// <summary>The login "login" is the person "both"; everybody else is nobody's login.</summary>
internal sealed class FakeOwners : ILoginOwners
{
    public Task<IReadOnlyList<string>> WithOwnersAsync(
        IReadOnlyCollection<string> subjects,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IReadOnlyList<string>>([
            .. subjects,
            .. subjects.Where(id => id == "login").Select(_ => "both"),
        ]);
}

/// <summary>Remembers which verdicts changed.</summary>
internal sealed class RecordingWatch : IDatasetWatch
{
    public List<Digest> Changed { get; } = [];

    public Task OnChangedAsync(WriteSession session, Digest sha256, CancellationToken cancellationToken)
    {
        Changed.Add(sha256);
        return Task.CompletedTask;
    }
}

public sealed class DatasetsTests : IAsyncLifetime
{
    private static readonly Actor Scientist = new(ActorKind.Person, "ds");
    private static readonly Actor Other = new(ActorKind.Person, "ds2");
    private static readonly Actor Officer = new(ActorKind.Person, "po");
    private static readonly Actor Stranger = new(ActorKind.Person, "nobody");

    private readonly PrivacyOptions _options = new();
    private readonly RecordingWatch _watch = new();
    private TestDatabase _db = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private IDatasets Datasets => _db.Get<IDatasets>();

    public async ValueTask InitializeAsync() => _db = await StartAsync(_options, _watch, null);

    public async ValueTask DisposeAsync() => await _db.DisposeAsync();

    [Fact]
    public async Task Upload_is_encrypted_pending_and_then_scanned()
    {
        var view = await UploadAsync(InventedPersons.Csv(100, 1));
        await ScanAsync(view.Sha256);
        var scanned = await Datasets.FindAsync(view.Sha256, Token);

        Assert.Equal(("PENDING", PrivacyOutcome.Incomplete), (view.ScanState, view.Verdict.Outcome));
        Assert.Equal(Digest.Of(InventedPersons.Csv(100, 1)), view.Sha256);
        Assert.Equal(
            ("SCANNED", 100L, PrivacyOutcome.Fail),
            (scanned!.ScanState, scanned.Rows, scanned.Verdict.Outcome)
        );
        Assert.True(scanned.Retained);
        Assert.Contains(view.Sha256, _watch.Changed);
        Assert.Equal(["privacy.dataset_uploaded", "privacy.scanned"], _db.Log.Entries.Select(entry => entry.Kind));
        Assert.Contains(_db.Graph.Edges, edge => edge.From.Label == "cpf" && edge.Verb == GraphVerb.PartOf);
    }

    [Fact]
    public async Task No_plain_value_lies_on_disk()
    {
        await UploadAsync(InventedPersons.Csv(100, 1));
        await ScanAsync(Digest.Of(InventedPersons.Csv(100, 1)));
        if (!TestServer.IsPostgreSql)
        {
            await using var db = _db.Read();
            await db.Database.ExecuteSqlRawAsync("PRAGMA wal_checkpoint(TRUNCATE)", Token);
        }

        var files = Directory.GetFiles(Path.Combine(_db.Directory, "data"), "*", SearchOption.AllDirectories);

        Assert.Contains(files, file => file.EndsWith(".enc", StringComparison.Ordinal));
        foreach (var file in files)
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            Assert.DoesNotContain("@example.org", await reader.ReadToEndAsync(Token), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Changed_or_cut_bytes_are_never_returned()
    {
        var view = await UploadAsync(InventedPersons.Csv(2_000, 1));
        var row = await RowAsync(view.Sha256);
        var file = Directory.GetFiles(Path.Combine(_db.Directory, "data", "datasets")).Single();
        var vault = _db.Get<DatasetVault>();
        await using (var stream = new FileStream(file, FileMode.Open))
        {
            stream.SetLength(ChunkFormat.ChunkSize + ChunkFormat.TagSize);
        }

        await using var cut = vault.Open(row.FileId, row.WrappedKey!);

        await Assert.ThrowsAnyAsync<CryptographicException>(() => cut.CopyToAsync(Stream.Null, Token));
    }

    [Fact]
    public async Task Stored_bytes_read_back_as_they_came()
    {
        var csv = InventedPersons.Csv(3_000, 9);
        var view = await UploadAsync(csv);
        var row = await RowAsync(view.Sha256);

        await using var stream = _db.Get<DatasetVault>().Open(row.FileId, row.WrappedKey!);
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, Token);

        Assert.Equal(csv, copy.ToArray());
    }

    [Fact]
    public async Task Anonymised_persons_pass_and_are_linked_as_observed()
    {
        var raw = await UploadAsync(InventedPersons.Csv(1_000, 7));
        await ScanAsync(raw.Sha256);

        var result = await Datasets.AnonymiseAsync(Scientist, raw.Sha256, "persons-anon", InventedPersons.Plan, Token);

        var view = result.Value;
        Assert.Equal("SCANNED", view.ScanState);
        Assert.True(view.Verdict.Outcome == PrivacyOutcome.Pass, string.Join('\n', view.Verdict.Reasons));
        Assert.True(view.Anonymity!.K >= 5);
        Assert.Equal([raw.Sha256], view.DerivedFrom);
        Assert.Equal(("BR_CPF", "token", "direct"), Shape(view, "cpf"));
        Assert.Equal("observed", (await Datasets.DerivationsOfAsync([view.Sha256], Token))[view.Sha256].Single().Grade);
        Assert.Contains(
            _db.Graph.Edges,
            edge => edge is { Verb: GraphVerb.Derived, Grade: GraphGrade.Observed, From.Label: "age", To.Label: "age" }
        );
        var judged = await Datasets.JudgeAsync([new PrivacyInput("train", view.Sha256, "training")], Token);
        Assert.Equal(PrivacyOutcome.Pass, judged.Outcome);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("prefix:5")]
    public async Task Direct_identifier_cannot_be_generalised(string parameter)
    {
        var view = await UploadAsync(
            Encoding.UTF8.GetBytes(Tables.Column("phone", 50, i => $"55119{41939071 + (i * 7919)}"))
        );
        await ScanAsync(view.Sha256);

        var result = await Datasets.AnonymiseAsync(
            Scientist,
            view.Sha256,
            "out",
            [new("phone", "generalise", parameter)],
            Token
        );

        Assert.Equal("privacy.generalised_direct", result.Failure?.Code);
    }

    [Fact]
    public async Task Column_declared_direct_cannot_be_generalised()
    {
        var view = await UploadAsync(Encoding.UTF8.GetBytes(Tables.Column("ref", 50, i => $"{10_007 + (i * 7919)}")));
        await ScanAsync(view.Sha256);
        await DeclareAsync(view.Sha256, "ref", "PERSON_KEY");

        var result = await Datasets.AnonymiseAsync(
            Scientist,
            view.Sha256,
            "out",
            [new("ref", "generalise", "10")],
            Token
        );

        Assert.Equal("privacy.generalised_direct", result.Failure?.Code);
    }

    [Fact]
    public async Task Birth_date_may_become_a_year()
    {
        var view = await UploadAsync(
            Encoding.UTF8.GetBytes(Tables.Column("birth_date", 200, i => $"{1950 + (i % 10)}-03-1{i % 7}"))
        );
        await ScanAsync(view.Sha256);

        var result = await Datasets.AnonymiseAsync(
            Scientist,
            view.Sha256,
            "out",
            [new("birth_date", "generalise", "year")],
            Token
        );

        Assert.Equal(PrivacyOutcome.Pass, result.Value.Verdict.Outcome);
    }

    [Fact]
    public async Task Bands_as_narrow_as_phone_numbers_are_phone_numbers()
    {
        var csv = Tables.Column("phone", 50, i => $"55119{41939071 + (i * 7919)}-55119{41939071 + (i * 7919)}");
        var view = await UploadAsync(Encoding.UTF8.GetBytes(csv));
        await ScanAsync(view.Sha256);

        var scanned = (await Datasets.FindAsync(view.Sha256, Token))!;

        Assert.Equal(("PHONE", "raw", "direct"), Shape(scanned, "phone"));
        Assert.Equal(PrivacyOutcome.Fail, scanned.Verdict.Outcome);
    }

    [Fact]
    public async Task Generalising_an_unknown_column_makes_it_no_better_known()
    {
        var view = await UploadAsync(
            Encoding.UTF8.GetBytes(Tables.Column("zz", 50, i => $"{10_007 + (i * i * 7919)}"))
        );
        await ScanAsync(view.Sha256);

        var result = await Datasets.AnonymiseAsync(
            Scientist,
            view.Sha256,
            "out",
            [new("zz", "generalise", "1")],
            Token
        );

        Assert.Equal(PrivacyOutcome.Incomplete, result.Value.Verdict.Outcome);
    }

    [Theory]
    [InlineData("PHONE", "generalised", PrivacyOutcome.Fail)]
    [InlineData("PHONE", "truncated", PrivacyOutcome.Fail)]
    [InlineData("DATE_OF_BIRTH", "generalised", PrivacyOutcome.Pass)]
    public void Generalised_direct_identifier_fails(string kind, string state, PrivacyOutcome outcome)
    {
        var verdict = Governance.Privacy.Engine.DatasetJudge.Judge(
            "x",
            [new ColumnFinding("c", kind, state, "direct", "declared", 9, 9)],
            null,
            new Governance.Privacy.Engine.QuasiSet([], [], "policy"),
            1,
            "v"
        );

        Assert.Equal(outcome, verdict.Outcome);
    }

    [Fact]
    public async Task Tokens_that_somebody_else_made_are_not_trusted()
    {
        var csv = Encoding.UTF8.GetBytes(Tables.Column("cpf", 50, i => $"tok_{i:x64}"));
        var view = await UploadAsync(csv, name: "tokens");
        await ScanAsync(view.Sha256);

        Assert.Equal(PrivacyOutcome.Incomplete, (await Datasets.FindAsync(view.Sha256, Token))!.Verdict.Outcome);
    }

    [Fact]
    public async Task Judging_without_input_or_with_unknown_ones_is_incomplete()
    {
        var none = await Datasets.JudgeAsync([], Token);
        var unbound = await Datasets.JudgeAsync([new PrivacyInput("a", null, "")], Token);
        var absent = await Datasets.JudgeAsync([new PrivacyInput("a", Digest.Of("x"), "")], Token);
        var pending = await UploadAsync("length\n1.5\n"u8.ToArray());
        var unscanned = await Datasets.JudgeAsync([new PrivacyInput("a", pending.Sha256, "")], Token);

        foreach (var verdict in new[] { none, unbound, absent, unscanned })
        {
            Assert.Equal(PrivacyOutcome.Incomplete, verdict.Outcome);
            Assert.NotEmpty(verdict.Reasons);
        }
    }

    [Fact]
    public async Task Worst_input_decides()
    {
        var good = await UploadAsync("length\n1.5\n2.5\n"u8.ToArray(), name: "good");
        var bad = await UploadAsync("contact\na@example.org\n"u8.ToArray(), name: "bad");
        await ScanAsync(good.Sha256);
        await ScanAsync(bad.Sha256);

        var one = await Datasets.JudgeAsync([new PrivacyInput("g", good.Sha256, "")], Token);
        var both = await Datasets.JudgeAsync(
            [new PrivacyInput("g", good.Sha256, ""), new PrivacyInput("b", bad.Sha256, "")],
            Token
        );

        Assert.Equal(PrivacyOutcome.Pass, one.Outcome);
        Assert.Equal(PrivacyOutcome.Fail, both.Outcome);
        Assert.Contains("Dataset 'b', column 'contact' holds EMAIL", both.Reasons[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Derived_table_is_as_bad_as_its_parent_until_its_own_scan()
    {
        var parent = await UploadAsync("contact\na@example.org\n"u8.ToArray(), name: "parent");
        await ScanAsync(parent.Sha256);
        var child = await UploadAsync("length\n1.5\n2.5\n"u8.ToArray(), name: "child");
        var derived = await DeriveAsync(parent.Sha256, child.Sha256);
        var before = await Datasets.JudgeAsync([new PrivacyInput("c", child.Sha256, "")], Token);

        await ScanAsync(child.Sha256);
        var after = await Datasets.JudgeAsync([new PrivacyInput("c", child.Sha256, "")], Token);

        Assert.Equal("declared", derived.Value.Grade);
        Assert.Equal(PrivacyOutcome.Fail, before.Outcome);
        Assert.Equal(PrivacyOutcome.Pass, after.Outcome);
    }

    [Fact]
    public async Task Unknown_column_inherits_the_label_of_the_column_it_was_made_of()
    {
        var parent = await UploadAsync("contact\na@example.org\nb@example.org\n"u8.ToArray(), name: "parent");
        await ScanAsync(parent.Sha256);
        var child = await UploadAsync(
            Encoding.UTF8.GetBytes(Tables.Column("z", 20, i => Digest.Of($"{i}").Hex)),
            name: "child"
        );
        await ScanAsync(child.Sha256);
        var columns = new Dictionary<string, IReadOnlyList<string>> { ["z"] = ["contact"] };

        await Datasets.DeriveAsync(Scientist, [parent.Sha256], child.Sha256, "hashed", columns, Token);
        await ScanAsync(child.Sha256);

        var view = (await Datasets.FindAsync(child.Sha256, Token))!;
        Assert.Equal(("EMAIL", "hashed", "direct"), Shape(view, "z"));
        Assert.Equal(PrivacyOutcome.Fail, view.Verdict.Outcome);
    }

    [Fact]
    public async Task Declaration_on_a_parent_reaches_what_was_made_of_it_before()
    {
        var parent = await UploadAsync(Encoding.UTF8.GetBytes(Tables.Column("ref", 50, i => $"{i % 5}.5")), "parent");
        await ScanAsync(parent.Sha256);
        var child = await KeepAsync(parent.Sha256, "child", "ref");
        var grandchild = await DeriveRenamedAsync(child.Sha256, "ref", "z");
        var before = (await Datasets.FindAsync(grandchild, Token))!;
        _watch.Changed.Clear();

        await DeclareAsync(parent.Sha256, "ref", "PERSON_KEY");

        var pending = (await Datasets.FindAsync(grandchild, Token))!;
        var judged = await Datasets.JudgeAsync([new PrivacyInput("g", grandchild, "")], Token);
        await ScanAsync(grandchild);
        await ScanAsync(child.Sha256);
        await ScanAsync(grandchild);
        var after = (await Datasets.FindAsync(grandchild, Token))!;
        Assert.Equal(PrivacyOutcome.Pass, before.Verdict.Outcome);
        Assert.Equal("PENDING", pending.ScanState);
        Assert.NotEqual(PrivacyOutcome.Pass, judged.Outcome);
        Assert.Contains(child.Sha256, _watch.Changed);
        Assert.Contains(grandchild, _watch.Changed);
        Assert.Equal(("PERSON_KEY", "raw", "direct"), Shape(after, "z"));
        Assert.Equal(PrivacyOutcome.Fail, after.Verdict.Outcome);
        Assert.Equal(PrivacyOutcome.Fail, (await Datasets.FindAsync(child.Sha256, Token))!.Verdict.Outcome);
    }

    [Fact]
    public async Task Declaration_on_a_parent_binds_a_child_that_keeps_the_column()
    {
        var parent = await UploadAsync(
            Encoding.UTF8.GetBytes(
                "ref,length\n" + string.Concat(Enumerable.Range(0, 50).Select(i => $"{i % 5}.5,2\n"))
            ),
            "parent"
        );
        await ScanAsync(parent.Sha256);
        await DeclareAsync(parent.Sha256, "ref", "PERSON_KEY");

        var kept = await Datasets.AnonymiseAsync(
            Scientist,
            parent.Sha256,
            "kept",
            [new("ref", "keep", ""), new("length", "drop", "")],
            Token
        );
        var dropped = await Datasets.AnonymiseAsync(
            Scientist,
            parent.Sha256,
            "dropped",
            [new("ref", "drop", ""), new("length", "keep", "")],
            Token
        );
        var tokens = await Datasets.AnonymiseAsync(
            Scientist,
            parent.Sha256,
            "tokens",
            [new("ref", "tokenise", ""), new("length", "drop", "")],
            Token
        );
        var cleared = await DeclareAsync(kept.Value.Sha256, "ref", "NONE");

        Assert.Equal(PrivacyOutcome.Fail, kept.Value.Verdict.Outcome);
        Assert.Equal(PrivacyOutcome.Pass, dropped.Value.Verdict.Outcome);
        Assert.Equal(("PERSON_KEY", "token", "direct"), Shape(tokens.Value, "ref"));
        Assert.Equal(PrivacyOutcome.Pass, tokens.Value.Verdict.Outcome);
        Assert.Equal(PrivacyOutcome.Pass, cleared.Value.Verdict.Outcome);
    }

    [Fact]
    public async Task Quasi_identifiers_and_least_k_of_a_parent_bind_the_child()
    {
        var parent = await UploadAsync(
            Encoding.UTF8.GetBytes(
                "ref,length\n" + string.Concat(Enumerable.Range(0, 50).Select(i => $"{i % 5}.5,{i % 2}\n"))
            ),
            "parent"
        );
        await ScanAsync(parent.Sha256);
        await Datasets.DeclareAsync(
            Officer,
            parent.Sha256,
            new DatasetDeclaration
            {
                QuasiIdentifiers = ["ref"],
                SensitiveColumns = ["length"],
                LeastK = 20,
            },
            Token
        );

        var child = await Datasets.AnonymiseAsync(
            Scientist,
            parent.Sha256,
            "child",
            [new("ref", "generalise", "1"), new("length", "keep", "")],
            Token
        );

        Assert.Equal(PrivacyOutcome.Fail, child.Value.Verdict.Outcome);
        Assert.Equal(["ref"], child.Value.Anonymity!.QuasiIdentifiers);
        Assert.Equal(
            (10L, 20, "po"),
            (child.Value.Anonymity.K, child.Value.Anonymity.LeastK, child.Value.Anonymity.SetBy)
        );
        Assert.Equal(2, child.Value.Anonymity.L);
    }

    [Fact]
    public async Task Circular_derivation_is_refused()
    {
        var a = await UploadAsync("length\n1.5\n"u8.ToArray(), name: "a");
        var b = await UploadAsync("length\n2.5\n"u8.ToArray(), name: "b");

        var first = await DeriveAsync(a.Sha256, b.Sha256);
        var second = await DeriveAsync(b.Sha256, a.Sha256);

        Assert.True(first.Ok);
        Assert.Equal("privacy.circular", second.Failure?.Code);
    }

    [Theory]
    [InlineData("both")]
    [InlineData("login")]
    public async Task Nobody_declares_a_dataset_of_their_own(string uploader)
    {
        var both = new Actor(ActorKind.Person, "both");
        var csv = new MemoryStream(Encoding.UTF8.GetBytes(Tables.Column("ref", 40, i => $"{i % 4}.5")));
        var owner = new Actor(ActorKind.Service, uploader);
        var view = (await Datasets.UploadAsync(owner, "mine", "csv", csv, Token)).Value;
        await ScanAsync(view.Sha256);

        var declared = await Datasets.DeclareAsync(both, view.Sha256, new DatasetDeclaration { LeastK = 5 }, Token);

        Assert.False(declared.Ok);
        Assert.Equal("privacy.own_dataset", declared.Failure.Code);
    }

    [Fact]
    public async Task Officer_declares_and_the_verdict_follows()
    {
        var view = await UploadAsync(Encoding.UTF8.GetBytes(Tables.Column("ref", 20, i => $"AB-{i}9-ZZ99")));
        await ScanAsync(view.Sha256);
        var declaration = new DatasetDeclaration
        {
            Columns = new Dictionary<string, string> { ["ref"] = "NONE" },
            LegalBasis = "GDPR 6(1)(f)",
            Purpose = "testing",
        };

        var refused = await Datasets.DeclareAsync(Scientist, view.Sha256, declaration, Token);
        var declared = await Datasets.DeclareAsync(Officer, view.Sha256, declaration, Token);

        Assert.Equal("privacy.denied", refused.Failure?.Code);
        Assert.Equal(PrivacyOutcome.Pass, declared.Value.Verdict.Outcome);
        Assert.Equal(("GDPR 6(1)(f)", "testing"), (declared.Value.LegalBasis, declared.Value.Purpose));
        Assert.Contains(_db.Log.Entries, entry => entry is { Kind: "privacy.declared", Actor.Id: "po" });
        Assert.Contains(_db.Log.Entries, entry => entry is { Kind: "privacy.refused", Outcome: LogOutcome.Refused });
    }

    [Fact]
    public async Task Least_k_can_only_be_raised()
    {
        var view = await UploadAsync(Encoding.UTF8.GetBytes("sex\n" + string.Concat(Enumerable.Repeat("F\nM\n", 6))));
        await ScanAsync(view.Sha256);

        var lower = await Datasets.DeclareAsync(Officer, view.Sha256, new DatasetDeclaration { LeastK = 4 }, Token);
        var higher = await Datasets.DeclareAsync(Officer, view.Sha256, new DatasetDeclaration { LeastK = 7 }, Token);

        Assert.Equal("privacy.least_k", lower.Failure?.Code);
        Assert.Equal(PrivacyOutcome.Fail, higher.Value.Verdict.Outcome);
        Assert.Equal(7, higher.Value.Anonymity!.LeastK);
    }

    [Fact]
    public async Task Unknown_columns_and_kinds_cannot_be_declared()
    {
        var view = await UploadAsync("length\n1.5\n"u8.ToArray());
        await ScanAsync(view.Sha256);

        var column = await Datasets.DeclareAsync(
            Officer,
            view.Sha256,
            new DatasetDeclaration { QuasiIdentifiers = ["nowhere"] },
            Token
        );
        var kind = await Datasets.DeclareAsync(
            Officer,
            view.Sha256,
            new DatasetDeclaration { Columns = new Dictionary<string, string> { ["length"] = "FINE" } },
            Token
        );

        Assert.Equal("privacy.unknown_column", column.Failure?.Code);
        Assert.Equal("privacy.unknown_kind", kind.Failure?.Code);
    }

    [Fact]
    public async Task Same_bytes_by_another_owner_are_a_copy_that_tells_nothing()
    {
        var csv = "length\n1.5\n"u8.ToArray();
        var mine = await UploadAsync(csv, name: "mine");
        await ScanAsync(mine.Sha256);

        var theirs = (await Datasets.UploadAsync(Other, "theirs", "csv", new MemoryStream(csv), Token)).Value;
        var again = await UploadAsync(csv, name: "again");

        Assert.Equal(("theirs", "ds2", "PENDING"), (theirs.Name, theirs.OwnerId, theirs.ScanState));
        Assert.Equal("mine", again.Name);
        Assert.Equal(2, Directory.GetFiles(Path.Combine(_db.Directory, "data", "datasets")).Length);
        var visible = await Datasets.FindVisibleAsync(mine.Sha256, target => target.OwnerId == "ds2", Token);
        Assert.Equal("theirs", visible!.Name);
        var many = await Datasets.FindManyVisibleAsync([mine.Sha256], target => target.OwnerId == "ds2", Token);
        Assert.Equal("theirs", many[mine.Sha256].Name);
        var inputs = new Governance.Evidence.InputDatasets(Datasets, new FakeAccess());
        Assert.True(await inputs.MayUseAsync(Scientist, mine.Sha256, Token));
        Assert.True(await inputs.MayUseAsync(Other, mine.Sha256, Token));
        Assert.False(await inputs.MayUseAsync(Stranger, mine.Sha256, Token));
        var judged = await Datasets.JudgeAsync([new PrivacyInput("m", mine.Sha256, "")], Token);
        Assert.Equal(PrivacyOutcome.Pass, judged.Outcome);
    }

    [Fact]
    public async Task Dataset_of_another_looks_absent()
    {
        var view = await UploadAsync("length\n1.5\n"u8.ToArray());

        var theirs = await Datasets.AnonymiseAsync(Other, view.Sha256, "x", [new("length", "keep", "")], Token);
        var absent = await Datasets.AnonymiseAsync(Other, Digest.Of("?"), "x", [new("length", "keep", "")], Token);

        Assert.Equal("privacy.dataset_not_found", theirs.Failure?.Code);
        Assert.Equal(absent.Failure, theirs.Failure);
    }

    [Fact]
    public async Task Upload_without_the_right_is_refused_and_logged()
    {
        var result = await Datasets.UploadAsync(Stranger, "x", "csv", new MemoryStream("a\n1\n"u8.ToArray()), Token);

        Assert.Equal("privacy.denied", result.Failure?.Code);
        Assert.Equal("privacy.refused", Assert.Single(_db.Log.Entries).Kind);
        Assert.False(Directory.Exists(Path.Combine(_db.Directory, "data", "datasets")));
    }

    [Fact]
    public async Task Upload_over_the_limit_leaves_nothing()
    {
        _options.MaxDatasetBytes = 100;

        var result = await Datasets.UploadAsync(Scientist, "x", "csv", new MemoryStream(new byte[101]), Token);

        Assert.Equal("privacy.too_large", result.Failure?.Code);
        Assert.Empty(Directory.GetFiles(Path.Combine(_db.Directory, "data", "datasets")));
    }

    [Theory]
    [InlineData("", "csv", "privacy.bad_name")]
    [InlineData("cpf 529.982.247-25", "csv", "privacy.bad_name")]
    [InlineData("x", "parquet", "privacy.bad_format")]
    public async Task Bad_names_and_formats_are_refused(string name, string format, string code)
    {
        var result = await Datasets.UploadAsync(Scientist, name, format, new MemoryStream("a\n1\n"u8.ToArray()), Token);

        Assert.Equal(code, result.Failure?.Code);
    }

    [Fact]
    public async Task Malformed_table_ends_as_failed_and_incomplete()
    {
        var view = await UploadAsync("a,b\n1\n"u8.ToArray());
        await ScanAsync(view.Sha256);

        var failed = (await Datasets.FindAsync(view.Sha256, Token))!;

        Assert.Equal(("FAILED", PrivacyOutcome.Incomplete), (failed.ScanState, failed.Verdict.Outcome));
        Assert.Contains("privacy.malformed", failed.Verdict.Reasons[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Scanning_twice_changes_nothing()
    {
        var view = await UploadAsync("length\n1.5\n"u8.ToArray());
        await ScanAsync(view.Sha256);
        await ScanAsync(view.Sha256);

        Assert.Single(_db.Log.Entries, entry => entry.Kind == "privacy.scanned");
    }

    [Fact]
    public async Task Abandoned_scan_is_failed()
    {
        var view = await UploadAsync("length\n1.5\n"u8.ToArray());
        var row = await RowAsync(view.Sha256);

        await _db.Get<ScanJob>().GiveUpAsync(row.Id.ToString("N"), "it failed 5 times", Token);

        Assert.Equal("FAILED", (await Datasets.FindAsync(view.Sha256, Token))!.ScanState);
    }

    [Fact]
    public async Task Without_retention_the_bytes_go_and_the_findings_stay()
    {
        await using var db = await StartAsync(
            new PrivacyOptions(),
            _watch,
            text => text.Replace("retain: true", "retain: false", StringComparison.Ordinal)
        );
        var datasets = db.Get<IDatasets>();
        var csv = "sex,ref\nF,AB-19-ZZ99\n"u8.ToArray();
        var view = (await datasets.UploadAsync(Scientist, "x", "csv", new MemoryStream(csv), Token)).Value;
        await ScanAsync(view.Sha256, db);

        var scanned = (await datasets.FindAsync(view.Sha256, Token))!;
        var declared = await datasets.DeclareAsync(
            Officer,
            view.Sha256,
            new DatasetDeclaration { QuasiIdentifiers = [] },
            Token
        );
        var anonymised = await datasets.AnonymiseAsync(Scientist, view.Sha256, "y", [], Token);

        Assert.False(scanned.Retained);
        Assert.Equal("GENDER", scanned.Columns[0].What);
        Assert.Empty(Directory.GetFiles(Path.Combine(db.Directory, "data", "datasets")));
        Assert.True(declared.Ok);
        Assert.Equal("privacy.bytes_removed", anonymised.Failure?.Code);
        Assert.True((await datasets.UploadAsync(Scientist, "x", "csv", new MemoryStream(csv), Token)).Value.Retained);
    }

    [Fact]
    public async Task Changed_policy_makes_verdicts_stale_and_start_scans_again()
    {
        var view = await UploadAsync("length\n1.5\n"u8.ToArray());
        await ScanAsync(view.Sha256);
        _policy.Text = _policy.Text.Replace("leastK: 5", "leastK: 6", StringComparison.Ordinal);

        var stale = await Datasets.JudgeAsync([new PrivacyInput("a", view.Sha256, "")], Token);
        await ScanAsync(view.Sha256);
        var fresh = await Datasets.JudgeAsync([new PrivacyInput("a", view.Sha256, "")], Token);

        Assert.Equal(PrivacyOutcome.Incomplete, stale.Outcome);
        Assert.Contains("older rules", stale.Reasons[0], StringComparison.Ordinal);
        Assert.Equal(PrivacyOutcome.Pass, fresh.Outcome);
    }

    [Fact]
    public async Task List_is_paged_and_shows_only_what_is_visible()
    {
        foreach (var name in new[] { "c", "a", "b" })
        {
            await UploadAsync(Encoding.UTF8.GetBytes($"length\n{name.Length + name[0]}.5\n"), name: name);
        }

        await Datasets.UploadAsync(Other, "hidden", "csv", new MemoryStream("q\n1.5\n"u8.ToArray()), Token);
        var first = await Datasets.ListAsync(target => target.OwnerId == "ds", 2, null, Token);
        var second = await Datasets.ListAsync(target => target.OwnerId == "ds", 2, first.NextToken, Token);

        Assert.Equal(["a", "b"], first.Items.Select(view => view.Name));
        Assert.Equal(["c"], second.Items.Select(view => view.Name));
        Assert.Null(second.NextToken);
    }

    private readonly TextSource _policy = new();

    private async Task<TestDatabase> StartAsync(PrivacyOptions options, IDatasetWatch watch, Func<string, string>? edit)
    {
        var source = edit is null ? _policy : new TextSource();
        source.Text = await File.ReadAllTextAsync(
            Path.Combine(TestDatabase.PoliciesDirectory(), "privacy.yaml"),
            Token
        );
        source.Text = edit?.Invoke(source.Text) ?? source.Text;
        return await TestDatabase.StartAsync(services =>
            services
                .AddSingleton(options)
                .AddSingleton(watch)
                .AddSingleton<IPrivacyPolicySource>(source)
                .AddSingleton<IAccess, FakeAccess>()
                .AddSingleton<ILoginOwners, FakeOwners>()
                .AddPrivacy()
        );
    }

    private async Task<DatasetView> UploadAsync(byte[] csv, string name = "persons") =>
        (await Datasets.UploadAsync(Scientist, name, "csv", new MemoryStream(csv), Token)).Value;

    private async Task<DatasetView> KeepAsync(Digest sha256, string name, string column)
    {
        var csv = Encoding.UTF8.GetBytes(Tables.Column(column, 40, i => $"{i % 4}.5"));
        var view = await UploadAsync(csv, name);
        await ScanAsync(view.Sha256);
        await Datasets.DeriveAsync(
            Scientist,
            [sha256],
            view.Sha256,
            "selected rows",
            new Dictionary<string, IReadOnlyList<string>>(),
            Token
        );
        await ScanAsync(view.Sha256);
        return view;
    }

    private async Task<Digest> DeriveRenamedAsync(Digest parent, string from, string to)
    {
        var view = await UploadAsync(Encoding.UTF8.GetBytes(Tables.Column(to, 30, i => $"{i % 3}.5")), "renamed");
        await ScanAsync(view.Sha256);
        var columns = new Dictionary<string, IReadOnlyList<string>> { [to] = [from] };
        await Datasets.DeriveAsync(Scientist, [parent], view.Sha256, "renamed", columns, Token);
        await ScanAsync(view.Sha256);
        return view.Sha256;
    }

    private Task<Result<DatasetView>> DeclareAsync(Digest sha256, string column, string kind) =>
        Datasets.DeclareAsync(
            Officer,
            sha256,
            new DatasetDeclaration { Columns = new Dictionary<string, string> { [column] = kind } },
            Token
        );

    private Task<Result<DerivationView>> DeriveAsync(Digest input, Digest output) =>
        Datasets.DeriveAsync(
            Scientist,
            [input],
            output,
            "selected rows",
            new Dictionary<string, IReadOnlyList<string>>(),
            Token
        );

    private async Task ScanAsync(Digest sha256, TestDatabase? database = null)
    {
        var db = database ?? _db;
        await using var read = db.Read();
        foreach (var row in await read.CopiesAsync([sha256.Hex], Token))
        {
            if (row.OwnerId == "ds")
            {
                await db.Get<ScanJob>().RunAsync(row.Id.ToString("N"), Token);
            }
        }
    }

    private async Task<DatasetRow> RowAsync(Digest sha256)
    {
        await using var read = _db.Read();
        return (await read.CopiesAsync([sha256.Hex], Token))[0];
    }

    private static (string, string, string) Shape(DatasetView view, string column)
    {
        var found = view.Columns.Single(item => item.Name == column);
        return (found.What, found.State, found.Role);
    }

    private sealed class TextSource : IPrivacyPolicySource
    {
        public string Text { get; set; } = "";

        public ValueTask<string> TextAsync(CancellationToken cancellationToken) => new(Text);
    }
}
