using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace SegmentAnything.Execution;

/// <summary>
/// A model loaded into ONNX Runtime, to be run by any number of threads. Made by <see cref="SessionFactory"/>.
/// </summary>
/// <remarks>
/// Runs are synchronous, on the caller's thread: the C# RunAsync of ONNX Runtime has crashed. Runs are counted, since a
/// native session must not be released while one is under way: <see cref="Dispose"/> waits for them.
/// </remarks>
internal sealed class ModelSession : IDisposable
{
    // One for each device that bears one run at a time, for the life of the process: devices do not come and go.
    private static readonly ConcurrentDictionary<ExecutionProvider, SemaphoreSlim> Devices = new();

    private readonly UseGate _gate = new();
    private readonly InferenceSession _session;
    private readonly SemaphoreSlim? _device;

    internal ModelSession(InferenceSession session, string source, ExecutionProvider provider, ImmutableArray<ExecutionProviderFailure> passedOver)
    {
        _session = session;
        Source = source;
        Provider = provider;
        PassedOver = passedOver;
        _device = provider.RunsOneAtATime ? Devices.GetOrAdd(provider, static _ => new SemaphoreSlim(1, 1)) : null;
        Inputs = session.InputMetadata.ToDictionary(m => m.Key, m => TensorContract.FromMetadata(m.Key, m.Value));
        Outputs = session.OutputMetadata.ToDictionary(m => m.Key, m => TensorContract.FromMetadata(m.Key, m.Value));
    }

    /// <summary>What the model's maker wrote into the file beside the graph, by name.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _session.ModelMetadata.CustomMetadataMap;

    /// <summary>Where the model came from, for messages: a file name, or what the bytes are.</summary>
    public string Source { get; }

    /// <summary>The provider that was taken. What it cannot do, ONNX Runtime does on the processor.</summary>
    public ExecutionProvider Provider { get; }

    /// <summary>The providers that were tried before and failed, with their reasons.</summary>
    public ImmutableArray<ExecutionProviderFailure> PassedOver { get; }

    /// <summary>What the model takes, by name.</summary>
    public IReadOnlyDictionary<string, TensorContract> Inputs { get; }

    /// <summary>What the model gives, by name.</summary>
    public IReadOnlyDictionary<string, TensorContract> Outputs { get; }

    /// <summary>The number of runs that have begun and not ended, those that wait for their device included.</summary>
    public int RunsUnderWay => _gate.Uses;

    /// <summary>Runs the model once. Safe to call from several threads.</summary>
    /// <param name="inputs">A value for every input, by name.</param>
    /// <param name="outputs">
    /// Values over the caller's memory that receive the results, by name, each of exactly the shape that the model gives;
    /// outputs that are not named are not computed unless others need them.
    /// </param>
    /// <param name="cancellationToken">Stops the run after the operator under way.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled; the outputs' contents are undefined.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    /// <exception cref="ModelContractException">A name, type or shape is not the model's, or an operator failed.</exception>
    public void Run(
        ReadOnlySpan<(string Name, OrtValue Value)> inputs,
        ReadOnlySpan<(string Name, OrtValue Value)> outputs,
        CancellationToken cancellationToken = default)
    {
        (string[] outputNames, OrtValue[] outputValues) = Split(outputs);
        Run(inputs, outputNames, outputValues, cancellationToken)?.Dispose();
    }

    /// <summary>Runs the model once, into memory that ONNX Runtime allocates. Safe to call from several threads.</summary>
    /// <param name="inputs">A value for every input, by name.</param>
    /// <param name="outputs">The names of the outputs that are wanted.</param>
    /// <param name="cancellationToken">Stops the run after the operator under way.</param>
    /// <returns>One value an output, in their order.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    /// <exception cref="ModelContractException">A name, type or shape is not the model's, or an operator failed.</exception>
    public IDisposableReadOnlyCollection<OrtValue> Run(
        ReadOnlySpan<(string Name, OrtValue Value)> inputs, string[] outputs, CancellationToken cancellationToken) =>
        Run(inputs, outputs, null, cancellationToken)!;

