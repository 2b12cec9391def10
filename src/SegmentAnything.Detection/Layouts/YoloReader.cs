namespace SegmentAnything.Detection.Layouts;

/// <summary>YOLO v8 (and 9, 11, 12), v5 (and 7) and YOLOX: a box and a score a class for each cell of three grids.</summary>
internal sealed class YoloReader : LayoutReader
{
    // Masks' coefficients behind the classes: SAM makes the masks.
    private const int MaskColumns = 32;

    // A box of YOLOX that was decoded already has a width of pixels; one that was not, its logarithm.
    private const float GreatestLogarithm = 100;

    private readonly PictureTensor _picture;
    private readonly string _output;
    private readonly bool _hasMasks;

    public YoloReader(DetectorSignature signature, DetectorLayout layout)
    {
        Layout = layout;
        OnnxTensor input = signature.Picture!;
        _picture = layout == DetectorLayout.Yolox
            ? new PictureTensor(input) { IsBgr = true, Factor = 1, Fill = 114 }
            : new PictureTensor(input) { Fill = 114 };
        _output = signature.Outputs.First(output => output.Dimensions.Length == 3).Name;
        _hasMasks = signature.Outputs.Length == 2;
    }

    public override DetectorLayout Layout { get; }

    public override bool LeavesOverlaps => true;

    public override (OnnxInputs Inputs, Placement Placement) Prepare(PixelBuffer image) =>
        _picture.Fit(image, _picture.UsualWidth, _picture.UsualHeight, isCentred: Layout != DetectorLayout.Yolox);

    public override List<RawBox> Read(OutputValues outputs, Placement placement, float scoreThreshold)
    {
        (float[] values, int[] shape) = outputs.Read(_output, 2);
        // Numbers a box first, or boxes first.
        bool columnsFirst = Layout == DetectorLayout.Yolov8;
        int boxes = columnsFirst ? shape[1] : shape[0], columns = columnsFirst ? shape[0] : shape[1];
        int first = columnsFirst ? 4 : 5, classes = columns - first - (_hasMasks ? MaskColumns : 0);
        if (classes < 1)
            throw new ModelContractException($"The output '{_output}' has {columns} numbers a box, of which none is left for classes in the {Name} layout.");
        (int X, int Y, int Stride)[]? cells = Layout == DetectorLayout.Yolox && !IsDecoded() ? CellsOf(boxes) : null;
        var found = new List<RawBox>();
        for (int box = 0; box < boxes; box++)
        {
            int best = 0;
            for (int c = 1; c < classes; c++)
            {
                if (At(box, first + c) > At(box, first + best)) best = c;
            }

            float score = At(box, first + best);
            if (first == 5) score *= At(box, 4);
            if (!(score >= scoreThreshold) && !float.IsNaN(score)) continue;
            float x = At(box, 0), y = At(box, 1), width = At(box, 2), height = At(box, 3);
            if (cells is not null)
            {
                (int cellX, int cellY, int stride) = cells[box];
                (x, y, width, height) = ((x + cellX) * stride, (y + cellY) * stride, MathF.Exp(width) * stride, MathF.Exp(height) * stride);
            }

            found.Add(new RawBox(x - (width / 2), y - (height / 2), x + (width / 2), y + (height / 2), best, score));
        }

        return found;

        float At(int box, int column) => values[columnsFirst ? (column * boxes) + box : (box * columns) + column];

        bool IsDecoded()
        {
            for (int box = 0; box < boxes; box++)
            {
                if (At(box, 2) > GreatestLogarithm) return true;
            }

            return false;
        }
    }

    private (int X, int Y, int Stride)[] CellsOf(int boxes)
    {
        (int X, int Y, int Stride)[] cells =
        [
            .. from stride in new[] { 8, 16, 32 }
               from y in Enumerable.Range(0, _picture.UsualHeight / stride)
               from x in Enumerable.Range(0, _picture.UsualWidth / stride)
               select (x, y, stride),
        ];
        return cells.Length == boxes
            ? cells
            : throw new ModelContractException($"The output '{_output}' has {boxes} boxes, but the grids of strides 8, 16 and 32 have {cells.Length} cells.");
    }
}

/// <summary>YOLO without overlaps left to remove: corners, score, class.</summary>
internal sealed class YoloEndToEndReader(DetectorSignature signature) : LayoutReader
{
    private readonly PictureTensor _picture = new(signature.Picture!) { Fill = 114 };
    private readonly string _output = signature.Outputs.First(output => output.Dimensions.Length == 3).Name;

    public override DetectorLayout Layout => DetectorLayout.YoloEndToEnd;

    public override bool LeavesOverlaps => false;

    public override (OnnxInputs Inputs, Placement Placement) Prepare(PixelBuffer image) =>
        _picture.Fit(image, _picture.UsualWidth, _picture.UsualHeight, isCentred: true);

    public override List<RawBox> Read(OutputValues outputs, Placement placement, float scoreThreshold)
    {
        (float[] values, int[] shape) = outputs.Read(_output, 2);
        var found = new List<RawBox>();
        for (int box = 0; box < shape[0]; box++)
        {
            ReadOnlySpan<float> row = values.AsSpan(box * shape[1], shape[1]);
            if (row[4] >= scoreThreshold || float.IsNaN(row[4])) found.Add(new RawBox(row[0], row[1], row[2], row[3], (int)row[5], row[4]));
        }

        return found;
    }
}
