namespace SegmentAnything.Detection.Layouts;

/// <summary>A box as a model gives it, in the network's pixels.</summary>
internal readonly record struct RawBox(float X0, float Y0, float X1, float Y1, int Class, float Score);

/// <summary>Where the picture lies in the network's input.</summary>
/// <param name="ScaleX">Pixels of the input for one of the picture, across.</param>
/// <param name="ScaleY">The same, down.</param>
/// <param name="Left">Columns of padding.</param>
/// <param name="Top">Rows of padding.</param>
internal readonly record struct Placement(double ScaleX, double ScaleY, int Left = 0, int Top = 0)
{
    /// <summary>The placement of boxes that are in source-image pixels already.</summary>
    public static Placement Source { get; } = new(1, 1);

    /// <summary>Takes a box back to the picture, and cuts off what lies outside.</summary>
    public Box ToSource(RawBox box, ImageSize size) => new(
        (float)Math.Clamp((box.X0 - Left) / ScaleX, 0, size.Width), (float)Math.Clamp((box.Y0 - Top) / ScaleY, 0, size.Height),
        (float)Math.Clamp((box.X1 - Left) / ScaleX, 0, size.Width), (float)Math.Clamp((box.Y1 - Top) / ScaleY, 0, size.Height));
}

/// <summary>A layout: from a picture to the model's inputs, from its outputs to boxes.</summary>
internal abstract class LayoutReader
{
    /// <summary>The layout.</summary>
    public abstract DetectorLayout Layout { get; }

    /// <summary>Its name in messages and on the command line.</summary>
    public string Name => LayoutRegistry.NameOf(Layout);

    /// <summary>Whether several boxes of one object may come, so that the lesser ones are to be removed.</summary>
    public abstract bool LeavesOverlaps { get; }

    /// <summary>Makes the inputs of one picture.</summary>
    public abstract (OnnxInputs Inputs, Placement Placement) Prepare(PixelBuffer image);

    /// <summary>Reads the boxes of a score at least.</summary>
    public abstract List<RawBox> Read(OutputValues outputs, Placement placement, float scoreThreshold);
}
