using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Text;
using Governance.Audit;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Signing;
using Governance.Signing.Change;
using Governance.Signing.Contracts;
using Governance.Signing.Keys;
using Governance.Tests.Audit;
using Governance.Tests.Platform;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Signing;

/// <summary>All signing keys in a token or in a key service: made, signing, replaced, found again, moved there from files.</summary>
public sealed class KeyPlacesTests : IAsyncLifetime
{
    private static readonly Actor Admin = new(ActorKind.Person, "p-admin");
    private readonly string _root = Directory.CreateTempSubdirectory("governance-places-").FullName;
    private KmsServer _service = null!;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await KmsServer.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    [Theory]
    [InlineData("pkcs11")]
    [InlineData("aws-kms")]
    public async Task Every_key_is_made_there_signs_is_replaced_and_is_found_again(string place)
    {
        var options = Options(place);
        await using var database = await StartAsync(options);
        var old = await SignAsync(database);

        foreach (var name in KeyCatalogue.Names)
        {
            Assert.Null((await database.Get<KeyChanges>().RotateAsync(Admin, name, Now)).Failure);
        }

        var made = await SignAsync(database);
        await using var again = await StartAsync(options, database.Directory);
        await again.Get<KeyRing>().RefreshAsync(Now);
        SigningModule.CheckKeys(again.Services);
        var later = await SignAsync(again);

        var root = again.Get<ISigner>().TrustedRoot;
        Assert.Equal(root, database.Get<ISigner>().TrustedRoot);
        foreach (var bundles in new[] { old, made, later })
        {
            Assert.Null(Verify(again, bundles, root));
        }

        Assert.All(again.Get<KeyCatalogue>().All, key => Assert.Equal(place, key.Place));
        Assert.Equal(10, again.Get<KeyCatalogue>().All.Count);
        AssertNoPrivateKeys(database);
    }

    [Theory]
    [InlineData("pkcs11")]
    [InlineData("aws-kms")]
    public async Task Keys_in_files_are_moved_by_replacing_them(string place)
    {
        await using var before = await StartAsync(new KeyOptions());
        var old = await SignAsync(before);

        await using var database = await StartAsync(Options(place), before.Directory);
        SigningModule.CheckKeys(database.Services);
        Assert.All(database.Get<KeyCatalogue>().All, key => Assert.Equal("file", key.Place));
        foreach (var name in KeyCatalogue.Names)
        {
            Assert.Null((await database.Get<KeyChanges>().RotateAsync(Admin, name, Now)).Failure);
        }

        var made = await SignAsync(database);

        var places = database.Get<KeyCatalogue>().All.GroupBy(key => key.Generation.Name).ToList();
        Assert.All(places, keys => Assert.Equal(["file", place], keys.Select(key => key.Place)));
        Assert.Null(Verify(database, old, database.Get<ISigner>().TrustedRoot));
        Assert.Null(Verify(database, made, database.Get<ISigner>().TrustedRoot));
    }

    [Fact]
    public async Task A_task_can_have_a_place_of_its_own()
    {
        var options = Options("pkcs11");
        options.Provider = "file";
        options.Tasks["ca-root"] = "pkcs11";
        options.Tasks["signing"] = "pkcs11";
        await using var database = await StartAsync(options);

        Assert.Null(Verify(database, await SignAsync(database), database.Get<ISigner>().TrustedRoot));

        Assert.Equal(
            ["signing"],
            database.Get<KeyCatalogue>().All.Where(key => key.Place == "pkcs11").Select(key => key.Generation.Name)
        );
        Assert.Equal(2, SoftHsm.With(options, "governance ca-root", (_, objects) => objects.Count));
    }

    [Fact]
    public async Task A_key_of_an_earlier_version_in_its_file_is_still_read()
    {
        await using var database = await StartAsync(new KeyOptions());
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        WrappedKeyFile.LoadOrCreate(
            Path.Combine(database.Get<PlatformOptions>().DataDirectory, "keys", "old.key"),
            "old-key",
            database.Get<IKeyWrap>(),
            TimeProvider.System,
            key.ExportPkcs8PrivateKey
        );

        using var read = PlainKey.LoadOrCreate("old", "old-key", database.Get<PrivateKeys>());

        Assert.Equal(key.ExportSubjectPublicKeyInfo(), read.Spki);
        Assert.True(EcdsaP256.Verify(read.Spki, "text"u8, EcdsaP256.Sign(read.Key, "text"u8)));
    }

