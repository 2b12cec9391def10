using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <summary>Where the keys and queries of some relative scores are, on a square of tokens.</summary>
internal unsafe struct RelativeScoreTile
{
    /// <summary>[query]: its products with the tables of relative rows, and from <see cref="Columns"/> on with those of columns: entry j of a table is for keys j - (side - 1) tokens beyond the query.</summary>
    public float* Products;

    /// <summary>Floats from one query's products to the next.</summary>
    public nint ProductStride;

    /// <summary>Where a query's products with the table of columns begin.</summary>
    public int Columns;

    /// <summary>[query]: its token's index in the square.</summary>
    public int* Tokens;

    /// <summary>Queries there are.</summary>
    public int Queries;

    /// <summary>Tokens along each side of the square.</summary>
    public int Side;

    /// <summary>The first row of keys, and how many rows.</summary>
    public int FirstRow, Rows;

    /// <summary>Receives [query][key], keys in rows of the square; with <see cref="EncoderKernels.NoScore"/> up to the next multiple of the vector's width.</summary>
    public float* Scores;

    /// <summary>Floats from one query's scores to the next: room for the keys and a vector more.</summary>
    public nint ScoreStride;
}

/// <content>Decomposed relative positions: what a score gets for how many rows and columns its key is away.</content>
internal static unsafe partial class EncoderKernels
{
    /// <summary>Writes what each score gets for its key's position: that of its row plus that of its column.</summary>
    /// <remarks>
    /// What a vector writes beyond a row of keys is overwritten by the next row, and last by <see cref="NoScore"/>. Products are
    /// read up to a vector beyond a table, which is the caller's room.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RelativeScores<TSimd, TVector>(in RelativeScoreTile tile)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint side = tile.Side, keys = tile.Rows * side, end = (keys + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
        for (int query = 0; query < tile.Queries; query++)
        {
            (int y, int x) = Math.DivRem(tile.Tokens[query], tile.Side);
            float* products = tile.Products + (query * tile.ProductStride), scores = tile.Scores + (query * tile.ScoreStride);
            float* rows = products + (side - 1 - y) + tile.FirstRow, columns = products + tile.Columns + (side - 1 - x), to = scores;
            for (int row = 0; row < tile.Rows; row++, to += side)
            {
                TVector ofRow = TSimd.Create(rows[row]);
                for (nint i = 0; i < side; i += TSimd.Width) TSimd.Store(TSimd.Add(ofRow, TSimd.Load(columns + i)), to + i);
            }

            for (nint i = keys; i < end; i++) scores[i] = NoScore;
        }
    }
}