    /// <summary>Runs the model once, for outputs of float32 or float16 whose shapes are not known before.</summary>
    /// <param name="inputs">A value for every input, by name.</param>
    /// <param name="outputs">The names of the outputs that are wanted.</param>
    /// <param name="cancellationToken">Stops the run after the operator under way.</param>
    /// <returns>The values and the shape of each, in their order.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The session was disposed.</exception>
    /// <exception cref="ModelContractException">A name, type or shape is not the model's, an operator failed, or an output has values of another type.</exception>
    public (float[] Values, long[] Shape)[] RunForValues(
        ReadOnlySpan<(string Name, OrtValue Value)> inputs, string[] outputs, CancellationToken cancellationToken)
    {
        using IDisposableReadOnlyCollection<OrtValue> found = Run(inputs, outputs, cancellationToken);
        var result = new (float[], long[])[outputs.Length];
        for (int i = 0; i < result.Length; i++)
        {
            OrtTensorTypeAndShapeInfo info = found[i].GetTensorTypeAndShape();
            float[] values = info.ElementDataType switch
            {
                TensorElementType.Float => found[i].GetTensorDataAsSpan<float>().ToArray(),
                TensorElementType.Float16 => [.. found[i].GetTensorDataAsSpan<Float16>().ToArray().Select(v => (float)BitConverter.UInt16BitsToHalf(v.value))],
                _ => throw new ModelContractException($"{Source}: output '{outputs[i]}' has values of type {info.ElementDataType}; float or float16 is expected.", outputs[i]),
            };
            result[i] = (values, info.Shape);
        }

        return result;
    }

    // Into values of the caller; or, if there are none, into new ones.
    private IDisposableReadOnlyCollection<OrtValue>? Run(
        ReadOnlySpan<(string Name, OrtValue Value)> inputs, string[] outputNames, OrtValue[]? outputValues, CancellationToken cancellationToken)
    {
        (string[] inputNames, OrtValue[] inputValues) = Split(inputs);
        cancellationToken.ThrowIfCancellationRequested();
        using UseGate.Use use = _gate.Enter(this);
        _device?.Wait(cancellationToken);
        try
        {
            // One RunOptions for each run, since Terminate stops every run that shares it.
            using var runOptions = new RunOptions();
            using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
                static options => ((RunOptions)options!).Terminate = true, runOptions);
            if (outputValues is null) return _session.Run(runOptions, inputNames, inputValues, outputNames);
            _session.Run(runOptions, inputNames, inputValues, outputNames, outputValues);
            return null;
        }
        catch (OnnxRuntimeException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException($"The run of {Source} was cancelled.", e, cancellationToken);
        }
        catch (OnnxRuntimeException e)
        {
            throw new ModelContractException($"{Source}: ONNX Runtime could not run this model on {Provider.Name}: {e.Message} Is the file undamaged, and of this model?", innerException: e);
        }
        finally
        {
            _device?.Release();

            // Only their native handles were in use: they must not be finalised before the run has ended.
            GC.KeepAlive(inputValues);
            GC.KeepAlive(outputValues);
        }
    }

    /// <summary>Runs a model of one input and one output on floats in unmanaged memory.</summary>
    public unsafe void Run(string input, long[] inputShape, float* source, string output, long[] outputShape, float* result)
    {
        using OrtValue from = Over(inputShape, source), to = Over(outputShape, result);
        Run([(input, from)], [(output, to)]);

        static OrtValue Over(long[] shape, float* memory) => OrtValue.CreateTensorValueWithData(
            OrtMemoryInfo.DefaultInstance, TensorElementType.Float, shape, (nint)memory, TensorPrimitives.Product<long>(shape) * sizeof(float));
    }

    /// <summary>Lets no further run begin, waits for those under way, then releases the model. Safe to call twice.</summary>
    public void Dispose()
    {
        if (_gate.Close()) _session.Dispose();
    }

    private static (string[] Names, OrtValue[] Values) Split(ReadOnlySpan<(string Name, OrtValue Value)> tensors)
    {
        var names = new string[tensors.Length];
        var values = new OrtValue[tensors.Length];
        for (int i = 0; i < tensors.Length; i++) (names[i], values[i]) = tensors[i];
        return (names, values);
    }
}
