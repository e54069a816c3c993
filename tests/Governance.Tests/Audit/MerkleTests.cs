using CsCheck;
using Governance.Audit.Engine;

namespace Governance.Tests.Audit;

public class MerkleTests
{
    // The eight inputs and roots that Certificate Transparency's own tests use for RFC 6962.
    private static readonly byte[][] Inputs =
    [
        [],
        [0x00],
        [0x10],
        [0x20, 0x21],
        [0x30, 0x31],
        [0x40, 0x41, 0x42, 0x43],
        [0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        [0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
    ];

    [Theory]
    [InlineData(0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData(1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")]
    [InlineData(2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")]
    [InlineData(3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77")]
    [InlineData(4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")]
    [InlineData(5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4")]
    [InlineData(6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef")]
    [InlineData(7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c")]
    [InlineData(8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")]
    public void Roots_are_those_of_the_published_vectors(int size, string root)
    {
        var tree = new TreeBuilder();
        foreach (var input in Inputs.Take(size))
        {
            tree.Append(MerkleTree.HashLeaf(input));
        }

        Assert.Equal(root, Convert.ToHexStringLower(tree.Root));
    }

    [Theory]
    [InlineData(
        5,
        8,
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0 d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
    )]
    [InlineData(2, 3, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")]
    public void Audit_paths_are_those_of_the_published_vectors(int index, int size, string path)
    {
        var log = new MemoryLog(Inputs);

        Assert.Equal(path.Split(' '), Hex(log.Resolve(MerkleProof.PlanInclusion(index, size))));
    }

    [Theory]
    [InlineData(
        6,
        8,
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0 d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
    )]
    [InlineData(
        2,
        5,
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
    )]
    public void Consistency_proofs_are_those_of_the_published_vectors(int from, int to, string proof)
    {
        var log = new MemoryLog(Inputs);

        Assert.Equal(proof.Split(' '), Hex(log.Resolve(MerkleProof.PlanConsistency(from, to))));
    }

    [Fact]
    public void Every_inclusion_proof_verifies_and_no_mutated_one_does() =>
        (
            from size in Gen.Long[1, 700]
            from index in Gen.Long[0, size - 1]
            from flip in Gen.Int
            select (size, index, flip)
        ).Sample(
            sample =>
            {
                var log = new MemoryLog(sample.size);
                var proof = log.Resolve(MerkleProof.PlanInclusion(sample.index, sample.size));
                var root = log.RootAt(sample.size);

                Assert.True(
                    MerkleProof.VerifyInclusion(sample.index, sample.size, log.Leaf(sample.index), proof, root)
                );
                Assert.False(
                    MerkleProof.VerifyInclusion(
                        sample.index,
                        sample.size,
                        Flip(log.Leaf(sample.index), sample.flip),
                        proof,
                        root
                    )
                );
                Assert.False(
                    MerkleProof.VerifyInclusion(
                        sample.index,
                        sample.size,
                        log.Leaf(sample.index),
                        proof,
                        Flip(root, sample.flip)
                    )
                );
                Assert.False(
                    MerkleProof.VerifyInclusion(
                        sample.index,
                        sample.size,
                        log.Leaf(sample.index),
                        [.. proof, root],
                        root
                    )
                );
                if (proof.Count > 0)
                {
                    var at = (int)((uint)sample.flip % proof.Count);
                    var mutated = proof.Select((hash, i) => i == at ? Flip(hash, sample.flip) : hash).ToList();
                    Assert.False(
                        MerkleProof.VerifyInclusion(sample.index, sample.size, log.Leaf(sample.index), mutated, root)
                    );
                    Assert.False(
                        MerkleProof.VerifyInclusion(
                            sample.index,
                            sample.size,
                            log.Leaf(sample.index),
                            [.. proof.Skip(1)],
                            root
                        )
                    );
                }
            },
            iter: 400
        );

    [Fact]
    public void Every_consistency_proof_verifies_and_no_mutated_one_does() =>
        (
            from to in Gen.Long[1, 700]
            from start in Gen.Long[1, to]
            from flip in Gen.Int
            select (start, to, flip)
        ).Sample(
            sample =>
            {
                var log = new MemoryLog(sample.to);
                var proof = log.Resolve(MerkleProof.PlanConsistency(sample.start, sample.to));
                var (before, after) = (log.RootAt(sample.start), log.RootAt(sample.to));

                Assert.True(MerkleProof.VerifyConsistency(sample.start, before, sample.to, after, proof));
                Assert.False(
                    MerkleProof.VerifyConsistency(sample.start, Flip(before, sample.flip), sample.to, after, proof)
                );
                Assert.False(
                    MerkleProof.VerifyConsistency(sample.start, before, sample.to, Flip(after, sample.flip), proof)
                );
                Assert.False(MerkleProof.VerifyConsistency(sample.start, before, sample.to, after, [.. proof, after]));
                if (proof.Count > 0)
                {
                    var at = (int)((uint)sample.flip % proof.Count);
                    var mutated = proof.Select((hash, i) => i == at ? Flip(hash, sample.flip) : hash).ToList();
                    Assert.False(MerkleProof.VerifyConsistency(sample.start, before, sample.to, after, mutated));
                    Assert.False(
                        MerkleProof.VerifyConsistency(sample.start, before, sample.to, after, [.. proof.Skip(1)])
                    );
                }
            },
            iter: 400
        );

    [Fact]
    public void A_proof_needs_few_nodes_even_of_a_huge_log()
    {
        var plan = MerkleProof.PlanInclusion(123_456_789, 1_000_000_007);

        Assert.InRange(plan.SelectMany(range => MerkleTree.Cover(range.Begin, range.End)).Count(), 1, 60);
    }

    private static IEnumerable<string> Hex(IEnumerable<byte[]> hashes) => hashes.Select(Convert.ToHexStringLower);

    private static byte[] Flip(byte[] hash, int seed)
    {
        byte[] copy = [.. hash];
        copy[(uint)seed % copy.Length] ^= 1;
        return copy;
    }

    private sealed class MemoryLog
    {
        private readonly Dictionary<NodeId, byte[]> _nodes = [];

        public MemoryLog(long size)
            : this(Enumerable.Range(0, (int)size).Select(i => BitConverter.GetBytes((long)i))) { }

        public MemoryLog(IEnumerable<byte[]> inputs)
        {
            var tree = new TreeBuilder();
            foreach (var input in inputs)
            {
                var leaf = MerkleTree.HashLeaf(input);
                _nodes[new NodeId(0, tree.Size)] = leaf;
                foreach (var (id, hash) in tree.Append(leaf))
                {
                    _nodes[id] = hash;
                }
            }
        }

        public byte[] Leaf(long index) => _nodes[new NodeId(0, index)];

        public byte[] RootAt(long size) => MerkleTree.Fold([.. MerkleTree.Cover(0, size).Select(id => _nodes[id])]);

        public IReadOnlyList<byte[]> Resolve(IReadOnlyList<(long, long)> plan) => MerkleProof.Resolve(plan, _nodes);
    }
}
