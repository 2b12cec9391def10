using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks.Tests;

/// <summary>The gradient of a mask's border, edges made thin, and BSDS500's files.</summary>
public class EdgeTests
{
    [Fact]
    public void Band_OfAMask_IsTheSobelOfItsProbabilityOnBothSidesOfTheBorderAndNowhereElse()
    {
        const int Width = 23, Height = 17;
        var random = new Random(5);
        float[] logits = [.. Enumerable.Range(0, Width * Height).Select(i => (float)((9 - Math.Sqrt(Math.Pow((i % Width) - 6, 2) + Math.Pow((i / Width) - 3, 2))) + random.NextDouble() - 0.5))];
        RleMask mask = RleMask.FromLogits(logits, Width, Height, 0);
        float[] found = new float[Width * Height];
        EdgeBand band = EdgeBand.Of(mask, logits, 0.5f);
        band.RaiseTo(found);

        Assert.Equal(mask.BoundingBox, band.Box);
        int positive = 0;
        for (int y = 0; y < Height; y++)
        {
            for (int x = 0; x < Width; x++)
            {
                bool border = Neighbours(x, y).Any(n => mask[n.X, n.Y] != mask[x, y]);
                double expected = border ? Sobel(x, y) : 0;
                Assert.Equal(expected, found[(y * Width) + x], 1e-4);
                positive += border ? 1 : 0;
            }
        }

        Assert.True(positive > 40);

        // What is there and stronger stays.
        float[] strong = [.. Enumerable.Repeat(9f, Width * Height)];
        band.RaiseTo(strong);
        Assert.All(strong, value => Assert.Equal(9, value));

        double P(int x, int y) => 1 / (1 + Math.Exp(-logits[(Math.Clamp(y, 0, Height - 1) * Width) + Math.Clamp(x, 0, Width - 1)]));
        double Sobel(int x, int y)
        {
            double gx = 0, gy = 0;
            for (int d = -1; d <= 1; d++)
            {
                gx += (2 - Math.Abs(d)) * (P(x + 1, y + d) - P(x - 1, y + d));
                gy += (2 - Math.Abs(d)) * (P(x + d, y + 1) - P(x + d, y - 1));
            }

            return Math.Sqrt((gx * gx) + (gy * gy));
        }

        static IEnumerable<(int X, int Y)> Neighbours(int x, int y) =>
            from dy in Enumerable.Range(-1, 3) from dx in Enumerable.Range(-1, 3) where x + dx is >= 0 and < Width && y + dy is >= 0 and < Height select (x + dx, y + dy);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(30)]
    [InlineData(45)]
    [InlineData(90)]
    [InlineData(120)]
    public void Thin_AThickLine_LeavesItsCrest(double degrees)
    {
        const int Side = 61;
        (double sin, double cos) = Math.SinCos(degrees * Math.PI / 180);
        // A ridge through the middle, four pixels wide.
        float[] ridge = [.. Enumerable.Range(0, Side * Side).Select(i => (float)Math.Exp(-Math.Pow((((i % Side) - 30) * sin) - (((i / Side) - 30) * cos), 2) / 8))];
        EdgeMap map = EdgeDetection.Finish([.. ridge], Side, Side, EdgeNms.Canny);

        int kept = 0;
        for (int y = 8; y < Side - 8; y++)
        {
            for (int x = 8; x < Side - 8; x++)
            {
                double away = Math.Abs(((x - 30) * sin) - ((y - 30) * cos));
                float strength = map.Strengths[(y * Side) + x];
                if (strength > 1f / 255) Assert.True(away <= 1, $"{x}, {y}: {strength}, {away} pixels away");
                if (strength > 0.5) kept++;
            }
        }

        Assert.InRange(kept, 40, 100);
        Assert.All(Enumerable.Range(0, Side), i => Assert.Equal(0, map.Strengths[i])); // the image's border
        Assert.Equal(1, EdgeDetection.Finish([.. ridge], Side, Side, EdgeNms.None).Strengths.ToArray().Max());
        Assert.All(EdgeDetection.Finish(new float[Side * Side], Side, Side, EdgeNms.Canny).ToLevels(), level => Assert.Equal(0, level));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Bsds_AFile_GivesWhatEachPersonDrew(bool compressed)
    {
        RleMask[] drawn = [.. Enumerable.Range(1, 3).Select(i => RleMask.FromBox(new MaskBox(i, 2 * i, 3, 4), 13, 11))];
        IReadOnlyList<RleMask> read = BsdsBoundaries.Read(File(drawn, compressed), "a.mat");
        Assert.Equal(drawn, read);
    }

    [Fact]
    public void Bsds_DamagedFiles_AreErrorsThatNameTheFile()
    {
        RleMask[] drawn = [RleMask.FromBox(new MaskBox(1, 1, 3, 4), 13, 11)];
        byte[] plain = File(drawn, compressed: false), packed = File(drawn, compressed: true);
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            byte[] file = [.. i % 2 == 0 ? plain : packed];
            if (i % 3 == 0) file = file[..random.Next(file.Length)];
            for (int change = 0; change < 3 && file.Length > 0; change++) file[random.Next(file.Length)] = (byte)random.Next(256);
            try
            {
                Assert.NotEmpty(BsdsBoundaries.Read(file, "a.mat"));
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith("a.mat: ", e.Message, StringComparison.Ordinal);
            }
        }

        Assert.Contains("no MATLAB file", Assert.Throws<InvalidDataException>(() => BsdsBoundaries.Read(new byte[200], "b.mat")).Message, StringComparison.Ordinal);
    }

