namespace SegmentAnything.Detection.Layouts;

/// <summary>All layouts: the one place that knows which there are.</summary>
internal static class LayoutRegistry
{
    private static readonly (DetectorLayout Layout, string Name, Func<DetectorSignature, bool> Fits, Func<DetectorSignature, LayoutReader> Create)[] All =
    [
        (DetectorLayout.RtDetr, "rtdetr", RtDetrReader.Fits, s => new RtDetrReader(s)),
        (DetectorLayout.DetrHuggingFace, "detr-hf", DetrHuggingFaceReader.Fits, s => new DetrHuggingFaceReader(s)),
        (DetectorLayout.SsdTensorFlow, "ssd-tf", SsdTensorFlowReader.Fits, s => new SsdTensorFlowReader(s)),
        (DetectorLayout.Torchvision, "torchvision", TorchvisionReader.Fits, s => new TorchvisionReader(s)),
        (DetectorLayout.FasterRcnnZoo, "fasterrcnn-zoo", FasterRcnnZooReader.Fits, s => new FasterRcnnZooReader(s)),
        (DetectorLayout.YoloEndToEnd, "yolo-end2end", s => YoloShape.Of(s) == DetectorLayout.YoloEndToEnd, s => new YoloEndToEndReader(s)),
        (DetectorLayout.Yolov8, "yolov8", s => YoloShape.Of(s) == DetectorLayout.Yolov8, s => new YoloReader(s, DetectorLayout.Yolov8)),
        (DetectorLayout.Yolov5, "yolov5", s => YoloShape.Of(s) == DetectorLayout.Yolov5, s => new YoloReader(s, DetectorLayout.Yolov5)),
        (DetectorLayout.Yolox, "yolox", s => YoloShape.Of(s) == DetectorLayout.Yolox, s => new YoloReader(s, DetectorLayout.Yolox)),
        (DetectorLayout.RtDetrUltralytics, "rtdetr-ultralytics", s => YoloShape.Of(s) == DetectorLayout.RtDetrUltralytics, s => new RtDetrUltralyticsReader(s)),
    ];

    public static string NameOf(DetectorLayout layout) => All.First(entry => entry.Layout == layout).Name;

    /// <summary>The reader of a model's layout.</summary>
    /// <exception cref="ModelContractException">It has none that is known, several, or another than the one that was named.</exception>
    public static LayoutReader Choose(DetectorSignature signature, DetectorLayout? named)
    {
        if (Refusal(signature) is { } refusal) throw new ModelContractException($"{signature.Source}: {refusal}");
        var fitting = All.Where(entry => entry.Fits(signature)).ToArray();
        if (named is { } layout)
        {
            var entry = All.First(each => each.Layout == layout);
            // A picture and boxes of unknown sizes may be of several layouts; then the user's word counts.
            if (fitting.Length > 0 && !fitting.Contains(entry))
                throw new ModelContractException($"{signature.Source} was said to have the layout {entry.Name}, but has {fitting[0].Name}: {signature}.");
            return entry.Create(signature);
        }

        return fitting.Length switch
        {
            1 => fitting[0].Create(signature),
            0 => throw new ModelContractException(
                $"{signature.Source} is no object detector of a known layout: {signature}. Known are {string.Join(", ", All.Select(e => e.Name))}; name one if it is."),
            _ => throw new ModelContractException(
                $"{signature.Source} may have the layout {string.Join(" or ", fitting.Select(e => e.Name))}: {signature}. Name the right one."),
        };
    }

    // Detectors that are told what to look for in words need a tokenizer of their own.
    private static string? Refusal(DetectorSignature signature)
    {
        if (!signature.HasInput("input_ids")) return null;
        string kind = signature.HasInput("text_token_mask") ? "Grounding DINO" : signature.Output("pred_boxes") is not null ? "OWL-ViT" : "a model that reads text";
        return $"this is {kind}, which is told what to look for in words: not supported. Export a detector with fixed classes, or give boxes as a COCO results file.";
    }
}
