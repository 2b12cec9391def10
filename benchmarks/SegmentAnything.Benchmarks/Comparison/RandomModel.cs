using System.Runtime.InteropServices;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Tests.Families;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>
/// A published model with random weights of its names and shapes: a checkpoint in a folder of its own, where what is built of
/// it is kept too and goes with it.
/// </summary>
internal sealed class RandomModel : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("random-model").FullName;
    private SamModel? _sam;

    private RandomModel(SamVariant variant)
    {
        Checkpoint = Path.Combine(_folder, "weights.safetensors");
        PublishedLayouts.Write(PublishedLayouts.All[variant.DisplayName](), Checkpoint, Values);
    }

    /// <summary>The checkpoint's path.</summary>
    public string Checkpoint { get; }

    /// <summary>The loaded model.</summary>
    public SamModel Sam => _sam ?? throw new InvalidOperationException("The model is not loaded.");

    /// <summary>How large the published weights are as float32, in millions of bytes.</summary>
    public static double MegabytesOf(SamVariant variant) =>
        PublishedLayouts.All[variant.DisplayName]().Sum(t => t.Shape.Aggregate(4.0, (product, length) => product * length)) / 1e6;

    /// <summary>Writes the checkpoint of a model.</summary>
    public static RandomModel Write(SamVariant variant) => new(variant);

    /// <summary>Writes the checkpoint of a model, and loads it.</summary>
    public static RandomModel Load(SamVariant variant, WorkTime clock)
    {
        RandomModel model = new(variant);
        string? before = Environment.GetEnvironmentVariable("SEGMENTANYTHING_MODELS");
        try
        {
            Environment.SetEnvironmentVariable("SEGMENTANYTHING_MODELS", model._folder);
            model._sam = SamModel.Load(model.Checkpoint, new SamOptions { Execution = ExecutionOptions.For(new CpuProvider(clock.Threads)) });
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
        finally
        {
            Environment.SetEnvironmentVariable("SEGMENTANYTHING_MODELS", before);
        }
    }

    /// <summary>Frees the model, and deletes its files.</summary>
    public void Dispose()
    {
        _sam?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    // Sizes of values that keep activations near one, in the file's bytes.
    private static byte[] Values(string name, int[] shape)
    {
        float[] values = new float[shape.Aggregate(1, (product, length) => product * length)];
        int inputs = shape.Length > 1 ? Math.Max(1, values.Length / shape[0]) : 1;
        bool isScale = name.EndsWith("running_var", StringComparison.Ordinal) || (shape.Length == 1 && name.EndsWith("weight", StringComparison.Ordinal));
        float middle = isScale ? 1 : 0, spread = shape.Length > 1 ? 1.4f / MathF.Sqrt(inputs) : 0.1f;
        uint state = 2463534242;
        foreach (char letter in name) state = (state * 31) + letter;
        for (int i = 0; i < values.Length; i++)
        {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            values[i] = middle + (spread * ((int)state * (1f / int.MaxValue)));
        }

        return MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
    }
}
