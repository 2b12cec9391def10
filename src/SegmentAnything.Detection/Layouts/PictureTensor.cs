namespace SegmentAnything.Detection.Layouts;

/// <summary>A picture as a network's input: resized, placed, scaled.</summary>
internal sealed class PictureTensor
{
    // The side of a model that takes any.
    private const int UsualSide = 640;

    private readonly OnnxTensor _input;

    /// <summary>Prepares for an input.</summary>
    /// <param name="input">The input, channels x rows x columns, with or without a batch in front.</param>
    public PictureTensor(OnnxTensor input)
    {
        _input = input;
        Height = input.Dimensions[^2];
        Width = input.Dimensions[^1];
    }

    /// <summary>Columns of the input; -1 when any number is taken.</summary>
    public int Width { get; }

    /// <summary>Rows of the input; -1 when any number is taken.</summary>
    public int Height { get; }

    /// <summary>Columns to use: the input's, or where it takes any number, those that such models are trained with.</summary>
    public int UsualWidth => Width > 0 ? Width : UsualSide;

    /// <summary>Rows to use, likewise.</summary>
    public int UsualHeight => Height > 0 ? Height : UsualSide;

    /// <summary>Whether blue comes first.</summary>
    public bool IsBgr { get; init; }

    /// <summary>What a byte is multiplied with.</summary>
    public float Factor { get; init; } = 1 / 255f;

    /// <summary>What is then subtracted, in the order of the input's channels.</summary>
    public float[] Mean { get; init; } = [0, 0, 0];

    /// <summary>By what the rest is divided.</summary>
    public float[] Deviation { get; init; } = [1, 1, 1];

    /// <summary>The byte that stands around the picture; black after scaling when null.</summary>
    public byte? Fill { get; init; }

    /// <summary>Resizes to a size, whatever the picture's proportions.</summary>
    public (OnnxInputs Inputs, Placement Placement) Stretch(PixelBuffer image, int width, int height) =>
        (Write(image.ResizeToRgb(width, height), width, height, 0, 0), new Placement(width / (double)image.Width, height / (double)image.Height));

    /// <summary>Resizes until it fits, and pads.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="width">Columns of the input.</param>
    /// <param name="height">Rows of the input.</param>
    /// <param name="isCentred">Whether padding is on all sides; else it is right and below.</param>
    public (OnnxInputs Inputs, Placement Placement) Fit(PixelBuffer image, int width, int height, bool isCentred)
    {
        double scale = Math.Min(width / (double)image.Width, height / (double)image.Height);
        int resizedWidth = Math.Clamp((int)Math.Round(image.Width * scale), 1, width);
        int resizedHeight = Math.Clamp((int)Math.Round(image.Height * scale), 1, height);
        // Of an odd row or column of padding the smaller half is left and above, as Ultralytics rounds.
        int left = isCentred ? (int)Math.Round(((width - resizedWidth) / 2.0) - 0.1) : 0;
        int top = isCentred ? (int)Math.Round(((height - resizedHeight) / 2.0) - 0.1) : 0;
        return (Write(image.ResizeToRgb(resizedWidth, resizedHeight), width, height, left, top), new Placement(scale, scale, left, top));
    }

    /// <summary>Writes a picture that has its size already, padded right and below.</summary>
    public OnnxInputs Write(PixelBuffer rgb, int width, int height, int left, int top)
    {
        int plane = width * height;
        float[] values = new float[3 * plane];
        ReadOnlySpan<byte> pixels = rgb.Memory.Span;
        for (int c = 0; c < 3; c++)
        {
            Span<float> channel = values.AsSpan(c * plane, plane);
            if (Fill is { } fill) channel.Fill(Scaled(fill, c));
            int source = IsBgr ? 2 - c : c;
            for (int y = 0; y < rgb.Height; y++)
            {
                Span<float> row = channel.Slice(((y + top) * width) + left, rgb.Width);
                ReadOnlySpan<byte> bytes = pixels.Slice(y * rgb.Stride, 3 * rgb.Width);
                for (int x = 0; x < row.Length; x++) row[x] = Scaled(bytes[(3 * x) + source], c);
            }
        }

        long[] shape = _input.Dimensions.Length == 4 ? [1, 3, height, width] : [3, height, width];
        return _input.ElementType == typeof(Half)
            ? new OnnxInputs().Add<Half>(_input.Name, [.. values.Select(value => (Half)value)], shape)
            : new OnnxInputs().Add<float>(_input.Name, values, shape);
    }

    private float Scaled(byte value, int channel) => ((value * Factor) - Mean[channel]) / Deviation[channel];
}
