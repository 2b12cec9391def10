using System.Collections.Immutable;

namespace SegmentAnything.Detection.Layouts;

/// <summary>Tells layouts with one output of numbers apart by its shape.</summary>
internal static class YoloShape
{
    // What end-to-end models give a box: corners, score, class; and 32 numbers more for its mask.
    private const int EndToEndColumns = 6, MaskColumns = 32;

    // Models without grids give some hundred boxes.
    private const int MostQueries = 1000;

    /// <summary>The layout, or null when the model is none of these or its shape does not tell.</summary>
    public static DetectorLayout? Of(DetectorSignature signature)
    {
        if (signature.Inputs.Length != 1 || signature.Picture is not { } input || signature.Outputs.Length > 2) return null;
        if (signature.Outputs.FirstOrDefault(o => o.Dimensions.Length == 3) is not { } output) return null;
        // Two of three dimensions: one of the boxes, one of the numbers a box.
        ImmutableArray<int> shape = output.Dimensions;
        bool hasMasks = signature.Outputs.Length == 2 && signature.Outputs.Any(o => o.Dimensions.Length == 4);
        if (signature.Outputs.Length == 2 && !hasMasks) return null;
        int masks = hasMasks ? MaskColumns : 0;
        int? total = Cells(input);
        bool isCells = total is { } grid && (shape[1] == grid || shape[1] == 3 * grid);
        if (shape[2] == EndToEndColumns + masks && (IsEndToEnd(signature) || (IsFew(shape[1]) && !isCells))) return DetectorLayout.YoloEndToEnd;
        int? classes = Classes(signature);
        if (shape[2] > shape[1] && shape[1] > 4) return Matches(shape[1], 4 + masks) ? DetectorLayout.Yolov8 : null;
        if (shape[2] <= 0 && shape[1] > 4 && Matches(shape[1], 4 + masks)) return DetectorLayout.Yolov8;
        if (shape[2] <= 4) return null;
        if (total is { } cells)
        {
            if (shape[1] == 3 * cells && Matches(shape[2], 5 + masks)) return DetectorLayout.Yolov5;
            if (shape[1] == cells && Matches(shape[2], 5)) return DetectorLayout.Yolox;
        }

        // COCO's 80 classes, where the file does not say.
        return IsFew(shape[1]) && shape[2] == (classes ?? 80) + 4 ? DetectorLayout.RtDetrUltralytics : null;

        // Without names of classes every number of them is possible.
        bool Matches(int columns, int others) => classes is not { } number || columns == number + others;
    }

    /// <summary>Cells of the three grids, of strides 8, 16 and 32; null when the input's size is not fixed.</summary>
    public static int? Cells(OnnxTensor input)
    {
        int height = input.Dimensions[2], width = input.Dimensions[3];
        if (height <= 0 || width <= 0) return null;
        return new[] { 8, 16, 32 }.Sum(stride => height / stride * (width / stride));
    }

    private static int? Classes(DetectorSignature signature) =>
        signature.Metadata.TryGetValue("names", out string? names) && ClassNames.ParsePython(names) is { Count: > 0 } parsed ? parsed.Count : null;

    private static bool IsFew(int boxes) => boxes is > 0 and <= MostQueries;

    private static bool IsEndToEnd(DetectorSignature signature) =>
        signature.Metadata.TryGetValue("end2end", out string? value) && value.Equals("true", StringComparison.OrdinalIgnoreCase);
}