    // A file as MATLAB writes it: a cell for each person, a structure with a segmentation and the boundaries.
    private static byte[] File(RleMask[] drawn, bool compressed)
    {
        byte[] groundTruth = Matrix(1, 1, drawn.Length, "groundTruth", [.. drawn.SelectMany(mask =>
        {
            byte[] columns = new byte[mask.Width * mask.Height];
            mask.ToColumnMajor(columns);
            byte[] names = new byte[2 * 16];
            Encoding.ASCII.GetBytes("Segmentation", names);
            Encoding.ASCII.GetBytes("Boundaries", names.AsSpan(16));
            byte[] segmentation = Matrix(11, mask.Height, mask.Width, "", Element(4, new byte[2 * columns.Length]));
            byte[] boundaries = Matrix(9, mask.Height, mask.Width, "", Element(2, columns));
            return Matrix(2, 1, 1, "", [.. Small(5, [16, 0, 0, 0]), .. Element(1, names), .. segmentation, .. boundaries]);
        })]);
        byte[] header = new byte[128];
        Encoding.ASCII.GetBytes("MATLAB 5.0 MAT-file").CopyTo(header, 0);
        (header[124], header[125], header[126], header[127]) = (0, 1, (byte)'I', (byte)'M');
        byte[] other = Matrix(6, 1, 1, "other", Element(9, new byte[8]));
        return compressed ? [.. header, .. Packed(other), .. Packed(groundTruth)] : [.. header, .. other, .. groundTruth];
    }

    private static byte[] Matrix(byte kind, int rows, int columns, string name, byte[] content)
    {
        byte[] size = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(size, rows);
        BinaryPrimitives.WriteInt32LittleEndian(size.AsSpan(4), columns);
        byte[] text = Encoding.ASCII.GetBytes(name);
        return Element(14, [.. Element(6, [kind, 0, 0, 0, 0, 0, 0, 0]), .. Element(5, size), .. name.Length is > 0 and <= 4 ? Small(1, text) : Element(1, text), .. content]);
    }

    private static byte[] Element(int type, byte[] data)
    {
        byte[] tag = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(tag, type);
        BinaryPrimitives.WriteInt32LittleEndian(tag.AsSpan(4), data.Length);
        return [.. tag, .. data, .. new byte[(8 - (data.Length % 8)) % 8]];
    }

    private static byte[] Small(int type, byte[] data) => [(byte)type, 0, (byte)data.Length, 0, .. data, .. new byte[4 - data.Length]];

    private static byte[] Packed(byte[] element)
    {
        using var stream = new MemoryStream();
        using (var zlib = new ZLibStream(stream, CompressionLevel.Optimal, leaveOpen: true)) zlib.Write(element);
        byte[] data = stream.ToArray(), tag = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(tag, 15);
        BinaryPrimitives.WriteInt32LittleEndian(tag.AsSpan(4), data.Length);
        return [.. tag, .. data]; // not padded
    }
}
