using System.Buffers.Binary;

namespace SegmentAnything.Checkpoints;

/// <summary>The check sum of zip entries (polynomial 0xEDB88320, reflected), eight bytes a step.</summary>
internal static class Crc32
{
    // Tables[k][b]: what byte b contributes when k more bytes follow it in the same step.
    private static readonly uint[][] Tables = MakeTables();

    /// <summary>Continues a check sum; starts at 0.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            uint low = crc ^ BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            uint high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            crc = Tables[7][low & 0xFF] ^ Tables[6][(low >> 8) & 0xFF] ^ Tables[5][(low >> 16) & 0xFF] ^ Tables[4][low >> 24]
                ^ Tables[3][high & 0xFF] ^ Tables[2][(high >> 8) & 0xFF] ^ Tables[1][(high >> 16) & 0xFF] ^ Tables[0][high >> 24];
        }

        foreach (byte b in bytes) crc = (crc >> 8) ^ Tables[0][(crc ^ b) & 0xFF];
        return ~crc;
    }

    private static uint[][] MakeTables()
    {
        uint[][] tables = new uint[8][];
        for (int k = 0; k < 8; k++) tables[k] = new uint[256];
        for (uint b = 0; b < 256; b++)
        {
            uint value = b;
            for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0);
            tables[0][b] = value;
        }

        for (int k = 1; k < 8; k++)
        {
            for (int b = 0; b < 256; b++) tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xFF];
        }

        return tables;
    }
}
