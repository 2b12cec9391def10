namespace SegmentAnything.Decoding;

/// <summary>What is kept of a prompt between passes. Matrices that multiply coordinates have them in the order of the rows there.</summary>
internal unsafe struct TiledPromptMemory
{
    /// <summary>Image tokens: [tile][mask, first R, deviation, second R, deviation, ..., scales][TileTokens].</summary>
    public float* Coordinates;

    /// <summary>Queries of the tokens, in turn for each token-to-image attention: [H][panel][c][8].</summary>
    public float* QueryPanels;

    /// <summary>Keys of the tokens, in turn for both image-to-token attentions: [H][panel][c][8].</summary>
    public float* KeyPanels;

    /// <summary>Each coordinate's direction, as a combination of its head's channels: [H][panel][c][8].</summary>
    public float* Directions1, Directions2;

    /// <summary>Values of the tokens, where a head has more of them than channels: [H][panel][T][8], rows are channels.</summary>
    public float* Values;

    /// <summary>Token-to-image scores += this x coordinates, in turn for each of them: [panel][coordinate][8], rows (head, token).</summary>
    public float* ScorePanels;

    /// <summary>The same for image-to-token scores.</summary>
    public float* ImageScorePanels;

    /// <summary>Products of coordinates' directions, rows those of layer 0 and then of layer 1, with all before them, and half with themselves.</summary>
    public float* LengthPanels, SecondLengthPanels;

    /// <summary>Products of layer 0's directions and the one between both layers: [R].</summary>
    public float* BetweenProducts;

    /// <summary>The first transposed convolution of the directions: [panel][coordinate][8], rows (sy, sx, channel).</summary>
    public float* UpscalePanels;

    /// <summary>State of the running softmax: [S][H Q].</summary>
    public float* Reference, Sum;

    /// <summary>Sums of the image's values: [S][H][head rows][value head stride].</summary>
    public float* ValueSums;

    /// <summary>Sums of coordinates: [S][coordinate][H Q].</summary>
    public float* CoordinateSums;

    /// <summary>Weights of the masks that are upscaled: [C/8][4].</summary>
    public float* Hyper;

    /// <summary>The same for whole blocks of rows, where a mask is refined: [C/8][8].</summary>
    public float* HyperPanels;

    /// <summary>The refined mask's weights: [C/8], and with the last convolution's: [panel][channel][8], rows are taps.</summary>
    public float* RefinementWeights, RefinementPanels;

    /// <summary>What the last convolution's bias gives with these weights.</summary>
    public float RefinementBias;

    /// <summary>How many are upscaled, and bit by bit which of the masks that were asked for.</summary>
    public int UpscaledCount, Upscaled;
}
