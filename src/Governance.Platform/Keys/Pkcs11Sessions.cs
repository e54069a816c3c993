using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Governance.Platform.Keys;

/// <summary>
/// A bounded number of sessions with one token, logged in. Sessions that were lost, as when a token was pulled out or somebody
/// logged it out, are opened again once for whoever notices. Thread-safe.
/// </summary>
internal sealed class Pkcs11Sessions(KeyOptions options) : IDisposable
{
    // What says that session, login or token is gone, not that the request is wrong.
    private static readonly HashSet<CKR> Lost =
    [
        CKR.CKR_SESSION_HANDLE_INVALID,
        CKR.CKR_SESSION_CLOSED,
        CKR.CKR_USER_NOT_LOGGED_IN,
        CKR.CKR_OBJECT_HANDLE_INVALID,
        CKR.CKR_KEY_HANDLE_INVALID,
        CKR.CKR_TOKEN_NOT_PRESENT,
        CKR.CKR_DEVICE_REMOVED,
        CKR.CKR_DEVICE_ERROR,
    ];

    private static readonly HashSet<CKR> PinRefused =
    [
        CKR.CKR_PIN_INCORRECT,
        CKR.CKR_PIN_INVALID,
        CKR.CKR_PIN_LEN_RANGE,
        CKR.CKR_PIN_LOCKED,
    ];

    private readonly Lock _signingIn = new();
    private (byte[] Pin, CKR Answer)? _refused;
    private readonly Pkcs11Options _token = options.Pkcs11;
    private readonly SemaphoreSlim _free = new(options.Concurrency);
    private readonly ConcurrentBag<ISession> _idle = [];
    private readonly ConcurrentDictionary<string, IObjectHandle> _found = new(StringComparer.Ordinal);

    /// <summary>Does something with a session. Waiting for one is bounded, what the token does is not: the interface cannot be interrupted.</summary>
    /// <param name="doing">Names it in what is thrown.</param>
    /// <param name="work">Must do no harm when it is done twice.</param>
    public T Use<T>(string doing, Func<ISession, T> work)
    {
        if (!_free.Wait(options.Timeout))
        {
            throw new KeyUnavailableException(
                $"The PKCS#11 token '{_token.Token}' was busy for {options.TimeoutSeconds} seconds."
            );
        }

        try
        {
            try
            {
                return Once(work);
            }
            catch (Pkcs11Exception lost) when (Lost.Contains(lost.RV))
            {
                Forget();
                return Once(work);
            }
        }
        catch (Pkcs11Exception exception)
        {
            throw new KeyUnavailableException(Sentence(doing, exception.RV), exception);
        }
        finally
        {
            _free.Release();
        }
    }

    /// <summary>The handle of an object that <paramref name="find"/> finds, kept until sessions are lost.</summary>
    public IObjectHandle Find(string reference, Func<IObjectHandle> find) =>
        _found.TryGetValue(reference, out var known) ? known : _found.GetOrAdd(reference, find());

    /// <summary>Drops such a handle: a token may give its number to another object.</summary>
    public void Forget(string reference) => _found.TryRemove(reference, out _);

    public void Dispose()
    {
        Forget();
        _free.Dispose();
    }

    private T Once<T>(Func<ISession, T> work)
    {
        var session = _idle.TryTake(out var idle) ? idle : Open();
        try
        {
            var done = work(session);
            _idle.Add(session);
            return done;
        }
        catch
        {
            Close(session);
            throw;
        }
    }

    private ISession Open()
    {
        var session = Slot().OpenSession(SessionType.ReadWrite);
        try
        {
            SignIn(session);
            return session;
        }
        catch
        {
            Close(session);
            throw;
        }
    }

    // One after the other, and a PIN that the token refused is not tried again: a few wrong ones lock it for everybody.
    private void SignIn(ISession session)
    {
        lock (_signingIn)
        {
            var pin = Encoding.UTF8.GetBytes(FirstLine(SecretText.Read(_token.PinFile, _token.PinVariable).Reveal()));
            var digest = SHA256.HashData(pin);
            try
            {
                if (_refused is { } refused && CryptographicOperations.FixedTimeEquals(refused.Pin, digest))
                {
                    throw new KeyUnavailableException(Sentence("log in", refused.Answer));
                }

                session.Login(CKU.CKU_USER, pin);
            }
            catch (Pkcs11Exception exception) when (exception.RV == CKR.CKR_USER_ALREADY_LOGGED_IN)
            {
                // One login is for all sessions of the process.
                return;
            }
            catch (Pkcs11Exception exception) when (PinRefused.Contains(exception.RV))
            {
                _refused = (digest, exception.RV);
                throw;
            }
            finally
            {
                CryptographicOperations.ZeroMemory(pin);
            }
        }
    }

    private ISlot Slot()
    {
        if (_token.Module.Length == 0)
        {
            throw new KeyUnavailableException(
                "A key lies in a PKCS#11 token, but Governance:Keys:Pkcs11:Module is not set."
            );
        }

        IPkcs11Library library;
        try
        {
            library = Pkcs11Modules.Load(_token.Module);
        }
        catch (Exception exception) when (exception is UnmanagedException or Pkcs11Exception)
        {
            throw new KeyUnavailableException($"{_token.Module} cannot be loaded as a PKCS#11 library.", exception);
        }

        var slots = library
            .GetSlotList(SlotsType.WithTokenPresent)
            .Where(slot =>
                slot.GetTokenInfo() is { TokenFlags.TokenInitialized: true } info && info.Label == _token.Token
            )
            .ToList();
        return slots switch
        {
            [var slot] => slot,
            [] => throw new KeyUnavailableException($"There is no PKCS#11 token '{_token.Token}' in {_token.Module}."),
            _ => throw new KeyUnavailableException($"More than one PKCS#11 token is called '{_token.Token}'."),
        };
    }

    private void Forget()
    {
        _found.Clear();
        while (_idle.TryTake(out var session))
        {
            Close(session);
        }
    }

    private static void Close(ISession session)
    {
        try
        {
            session.CloseSession();
        }
        catch (Pkcs11Exception)
        {
            // It was gone already.
            return;
        }
    }

    private string Sentence(string doing, CKR answer) =>
        answer switch
        {
            CKR.CKR_PIN_INCORRECT or CKR.CKR_PIN_INVALID or CKR.CKR_PIN_LEN_RANGE =>
                $"The PKCS#11 token '{_token.Token}' refuses the PIN. It is not asked again before PinFile or PinVariable says another one.",
            CKR.CKR_PIN_LOCKED =>
                $"The PKCS#11 token '{_token.Token}' is locked: the PIN was wrong too often. Unlock it, and start the gateway again or change the PIN.",
            _ => $"The PKCS#11 token '{_token.Token}' failed to {doing}: {answer}.",
        };

    private static string FirstLine(string text) => text.Split('\n', 2)[0].TrimEnd('\r');
}
