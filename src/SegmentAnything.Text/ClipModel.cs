using System.Numerics.Tensors;

namespace SegmentAnything.Text;

/// <summary>A CLIP model that the user has as ONNX files: one for texts, one for pictures, and a vocabulary.</summary>
/// <remarks>
/// Files as Hugging Face's Optimum and transformers.js write them (text_model.onnx, vision_model.onnx; outputs text_embeds and
/// image_embeds) or as OpenAI-style exports have them (…textual.onnx, …visual.onnx; input and output). Safe to use from several threads.
/// </remarks>
public sealed class ClipModel : ITextImageModel, IDisposable
{
    private readonly OnnxSession _text;
    private readonly OnnxSession _vision;
    private readonly ClipTokenizer _tokenizer;
    private readonly OnnxTensor _tokens;
    private readonly OnnxTensor _pixels;
    private readonly string _textOutput, _visionOutput;
    private readonly int _side;

    private ClipModel(OnnxSession text, OnnxSession vision, ClipTokenizer tokenizer, string source)
    {
        (_text, _vision, _tokenizer) = (text, vision, tokenizer);
        _tokens = text.Inputs.FirstOrDefault(input => input.Name is "input_ids" or "input" or "text")
            ?? throw new ModelContractException($"{source}: the text model takes {string.Join(", ", text.Inputs)}; expected input_ids, input or text.");
        _pixels = vision.Inputs.FirstOrDefault(input => input.Dimensions.Length == 4 && input.ElementType == typeof(float))
            ?? throw new ModelContractException($"{source}: the vision model takes {string.Join(", ", vision.Inputs)}; expected a picture of 32-bit numbers.");
        _textOutput = OutputOf(text, "text_embeds", source);
        _visionOutput = OutputOf(vision, "image_embeds", source);
        int textDimension = text.Outputs.First(output => output.Name == _textOutput).Dimensions[^1];
        Dimension = vision.Outputs.First(output => output.Name == _visionOutput).Dimensions[^1];
        if (textDimension > 0 && Dimension > 0 && textDimension != Dimension)
            throw new ModelContractException($"{source}: the text model gives {textDimension} numbers, the vision model {Dimension}. They are of two models.");
        const int usualSide = 224;
        _side = _pixels.Dimensions[^1] > 0 ? _pixels.Dimensions[^1] : usualSide;
    }

    /// <inheritdoc/>
    public int Dimension { get; }

    /// <inheritdoc/>
    public (byte R, byte G, byte B) MeanColour { get; } = (ByteOf(0), ByteOf(1), ByteOf(2));