    [Fact]
    public async Task A_place_that_is_gone_stops_the_start_and_says_so()
    {
        var options = Options("pkcs11");
        await using var database = await StartAsync(options);
        await SignAsync(database);

        await using var without = await StartAsync(new KeyOptions(), database.Directory);
        var refused = Assert.Throws<KeyUnavailableException>(() => SigningModule.CheckKeys(without.Services));
        Assert.Contains("Governance:Keys:Pkcs11:Module is not set", refused.Message, StringComparison.Ordinal);

        options.Pkcs11.Token = "another";
        await using var elsewhere = await StartAsync(options, database.Directory);
        refused = Assert.Throws<KeyUnavailableException>(() => SigningModule.CheckKeys(elsewhere.Services));
        Assert.Contains("There is no PKCS#11 token 'another'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_retired_key_whose_place_is_gone_is_still_published()
    {
        var options = Options("aws-kms");
        await using var database = await StartAsync(options);
        var old = await SignAsync(database);
        // The root's key is not replaced, and needed for the next authorities.
        options.Tasks["ca-root"] = "aws-kms";
        options.Provider = "file";
        foreach (var name in KeyCatalogue.Names)
        {
            Assert.Null((await database.Get<KeyChanges>().RotateAsync(Admin, name, Now)).Failure);
        }

        await _service.StopAsync();
        await using var again = await StartAsync(new KeyOptions(), database.Directory);
        await again.Get<KeyRing>().RefreshAsync(Now);
        var made = await SignAsync(again);

        Assert.Null(Verify(again, old, again.Get<ISigner>().TrustedRoot));
        Assert.Null(Verify(again, made, again.Get<ISigner>().TrustedRoot));
    }

    [Fact]
    public async Task A_key_that_cannot_be_made_is_not_put_in_the_place_of_one_that_signs()
    {
        await using var database = await StartAsync(Options("aws-kms"));
        await SignAsync(database);
        _service.Instead.Enqueue(KmsServer.Error(400, "AccessDeniedException"));

        var rotated = await database.Get<KeyChanges>().RotateAsync(Admin, "signing", Now);

        Assert.Equal("keys.unavailable", rotated.Failure?.Code);
        Assert.Single(database.Get<KeyCatalogue>().All, key => key.Generation.Name == "signing");
        Assert.Null(Verify(database, await SignAsync(database), database.Get<ISigner>().TrustedRoot));
    }

    [Fact]
    public async Task Many_sign_at_once_and_every_signature_and_entry_is_right()
    {
        await using var database = await StartAsync(Options("pkcs11"));

        var signed = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => Task.Run(() => SignAsync(database), Now)));

        Assert.All(signed, bundles => Assert.Null(Verify(database, bundles, database.Get<ISigner>().TrustedRoot)));
    }

