using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using SegmentAnything.Evaluation;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks;

/// <summary>Prompts a model for an object that is known, as a person would who sees the mask grow.</summary>
/// <remarks>
/// Each prompt is all clicks so far and the logits of the mask before. The first point gives three masks, of which the most confident
/// is carried on; later prompts give one. Source: Kirillov et al. 2023, sections 7.1 and D.1; RITM (Sofiiuk et al. 2021).
/// </remarks>
public static class ClickSimulation
{
    private const int TrainingPoints = 8, TrainingRounds = 11;

    // A box of training is off by a tenth of its side, 20 pixels at most.
    private const double BoxNoise = 0.1, MostBoxNoise = 20;

    /// <summary>Prompts until the mask is good enough or the clicks are used up.</summary>
    /// <param name="model">The model.</param>
    /// <param name="embedding">The image, encoded by it.</param>
    /// <param name="target">The object, at the size of the image.</param>
    /// <param name="ignored">Pixels that are neither right nor wrong; none when null.</param>
    /// <param name="id">The object's number, by which its random clicks differ from another's.</param>
    /// <param name="options">How clicks are simulated; the defaults when null.</param>
    /// <param name="cancellationToken">Looked at between prompts.</param>
    /// <exception cref="ArgumentException">The object is empty or has another size than the image.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static SimulatedObject Run(
        ISegmenter model, ImageEmbedding embedding, RleMask target, RleMask? ignored = null, long id = 0,
        ClickSimulationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(embedding);
        ArgumentNullException.ThrowIfNull(target);
        options ??= ClickSimulationOptions.Default;
        options.Check();
        if (target.Width != embedding.SourceSize.Width || target.Height != embedding.SourceSize.Height)
        {
            throw new ArgumentException(
                $"The object's mask has {target.Width}x{target.Height} pixels, but the image has {embedding.SourceSize}.", nameof(target));
        }

        var run = new Rounds(model, embedding, new Clicker(target, ignored), options, cancellationToken);
        var random = new Random(SeedOf(options.Seed, id));
        using (run)
        {
            if (options.Person == SimulatedPerson.Training) Train(run, target, random);
            else Evaluate(run, target, random, options);
            return run.Result();
        }
    }

    private static void Evaluate(Rounds run, RleMask target, Random random, ClickSimulationOptions options)
    {
        if (options.RandomFirstClick) run.Clicker.Record(PixelOf(target, random) with { IsPositive = true });
        else run.Clicker.Next(null);
        run.Predict();
        while (run.Count < options.MaxClicks && run.Quality < options.StopAt && run.Clicker.Next(run.Mask) is not null) run.Predict();
    }

    private static void Train(Rounds run, RleMask target, Random random)
    {
        if (random.Next(2) == 0) run.Box = NoisyBox(target, random);
        else run.Clicker.Record(PixelOf(target, random) with { IsPositive = true });
        run.Predict();
        int pause = random.Next(1, TrainingRounds - 1);
        for (int round = 1; round < TrainingRounds; round++)
        {
            if (round != pause && round != TrainingRounds - 1 && run.Clicker.Clicks.Count <= TrainingPoints)
            {
                RleMask error = run.Mask.SymmetricDifference(target);
                if (error.IsEmpty) return;
                Click click = PixelOf(error, random);
                run.Clicker.Record(click with { IsPositive = target[click.X, click.Y] });
            }

            run.Predict();
        }
    }

    private static Box NoisyBox(RleMask target, Random random)
    {
        MaskBox box = target.BoundingBox;
        return new Box(
            Moved(box.X, box.Width, target.Width), Moved(box.Y, box.Height, target.Height),
            Moved(box.Right, box.Width, target.Width), Moved(box.Bottom, box.Height, target.Height));

        float Moved(double edge, double side, double end)
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            return (float)Math.Clamp(edge + Math.Clamp(normal * BoxNoise * side, -MostBoxNoise, MostBoxNoise), 0, end);
        }
    }

    // Every pixel of the mask is as likely; pixels are counted down the columns, as the mask's runs are.
    private static Click PixelOf(RleMask mask, Random random)
    {
        long place = random.NextInt64(mask.Area), position = 0;
        bool foreground = false;
        foreach (int run in mask.Counts)
        {
            if (foreground)
            {
                if (place < run)
                {
                    long pixel = position + place;
                    return new Click((int)(pixel / mask.Height), (int)(pixel % mask.Height), IsPositive: true);
                }

                place -= run;
            }

            position += run;
            foreground = !foreground;
        }

        throw new InvalidOperationException("A mask's runs hold fewer pixels than its area.");
    }

    private static int SeedOf(int seed, long id) =>
        BinaryPrimitives.ReadInt32LittleEndian(SHA256.HashData(Encoding.ASCII.GetBytes($"{seed} {id}")));

    /// <summary>The rounds so far: what was clicked, the mask it gave, and how good it was.</summary>
    private sealed class Rounds(
        ISegmenter model, ImageEmbedding embedding, Clicker clicker, ClickSimulationOptions options, CancellationToken cancellationToken) : IDisposable
    {
        private readonly List<double> _qualities = [];
        private readonly List<double> _milliseconds = [];
        private MaskPrediction? _last;
        private double _oracle;

        public Clicker Clicker => clicker;

        public Box? Box { get; set; }

        public int Count => _qualities.Count;

        public double Quality => _qualities[^1];

        public RleMask Mask => _last!.Best.Mask;

        public void Predict()
        {
            cancellationToken.ThrowIfCancellationRequested();
            // A click is on a pixel's centre; the first pixel begins at 0.
            PointPrompt[] points = [.. clicker.Clicks.Select(click => new PointPrompt(
                click.X + 0.5f, click.Y + 0.5f, click.IsPositive ? PointLabel.Foreground : PointLabel.Background))];
            Prompt prompt = points.Length == 0 ? Prompt.FromBox(Box!.Value) : Prompt.FromPoints(points);
            if (points.Length > 0 && Box is { } box) prompt = prompt.AndBox(box.X0, box.Y0, box.X1, box.Y1);
            if (_last is not null) prompt = prompt.AndMask(_last.LowResLogits);
            bool multiple = options.AlwaysMultiple || prompt.IsAmbiguous;
            long start = Stopwatch.GetTimestamp();
            MaskPrediction next = model.Predict(embedding, prompt, multiple ? MaskSelection.Multiple : MaskSelection.Auto, cancellationToken);
            _milliseconds.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            _last?.Dispose();
            _last = next;
            if (_qualities.Count == 0) _oracle = next.Max(mask => clicker.IntersectionOverUnion(mask.Mask));
            _qualities.Add(clicker.IntersectionOverUnion(Mask));
        }

        public SimulatedObject Result()
        {
            double[] sorted = [.. _milliseconds.Order()];
            return new SimulatedObject([.. clicker.Clicks], [.. _qualities], _oracle, sorted[sorted.Length / 2], Mask);
        }

        public void Dispose() => _last?.Dispose();
    }
}
