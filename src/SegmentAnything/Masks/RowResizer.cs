using SegmentAnything.Kernels;

namespace SegmentAnything.Masks;

/// <summary>Brings logits to the size of the source, row by row, and keeps the memory that this takes.</summary>
internal sealed class RowResizer(ResizePlan plan)
{
    // Two rows of each size: which row is in which place.
    private readonly int[] _wideRowOf = [-1, -1];
    private readonly int[] _sourceRowOf = [-1, -1];
    private readonly float[] _lowRow = new float[plan.LowResSize + MaskKernels.ReadAhead];
    private readonly float[][] _wideRows = [new float[plan.ModelX.First.Length], new float[plan.ModelX.First.Length]];
    private readonly float[] _modelRow = new float[plan.InputSize.Width + MaskKernels.ReadAhead];
    private readonly float[][] _sourceRows = [new float[plan.SourceX.First.Length], new float[plan.SourceX.First.Length]];

    /// <summary>Resizes all logits.</summary>
    /// <param name="lowRes">Row-major.</param>
    /// <param name="destination">Height x width values, row-major.</param>
    public void Resize(ReadOnlySpan<float> lowRes, Span<float> destination)
    {
        _wideRowOf.AsSpan().Fill(-1);
        _sourceRowOf.AsSpan().Fill(-1);
        (int width, int height) = (plan.OutputSize.Width, plan.OutputSize.Height);
        InterpolationAxis sourceY = plan.SourceY;
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<float> a = SourceRow(lowRes, sourceY.First[y]);
            ReadOnlySpan<float> b = SourceRow(lowRes, sourceY.Second[y]);
            MaskKernels.Blend(a[..width], sourceY.FirstWeight[y], b[..width], sourceY.SecondWeight[y], destination.Slice(y * width, width));
        }
    }

    // Two wide rows -> model row -> source width.
    private ReadOnlySpan<float> SourceRow(ReadOnlySpan<float> lowRes, int modelRow)
    {
        int place = modelRow & 1;
        if (_sourceRowOf[place] != modelRow)
        {
            _sourceRowOf[place] = modelRow;
            int width = plan.InputSize.Width;
            InterpolationAxis modelY = plan.ModelY;
            ReadOnlySpan<float> a = WideRow(lowRes, modelY.First[modelRow]);
            ReadOnlySpan<float> b = WideRow(lowRes, modelY.Second[modelRow]);
            MaskKernels.Blend(a[..width], modelY.FirstWeight[modelRow], b[..width], modelY.SecondWeight[modelRow], _modelRow);
            MaskKernels.Interpolate(_modelRow, plan.SourceX, 0, plan.SourceX.First.Length, _sourceRows[place]);
        }

        return _sourceRows[place];
    }

    // Low row -> its width in the model frame.
    private ReadOnlySpan<float> WideRow(ReadOnlySpan<float> lowRes, int lowRow)
    {
        int place = lowRow & 1;
        if (_wideRowOf[place] != lowRow)
        {
            _wideRowOf[place] = lowRow;
            lowRes.Slice(lowRow * plan.LowResSize, plan.LowResSize).CopyTo(_lowRow);
            MaskKernels.Interpolate(_lowRow, plan.ModelX, 0, plan.ModelX.First.Length, _wideRows[place]);
        }

        return _wideRows[place];
    }
}
