using System.Numerics.Tensors;
using SegmentAnything.Checkpoints;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>
/// All linear maps of image tokens that the decoder takes, composed so that a prompt's image tokens are never formed:
/// docs/decoder.md, "Image tokens as coordinates".
/// </summary>
/// <remarks>
/// <para>
/// What a prompt makes of an image token is the image's own value plus a few directions, one for each head and prompt token,
/// times the weights of their attention, up to LayerNorm's scale and constants. A linear map of it is the map of the image's
/// value, which every prompt shares, plus the maps of the directions. Directions are combinations of the columns of the
/// attention's output weights, so their maps are combinations of <see cref="Directions1"/> and <see cref="Directions2"/>.
/// </para>
/// <para>
/// Composed in double precision. c: channels. d: channels of all heads. Maps to the heads' channels take <see cref="Block"/>
/// rows, d filled up to 16 with zeros.
/// </para>
/// </remarks>
internal sealed unsafe class ImageMaps : PackedWeights
{
    private const string Transformer = "mask_decoder.transformer.";
    private const string TokenToImage0 = "layers.0.cross_attn_token_to_image.", ImageToToken0 = "layers.0.cross_attn_image_to_token.";
    private const string TokenToImage1 = "layers.1.cross_attn_token_to_image.", ImageToToken1 = "layers.1.cross_attn_image_to_token.";
    private const string Final = "final_attn_token_to_image.", MaskPrompt = "prompt_encoder.mask_downscaling.6.";

    private readonly StateDict _source;
    private readonly int _channels;
    private readonly int _inner;
    private readonly int _heads;
    private readonly int _valueStride;
    private readonly double[] _nothing;