    [Theory]
    [InlineData("file", "", "", "", null)]
    [InlineData("vault", "", "", "", "not 'vault'")]
    [InlineData("pkcs11", "", "t", "PIN", "needs Module")]
    [InlineData("pkcs11", "/nowhere/module.so", "", "PIN", "needs Module")]
    [InlineData("pkcs11", "/nowhere/module.so", "t", "", "either PinFile or PinVariable")]
    [InlineData("pkcs11", "/nowhere/module.so", "t", "PIN", "/nowhere/module.so, which is not there")]
    [InlineData("aws-kms", "", "", "", "AwsKms:Region")]
    public void Settings_that_cannot_work_are_refused(
        string provider,
        string module,
        string token,
        string variable,
        string? sentence
    )
    {
        var options = new KeyOptions
        {
            Provider = provider,
            Pkcs11 = new Pkcs11Options
            {
                Module = module,
                Token = token,
                PinVariable = variable,
            },
        };

        var result = new KeyOptionsValidator().Validate(null, options);

        Assert.Equal(sentence is null, result.Succeeded);
        Assert.Contains(sentence ?? "", result.FailureMessage ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("eu-central-1", "", "", true)]
    [InlineData("eu-central-1", "https://kms.example.org", "", true)]
    [InlineData("eu central", "", "", false)]
    [InlineData("eu-central-1", "http://kms.example.org", "", false)]
    [InlineData("eu-central-1", "https://kms.example.org/path", "", false)]
    [InlineData("eu-central-1", "", "/nowhere/ca.pem", false)]
    public void An_address_of_a_service_is_https_and_a_host(
        string region,
        string endpoint,
        string authorities,
        bool valid
    )
    {
        var options = new KeyOptions
        {
            Provider = "aws-kms",
            AwsKms = new AwsKmsOptions
            {
                Region = region,
                Endpoint = endpoint,
                Authorities = authorities,
                CredentialVariable = "CREDENTIAL",
            },
        };

        Assert.Equal(valid, new KeyOptionsValidator().Validate(null, options).Succeeded);
    }

    [Fact]
    public void Every_key_that_is_made_is_a_task_of_the_settings() =>
        Assert.Equal(KeyCatalogue.Names.Append("ca-root").Order(), KeyOptions.TaskNames.Order());

    [Fact]
    public void A_task_that_is_none_and_numbers_out_of_range_are_refused()
    {
        var tasks = new KeyOptions();
        tasks.Tasks["root"] = "file";
        var often = new KeyOptions { AwsKms = new AwsKmsOptions { Retries = 11 } };

        Assert.Contains(
            "not 'root'",
            new KeyOptionsValidator().Validate(null, tasks).FailureMessage,
            StringComparison.Ordinal
        );
        Assert.True(new KeyOptionsValidator().Validate(null, new KeyOptions { Concurrency = 0 }).Failed);
        Assert.True(new KeyOptionsValidator().Validate(null, often).Failed);
    }

    private KeyOptions Options(string place) => place == "pkcs11" ? SoftHsm.NewToken(_root) : _service.Options;

    private static async Task<(byte[] Model, byte[] Statement)> SignAsync(TestDatabase database)
    {
        var signer = database.Get<ISigner>();
        return (
            await signer.SignModelAsync("fraud", SigningFixture.Model(), "p-1", Now),
            signer.SignStatement(KeyRotationTests.Statement("s"))
        );
    }

    private static string? Verify(TestDatabase database, (byte[] Model, byte[] Statement) bundles, byte[] root)
    {
        var verifier = database.Get<IVerifier>();
        return (
            verifier.VerifyModel(bundles.Model, SigningFixture.Model(), root, SignerPolicy.Anybody).Failure
            ?? verifier.VerifyStatement(bundles.Statement, root).Failure
        )?.Code;
    }

    // No file of a key holds what looks like one: PKCS#8 names its algorithm.
    private static void AssertNoPrivateKeys(TestDatabase database)
    {
        var purposes = new Dictionary<string, string> { ["signing"] = "model-signing-key" };
        var keys = Path.Combine(database.Get<PlatformOptions>().DataDirectory, "keys");
        var files = Directory
            .GetFiles(keys)
            .Where(file => Path.GetFileName(file) is not ("log.key" or "entries.key"))
            .ToList();
        Assert.Equal(11, files.Count);
        foreach (var file in files)
        {
            var task = Path.GetFileName(file).Split('.')[0];
            var purpose = purposes.GetValueOrDefault(task, $"{task}-key");
            var content = database.Get<IKeyWrap>().Unwrap(File.ReadAllBytes(file), purpose).AsMemory(sizeof(long));
            var outer = new AsnReader(content, AsnEncodingRules.DER).ReadSequence();
            var form = outer.PeekTag().TagValue == (int)UniversalTagNumber.Sequence ? outer.ReadSequence() : outer;
            Assert.Matches("^(pkcs11|aws-kms)$", form.ReadCharacterString(UniversalTagNumber.UTF8String));
        }
    }

    private static Task<TestDatabase> StartAsync(KeyOptions options, string? root = null) =>
        TestDatabase.StartAsync(
            services =>
            {
                services.AddSingleton(options);
                services.AddSingleton(new SigningOptions { RotationLeadSeconds = 0 });
                services.AddAudit().AddSigning();
            },
            root: root
        );
}
