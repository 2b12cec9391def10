using SegmentAnything.Kernels;

namespace SegmentAnything.Masks;

/// <summary>What there is to know of the way from low-resolution logits to a source image before any logits are there.</summary>
/// <remarks>
/// <code>
///   low resolution         model frame            the part that is image       source size
///   256 x 256   --resize-&gt; 1024 x 1024   --crop-&gt;  w x h (max 1024)  --resize-&gt;  W x H
/// </code>
/// </remarks>
internal sealed class ResizePlan
{
    /// <summary>Prepares the resizing for one image size.</summary>
    /// <param name="inputSize">The size of the image in the model's frame, before padding.</param>
    /// <param name="outputSize">The size of the source image.</param>
    /// <param name="lowResSize">The side of the low-resolution logits.</param>
    /// <param name="modelSize">The side of the model's padded frame.</param>
    public ResizePlan(ImageSize inputSize, ImageSize outputSize, int lowResSize, int modelSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lowResSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(modelSize, 1);
        if (inputSize.Width < 1 || inputSize.Height < 1 || inputSize.Width > modelSize || inputSize.Height > modelSize)
            throw new ArgumentOutOfRangeException(nameof(inputSize), inputSize, $"Expected 1x1 to {modelSize}x{modelSize}.");
        if (outputSize.Width < 1 || outputSize.Height < 1 || (long)outputSize.Width * outputSize.Height > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(outputSize), outputSize, "Expected 1 to 2147483647 pixels.");
        InputSize = inputSize;
        OutputSize = outputSize;
        LowResSize = lowResSize;
        ModelX = new InterpolationAxis(lowResSize, modelSize, inputSize.Width);
        ModelY = new InterpolationAxis(lowResSize, modelSize, inputSize.Height);
        SourceX = new InterpolationAxis(inputSize.Width, outputSize.Width, outputSize.Width);
        SourceY = new InterpolationAxis(inputSize.Height, outputSize.Height, outputSize.Height);
        LowColumns = ModelX.Second[inputSize.Width - 1] + 1;
        LowRows = ModelY.Second[inputSize.Height - 1] + 1;

        WordRows = new WordRows[(outputSize.Height + 63) / 64];
        for (int word = 0; word < WordRows.Length; word++)
        {
            int firstModelRow = SourceY.First[64 * word];
            int lastModelRow = SourceY.Second[(64 * word) + 63];
            int start = firstModelRow & ~15;
            WordRows[word] = new WordRows(
                ModelY.First[firstModelRow], ModelY.Second[lastModelRow], start, ((lastModelRow + 16) & ~15) - start);
        }
    }

    /// <summary>The size of the image in the model's frame, before padding.</summary>
    public ImageSize InputSize { get; }

    /// <summary>The size of the source image.</summary>
    public ImageSize OutputSize { get; }

    /// <summary>The side of the low-resolution logits.</summary>
    public int LowResSize { get; }

    /// <summary>Columns of the low-resolution logits that are read: the image's, without its padding.</summary>
    public int LowColumns { get; }

    /// <summary>Rows of the low-resolution logits that are read.</summary>
    public int LowRows { get; }

    /// <summary>From low resolution to the image's part of the model frame.</summary>
    public InterpolationAxis ModelX { get; }

    /// <summary>From low resolution to the image's part of the model frame.</summary>
    public InterpolationAxis ModelY { get; }

    /// <summary>From there to the source.</summary>
    public InterpolationAxis SourceX { get; }

    /// <summary>From there to the source.</summary>
    public InterpolationAxis SourceY { get; }

    /// <summary>For each word of a source column, which rows it depends on.</summary>
    public WordRows[] WordRows { get; }

    /// <summary>The low-resolution columns that a source column depends on, both included.</summary>
    public (int First, int Last) LowColumnsOf(int x) => (ModelX.First[SourceX.First[x]], ModelX.Second[SourceX.Second[x]]);

    /// <summary>The rows of a model column that neighbouring words depend on.</summary>
    /// <param name="firstWord">The first of them.</param>
    /// <param name="endWord">One behind the last.</param>
    /// <returns>Both are multiples of 16.</returns>
    public (int First, int Count) ModelRowsOf(int firstWord, int endWord)
    {
        int first = WordRows[firstWord].FirstModelRow;
        ref readonly WordRows last = ref WordRows[endWord - 1];
        return (first, last.FirstModelRow + last.ModelRows - first);
    }
}

/// <summary>Which rows 64 pixels of a source column depend on.</summary>
/// <param name="FirstLowRow">Of the low-resolution logits.</param>
/// <param name="LastLowRow">Included.</param>
/// <param name="FirstModelRow">A multiple of 16.</param>
/// <param name="ModelRows">A multiple of 16.</param>
internal readonly record struct WordRows(int FirstLowRow, int LastLowRow, int FirstModelRow, int ModelRows);
