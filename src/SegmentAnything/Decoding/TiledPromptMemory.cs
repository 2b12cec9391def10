namespace SegmentAnything.Decoding;

/// <summary>What is kept of a prompt between passes. Matrices that multiply coordinates have them in the order of the rows there.</summary>
internal unsafe struct TiledPromptMemory
{
    /// <summary>Image tokens: [tile][mask, one, first R, deviation, second R, deviation, ..., scales][TileTokens].</summary>
    public float* Coordinates;

    /// <summary>Queries of the tokens, in turn for each token-to-image attention: [H][panel][c][8].</summary>
    public float* QueryPanels;

    /// <summary>Keys of the tokens, in turn for both image-to-token attentions: [H][panel][c][8].</summary>
    public float* KeyPanels;

    /// <summary>Each coordinate's direction, as a combination of its head's channels: [H][panel][c][8].</summary>
    public float* Directions1, Directions2;

    /// <summary>
    /// The first token's values, where coordinates are differences to them; 0 otherwise: [H c]. Every image token receives them
    /// once: their direction has the coordinate 1 in layer 0, and the deviation in layer 1.
    /// </summary>
    public float* Base1, Base2;

    /// <summary>Maps of the first base's direction, and of all that comes between both LayerNorms: columns of <see cref="ImageMaps.Directions1"/>.</summary>
    public float* BaseMaps, BetweenMaps;

    /// <summary>
    /// Products of a mask prompt's directions with the first base's, with the same after the weight of layer 0's LayerNorm, and with
    /// the second base's: [mask row] each.
    /// </summary>
    public float* MaskBase1, WeightedMaskBase1, MaskBase2;

    /// <summary>Squares of the lengths of the first base's direction, of the same with that weight, and of what comes between.</summary>
    public float BaseSquare, WeightedBaseSquare, BetweenSquare;

    /// <summary>Values of the tokens, where a head has more of them than channels: [H][panel][T][8], rows are channels.</summary>
    public float* Values;

    /// <summary>Token-to-image scores += this x coordinates, in turn for each of them: [panel][coordinate][8], rows (head, token).</summary>
    public float* ScorePanels;

    /// <summary>The same for image-to-token scores.</summary>
    public float* ImageScorePanels;

    /// <summary>Products of coordinates' directions, rows those of layer 0 and then of layer 1, with all before them, and half with themselves.</summary>
    public float* LengthPanels, SecondLengthPanels;

    /// <summary>Products of the base's direction and of layer 0's with what comes between both layers: [1 + R].</summary>
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
