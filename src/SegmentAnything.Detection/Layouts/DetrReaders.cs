using System.Text.Json;

namespace SegmentAnything.Detection.Layouts;

/// <summary>RT-DETR, D-FINE and DEIM as their authors export them: boxes in pixels of the size that they are told.</summary>
internal sealed class RtDetrReader(DetectorSignature signature) : LayoutReader
{
    private const string Size = "orig_target_sizes";

    private readonly PictureTensor _picture = new(signature.Picture!);

    public override DetectorLayout Layout => DetectorLayout.RtDetr;

    public override bool LeavesOverlaps => false;

    public static bool Fits(DetectorSignature signature) =>
        signature.HasInput(Size) && signature.Picture is not null
        && signature.Output("labels") is not null && signature.Output("boxes") is not null && signature.Output("scores") is not null;

    public override (OnnxInputs Inputs, Placement Placement) Prepare(PixelBuffer image)
    {
        (OnnxInputs inputs, _) = _picture.Stretch(image, _picture.UsualWidth, _picture.UsualHeight);
        return (inputs.Add<long>(Size, [image.Width, image.Height], 1, 2), Placement.Source);
    }

    public override List<RawBox> Read(OutputValues outputs, Placement placement, float scoreThreshold) =>
        NamedBoxes.Read(outputs, "boxes", "labels", "scores", scoreThreshold);
}

/// <summary>RT-DETR as Ultralytics exports it: centre and size as parts of the input, then a score a class.</summary>
internal sealed class RtDetrUltralyticsReader(DetectorSignature signature) : LayoutReader
{
    private readonly PictureTensor _picture = new(signature.Picture!);
    private readonly string _output = signature.Outputs[0].Name;

    public override DetectorLayout Layout => DetectorLayout.RtDetrUltralytics;

    public override bool LeavesOverlaps => false;

    public override (OnnxInputs Inputs, Placement Placement) Prepare(PixelBuffer image)
    {
        (OnnxInputs inputs, _) = _picture.Stretch(image, _picture.UsualWidth, _picture.UsualHeight);
        // Boxes are parts of the picture.
        return (inputs, new Placement(1.0 / image.Width, 1.0 / image.Height));
    }

    public override List<RawBox> Read(OutputValues outputs, Placement placement, float scoreThreshold)
    {
        (float[] values, int[] shape) = outputs.Read(_output, 2);
        int columns = shape[1];
        // Some exports end before the sigmoid.
        bool areLogits = false;
        for (int i = 0; i < values.Length; i++) areLogits |= i % columns >= 4 && values[i] is < 0 or > 1;
        var found = new List<RawBox>();
        for (int box = 0; box < shape[0]; box++)
        {
            ReadOnlySpan<float> row = values.AsSpan(box * columns, columns);
            int best = 4;
            for (int c = 5; c < columns; c++)
            {
                if (row[c] > row[best]) best = c;
            }

            float score = areLogits ? Scores.Sigmoid(row[best]) : row[best];
            if (score >= scoreThreshold || float.IsNaN(score)) found.Add(Scores.FromCentre(row, best - 4, score));
        }

        return found;
    }
}

/// <summary>DETR and its like as Hugging Face's Optimum exports them, prepared as preprocessor_config.json says.</summary>
internal sealed class DetrHuggingFaceReader : LayoutReader
{
    private const int UsualShortest = 800, UsualLongest = 1333, MostBoxes = 300;

    // Softmax with a last class of "nothing"; all others have a sigmoid a class.
    private static readonly string[] WithNothing = ["detr", "yolos", "table-transformer", "maskformer"];

    private readonly PictureTensor _picture;
    private readonly string? _mask;
    private readonly bool _hasNothing;
    private readonly int _shortest = UsualShortest, _longest = UsualLongest, _fixedWidth = -1, _fixedHeight = -1;

    public DetrHuggingFaceReader(DetectorSignature signature)
    {
        OnnxTensor input = signature.Inputs.First(tensor => tensor.Name == "pixel_values");
        JsonElement settings = signature.ReadJson("preprocessor_config.json") ?? default;
        bool normalizes = Flag(settings, "do_normalize", true);
        _picture = new PictureTensor(input)
        {
            Factor = !Flag(settings, "do_rescale", true) ? 1 : Number(settings, "rescale_factor") is { } factor ? (float)factor : 1 / 255f,
            Mean = normalizes ? Triple(settings, "image_mean", [0.485f, 0.456f, 0.406f]) : [0, 0, 0],
            Deviation = normalizes ? Triple(settings, "image_std", [0.229f, 0.224f, 0.225f]) : [1, 1, 1],
        };
        (_fixedWidth, _fixedHeight) = (_picture.Width, _picture.Height);
        if (settings.ValueKind == JsonValueKind.Object && settings.TryGetProperty("size", out JsonElement size) && size.ValueKind == JsonValueKind.Object)
        {
            if (_fixedWidth <= 0 && Number(size, "width") is { } width) _fixedWidth = (int)width;
            if (_fixedHeight <= 0 && Number(size, "height") is { } height) _fixedHeight = (int)height;
            _shortest = (int)(Number(size, "shortest_edge") ?? _shortest);
            _longest = (int)(Number(size, "longest_edge") ?? _longest);
        }

        if (_shortest < 1 || _longest < _shortest || _fixedWidth == 0 || _fixedHeight == 0 || Math.Max(_longest, Math.Max(_fixedWidth, _fixedHeight)) > PixelBuffer.MaxSide)
            throw new ModelContractException($"{signature.Source}: preprocessor_config.json asks for sizes that no picture can have.");
        _mask = signature.HasInput("pixel_mask") ? "pixel_mask" : null;
        string kind = signature.ReadJson("config.json") is { } config && config.TryGetProperty("model_type", out JsonElement type) && type.ValueKind == JsonValueKind.String
            ? type.GetString()!
            : throw new ModelContractException(
                $"{signature.Source} is a DETR of Hugging Face's, but config.json is not beside it, which says how its scores are to be read (\"model_type\"). Put it there.");
        _hasNothing = WithNothing.Contains(kind);
    }

