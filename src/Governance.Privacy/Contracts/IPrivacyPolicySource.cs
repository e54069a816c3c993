namespace Governance.Privacy.Contracts;

/// <summary>Port: the text of the privacy policy in force. The host implements it over the policies in the database.</summary>
public interface IPrivacyPolicySource
{
    /// <summary>The text of <c>privacy.yaml</c> in force; cheap to call often.</summary>
    ValueTask<string> TextAsync(CancellationToken cancellationToken);
}
