using SegmentAnything.Detection.Layouts;
using SegmentAnything.Rle;

namespace SegmentAnything.Detection;

/// <summary>An object detector that the user has as an ONNX file.</summary>
/// <remarks>
/// What it takes and gives is told from the names, types and shapes of its inputs and outputs and from what the file says of itself.
/// Safe to use from several threads.
/// </remarks>
public sealed class ObjectDetector : IDisposable
{
    private readonly OnnxSession _session;
    private readonly LayoutReader _reader;
    private readonly DetectorOptions _options;
    private readonly string _source;

    private ObjectDetector(OnnxSession session, LayoutReader reader, DetectorOptions options, IReadOnlyDictionary<int, string> classes, string source)
    {
        _session = session;
        _reader = reader;
        _options = options;
        _source = source;
        Classes = classes;
    }

    /// <summary>What the model takes and gives.</summary>
    public DetectorLayout Layout => _reader.Layout;

    /// <summary>The names of the classes by number, as far as they are known.</summary>
    public IReadOnlyDictionary<int, string> Classes { get; }

    /// <summary>Loads a detector. Files of Hugging Face's models are looked for beside it: config.json, preprocessor_config.json.</summary>
    /// <param name="path">The ONNX file.</param>
    /// <param name="options">How it is run; the defaults when null.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ModelContractException">
    /// The file is not an ONNX model, is no detector that is known, or could be several; the message lists what was found. A layout was
    /// named that is not the file's.
    /// </exception>
    /// <exception cref="ExecutionProviderException">No execution provider of the list works.</exception>
    public static ObjectDetector Load(string path, DetectorOptions? options = null)
    {
        options ??= DetectorOptions.Default;
        options.Check();
        OnnxSession session = OnnxSession.Load(path, options.Execution);
        try
        {
            var signature = new DetectorSignature(session, path);
            LayoutReader reader = LayoutRegistry.Choose(signature, options.Layout);
            return new ObjectDetector(session, reader, options, ClassNames.Of(signature, options.ClassNames), Path.GetFileName(path));
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>The name of a class, or its number where it has none.</summary>
    /// <param name="number">The number.</param>
    public string NameOf(int number) => Classes.TryGetValue(number, out string? name) ? name : number.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Finds objects.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="cancellationToken">Stops the model after the operator under way.</param>
    /// <returns>What was found, the most certain first.</returns>
    /// <exception cref="ModelContractException">The model gives numbers that are no boxes.</exception>
    /// <exception cref="ObjectDisposedException">The detector was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public IReadOnlyList<DetectedObject> Detect(PixelBuffer image, CancellationToken cancellationToken = default)
    {
        (OnnxInputs inputs, Placement placement) = _reader.Prepare(image);
        List<RawBox> raw;
        using (inputs)
        {
            using OnnxOutputs outputs = _session.Run(inputs, cancellationToken);
            raw = _reader.Read(new OutputValues(outputs, _source), placement, _options.ScoreThreshold);
        }

        var found = new List<DetectedObject>(raw.Count);
        foreach (RawBox box in raw)
        {
            if (!float.IsFinite(box.X0 + box.Y0 + box.X1 + box.Y1 + box.Score))
                throw new ModelContractException($"{_source}: the detector ({_reader.Name} layout) gives a box that is no number: {box}. Is it of another layout?");
            Box clipped = placement.ToSource(box, image.Size);
            if (clipped.X1 - clipped.X0 >= 1 && clipped.Y1 - clipped.Y0 >= 1) found.Add(new DetectedObject(clipped, box.Class, box.Score));
        }

        return Suppress(found);
    }

    /// <summary>Releases the model.</summary>
    public void Dispose() => _session.Dispose();

    private IReadOnlyList<DetectedObject> Suppress(List<DetectedObject> found)
    {
        if (!_reader.LeavesOverlaps && !_options.ClassAgnostic)
        {
            return [.. found.OrderByDescending(box => box.Score)];
        }

        float[] boxes = [.. found.SelectMany(box => new[] { box.Box.X0, box.Box.Y0, box.Box.X1, box.Box.Y1 })];
        float[] scores = [.. found.Select(box => box.Score)];
        int[] kept = _options.ClassAgnostic
            ? NonMaximumSuppression.Boxes(boxes, scores, _options.NmsThreshold)
            : NonMaximumSuppression.Boxes(boxes, scores, [.. found.Select(box => box.Class)], _options.NmsThreshold);
        return [.. kept.Select(place => found[place])];
    }
}