    /// <summary>Loads a model from a folder: two ONNX files, there or in its folder onnx, and a vocabulary.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="options">Where the models run; null for the CPU.</param>
    /// <exception cref="FileNotFoundException">A file is missing; the message says which names are looked for.</exception>
    /// <exception cref="ModelContractException">The files are not CLIP's, or of two models.</exception>
    /// <exception cref="ExecutionProviderException">No execution provider of the list works.</exception>
    public static ClipModel Load(string folder, ExecutionOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        string textFile = Find(folder, "text", "textual"), visionFile = Find(folder, "vision", "visual");
        ClipTokenizer tokenizer = ClipTokenizer.Load(folder);
        OnnxSession? text = null, vision = null;
        try
        {
            text = OnnxSession.Load(textFile, options);
            vision = OnnxSession.Load(visionFile, options);
            return new ClipModel(text, vision, tokenizer, folder);
        }
        catch
        {
            text?.Dispose();
            vision?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public float[][] EmbedTexts(IReadOnlyList<string> texts, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        if (texts.Count == 0) return [];
        int[][] tokens = [.. texts.Select(_tokenizer.Encode)];
        int length = _tokens.Dimensions[^1] > 0 ? _tokens.Dimensions[^1] : tokens.Max(ids => ids.Length);
        if (tokens.FirstOrDefault(ids => ids.Length > length) is { } tooLong)
            throw new ArgumentException($"A text has {tooLong.Length} tokens, but the model takes {length}. Shorten it.", nameof(texts));
        // What follows the end is not looked at; padded with the end itself, every export finds the first end.
        long[] ids = new long[texts.Count * length], mask = new long[ids.Length];
        Array.Fill(ids, _tokenizer.EndId);
        for (int t = 0; t < tokens.Length; t++)
        {
            for (int i = 0; i < tokens[t].Length; i++) (ids[(t * length) + i], mask[(t * length) + i]) = (tokens[t][i], 1);
        }

        using var inputs = new OnnxInputs();
        AddIntegers(inputs, _tokens, ids, texts.Count, length);
        if (_text.Inputs.FirstOrDefault(input => input.Name == "attention_mask") is { } attention) AddIntegers(inputs, attention, mask, texts.Count, length);
        using OnnxOutputs outputs = _text.Run(inputs, cancellationToken);
        return Rows(outputs, _textOutput, texts.Count);
    }

    /// <inheritdoc/>
    public float[][] EmbedPictures(IReadOnlyList<PixelBuffer> pictures, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        if (pictures.Count == 0) return [];
        int length = 3 * _side * _side;
        float[] values = new float[pictures.Count * length];
        Parallel.For(0, pictures.Count, i => ClipPicture.Normalize(ClipPicture.Crop(pictures[i], _side), _side, values.AsSpan(i * length, length)));
        // A model of a fixed batch of one is run once a picture.
        int batch = _pixels.Dimensions[0] > 0 ? _pixels.Dimensions[0] : pictures.Count;
        if (batch != pictures.Count && batch != 1) throw new ModelContractException($"The vision model takes {batch} pictures at once. Export it for any number, or one.");
        var embeddings = new List<float[]>(pictures.Count);
        for (int start = 0; start < pictures.Count; start += batch)
        {
            using OnnxInputs inputs = new OnnxInputs().Add<float>(_pixels.Name, values.AsSpan(start * length, batch * length), batch, 3, _side, _side);
            using OnnxOutputs outputs = _vision.Run(inputs, cancellationToken);
            embeddings.AddRange(Rows(outputs, _visionOutput, batch));
        }

        return [.. embeddings];
    }

    /// <summary>Releases both models.</summary>
    public void Dispose()
    {
        _text.Dispose();
        _vision.Dispose();
    }

    private static byte ByteOf(int channel) => (byte)MathF.Round(255 * ClipPicture.Mean[channel]);

    private static string Find(string folder, string name, string other)
    {
        string[] folders = [folder, Path.Combine(folder, "onnx")];
        string[] found = [.. folders.Where(Directory.Exists).SelectMany(each => Directory.GetFiles(each, "*.onnx")).Where(file =>
            Path.GetFileName(file).StartsWith(name + "_model", StringComparison.Ordinal) || Path.GetFileNameWithoutExtension(file).EndsWith(other, StringComparison.Ordinal))
            .OrderBy(file => file.Length).ThenBy(file => file, StringComparer.Ordinal)];
        return found.FirstOrDefault() ?? throw new FileNotFoundException($"{folder} has no {name}_model.onnx and no file whose name ends with {other}.onnx.");
    }

    private static string OutputOf(OnnxSession session, string name, string source)
    {
        if (session.Outputs.Any(output => output.Name == name)) return name;
        if (session.Outputs is [{ Name: "output", Dimensions.Length: 2 }]) return "output";
        string others = string.Join(", ", session.Outputs.Select(output => output.Name));
        throw new ModelContractException(
            $"{source}: a model gives {others}, but not {name}. Hidden states are not in the space that words and pictures share; export it with its projection.");
    }

    private static void AddIntegers(OnnxInputs inputs, OnnxTensor tensor, long[] values, int count, int length)
    {
        if (tensor.ElementType == typeof(int)) inputs.Add<int>(tensor.Name, [.. values.Select(value => (int)value)], count, length);
        else inputs.Add<long>(tensor.Name, values, count, length);
    }

    private static float[][] Rows(OnnxOutputs outputs, string name, int count)
    {
        ReadOnlySpan<float> values = outputs.Values<float>(name);
        int length = values.Length / count;
        var rows = new float[count][];
        for (int row = 0; row < count; row++)
        {
            rows[row] = values.Slice(row * length, length).ToArray();
            float norm = TensorPrimitives.Norm<float>(rows[row]);
            if (!(norm > 0) || !float.IsFinite(norm)) throw new ModelContractException($"The model's output '{name}' is no direction: its length is {norm}.");
            TensorPrimitives.Divide(rows[row], norm, rows[row]);
        }

        return rows;
    }
}
