using Governance.Gateway.Hosting;
using Governance.Platform.Jobs;
using Governance.Platform.Web;
using GraphQL.Types;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using OpenIddict.Server;

namespace Governance.Gateway.Tests.Live.Access;

/// <summary>
/// Every role × every way in × own, granted, foreign and absent object, sent to a running gateway and compared with what was
/// written by hand from the design, in <c>Data/access-rights.tsv</c> and <c>Data/access-entries.tsv</c>.
/// </summary>
public sealed class AccessMatrixTests(AccessMatrix matrix) : IClassFixture<AccessMatrix>
{
    [Fact]
    public void Every_route_field_and_job_of_the_gateway_has_a_line_and_every_line_is_of_the_gateway()
    {
        var services = matrix.Gateway.Services;
        var routes = Inventory
            .Of([services.GetRequiredService<EndpointDataSource>()])
            .Select(line => line[..line.LastIndexOf(' ')]);
        var fields =
            from type in matrix.Schema.AllTypes.OfType<IObjectGraphType>()
            where !type.Name.StartsWith("__", StringComparison.Ordinal)
            from field in type.Fields
            select $"{type.Name}.{field.Name}";
        var jobs = services.GetServices<IJobHandler>().Select(handler => $"job {handler.Kind}");
        HashSet<string> there = [.. routes, .. Protocol(services), .. fields, .. jobs];
        HashSet<string> written = [.. matrix.Table.Entries.SelectMany(entry => entry.Covers)];

        Assert.True(
            there.SetEquals(written),
            Difference("no line", there, written) + Difference("gone", written, there)
        );
    }

    [Fact]
    public void Every_answer_is_the_one_that_the_table_says()
    {
        var wrong = matrix.Cells.Where(cell => cell.Expected != cell.Answer.Letter).Select(cell => cell.ToString());

        Assert.True(!wrong.Any(), string.Join('\n', wrong.Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void What_exists_and_what_does_not_look_the_same_where_that_is_a_secret()
    {
        var groups = matrix.Cells.GroupBy(cell => (cell.Entry, cell.Caller));
        var compared = 0;
        var told = new List<string>();
        foreach (var group in groups)
        {
            var absent = group.SingleOrDefault(cell => cell.Kind == 3);
            foreach (var cell in group.Where(cell => cell is { Expected: 'N', Kind: < 3 }))
            {
                if (absent is not null && matrix.Table.IsSecret(cell.Entry, cell.Caller.Narrow))
                {
                    compared++;
                    if (cell.Answer.Whole != absent.Answer.Whole)
                    {
                        told.Add($"{cell}\n{cell.Answer.Whole}\n--- absent:\n{absent.Answer.Whole}\n");
                    }
                }
            }
        }

        Assert.True(told.Count == 0, string.Join('\n', told.Order(StringComparer.Ordinal)));
        Assert.True(compared > 1500, $"Only {compared} pairs were compared.");
    }

    // How even, the load script measures: Governance.Benchmarks, secrets.
    [Fact]
    public void What_is_not_there_and_what_is_a_secret_are_answered_no_sooner_than_a_whole_step()
    {
        var held = matrix
            .Cells.GroupBy(cell => (cell.Entry, cell.Caller))
            .Where(group => group.Any(cell => cell is { Expected: 'N', Kind: < 3 }))
            .Where(group => matrix.Table.IsSecret(group.Key.Entry, group.Key.Caller.Narrow))
            .SelectMany(group => group)
            .Where(cell => cell.Expected == 'N' && (cell.Answer.IsMissing || IsQuestion(cell.Entry)))
            .ToList();
        var early = held.Where(cell => cell.Answer.Took < EvenAnswer.Step).Select(cell => cell.ToString());

        Assert.True(!early.Any(), string.Join('\n', early.Order(StringComparer.Ordinal)));
        Assert.True(held.Count > 1500, $"Only {held.Count} answers were held.");
    }

    [Fact]
    public void Every_right_is_asked_for_and_each_of_its_kinds_of_answer_came()
    {
        var unused = matrix.Table.Rights.Except(matrix.Table.Entries.Select(entry => entry.Right));

        Assert.Empty(unused);
        Assert.Equal("ACEFNOSU", string.Concat(matrix.Cells.Select(cell => cell.Answer.Letter).Distinct().Order()));
    }

    [Fact]
    public void Every_job_is_started_by_entries_of_the_table()
    {
        var names = matrix.Table.Entries.Select(entry => entry.Name).ToHashSet();

        Assert.All(
            matrix.Table.Entries.Where(entry => entry.IsJob && entry.Request != "the clock"),
            job => Assert.Contains(job.Request, names)
        );
    }

    // Whether one may is answered "no" for what is not there.
    private static bool IsQuestion(AccessEntry entry) => entry.Right.StartsWith("can:", StringComparison.Ordinal);

    /// <summary>What the OAuth2 server answers itself, before routes are looked at.</summary>
    private static IEnumerable<string> Protocol(IServiceProvider services)
    {
        var server = services.GetRequiredService<IOptionsMonitor<OpenIddictServerOptions>>().CurrentValue;
        return new[]
        {
            server.ConfigurationEndpointUris,
            server.DeviceAuthorizationEndpointUris,
            server.EndSessionEndpointUris,
            server.IntrospectionEndpointUris,
            server.JsonWebKeySetEndpointUris,
            server.PushedAuthorizationEndpointUris,
            server.RevocationEndpointUris,
            server.UserInfoEndpointUris,
        }
            .SelectMany(uris => uris)
            .Select(uri => $"* /{uri.OriginalString}");
    }

    private static string Difference(string what, IEnumerable<string> left, IEnumerable<string> right) =>
        string.Concat(left.Except(right).Order(StringComparer.Ordinal).Select(name => $"{what}: {name}\n"));
}
