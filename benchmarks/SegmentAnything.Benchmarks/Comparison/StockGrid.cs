using System.Diagnostics;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Automatic;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;
using SegmentAnything.Rle;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>
/// The automatic generator as one writes it around the two published files: the encoder once, the decoder once a point, and
/// what the official code does with the masks in plain C#.
/// </summary>
/// <remarks>
/// The published decoder chooses one of its masks and enlarges it. The generator needs three and the choice of what to
/// enlarge, so the end of the graph is cut off in memory; nothing else is changed. The loop gains by it: it enlarges the
/// masks that pass the first threshold, on all cores.
/// </remarks>
internal sealed class StockGrid : IDisposable
{
    private const int Low = 256, Model = 1024, MasksPerPoint = 3;

    private readonly StockFiles _files = new();
    private readonly InferenceSession _decoder;
    private readonly string _masks;
    private readonly string _scores;
    private readonly float[] _noMask = new float[Low * Low];

    public StockGrid()
    {
        byte[] file = File.ReadAllBytes(ModelStore.Default.Find(SamModels.MobileSam).FindPath(ModelFileRole.Decoder)!);
        ModelProto model = OnnxFile.Parse(file, "the published decoder");

        // The choice flattens the four masks and the four scores, in this order, to gather one of each.
        string[] flattened = [.. model.Graph.Node.Where(n => n.OpType == "Flatten").Select(n => n.Input[0])];
        if (flattened.Length != 2) throw new InvalidOperationException("The published decoder does not choose a mask as expected.");
        (_masks, _scores) = (flattened[0], flattened[1]);
        Dictionary<string, NodeProto> producers = OnnxFile.Producers(model.Graph);
        HashSet<NodeProto> needed = [];
        Stack<string> values = new(flattened);
        while (values.TryPop(out string? value))
        {
            if (!producers.TryGetValue(value, out NodeProto? node) || !needed.Add(node)) continue;
            foreach (string input in node.Input) values.Push(input);
        }

        NodeProto[] kept = [.. model.Graph.Node.Where(needed.Contains)];
        model.Graph.Node.Clear();
        model.Graph.Node.AddRange(kept);
        model.Graph.Output.Clear();
        foreach (string name in flattened) model.Graph.Output.Add(new ValueInfoProto { Name = name });
        HashSet<string> read = [.. kept.SelectMany(n => n.Input)];
        ValueInfoProto[] inputs = [.. model.Graph.Input.Where(i => read.Contains(i.Name))];
        model.Graph.Input.Clear();
        model.Graph.Input.AddRange(inputs);
        using SessionOptions options = new();
        _decoder = new InferenceSession(model.ToByteArray(), options);
    }

    /// <summary>Time of the last <see cref="Generate"/> in the encoder, the decoder, and what follows.</summary>
    public (TimeSpan Encode, TimeSpan Decode, TimeSpan Masks) Times { get; private set; }

    /// <summary>The masks that are left after suppression.</summary>
    public List<RleMask> Generate(PixelBuffer image, int pointsPerSide, AutomaticMaskOptions options)
    {
        long start = Stopwatch.GetTimestamp();
        float[] embedding = _files.Encode(image);
        TimeSpan encode = Stopwatch.GetElapsedTime(start), decode = default, masks = default;
        List<Found> candidates = [];
        Lock gate = new();
        (int inputWidth, int inputHeight) = InputSize(image.Size);
        foreach ((double x, double y) in PointGrid.Build(pointsPerSide))
        {
            long before = Stopwatch.GetTimestamp();
            (float[] low, float[] scores) = Decode(embedding, (float)(x * inputWidth), (float)(y * inputHeight));
            long decoded = Stopwatch.GetTimestamp();
            int[] passing = [.. Enumerable.Range(1, MasksPerPoint).Where(m => scores[m] > options.PredIouThreshold)];
            Parallel.ForEach(passing, m =>
            {
                if (Measure(low.AsSpan(m * Low * Low, Low * Low), image.Size, scores[m], options) is not { } found) return;
                lock (gate) candidates.Add(found);
            });
            decode += Stopwatch.GetElapsedTime(before, decoded);
            masks += Stopwatch.GetElapsedTime(decoded);
        }

        long last = Stopwatch.GetTimestamp();
        List<RleMask> kept = Suppress(candidates, options.BoxNmsThreshold);
        Times = (encode, decode, masks + Stopwatch.GetElapsedTime(last));
        return kept;
    }

    public void Dispose()
    {
        _decoder.Dispose();
        _files.Dispose();
    }