    public override DetectorLayout Layout => DetectorLayout.DetrHuggingFace;

    public override bool LeavesOverlaps => false;

    public static bool Fits(DetectorSignature signature) =>
        signature.HasInput("pixel_values") && !signature.HasInput("input_ids")
        && signature.Output("logits") is { Dimensions.Length: 3 } && signature.Output("pred_boxes") is not null;

    public override (OnnxInputs Inputs, Placement Placement) Prepare(PixelBuffer image)
    {
        (int width, int height) = _fixedWidth > 0 && _fixedHeight > 0 ? (_fixedWidth, _fixedHeight) : KeepProportions(image.Size);
        (OnnxInputs inputs, _) = _picture.Stretch(image, width, height);
        if (_mask is not null)
        {
            long[] ones = new long[width * height];
            Array.Fill(ones, 1);
            inputs.Add<long>(_mask, ones, 1, height, width);
        }

        return (inputs, new Placement(1.0 / image.Width, 1.0 / image.Height));
    }

    public override List<RawBox> Read(OutputValues outputs, Placement placement, float scoreThreshold)
    {
        (float[] logits, int[] shape) = outputs.Read("logits", 2);
        (float[] boxes, int[] boxShape) = outputs.Read("pred_boxes", 2);
        if (boxShape[0] != shape[0] || boxShape[1] != 4)
            throw new ModelContractException($"There are {shape[0]} rows of scores, but boxes of the shape [{string.Join(", ", boxShape)}].");
        var found = new List<RawBox>();
        for (int query = 0; query < shape[0]; query++)
        {
            ReadOnlySpan<float> row = logits.AsSpan(query * shape[1], shape[1]);
            ReadOnlySpan<float> box = boxes.AsSpan(4 * query, 4);
            if (_hasNothing)
            {
                (int best, float score) = Scores.SoftmaxBest(row);
                if (score >= scoreThreshold || float.IsNaN(score)) found.Add(Scores.FromCentre(box, best, score));
                continue;
            }

            for (int c = 0; c < row.Length; c++)
            {
                float score = Scores.Sigmoid(row[c]);
                if (score >= scoreThreshold || float.IsNaN(score)) found.Add(Scores.FromCentre(box, c, score));
            }
        }

        return found.Count <= MostBoxes ? found : [.. found.OrderByDescending(box => box.Score).Take(MostBoxes)];
    }

    // The shorter side as asked for, unless the longer one would then be too long.
    private (int Width, int Height) KeepProportions(ImageSize size)
    {
        int shorter = Math.Min(size.Width, size.Height), longer = Math.Max(size.Width, size.Height);
        int target = _shortest;
        if ((double)longer / shorter * target > _longest) target = (int)Math.Round((double)_longest * shorter / longer);
        target = Math.Max(1, target);
        int other = (int)((double)target * longer / shorter);
        return size.Width < size.Height ? (target, other) : (other, target);
    }

    private static double? Number(JsonElement settings, string name) =>
        settings.ValueKind == JsonValueKind.Object && settings.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number
            ? value.GetDouble()
            : null;

    private static bool Flag(JsonElement settings, string name, bool otherwise) =>
        settings.ValueKind == JsonValueKind.Object && settings.TryGetProperty(name, out JsonElement value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : otherwise;

    private static float[] Triple(JsonElement settings, string name, float[] otherwise) =>
        settings.ValueKind == JsonValueKind.Object && settings.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 3
            ? [.. value.EnumerateArray().Select(number => number.GetSingle())]
            : otherwise;
}

/// <summary>From what a network's last layer gives to scores and boxes.</summary>
internal static class Scores
{
    public static float Sigmoid(float logit) => 1 / (1 + MathF.Exp(-logit));

    /// <summary>The likeliest class but the last, which is "nothing", and its probability among all.</summary>
    public static (int Class, float Score) SoftmaxBest(ReadOnlySpan<float> logits)
    {
        float greatest = float.NegativeInfinity;
        int best = 0;
        for (int c = 0; c < logits.Length; c++)
        {
            greatest = Math.Max(greatest, logits[c]);
            if (c < logits.Length - 1 && logits[c] > logits[best]) best = c;
        }

        double sum = 0;
        foreach (float logit in logits) sum += Math.Exp(logit - greatest);
        return (best, (float)(Math.Exp(logits[best] - greatest) / sum));
    }

    /// <summary>A box that is given by its centre, its width and its height.</summary>
    public static RawBox FromCentre(ReadOnlySpan<float> box, int number, float score) => new(
        box[0] - (box[2] / 2), box[1] - (box[3] / 2), box[0] + (box[2] / 2), box[1] + (box[3] / 2), number, score);
}
