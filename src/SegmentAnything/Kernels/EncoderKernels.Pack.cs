namespace SegmentAnything.Kernels;

/// <content>Matrices in the panels that <see cref="Product"/> reads: [panel][step][columns of the panel].</content>
internal static unsafe partial class EncoderKernels
{
    /// <summary>Packs a matrix whose columns lie as rows: the weight of a linear layer, outputs x inputs, or the keys of an attention.</summary>
    /// <param name="source">columns x steps.</param>
    /// <param name="stride">Floats from one of these rows to the next.</param>
    /// <param name="columns">Columns there are.</param>
    /// <param name="steps">Values of a column.</param>
    /// <param name="panels">Receives the columns, and zeros up to the next multiple of the vector's width.</param>
    /// <param name="width">The vector's width.</param>
    public static void PackTransposed(float* source, nint stride, int columns, int steps, float* panels, int width)
    {
        for (int column = 0, left = (columns + width - 1) / width; left > 0;)
        {
            int vectors = PanelVectors(left), wide = vectors * width;
            for (int lane = 0; lane < wide; lane += 4)
            {
                int there = Math.Clamp(columns - column - lane, 0, 4);
                DecoderKernels.TransposeFour(there == 0 ? source : source + ((column + lane) * stride), stride, there, steps, panels + lane, wide);
            }

            panels += (nint)steps * wide;
            column += wide;
            left -= vectors;
        }
    }

    /// <summary>Packs a matrix that lies as it is multiplied: the values of an attention.</summary>
    /// <param name="source">steps x columns.</param>
    /// <param name="stride">Floats from one step to the next.</param>
    /// <param name="columns">A multiple of the vector's width.</param>
    /// <param name="steps">Rows of the matrix.</param>
    /// <param name="panels">Receives the panels.</param>
    public static void PackRows<TSimd, TVector>(float* source, nint stride, int columns, int steps, float* panels)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int left = columns / TSimd.Width; left > 0;)
        {
            int vectors = PanelVectors(left);
            float* row = source;
            for (int step = 0; step < steps; step++, row += stride)
            {
                for (int vector = 0; vector < vectors; vector++, panels += TSimd.Width)
                    TSimd.Store(TSimd.Load(row + (vector * TSimd.Width)), panels);
            }

            source += vectors * TSimd.Width;
            left -= vectors;
        }
    }

    /// <summary>Rows of tokens to planes.</summary>
    /// <param name="source">tokens x channels.</param>
    /// <param name="stride">Floats from one token to the next.</param>
    /// <param name="tokens">Tokens.</param>
    /// <param name="channels">Channels.</param>
    /// <param name="planes">Receives channels x tokens.</param>
    /// <param name="planeStride">Floats from one plane to the next.</param>
    public static void ToPlanes(float* source, nint stride, int tokens, int channels, float* planes, nint planeStride)
    {
        int token = 0;
        for (; token + 4 <= tokens; token += 4) DecoderKernels.TransposeFour(source + (token * stride), stride, 4, channels, planes + token, planeStride);
        for (; token < tokens; token++)
        {
            for (int channel = 0; channel < channels; channel++) planes[(channel * planeStride) + token] = source[(token * stride) + channel];
        }
    }
}