    private (float[] Masks, float[] Scores) Decode(float[] embedding, float x, float y)
    {
        using OrtValue image = OrtValue.CreateTensorValueFromMemory(embedding, [1, 256, 64, 64]);
        using OrtValue points = OrtValue.CreateTensorValueFromMemory([x, y, 0, 0], [1, 2, 2]);
        using OrtValue labels = OrtValue.CreateTensorValueFromMemory([1f, -1f], [1, 2]);
        using OrtValue mask = OrtValue.CreateTensorValueFromMemory(_noMask, [1, 1, Low, Low]);
        using OrtValue hasMask = OrtValue.CreateTensorValueFromMemory([0f], [1]);
        using RunOptions run = new();
        using IDisposableReadOnlyCollection<OrtValue> outputs = _decoder.Run(run,
            ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input"],
            [image, points, labels, mask, hasMask], [_masks, _scores]);
        return (outputs[0].GetTensorDataAsSpan<float>().ToArray(), outputs[1].GetTensorDataAsSpan<float>().ToArray());
    }

    // The image in the model's frame: the longer side becomes the model's, whole pixels.
    private static (int Width, int Height) InputSize(ImageSize size)
    {
        double scale = (double)Model / Math.Max(size.Width, size.Height);
        return ((int)((size.Width * scale) + 0.5), (int)((size.Height * scale) + 0.5));
    }

    private static Found? Measure(ReadOnlySpan<float> low, ImageSize size, float score, AutomaticMaskOptions options)
    {
        (int inputWidth, int inputHeight) = InputSize(size);
        float[] model = Resize(low, Low, Low, Low, Model, Model);
        float[] logits = Resize(model, Model, inputWidth, inputHeight, size.Width, size.Height);

        int lower = 0, upper = 0;
        foreach (float logit in logits)
        {
            if (logit > -options.StabilityScoreOffset) lower++;
            if (logit > options.StabilityScoreOffset) upper++;
        }

        if (!((float)upper / lower >= options.StabilityScoreThreshold)) return null;
        int x0 = size.Width, y0 = size.Height, x1 = -1, y1 = -1;
        List<int> counts = [];
        int length = 0;
        bool inside = false;
        for (int x = 0; x < size.Width; x++)
        {
            for (int y = 0; y < size.Height; y++)
            {
                bool mask = logits[(y * size.Width) + x] > 0;
                if (mask != inside)
                {
                    counts.Add(length);
                    length = 0;
                    inside = mask;
                }

                length++;
                if (!mask) continue;
                (x0, y0, x1, y1) = (Math.Min(x0, x), Math.Min(y0, y), Math.Max(x1, x), Math.Max(y1, y));
            }
        }

        counts.Add(length);
        return x1 < 0 ? new Found(score, 0, 0, 0, 0, counts, size) : new Found(score, x0, y0, x1, y1, counts, size);
    }

    // Bilinear, pixel centres at halves.
    private static float[] Resize(ReadOnlySpan<float> source, int stride, int sourceWidth, int sourceHeight, int width, int height)
    {
        float[] result = new float[width * height];
        (int[] left, int[] right, float[] partX) = Axis(sourceWidth, width);
        (int[] above, int[] below, float[] partY) = Axis(sourceHeight, height);
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<float> top = source[(above[y] * stride)..], bottom = source[(below[y] * stride)..];
            float down = partY[y];
            Span<float> row = result.AsSpan(y * width, width);
            for (int x = 0; x < row.Length; x++)
            {
                int l = left[x], r = right[x];
                float across = partX[x];
                float a = (top[l] * (1 - across)) + (top[r] * across);
                float b = (bottom[l] * (1 - across)) + (bottom[r] * across);
                row[x] = (a * (1 - down)) + (b * down);
            }
        }

        return result;
    }

    private static (int[] First, int[] Second, float[] Part) Axis(int source, int target)
    {
        int[] first = new int[target], second = new int[target];
        float[] part = new float[target];
        float scale = (float)source / target;
        for (int i = 0; i < target; i++)
        {
            float position = Math.Max(((i + 0.5f) * scale) - 0.5f, 0);
            first[i] = Math.Min((int)position, source - 1);
            second[i] = Math.Min(first[i] + 1, source - 1);
            part[i] = position - first[i];
        }

        return (first, second, part);
    }

    private static List<RleMask> Suppress(List<Found> candidates, double threshold)
    {
        List<Found> kept = [];
        foreach (Found candidate in candidates.OrderByDescending(c => c.Score))
        {
            if (!kept.Any(k => k.Overlap(candidate) > threshold)) kept.Add(candidate);
        }

        return [.. kept.Select(k => RleMask.FromCounts([.. k.Counts], k.Size.Width, k.Size.Height))];
    }

    private sealed record Found(float Score, int X0, int Y0, int X1, int Y1, List<int> Counts, ImageSize Size)
    {
        private double Area => (double)(X1 - X0) * (Y1 - Y0);

        public double Overlap(Found other)
        {
            double width = Math.Min(X1, other.X1) - Math.Max(X0, other.X0), height = Math.Min(Y1, other.Y1) - Math.Max(Y0, other.Y0);
            double common = Math.Max(width, 0) * Math.Max(height, 0);
            return common / (Area + other.Area - common);
        }
    }
}