    /// <param name="source">Weights under their official names.</param>
    /// <param name="channels">c.</param>
    /// <param name="inner">d.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="valueStride">Columns of a head's values, the first d / heads of which are its channels.</param>
    /// <param name="upscale">The first transposed convolution: rows (sy, sx, channel) of c.</param>
    /// <param name="upscaleBias">Its bias, a value a row.</param>
    /// <exception cref="CheckpointException">A tensor is missing, or its shape does not fit.</exception>
    public ImageMaps(StateDict source, int channels, int inner, int heads, int valueStride, float[] upscale, float[] upscaleBias)
    {
        (_source, _channels, _inner, _heads, _valueStride) = (source, channels, inner, heads, valueStride);
        Block = DecoderMath.RoundUp(inner, 16);
        _nothing = new double[channels];
        double[] weight1 = Read("layers.0.norm4.weight"), bias1 = Read("layers.0.norm4.bias");
        double[] weight2 = Read("layers.1.norm4.weight"), bias2 = Read("layers.1.norm4.bias");
        double[][] output1 = Outputs(ImageToToken0, out double[] constant), output2 = Outputs(ImageToToken1, out double[] constant2);
        double[] between = Centre(Sum(bias1, constant2));

        // Maps of layer 0's and layer 1's image tokens up to scale and constants: LayerNorm's weight is in them. The products
        // with the directions themselves are for the lengths that LayerNorm divides by.
        double[][] own1 = Times(output1, weight1);
        double[][] keys1 = Times(Rows(TokenToImage1 + "k_proj"), weight1), queries1 = Times(Rows(ImageToToken1 + "q_proj"), weight1);
        double[][] values1 = Times(Rows(TokenToImage1 + "v_proj"), weight1);
        double[][] keys2 = Times(Rows(Final + "k_proj"), weight2), values2 = Times(Rows(Final + "v_proj"), weight2);
        double[][] upscale2 = Times(Split(upscale), weight2);

        // The same as maps of what goes into layer 0's LayerNorm, where the image's value and the first directions are.
        double[][] values1Image = Padded(values1), values2Image = Padded(Through(values2, weight1));
        double[][] image = [
            .. Padded(output1), .. Padded(keys1), .. Padded(queries1), .. Padded(Through(own1, weight1)),
            .. Padded(Through(output2, weight1)), .. Padded(Through(keys2, weight1)), .. Through(upscale2, weight1)];
        double[][] second = [
            .. Nothing(4 * Block), .. Padded(output2), .. Padded(keys2), .. upscale2, .. Nothing(Block), .. Padded(values2)];
        Directions1 = Pack(Products(output1, [.. image, .. values1Image, .. values2Image]));
        Directions2 = Pack(Products(output2, second));

        Panels = PackPanels(Flat(Array.ConvertAll(image, Centre)), image.Length, channels);
        Bias = Pack(Apply(Array.ConvertAll(image, Centre), constant));
        Keys0Panels = PackPanels(ReadRows(TokenToImage0 + "k_proj"), inner, channels);
        Queries0Panels = PackPanels(ReadRows(ImageToToken0 + "q_proj"), inner, channels);
        Queries0Bias = Pack(_source.Read($"{Transformer}{ImageToToken0}q_proj.bias", inner));
        ValueColumns = [
            PackValueColumns(Padded(Rows(TokenToImage0 + "v_proj"))),
            PackValueColumns(Array.ConvertAll(values1Image, Centre)), PackValueColumns(Array.ConvertAll(values2Image, Centre))];
        ValueColumnBias = [
            PackHeads(new float[Block]), PackHeads(Apply(Array.ConvertAll(values1Image, Centre), constant)),
            PackHeads(Apply(Array.ConvertAll(values2Image, Centre), constant))];
        EncodingPanels = PackPanels(
            Flat([.. Padded(Rows(TokenToImage1 + "k_proj")), .. Padded(Rows(ImageToToken1 + "q_proj")), .. Padded(Rows(Final + "k_proj"))]),
            3 * Block, channels);

        // A key's own bias adds the same to a whole row of the softmax: it is left out.
        EncodingBias = Pack([
            .. Apply(Padded(Rows(TokenToImage1 + "k_proj")), bias1),
            .. Biased(ImageToToken1 + "q_proj", bias1), .. new float[Block - inner],
            .. Apply(Padded(Rows(Final + "k_proj")), bias2)]);

        Constant = Pack(ToFloat(constant));
        Weight1 = Pack(ToFloat(weight1));
        double[] betweenImage = Times([between], weight1)[0];
        Between = Pack(ToFloat(betweenImage));
        BetweenSquare = (float)TensorPrimitives.Dot<double>(between, between);
        BetweenFirst = Pack(Apply(output1, betweenImage));
        BetweenMaps = Pack(Products([between], second));
        UpscaleBias = Pack(Add(Apply(Split(upscale), bias2), upscaleBias));
        ValueBias = [
            Pack(_source.Read($"{Transformer}{TokenToImage0}v_proj.bias", inner)), Pack(Biased(TokenToImage1 + "v_proj", bias1)), Pack(Biased(Final + "v_proj", bias2))];
        if (!source.Contains(MaskPrompt + "weight")) return;
        double[][] features = MaskFeatures(out double[][] inverse, out float[] inverseBias);
        double[][] first = [.. Padded(Rows(TokenToImage0 + "k_proj")), .. Padded(Rows(ImageToToken0 + "q_proj")), .. Padded(Rows(TokenToImage0 + "v_proj"))];
        double[][] later = [.. image, .. values1Image, .. values2Image];
        MaskRows = features.Length;
        MaskInversePanels = PackPanels(Flat(inverse), MaskRows, channels);
        MaskInverseBias = Pack(inverseBias);
        MaskPanels = PackPanels(Flat(Transpose(features)), channels, MaskRows);
        Mask = Pack([.. features.SelectMany(f => (float[])[.. Apply(later, Centre(f)), .. Apply(first, f)])]);
        MaskStride = DecoderMath.RoundUp(MaskRows, 16);
        MaskTurned = Allocate((long)MaskStride * MaskColumns);
        DecoderKernels.Transpose(Mask, MaskColumns, MaskRows, MaskColumns, MaskTurned, MaskStride);
    }

