using Governance.Platform;
using Governance.Privacy.Contracts;
using Governance.Privacy.Engine;

namespace Governance.Privacy;

/// <summary>The parsed policy in force; parsed again only when its text changes. A policy that can't be read stops everything that needs it.</summary>
internal sealed class ActivePolicy(IPrivacyPolicySource source)
{
    private volatile Entry? _entry;

    /// <summary>The policy read last; throws before the first read.</summary>
    public PrivacyPolicy Latest =>
        _entry?.Policy ?? throw new InvalidOperationException("The privacy policy has not been read yet.");

    /// <summary>The policy now.</summary>
    public async ValueTask<PrivacyPolicy> NowAsync(CancellationToken cancellationToken)
    {
        var text = await source.TextAsync(cancellationToken);
        if (_entry is { } known && known.Text == text)
        {
            return known.Policy;
        }

        var parsed = PrivacyPolicy.Parse(text);
        if (!parsed.Ok)
        {
            throw new InvalidDataException(parsed.Failure.Message);
        }

        _entry = new Entry(text, parsed.Value);
        return parsed.Value;
    }

    private sealed record Entry(string Text, PrivacyPolicy Policy);
}

/// <summary>The policy file, when the host offers nothing better: command line and tests.</summary>
internal sealed class FilePolicySource(PlatformOptions options) : IPrivacyPolicySource
{
    private readonly Lazy<string> _text = new(() =>
        File.ReadAllText(Path.Combine(options.PoliciesDirectory, "privacy.yaml"))
    );

    public ValueTask<string> TextAsync(CancellationToken cancellationToken) => ValueTask.FromResult(_text.Value);
}
