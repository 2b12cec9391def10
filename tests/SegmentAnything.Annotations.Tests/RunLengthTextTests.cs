using System.Text;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Tests;

/// <summary>The run lengths of other tools, against plain definitions.</summary>
public class RunLengthTextTests
{
    [Fact]
    public void Kaggle_IsPairsDownTheColumnsFromOne()
    {
        Assert.Equal("10 3 18 3 26 3", RunLengthText.ToKaggle(Make.Square));
        Assert.Equal("", RunLengthText.ToKaggle(RleMask.Empty(3, 3)));
        Assert.Equal("1 9", RunLengthText.ToKaggle(RleMask.Full(3, 3)));
        Assert.Equal(Make.Square, RunLengthText.FromKaggle(" 10 3  18 3 26 3\n", 8, 8));
        // Runs that touch are one.
        Assert.Equal(RleMask.Full(3, 3), RunLengthText.FromKaggle("1 4 5 5", 3, 3));
    }

    [Theory]
    [InlineData("1", "pairs")]
    [InlineData("0 1", "before 1")]
    [InlineData("5 2 3 1", "begins before")]
    [InlineData("9 2", "leads out")]
    [InlineData("1 0", "length 0")]
    [InlineData("1 x", "\"x\"")]
    [InlineData("1 99999999999", "no whole number")]
    [InlineData("-1 2", "no whole number")]
    public void Kaggle_Malformed_SaysWhat(string text, string part) =>
        Assert.Contains(part, Assert.Throws<RleFormatException>(() => RunLengthText.FromKaggle(text, 3, 3)).Message, StringComparison.Ordinal);

    [Fact]
    public void Cvat_IsRunsAlongTheRows()
    {
        RleMask mask = Make.FromRows(".#.", "##.");
        Assert.Equal("1, 1, 1, 2, 1", RunLengthText.ToCvat(mask));
        Assert.Equal("0, 4", RunLengthText.ToCvat(RleMask.Full(2, 2)));
        Assert.Equal(mask, RunLengthText.FromCvat("1,1,1,2,1", 3, 2));
        Assert.Throws<RleFormatException>(() => RunLengthText.FromCvat("1,1", 3, 2));
        Assert.Throws<RleFormatException>(() => RunLengthText.FromCvat("1,9", 3, 2));
        Assert.Throws<RleFormatException>(() => RunLengthText.FromCvat("1,b", 3, 2));

        var random = new Random(6);
        for (int i = 0; i < 200; i++)
        {
            mask = Make.Random(random, random.Next(1, 90), random.Next(1, 90));
            List<int> runs = [0];
            int colour = 0;
            foreach (byte pixel in mask.ToBitmap())
            {
                if (pixel != colour) runs.Add(0);
                colour = pixel;
                runs[^1]++;
            }

            Assert.Equal(string.Join(", ", runs), RunLengthText.ToCvat(mask));
            Assert.Equal(mask, RunLengthText.FromCvat(string.Join(',', runs), mask.Width, mask.Height));
        }
    }

    [Fact]
    public void LabelStudio_IsTheBitsOfItsDefinition()
    {
        var random = new Random(5);
        for (int i = 0; i < 200; i++)
        {
            RleMask mask = i switch { 0 => RleMask.Empty(7, 5), 1 => RleMask.Full(300, 200), _ => Make.Random(random, random.Next(1, 90), random.Next(1, 90)) };
            byte[] bytes = RunLengthText.ToLabelStudio(mask);
            Assert.Equal(Definition(mask), bytes);
            Assert.Equal(mask, RunLengthText.FromLabelStudio(bytes, mask.Width, mask.Height));
            Assert.Throws<RleFormatException>(() => RunLengthText.FromLabelStudio(bytes.AsSpan(0, bytes.Length / 2), mask.Width, mask.Height));
            Assert.Throws<RleFormatException>(() => RunLengthText.FromLabelStudio(bytes, mask.Width, mask.Height + 1));
        }
    }

    // Values that are not repeated, as other encoders may write them: a header, then one run of 8 single values for 2 pixels.
    [Fact]
    public void LabelStudio_SingleValues_AreRead()
    {
        string bits = Bits(8, 32) + Bits(7, 5) + Bits(2, 4) + Bits(3, 4) + Bits(7, 4) + Bits(15, 4) + "0" + "00" + Bits(7, 3)
            + string.Concat(new[] { 1, 2, 3, 0, 0, 0, 0, 9 }.Select(v => Bits(v, 8)));
        Assert.Equal(Make.FromRows(".#"), RunLengthText.FromLabelStudio(Bytes(bits + new string('0', 8 - (bits.Length % 8))), 2, 1));
    }

    // As a text of ones and zeros.
    private static byte[] Definition(RleMask mask)
    {
        byte[] values = [.. mask.ToBitmap().SelectMany(v => Enumerable.Repeat((byte)(v * 255), 4))];
        var bits = new StringBuilder(Bits(values.Length, 32) + Bits(7, 5) + Bits(2, 4) + Bits(3, 4) + Bits(7, 4) + Bits(15, 4));
        for (int start = 0; start < values.Length;)
        {
            int length = 1;
            while (start + length < values.Length && values[start + length] == values[start]) length++;
            start += length;
            byte value = values[start - 1];
            (string code, int width) = length switch { <= 8 => ("00", 3), <= 16 => ("01", 4), <= 256 => ("10", 8), _ => ("11", 16) };
            for (; length > 1 << width; length -= 1 << width) bits.Append('1').Append(code).Append(Bits((1 << width) - 1, width)).Append(Bits(value, 8));
            bits.Append('1').Append(code).Append(Bits(length - 1, width)).Append(Bits(value, 8));
        }

        return Bytes(bits.ToString() + new string('0', 8 - (bits.Length % 8)));
    }

    private static string Bits(int value, int width) => Convert.ToString(value, 2).PadLeft(width, '0');

    private static byte[] Bytes(string bits) => [.. bits.Chunk(8).Select(b => Convert.ToByte(new string(b), 2))];
}
