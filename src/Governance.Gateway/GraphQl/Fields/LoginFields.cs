using Governance.Gateway.GraphQl.Guard;
using Governance.Identity.Contracts;
using GraphQL;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>A login of a person at an external issuer.</summary>
[Name("Login")]
[Needs("identity:manage")]
internal sealed class LoginFields(LoginView view)
{
    /// <summary>Its id, for taking it away.</summary>
    [Id]
    public Guid Id => view.Id;

    /// <summary>Issuer of its tokens.</summary>
    public string Issuer => view.Issuer;

    /// <summary>The issuer's own name of the person.</summary>
    public string ExternalId => view.Subject;

    /// <summary>Whether it counts; else it waits for a second administrator and is nobody's.</summary>
    public bool Confirmed => view.Confirmed;
}

/// <summary>A link that was asked for.</summary>
[Name("LoginLink")]
[Needs("identity:manage")]
internal sealed class LinkFields(LinkAsked asked)
{
    /// <summary>Id of the login.</summary>
    [Id]
    public Guid Login => asked.Login;

    /// <summary>What the second administrator confirms.</summary>
    [Id]
    public Guid Confirmation => asked.Confirmation;
}
