namespace Governance.Benchmarks;

/// <summary>How well one threshold on the time of an answer tells two kinds of request apart.</summary>
internal static class Advantage
{
    /// <summary>
    /// |P(t ≤ x | first) − P(t ≤ x | second)| for the best x, which is chosen on one half of the pairs and tried on the other, both
    /// ways; their mean. What is noise on the one half is none on the other, so that it comes out near 0, also below.
    /// </summary>
    public static double Of(IReadOnlyList<double> first, IReadOnlyList<double> second)
    {
        var (even, odd) = (new Half(first, second, 0), new Half(first, second, 1));
        return (even.TryOn(odd) + odd.TryOn(even)) / 2;
    }

    /// <summary>Every second pair, sorted.</summary>
    private sealed class Half
    {
        private readonly double[] _first;
        private readonly double[] _second;

        public Half(IReadOnlyList<double> first, IReadOnlyList<double> second, int parity)
        {
            _first = [.. first.Where((_, i) => i % 2 == parity).Order()];
            _second = [.. second.Where((_, i) => i % 2 == parity).Order()];
        }

        public double TryOn(Half other)
        {
            var best = _first.Concat(_second).MaxBy(x => Math.Abs(Difference(x)));
            return Math.Sign(Difference(best)) * other.Difference(best);
        }

        private double Difference(double x) => Share(_first, x) - Share(_second, x);

        private static double Share(double[] sorted, double x)
        {
            var (low, high) = (0, sorted.Length);
            while (low < high)
            {
                var middle = (low + high) / 2;
                (low, high) = sorted[middle] <= x ? (middle + 1, high) : (low, middle);
            }

            return (double)low / sorted.Length;
        }
    }
}
