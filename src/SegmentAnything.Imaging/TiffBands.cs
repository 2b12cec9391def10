using System.Buffers.Binary;

namespace SegmentAnything.Imaging;

/// <summary>What the samples of a TIFF file's pixels are: colours, alpha, and others, such as near infrared.</summary>
/// <param name="Colours">Samples that are colours: 1, 3, or 4 for CMYK.</param>
/// <param name="HasAlpha">The sample after them says how opaque the pixel is.</param>
/// <remarks>
/// libvips takes every sample beyond the colours for alpha. TIFF says what each is: 1 and 2 are alpha, 0 is anything.
/// Source: TIFF 6.0, ExtraSamples.
/// </remarks>
internal readonly record struct TiffBands(int Colours, bool HasAlpha)
{
    private const int PhotometricInterpretation = 262, SamplesPerPixel = 277, ExtraSamples = 338;
    private const int Rgb = 2, Separated = 5, YCbCr = 6, CieLab = 8;

    /// <summary>Reads the first picture's tags; null where they do not say, or are damaged: the decoder says what is wrong.</summary>
    public static TiffBands? Of(ReadOnlySpan<byte> file)
    {
        if (file.Length < 16) return null;
        bool little = file[0] == (byte)'I', big64 = file[little ? 2 : 3] == 43;
        ulong at = big64 ? Read(file, 8, 8, little) : Read(file, 4, 4, little);
        int countBytes = big64 ? 8 : 2, entryBytes = big64 ? 20 : 12, valueBytes = big64 ? 8 : 4;
        if (at > (ulong)(file.Length - countBytes)) return null;
        ulong entries = Math.Min(Read(file, (int)at, countBytes, little), 4096);
        int photometric = -1, samples = 1, extras = 0;
        ReadOnlySpan<byte> kinds = default;
        for (ulong i = 0; i < entries; i++)
        {
            ulong entry = at + (ulong)countBytes + (i * (ulong)entryBytes);
            if (entry > (ulong)(file.Length - entryBytes)) return null;
            ReadOnlySpan<byte> tag = file.Slice((int)entry, entryBytes);
            int id = (int)Read(tag, 0, 2, little);
            ReadOnlySpan<byte> value = tag[^valueBytes..];
            if (id == PhotometricInterpretation) photometric = (int)Read(value, 0, 2, little);
            else if (id == SamplesPerPixel) samples = (int)Read(value, 0, 2, little);
            if (id != ExtraSamples) continue;

            ulong count = Read(tag, 4, big64 ? 8 : 4, little);
            if (count is 0 or > 65535) return null;
            extras = (int)count;
            kinds = value;
            if (2 * extras <= valueBytes) continue;
            // Too many for the tag: where they are is written there instead.
            ulong place = Read(value, 0, valueBytes, little);
            if (place > (ulong)file.Length || (ulong)(2 * extras) > (ulong)file.Length - place) return null;
            kinds = file[(int)place..];
        }

        int colours = photometric switch
        {
            // Grey; but who writes three samples or four so means colours, as GDAL does. More are bands that nobody can name.
            0 or 1 => samples switch { 3 or 4 => 3, > 4 => 0, _ => 1 },
            Rgb or YCbCr or CieLab => 3,
            Separated => 4,
            _ => 0, // a palette, and what is rare: left to the decoder
        };
        if (colours == 0 || samples <= colours) return null;
        // Several alphas make no sense: those are bands of who did not say what they are.
        int alphas = 0;
        for (int i = 0; i < extras; i++) alphas += Read(kinds, 2 * i, 2, little) is 1 or 2 ? 1 : 0;
        if (alphas > 1) return null;
        // The extra samples are the last of a pixel's.
        int first = colours - (samples - extras);
        return new TiffBands(colours, first >= 0 && first < extras && Read(kinds, 2 * first, 2, little) is 1 or 2);
    }

    private static ulong Read(ReadOnlySpan<byte> bytes, int at, int size, bool little) => size switch
    {
        2 => little ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]) : BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]),
        4 => little ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]) : BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]),
        _ => little ? BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]) : BinaryPrimitives.ReadUInt64BigEndian(bytes[at..]),
    };
}