    /// <summary>Rows of a map to the channels of all heads: d filled up to 16.</summary>
    public int Block { get; }

    /// <summary>Products with layer 0's directions, for the length that its LayerNorm divides by.</summary>
    public const int Length1 = 0;

    /// <summary>Layer 1's keys, which the tokens look at.</summary>
    public int Keys1 => Block;

    /// <summary>Layer 1's queries, which look at the tokens.</summary>
    public int Queries1 => 2 * Block;

    /// <summary>Products with layer 0's directions, for the length that layer 1's LayerNorm divides by.</summary>
    public int Length2First => 3 * Block;

    /// <summary>Products with layer 1's directions, for the same.</summary>
    public int Length2Second => 4 * Block;

    /// <summary>Keys of the final attention.</summary>
    public int Keys2 => 5 * Block;

    /// <summary>The first transposed convolution, rows (sy, sx, channel).</summary>
    public int Upscale => 6 * Block;

    /// <summary>Maps that are taken of the image once; the values come behind them, as they lie otherwise.</summary>
    public int ImageRows => Upscale + _channels;

    /// <summary>Layer 1's values: of the directions only.</summary>
    public int Values1 => ImageRows;

    /// <summary>Values of the final attention: of the directions only.</summary>
    public int Values2 => ImageRows + Block;

    /// <summary>Columns of <see cref="Directions1"/> and <see cref="Directions2"/>.</summary>
    public int Columns => ImageRows + (2 * Block);

    /// <summary>Layer 0's keys, queries and values: of the mask prompt only.</summary>
    public int Keys0 => Columns;

    /// <inheritdoc cref="Keys0"/>
    public int Queries0 => Columns + Block;

    /// <inheritdoc cref="Keys0"/>
    public int Values0 => Columns + (2 * Block);

    /// <summary>Columns of <see cref="Mask"/>.</summary>
    public int MaskColumns => Columns + (3 * Block);

    /// <summary>
    /// Coordinates of an image token that a mask prompt gives it, in whole blocks: what goes into the last of the prompt
    /// encoder's convolutions, and 1 for what differs from an image without mask. 0 where the weights take no masks.
    /// </summary>
    public int MaskRows { get; }

    /// <summary>The maps of their directions: [<see cref="MaskRows"/>][<see cref="MaskColumns"/>].</summary>
    public float* Mask { get; }

    /// <summary>The same turned: [<see cref="MaskColumns"/>][<see cref="MaskStride"/>].</summary>
    public float* MaskTurned { get; }

    /// <summary><see cref="MaskRows"/> filled up to whole vectors.</summary>
    public int MaskStride { get; }

    /// <summary>The coordinates from the encoded mask: [panel][c][8], and what is added.</summary>
    public float* MaskInversePanels { get; }

    /// <inheritdoc cref="MaskInversePanels"/>
    public float* MaskInverseBias { get; }

    /// <summary>What the coordinates add to an image without mask: [panel][coordinate][8], rows of c.</summary>
    public float* MaskPanels { get; }

    /// <summary>The maps of the image, as panels: [panel][c][8].</summary>
    public float* Panels { get; }

    /// <summary>What is added to them: [<see cref="ImageRows"/>].</summary>
    public float* Bias { get; }

    /// <summary>Layer 0's keys and queries, taken of image + encoding: [panel][c][8].</summary>
    public float* Keys0Panels { get; }

    /// <inheritdoc cref="Keys0Panels"/>
    public float* Queries0Panels { get; }

    public float* Queries0Bias { get; }

    /// <summary>Values of layer 0, layer 1 and the final attention: [c][head][value stride].</summary>
    public float*[] ValueColumns { get; }

    /// <summary>[head][value stride].</summary>
    public float*[] ValueColumnBias { get; }

