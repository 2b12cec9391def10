using System.Buffers.Binary;

namespace SegmentAnything.TestSupport.Fuzzing;

/// <summary>Changes files at random: bits, bytes, numbers, stretches left out, repeated or cut off. The same seed gives the same changes.</summary>
internal static class Mutator
{
    /// <summary>One to three changes.</summary>
    /// <param name="original">The file.</param>
    /// <param name="random">The source of every choice.</param>
    /// <param name="alphabet">Bytes that mean something in the format, to be put anywhere; empty for any.</param>
    public static byte[] Mutate(byte[] original, Random random, ReadOnlySpan<byte> alphabet = default)
    {
        List<byte> bytes = [.. original];
        for (int n = random.Next(1, 4); n > 0 && bytes.Count > 0; n--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 40), bytes.Count - at);
            switch (random.Next(8))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.InsertRange(random.Next(bytes.Count), bytes[at..(at + length)]); break;
                case 4 when random.Next(4) == 0: bytes.RemoveRange(at, bytes.Count - at); break;
                case 5: Overwrite(at, 4, random.Next(3) switch { 0 => uint.MaxValue, 1 => 0x7FFFFFFF, _ => (ulong)random.Next(original.Length) }); break;
                case 6: Overwrite(at, 8, random.Next(3) switch { 0 => ulong.MaxValue, 1 => long.MaxValue, _ => (ulong)random.Next(original.Length) }); break;
                default: bytes[at] = alphabet.IsEmpty ? (byte)random.Next(256) : alphabet[random.Next(alphabet.Length)]; break;
            }
        }

        return [.. bytes];

        void Overwrite(int at, int size, ulong value)
        {
            Span<byte> little = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(little, value);
            for (int i = 0; i < size && at + i < bytes.Count; i++) bytes[at + i] = little[i];
        }
    }
}
