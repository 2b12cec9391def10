using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <content>Numbers of rows and columns, for the prompts in progress.</content>
internal sealed unsafe partial class TiledDecoding<TSimd, TVector>
{
    private int Channels => _weights.Channels;

    private int Heads => _weights.Heads;

    /// <summary>Rows of a head where its tokens are rows of a block of their own.</summary>
    private int HeadRows => DecoderMath.RoundUp(_tokens, DecoderKernels.BlockRows);

    /// <summary>Tokens that are read after the final attention: that of the IoU, those of the wanted masks, and that of the object score if it is wanted or of the refined mask.</summary>
    private int FinalTokens => 1 + _wanted.Count + (ReadsLastToken ? 1 : 0);

    private bool ReadsLastToken => _objectScores != null || _weights.Refinement is not null;

    /// <summary>
    /// Are coordinates the weights of tokens? All but the first token's, which is what is missing to their sum. Otherwise there are
    /// fewer channels, and they are the coordinates.
    /// </summary>
    private bool HasWeightsAsCoordinates => _tokens - 1 <= _weights.HeadWidth;

    /// <summary>Coordinates that an attention's head gives an image token.</summary>
    private int Rank => Math.Min(_tokens - 1, _weights.HeadWidth);

    /// <summary>R.</summary>
    private int Coordinates => Heads * Rank;

    // Rows of an image token's coordinates: those of the mask prompt come first, then a one. Those of layer 1 and the last deviation are
    // for points that are too large by the first deviation, as the direction between both layers is multiplied with it. Blocks
    // of eight rows may reach behind the second part, where the scales must not lie.
    private int MaskRows => _image.MaskRows;

    private int OneRow => MaskRows;

    private int FirstRow => OneRow + 1;

    private int Deviation1Row => FirstRow + Coordinates;

    private int SecondRow => Deviation1Row + 1;

    private int Deviation2Row => SecondRow + Coordinates;

    private int Scale1Row => Deviation2Row + DecoderKernels.BlockRows;

    private int Scale2Row => Scale1Row + 1;

    private int CoordinateRows => DecoderMath.RoundUp(Scale2Row + 1, DecoderKernels.BlockRows);

    /// <summary>Floats from one row of <see cref="TiledTokenMemory.Matrix"/> to the next: up to three parts of whole vectors.</summary>
    private int MatrixStride => DecoderMath.RoundUp(SecondRow + DecoderMath.RoundUp(Coordinates, 16), 16);

    /// <summary>Its rows: any head's tokens, and those that fill the last block.</summary>
    private long MatrixRows => (Heads * (long)Math.Max(_tokens, Rank)) + DecoderKernels.BlockRows;
}
