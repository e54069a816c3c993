using System.Collections.Concurrent;
using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Platform.Keys;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Governance.Tests.Platform;

/// <summary>Keys in a token of SoftHSM: made, used by many, lost and found again, and what is said when something is missing.</summary>
public sealed class Pkcs11KeysTests : IDisposable
{
    private static readonly byte[] Digest = SHA256.HashData("what is signed"u8);
    private readonly string _root = Directory.CreateTempSubdirectory("governance-pkcs11-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_key_of_the_token_signs_and_its_private_half_cannot_be_read_there()
    {
        var options = SoftHsm.NewToken(_root);
        using var keys = new Pkcs11Keys(options);

        var made = keys.Make("governance signing");
        using var held = HeldKey.At(keys, made.Reference, made.Spki);
        var signature = EcdsaP256.Sign(held, "text"u8);

        Assert.True(EcdsaP256.Verify(made.Spki, "text"u8, signature));
        Assert.Equal("pkcs11", held.Place);
        Assert.Throws<CryptographicException>(() => held.ExportParameters(true));
        Assert.Throws<CryptographicException>(() => held.ExportPkcs8PrivateKey());
        SoftHsm.With(
            options,
            "governance signing",
            (session, objects) =>
            {
                var secret = objects.Single(one => ClassOf(session, one) == CKO.CKO_PRIVATE_KEY);
                var read = session.GetAttributeValue(
                    secret,
                    [CKA.CKA_EXTRACTABLE, CKA.CKA_NEVER_EXTRACTABLE, CKA.CKA_SENSITIVE, CKA.CKA_VALUE]
                );
                Assert.False(read[0].GetValueAsBool());
                Assert.True(read[1].GetValueAsBool());
                Assert.True(read[2].GetValueAsBool());
                Assert.True(read[3].CannotBeRead);
                return 0;
            }
        );
    }

    [Fact]
    public async Task Many_sign_at_once()
    {
        using var keys = new Pkcs11Keys(SoftHsm.NewToken(_root));
        var made = Enumerable.Range(0, 2).Select(i => keys.Make($"governance key {i}")).ToList();
        using var first = HeldKey.At(keys, made[0].Reference, made[0].Spki);
        using var second = HeldKey.At(keys, made[1].Reference, made[1].Spki);

        await Parallel.ForEachAsync(
            Enumerable.Range(0, 400),
            new ParallelOptions
            {
                MaxDegreeOfParallelism = 16,
                CancellationToken = TestContext.Current.CancellationToken,
            },
            (i, _) =>
            {
                var key = i % 2 == 0 ? first : second;
                var data = BitConverter.GetBytes(i);
                Assert.True(EcdsaP256.Verify(made[i % 2].Spki, data, EcdsaP256.Sign(key, data)));
                return ValueTask.CompletedTask;
            }
        );
    }

    [Fact]
    public void A_PIN_that_the_token_refused_is_not_tried_again()
    {
        const string wrong = "1234-5678";
        var options = SoftHsm.NewToken(_root, wrong);
        using var keys = new Pkcs11Keys(options);
        Assert.Throws<KeyUnavailableException>(keys.Check);

        // SoftHSM counts no wrong PINs; that it would take this one by now shows whether it is asked.
        SetPin(SoftHsm.Pin, wrong);
        for (var i = 0; i < 10; i++)
        {
            var refused = Assert.Throws<KeyUnavailableException>(keys.Check);
            Assert.Contains("refuses the PIN", refused.Message, StringComparison.Ordinal);
        }

        SetPin(wrong, SoftHsm.Pin);
        File.WriteAllText(options.Pkcs11.PinFile, $"{SoftHsm.Pin}\n");
        keys.Check();

        void SetPin(string from, string to)
        {
            using var session = SoftHsm.SlotOf(options).OpenSession(SessionType.ReadWrite);
            session.Login(CKU.CKU_USER, from);
            session.SetPin(from, to);
            session.Logout();
        }
    }

    [Fact]
    public async Task No_more_sessions_are_opened_than_allowed()
    {
        var options = SoftHsm.NewToken(_root);
        options.Concurrency = 3;
        using var sessions = new Pkcs11Sessions(options);
        var seen = new ConcurrentDictionary<ulong, int>();

        await Parallel.ForEachAsync(
            Enumerable.Range(0, 60),
            new ParallelOptions
            {
                MaxDegreeOfParallelism = 12,
                CancellationToken = TestContext.Current.CancellationToken,
            },
            (_, _) =>
            {
                sessions.Use("wait", session => seen.AddOrUpdate(session.SessionId, 1, (_, times) => times + 1));
                return ValueTask.CompletedTask;
            }
        );

        Assert.InRange(seen.Count, 1, 3);
        Assert.Equal(60, seen.Values.Sum());
    }

    [Fact]
    public void Sessions_that_were_closed_under_the_gateway_are_opened_again()
    {
        var options = SoftHsm.NewToken(_root);
        using var keys = new Pkcs11Keys(options);
        var made = keys.Make("governance signing");
        using var held = HeldKey.At(keys, made.Reference, made.Spki);

        for (var i = 0; i < 3; i++)
        {
            held.SignHash(Digest);
            // Closing the last one logs out, too.
            SoftHsm.SlotOf(options).CloseAllSessions();
        }

        Assert.True(held.VerifyHash(Digest, held.SignHash(Digest)));
    }

    [Fact]
    public void Somebody_who_logs_the_token_out_stops_nothing()
    {
        var options = SoftHsm.NewToken(_root);
        using var keys = new Pkcs11Keys(options);
        var made = keys.Make("governance signing");
        using var held = HeldKey.At(keys, made.Reference, made.Spki);

        held.SignHash(Digest);
        SoftHsm.With(
            options,
            "governance signing",
            (session, _) =>
            {
                session.Logout();
                return 0;
            }
        );

        Assert.True(held.VerifyHash(Digest, held.SignHash(Digest)));
    }

    [Fact]
    public void A_key_that_was_deleted_in_the_token_is_missed_and_another_with_its_number_is_not_taken_for_it()
    {
        var options = SoftHsm.NewToken(_root);
        using var keys = new Pkcs11Keys(options);
        var made = keys.Make("governance signing");
        using var held = HeldKey.At(keys, made.Reference, made.Spki);

        SoftHsm.With(
            options,
            "governance signing",
            (session, objects) =>
            {
                objects.ForEach(session.DestroyObject);
                return 0;
            }
        );
        var gone = Assert.Throws<KeyUnavailableException>(() => held.SignHash(Digest));
        Assert.Contains("has no key", gone.Message, StringComparison.Ordinal);

        var other = keys.Make("governance other");
        using var swapped = HeldKey.At(keys, other.Reference, made.Spki);
        var wrong = Assert.Throws<KeyUnavailableException>(() => swapped.SignHash(Digest));
        Assert.Contains("not by the key that was made there", wrong.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void What_another_key_signed_is_asked_for_once_more_after_a_new_look(int times, bool good)
    {
        using var right = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var place = new Mixed(right, times);
        using var held = HeldKey.At(place, "here", right.ExportSubjectPublicKeyInfo());

        var signature = Record.Exception(() => held.SignHash(Digest));

        Assert.Equal(good, signature is null);
        Assert.Equal(["here"], place.Forgotten);
    }

    [Fact]
    public void A_key_that_can_be_taken_out_is_not_used()
    {
        var options = SoftHsm.NewToken(_root);
        using var keys = new Pkcs11Keys(options);
        keys.Check();
        var factory = Pkcs11Modules.Factories.ObjectAttributeFactory;
        var id = RandomNumberGenerator.GetBytes(16);
        SoftHsm.With(
            options,
            "nothing",
            (session, _) =>
            {
                using var mechanism = Pkcs11Modules.Factories.MechanismFactory.Create(CKM.CKM_EC_KEY_PAIR_GEN);
                session.GenerateKeyPair(
                    mechanism,
                    [
                        factory.Create(
                            CKA.CKA_EC_PARAMS,
                            new byte[] { 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 }
                        ),
                    ],
                    [
                        factory.Create(CKA.CKA_TOKEN, true),
                        factory.Create(CKA.CKA_ID, id),
                        factory.Create(CKA.CKA_SIGN, true),
                        factory.Create(CKA.CKA_SENSITIVE, false),
                        factory.Create(CKA.CKA_EXTRACTABLE, true),
                    ],
                    out IObjectHandle _,
                    out IObjectHandle _
                );
                return 0;
            }
        );

        var refused = Assert.Throws<KeyUnavailableException>(() => keys.Sign(Convert.ToHexStringLower(id), Digest));

        Assert.Contains("that cannot be taken out", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_pin_is_said_and_not_shown()
    {
        using var keys = new Pkcs11Keys(SoftHsm.NewToken(_root, pin: "not-the-pin"));

        var refused = Assert.Throws<KeyUnavailableException>(keys.Check);

        Assert.Contains("refuses the PIN", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("not-the-pin", refused.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("module", "cannot be loaded")]
    [InlineData("token", "There is no PKCS#11 token 'nobody'")]
    [InlineData("pin", "There is no secret in GOVERNANCE_TEST_NO_SUCH_PIN")]
    [InlineData("file", "is not there")]
    [InlineData("settings", "Governance:Keys:Pkcs11:Module is not set")]
    public void What_is_missing_is_named(string missing, string sentence)
    {
        var options = SoftHsm.NewToken(_root);
        switch (missing)
        {
            case "module":
                options.Pkcs11.Module = options.Pkcs11.PinFile;
                break;
            case "token":
                options.Pkcs11.Token = "nobody";
                break;
            case "pin":
                (options.Pkcs11.PinFile, options.Pkcs11.PinVariable) = ("", "GOVERNANCE_TEST_NO_SUCH_PIN");
                break;
            case "file":
                File.Delete(options.Pkcs11.PinFile);
                break;
            default:
                options.Pkcs11 = new Pkcs11Options();
                break;
        }

        using var keys = new Pkcs11Keys(options);

        var refused = Assert.Throws<KeyUnavailableException>(keys.Check);
        Assert.Contains(sentence, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_whose_sessions_are_all_busy_is_waited_for_no_longer_than_allowed()
    {
        var options = SoftHsm.NewToken(_root);
        (options.Concurrency, options.TimeoutSeconds) = (1, 1);
        using var sessions = new Pkcs11Sessions(options);

        var busy = sessions.Use(
            "wait",
            _ => Assert.Throws<KeyUnavailableException>(() => sessions.Use("wait", _ => 0))
        );

        Assert.Contains("busy for 1 seconds", busy.Message, StringComparison.Ordinal);
        Assert.Equal(1, sessions.Use("go on", _ => 1));
    }

    private static CKO ClassOf(ISession session, IObjectHandle one) =>
        (CKO)session.GetAttributeValue(one, [CKA.CKA_CLASS])[0].GetValueAsUlong();

    /// <summary>A place that at first takes another key for the right one.</summary>
    private sealed class Mixed(ECDsa right, int times) : IKeyProvider
    {
        private int _left = times;

        public string Name => "mixed";

        public List<string> Forgotten { get; } = [];

        public void Check() { }

        public MadeKey Make(string label) => throw new NotSupportedException();

        public byte[] Sign(string reference, ReadOnlySpan<byte> digest)
        {
            using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            return (_left-- > 0 ? other : right).SignHash(digest);
        }

        public void Forget(string reference) => Forgotten.Add(reference);
    }
}
