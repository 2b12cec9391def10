using System.Collections.Immutable;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Execution;

namespace SegmentAnything;

/// <summary>
/// Any ONNX model, run with this library's execution providers: for the networks around segmentation, such as object detectors
/// and text encoders, without a second way to ONNX Runtime.
/// </summary>
/// <remarks>
/// Safe to use from several threads.
/// <code>
/// using OnnxSession detector = OnnxSession.Load("detector.onnx");
/// using OnnxInputs inputs = new OnnxInputs().Add&lt;float&gt;("images", pixels, 1, 3, 640, 640);
/// using OnnxOutputs outputs = detector.Run(inputs);
/// ReadOnlySpan&lt;float&gt; boxes = outputs.Values&lt;float&gt;("boxes");
/// </code>
/// </remarks>
public sealed class OnnxSession : IDisposable
{
    private readonly ModelSession _session;

    private OnnxSession(ModelSession session)
    {
        _session = session;
        Inputs = Describe(session.Inputs);
        Outputs = Describe(session.Outputs);
        Metadata = session.Metadata;

        static ImmutableArray<OnnxTensor> Describe(IReadOnlyDictionary<string, TensorContract> tensors) =>
            [.. tensors.Select(t => new OnnxTensor(t.Key, TensorTypes.Of(t.Value.ElementType), t.Value.Dimensions))];
    }

    /// <summary>What the model takes.</summary>
    public ImmutableArray<OnnxTensor> Inputs { get; }

    /// <summary>What it gives.</summary>
    public ImmutableArray<OnnxTensor> Outputs { get; }

    /// <summary>What the model's maker wrote into the file beside the graph, by name, such as the names of classes.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The execution provider that runs it: the first of those asked for that works; for a <see cref="CpuProvider"/> the <see cref="OnnxCpuProvider"/>.</summary>
    public ExecutionProvider Provider => _session.Provider;

    /// <summary>Loads a model from a file. Weights that are kept in files beside it are found there.</summary>
    /// <param name="path">The ONNX file.</param>
    /// <param name="options">Where to run it; by default on the CPU.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ExecutionProviderException">No provider of the list works, or ONNX Runtime's native library was not found.</exception>
    /// <exception cref="ModelContractException">The file is not a model that ONNX Runtime understands.</exception>
    public static OnnxSession Load(string path, ExecutionOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return new OnnxSession(SessionFactory.Create(path, options));
    }

    /// <summary>Loads a model from memory.</summary>
    /// <param name="model">The bytes of an ONNX file; they may be discarded afterwards.</param>
    /// <param name="name">What they are, for messages.</param>
    /// <param name="options">Where to run it; by default on the CPU.</param>
    /// <exception cref="ExecutionProviderException">No provider of the list works, or ONNX Runtime's native library was not found.</exception>
    /// <exception cref="ModelContractException">The bytes are not a model that ONNX Runtime understands.</exception>
    public static OnnxSession Load(ReadOnlyMemory<byte> model, string name, ExecutionOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return new OnnxSession(SessionFactory.Create(model, name, options));
    }

    /// <summary>Runs the model once.</summary>
    /// <param name="inputs">A tensor for every input.</param>
    /// <param name="cancellationToken">Stops the run after the operator under way.</param>
    /// <returns>All outputs.</returns>
    /// <exception cref="ModelContractException">An input is missing, is none of the model's, or has another type or shape; the message says which.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public OnnxOutputs Run(OnnxInputs inputs, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        foreach ((string name, OrtValue value) in inputs.Values) Check(name, value);
        if (inputs.Values.Length < Inputs.Length)
        {
            HashSet<string> given = [.. inputs.Values.ToArray().Select(v => v.Name)];
            throw new ModelContractException(
                $"{_session.Source}: no values for {string.Join(", ", Inputs.Where(i => !given.Contains(i.Name)))}. Add every input.");
        }

        string[] names = [.. Outputs.Select(o => o.Name)];
        return new OnnxOutputs(names, _session.Run(inputs.Values, names, cancellationToken));
    }

    /// <summary>Releases the model, after runs that are under way on other threads have ended.</summary>
    public void Dispose() => _session.Dispose();

    private void Check(string name, OrtValue value)
    {
        OnnxTensor expected = Inputs.FirstOrDefault(i => i.Name == name) ?? throw new ModelContractException(
            $"{_session.Source}: the model takes no input '{name}', only {string.Join(", ", Inputs)}.", name);
        OrtTensorTypeAndShapeInfo info = value.GetTensorTypeAndShape();
        OnnxTensor found = new(name, TensorTypes.Of(info.ElementDataType), [.. info.Shape.Select(d => (int)d)]);
        if (found.ElementType == expected.ElementType && found.Dimensions.Length == expected.Dimensions.Length
            && found.Dimensions.Zip(expected.Dimensions).All(d => d.Second < 0 || d.First == d.Second)) return;
        throw new ModelContractException($"{_session.Source}: expected {expected}, found {found}.", name, expected.ToString(), found.ToString());
    }
}
