namespace SegmentAnything.Decoding;

/// <summary>Token matrices of all prompts of a visit, one row a token, filled up to blocks of 8 rows.</summary>
internal unsafe struct TiledTokenMemory
{
    /// <summary>The tokens as they came, which are also their positional encoding: C wide.</summary>
    public float* Encoding;

    /// <summary>The tokens as they are now: C wide.</summary>
    public float* Queries;

    /// <summary>Queries + encoding.</summary>
    public float* Encoded;

    /// <summary>Intermediate results, as wide as the widest of them.</summary>
    public float* A, B, C;

    /// <summary>Between the MLP's layers, and self attention's values.</summary>
    public float* Hidden;

    /// <summary>The packed left factor of a linear layer.</summary>
    public float* Panels;

    /// <summary>A prompt's matrix before it is packed: [H T][matrix stride], or [coordinate][C].</summary>
    public float* Matrix;

    /// <summary>Its directions' maps, and the same turned: [R][block], [block][R].</summary>
    public float* Maps, TurnedMaps;

    /// <summary>Its summed coordinates: [coordinate][H Q].</summary>
    public float* Combined;

    /// <summary>What they stand for in one head's values: [panel][coordinate][8], rows are channels.</summary>
    public float* HeadPanels;

    /// <summary>One head's values: [head width][T].</summary>
    public float* HeadValues;

    /// <summary>One row of self attention.</summary>
    public float* Scores;
}
