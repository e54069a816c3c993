using System.Text;
using System.Xml.Linq;
using Governance.Platform.Keys;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Identity.Server;

/// <summary>Keeps the keys of cookies and anti-forgery tokens wrapped at rest, like every other key.</summary>
internal sealed class KeyWrapXmlEncryptor(IKeyWrap wrap) : IXmlEncryptor
{
    public const string Purpose = "page-cookies";

    public EncryptedXmlInfo Encrypt(XElement plaintextElement)
    {
        var plain = Encoding.UTF8.GetBytes(plaintextElement.ToString(SaveOptions.DisableFormatting));
        var wrapped = Convert.ToBase64String(wrap.Wrap(plain, Purpose));
        return new EncryptedXmlInfo(new XElement("wrapped", wrapped), typeof(KeyWrapXmlDecryptor));
    }
}

/// <summary>The other direction; made by the framework from the type name in the key file.</summary>
internal sealed class KeyWrapXmlDecryptor(IServiceProvider services) : IXmlDecryptor
{
    public XElement Decrypt(XElement encryptedElement)
    {
        var wrap = services.GetRequiredService<IKeyWrap>();
        var plain = wrap.Unwrap(Convert.FromBase64String(encryptedElement.Value), KeyWrapXmlEncryptor.Purpose);
        return XElement.Parse(Encoding.UTF8.GetString(plain));
    }
}