    /// <summary>Constants of the same values, added when a softmax is complete: [d].</summary>
    public float*[] ValueBias { get; }

    /// <summary>Maps of the positional encoding for <see cref="Keys1"/>, <see cref="Queries1"/> and <see cref="Keys2"/>: [panel][c][8].</summary>
    public float* EncodingPanels { get; }

    /// <summary>Their constants: [3 blocks].</summary>
    public float* EncodingBias { get; }

    /// <summary>Maps of the columns of layer 0's output weights: [d][<see cref="Columns"/>].</summary>
    public float* Directions1 { get; }

    /// <summary>The same of layer 1, where such directions have a map; 0 elsewhere.</summary>
    public float* Directions2 { get; }

    /// <summary>What layer 0 adds to every image token whatever the prompt: [c].</summary>
    public float* Constant { get; }

    /// <summary>Weight of layer 0's LayerNorm: [c].</summary>
    public float* Weight1 { get; }

    /// <summary>
    /// The direction of all that comes between both LayerNorms whatever the prompt, times <see cref="Weight1"/>: [c]. Without
    /// the weight, its coordinate is layer 0's deviation; what follows are its maps.
    /// </summary>
    public float* Between { get; }

    /// <summary>Its product with itself.</summary>
    public float BetweenSquare { get; }

    /// <summary>Its products with layer 0's directions: [d].</summary>
    public float* BetweenFirst { get; }

    /// <summary>Its maps, as those of <see cref="Directions2"/>: [<see cref="Columns"/>].</summary>
    public float* BetweenMaps { get; }

    /// <summary>The transposed convolution's constant: [c].</summary>
    public float* UpscaleBias { get; }

    // Columns of an image-to-token attention's output weights, less their mean, which LayerNorm takes off; and what is added
    // whatever the prompt: the weights of a head sum to 1, so its values' bias counts once.
    private double[][] Outputs(string attention, out double[] constant)
    {
        float[] output = _source.Read($"{Transformer}{attention}out_proj.weight", _channels, _inner);
        float[] valueBias = _source.Read($"{Transformer}{attention}v_proj.bias", _inner);
        constant = Read(attention + "out_proj.bias");
        double[][] directions = new double[_inner][];
        for (int j = 0; j < _inner; j++)
        {
            double[] column = new double[_channels];
            for (int c = 0; c < _channels; c++)
            {
                column[c] = output[(c * _inner) + j];
                constant[c] += valueBias[j] * column[c];
            }

            directions[j] = Centre(column);
        }

        return directions;
    }

    // The directions of a mask prompt's coordinates, and how the coordinates come back from the encoded mask: the last
    // convolution is 1 x 1 and widens few channels to many, so its least squares solution undoes it.
    private double[][] MaskFeatures(out double[][] inverse, out float[] inverseBias)
    {
        int count = _source.ShapeOf(MaskPrompt + "weight")[1];
        double[][] columns = Transpose([.. _source.Read(MaskPrompt + "weight", _channels, count, 1, 1).Chunk(count).Select(row => Array.ConvertAll(row, v => (double)v))]);
        double[] bias = Array.ConvertAll(_source.Read(MaskPrompt + "bias", _channels), v => (double)v);
        float[] withoutMask = _source.ReadAny("prompt_encoder.no_mask_embed.weight");
        int rows = DecoderMath.RoundUp(count + 1, DecoderKernels.BlockRows);

        // (W' W)^-1 W', by elimination in [W' W | W'].
        double[][] system = [.. columns.Select(column => (double[])[.. columns.Select(other => TensorPrimitives.Dot<double>(column, other)), .. column])];
        for (int pivot = 0; pivot < count; pivot++)
        {
            int largest = Enumerable.Range(pivot, count - pivot).MaxBy(i => Math.Abs(system[i][pivot]));
            (system[pivot], system[largest]) = (system[largest], system[pivot]);
            double inverted = 1 / system[pivot][pivot];
            TensorPrimitives.Multiply(system[pivot], inverted, system[pivot]);
            for (int row = 0; row < count; row++)
            {
                if (row != pivot) TensorPrimitives.MultiplyAdd(system[pivot], -system[row][pivot], system[row], system[row]);
            }
        }

        inverse = [.. system.Select(row => row[count..]), .. Nothing(rows - count)];
        inverseBias = [.. inverse.Select((row, i) => i == count ? 1 : (float)-TensorPrimitives.Dot<double>(row, bias))];
        return [.. columns, [.. bias.Select((v, c) => v - withoutMask[c])], .. Nothing(rows - count - 1)];
    }

