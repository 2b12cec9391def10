namespace SegmentAnything.Detection.Layouts;

/// <summary>Boxes, classes and scores in three outputs.</summary>
internal static class NamedBoxes
{
    public static List<RawBox> Read(OutputValues outputs, string boxes, string labels, string scores, float scoreThreshold)
    {
        (float[] corners, int[] shape) = outputs.Read(boxes, 2);
        (float[] classes, _) = outputs.Read(labels, 1);
        (float[] values, _) = outputs.Read(scores, 1);
        if (shape[1] != 4 || classes.Length != shape[0] || values.Length != shape[0])
        {
            throw new ModelContractException(
                $"The outputs '{boxes}', '{labels}' and '{scores}' have {shape[0]} boxes of {shape[1]} numbers, {classes.Length} classes and {values.Length} scores.");
        }

        var found = new List<RawBox>();
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] >= scoreThreshold || float.IsNaN(values[i]))
                found.Add(new RawBox(corners[4 * i], corners[(4 * i) + 1], corners[(4 * i) + 2], corners[(4 * i) + 3], (int)classes[i], values[i]));
        }

        return found;
    }
}

/// <summary>Torchvision's detectors: they resize and normalise by themselves, and remove overlaps.</summary>
internal sealed class TorchvisionReader(DetectorSignature signature) : LayoutReader
{
    private readonly PictureTensor _picture = new(signature.Inputs[0]);

    public override DetectorLayout Layout => DetectorLayout.Torchvision;

    public override bool LeavesOverlaps => false;

    public static bool Fits(DetectorSignature signature) =>
        signature.Inputs.Length == 1 && signature.Inputs[0].Dimensions.Length is 3 or 4 && signature.Inputs[0].ElementType == typeof(float)
        && signature.Output("boxes") is not null && signature.Output("labels") is not null && signature.Output("scores") is not null;

    public override (OnnxInputs Inputs, Placement Placement) Prepare(PixelBuffer image) => _picture.Stretch(
        image, _picture.Width > 0 ? _picture.Width : image.Width, _picture.Height > 0 ? _picture.Height : image.Height);

    public override List<RawBox> Read(OutputValues outputs, Placement placement, float scoreThreshold) =>
        NamedBoxes.Read(outputs, "boxes", "labels", "scores", scoreThreshold);
}

/// <summary>Faster R-CNN of the ONNX model zoo, whose outputs have numbers for names.</summary>
internal sealed class FasterRcnnZooReader : LayoutReader
{
    private const int Shortest = 800, Longest = 1333, Multiple = 32;

    private readonly PictureTensor _picture;
    private readonly string _boxes, _labels, _scores;

    public FasterRcnnZooReader(DetectorSignature signature)
    {
        _picture = new PictureTensor(signature.Inputs[0]) { IsBgr = true, Factor = 1, Mean = [102.9801f, 115.9465f, 122.7717f] };
        (_boxes, _labels, _scores) = (Boxes(signature)!.Name, Labels(signature)!.Name, ScoresOf(signature)!.Name);
    }

    public override DetectorLayout Layout => DetectorLayout.FasterRcnnZoo;

    public override bool LeavesOverlaps => false;

    public static bool Fits(DetectorSignature signature) =>
        signature.Inputs.Length == 1 && signature.Inputs[0] is { Dimensions.Length: 3 } input && input.Dimensions[0] == 3
        && signature.Output("boxes") is null
        && Boxes(signature) is not null && Labels(signature) is not null && ScoresOf(signature) is not null;

    public override (OnnxInputs Inputs, Placement Placement) Prepare(PixelBuffer image)
    {
        int shorter = Math.Min(image.Width, image.Height), longer = Math.Max(image.Width, image.Height);
        double scale = Math.Min(Shortest / (double)shorter, Longest / (double)longer);
        int width = Math.Max(1, (int)(image.Width * scale)), height = Math.Max(1, (int)(image.Height * scale));
        PixelBuffer resized = image.ResizeToRgb(width, height);
        OnnxInputs inputs = _picture.Write(resized, Padded(width), Padded(height), 0, 0);
        return (inputs, new Placement(width / (double)image.Width, height / (double)image.Height));
    }

    public override List<RawBox> Read(OutputValues outputs, Placement placement, float scoreThreshold) =>
        NamedBoxes.Read(outputs, _boxes, _labels, _scores, scoreThreshold);

    private static int Padded(int side) => (side + Multiple - 1) / Multiple * Multiple;

    private static OnnxTensor? Boxes(DetectorSignature signature) =>
        signature.Outputs.FirstOrDefault(o => o.Dimensions.Length == 2 && o.Dimensions[1] == 4 && o.ElementType == typeof(float));

    private static OnnxTensor? Labels(DetectorSignature signature) =>
        signature.Outputs.FirstOrDefault(o => o.Dimensions.Length == 1 && o.ElementType == typeof(long));

    private static OnnxTensor? ScoresOf(DetectorSignature signature) =>
        signature.Outputs.FirstOrDefault(o => o.Dimensions.Length == 1 && o.ElementType == typeof(float));
}

/// <summary>SSD as TensorFlow exports it: bytes in, corners as parts of the picture, rows first.</summary>
internal sealed class SsdTensorFlowReader(DetectorSignature signature) : LayoutReader
{
    private readonly OnnxTensor _input = signature.Inputs[0];
    private readonly string _boxes = Find(signature, "detection_boxes")!.Name;
    private readonly string _classes = Find(signature, "detection_classes")!.Name;
    private readonly string _scores = Find(signature, "detection_scores")!.Name;

    public override DetectorLayout Layout => DetectorLayout.SsdTensorFlow;

    public override bool LeavesOverlaps => false;

    public static bool Fits(DetectorSignature signature) =>
        signature.Inputs.Length == 1 && signature.Inputs[0] is { Dimensions.Length: 4 } input && input.Dimensions[3] == 3 && input.ElementType == typeof(byte)
        && Find(signature, "detection_boxes") is not null && Find(signature, "detection_classes") is not null && Find(signature, "detection_scores") is not null;

    public override (OnnxInputs Inputs, Placement Placement) Prepare(PixelBuffer image)
    {
        int height = _input.Dimensions[1] > 0 ? _input.Dimensions[1] : image.Height, width = _input.Dimensions[2] > 0 ? _input.Dimensions[2] : image.Width;
        PixelBuffer resized = image.ResizeToRgb(width, height);
        return (new OnnxInputs().Add(_input.Name, resized.Memory.Span, 1, height, width, 3), new Placement(1.0 / image.Width, 1.0 / image.Height));
    }

    public override List<RawBox> Read(OutputValues outputs, Placement placement, float scoreThreshold) =>
        [.. NamedBoxes.Read(outputs, _boxes, _classes, _scores, scoreThreshold).Select(box => box with { X0 = box.Y0, Y0 = box.X0, X1 = box.Y1, Y1 = box.X1 })];

    private static OnnxTensor? Find(DetectorSignature signature, string name) =>
        signature.Outputs.FirstOrDefault(output => output.Name.StartsWith(name, StringComparison.Ordinal));
}
