using System.Runtime.Intrinsics;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle.Tests.Kernels;

public class BitWordsTests
{
    [Fact]
    public void Transpose_OfRandomBlocks_MovesEveryBit()
    {
        var random = new Random(5);
        var block = new ulong[64];
        for (int round = 0; round < 50; round++)
        {
            for (int i = 0; i < 64; i++) block[i] = (ulong)random.NextInt64() ^ ((ulong)random.NextInt64() << 32);
            ulong[] v128 = [.. block], v256 = [.. block], v512 = [.. block];
            BitWords<Simd128, Vector128<float>>.Transpose(ref v128[0]);
            BitWords<Simd256, Vector256<float>>.Transpose(ref v256[0]);
            BitWords<Simd512, Vector512<float>>.Transpose(ref v512[0]);
            for (int r = 0; r < 64; r++)
            {
                for (int c = 0; c < 64; c++)
                {
                    ulong expected = (block[r] >> c) & 1;
                    Assert.True(expected == ((v128[c] >> r) & 1) && expected == ((v256[c] >> r) & 1) && expected == ((v512[c] >> r) & 1));
                }
            }
        }
    }
}