    private static double[][] Transpose(double[][] rows) => [.. Enumerable.Range(0, rows[0].Length).Select(c => Array.ConvertAll(rows, row => row[c]))];

    // Maps of what goes into layer 1's LayerNorm as maps of what goes into layer 0's: its mean off, then the weight before it.
    private static double[][] Through(double[][] maps, double[] weight1) => Times(Array.ConvertAll(maps, Centre), weight1);

    private double[] Read(string name) => Array.ConvertAll(_source.Read(Transformer + name, _channels), v => (double)v);

    private float[] ReadRows(string name) => _source.Read($"{Transformer}{name}.weight", _inner, _channels);

    private double[][] Rows(string name) => Split(ReadRows(name));

    private float[] Biased(string name, double[] input) => Add(Apply(Rows(name), input), _source.Read($"{Transformer}{name}.bias", _inner));

    private double[][] Padded(double[][] maps) => [.. maps, .. Nothing(Block - maps.Length)];

    private double[][] Nothing(int count) => [.. Enumerable.Repeat(_nothing, count)];

    private double[][] Split(float[] values) => [.. values.Chunk(_channels).Select(row => Array.ConvertAll(row, v => (double)v))];

    private static float[] Flat(double[][] rows) => [.. rows.SelectMany(ToFloat)];

    private static float[] ToFloat(double[] values) => Array.ConvertAll(values, v => (float)v);

    private static double[][] Times(double[][] rows, double[] weight) => Array.ConvertAll(rows, row =>
    {
        double[] result = new double[row.Length];
        TensorPrimitives.Multiply<double>(row, weight, result);
        return result;
    });

    private static double[] Sum(double[] left, double[] right)
    {
        double[] result = new double[left.Length];
        TensorPrimitives.Add<double>(left, right, result);
        return result;
    }

    private static float[] Add(float[] left, float[] right)
    {
        TensorPrimitives.Add(left, right, left);
        return left;
    }

    private static double[] Centre(double[] values)
    {
        double[] result = new double[values.Length];
        TensorPrimitives.Subtract(values, TensorPrimitives.Sum<double>(values) / values.Length, result);
        return result;
    }

    // A third of the maps of directions are none.
    private float[] Apply(double[][] maps, double[] value) => Array.ConvertAll(maps, m => m == _nothing ? 0 : (float)TensorPrimitives.Dot<double>(m, value));

    // A row a direction, a column a map.
    private float[] Products(double[][] directions, double[][] maps) => [.. directions.SelectMany(d => Apply(maps, d))];

    // Rows of c -> [c][head][value stride].
    private float* PackValueColumns(double[][] maps)
    {
        int width = _heads * _valueStride;
        float* result = Allocate((long)_channels * width);
        for (int c = 0; c < _channels; c++) SpreadHeads(d => (float)maps[d][c], result + (c * width));
        return result;
    }

    private float* PackHeads(float[] values)
    {
        float* result = Allocate(_heads * _valueStride);
        SpreadHeads(d => values[d], result);
        return result;
    }

    private void SpreadHeads(Func<int, float> value, float* target)
    {
        int headWidth = _inner / _heads;
        for (int head = 0; head < _heads; head++)
        {
            for (int i = 0; i < _valueStride; i++) *target++ = i < headWidth ? value((head * headWidth) + i) : 0;
        }
    }
}
