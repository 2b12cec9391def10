using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Google.Protobuf;
using SegmentAnything.Onnx;

namespace SegmentAnything.Graphs;

/// <summary>One value that flows through a graph under construction.</summary>
internal readonly record struct Value(string Name);

/// <summary>One dimension of a graph's input or output: a number, or the name of one that is free.</summary>
internal readonly record struct Dim(long Size, string? Name)
{
    public static implicit operator Dim(int size) => new(size, null);

    public static implicit operator Dim(string name) => new(0, name);
}

/// <summary>
/// Builds an ONNX graph node by node. Every method adds one node and returns its output, so that a network reads
/// like its formulas. Constants of equal content are stored once when they are small (shapes, scalars).
/// </summary>
internal sealed class GraphBuilder
{
    /// <summary>Opset 20 brought Gelu; the runtime has all of it on every provider that matters here.</summary>
    private const int Opset = 20;

    /// <summary>The IR version that goes with opset 20.</summary>
    private const int IrVersion = 9;

    // ONNX Runtime's own operators.
    private const string RuntimeDomain = "com.microsoft";

    private readonly GraphProto _graph;
    private readonly Dictionary<string, Value> _smallConstants = [];
    private readonly HashSet<string> _names;
    private readonly WeightOptions _weights;
    private readonly GraphBuilder? _outer;
    private bool _usesRuntimeOperators;

    /// <param name="name">The graph's name.</param>
    /// <param name="weights">How <see cref="Weight"/> stores; by default float32 inside the model.</param>
    public GraphBuilder(string name, WeightOptions? weights = null)
    {
        _graph = new GraphProto { Name = name };
        _weights = weights ?? WeightOptions.Default;
        _names = [];
    }

    // The body of a loop: its values have names of their own in the whole model, and its constants are the model's.
    private GraphBuilder(string name, GraphBuilder outer)
    {
        _graph = new GraphProto { Name = name };
        _weights = outer._weights;
        _outer = outer;
        _names = outer._names;
    }

    /// <summary>Remarks that go with the model, by key.</summary>
    public Dictionary<string, string> Metadata { get; } = [];

    public Value Input(string name, params ReadOnlySpan<Dim> shape) => Input(name, TensorProto.Types.DataType.Float, shape);

    public Value Input(string name, TensorProto.Types.DataType type, params ReadOnlySpan<Dim> shape)
    {
        _graph.Input.Add(Describe(name, shape, type));
        _names.Add(name);
        return new Value(name);
    }

    /// <summary>Gives <paramref name="value"/> a public name and makes it an output of the graph.</summary>
    public void Output(string name, Value value, params ReadOnlySpan<Dim> shape)
    {
        Add("Identity", [value.Name], name);
        _graph.Output.Add(Describe(name, shape));
    }

    /// <summary>A float32 weight or constant, row-major.</summary>
    public Value Constant(string name, ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        if (_outer is not null) return _outer.Constant(name, values, shape);
        TensorProto tensor = NewTensor(name, TensorProto.Types.DataType.Float, shape, values.Length);
        tensor.RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values));
        _graph.Initializer.Add(tensor);
        return new Value(tensor.Name);
    }

    /// <summary>
    /// A large float32 weight, row-major, stored as <see cref="WeightOptions"/> say. As float16 it is converted each time
    /// it is used; the session that runs it keeps ONNX Runtime from doing that once and for all.
    /// </summary>
    public Value Weight(string name, ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        if (_outer is not null) return _outer.Weight(name, values, shape);
        if (!_weights.Half) return Kernel(name, values, shape);

        Half[] halves = new Half[values.Length];
        TensorPrimitives.ConvertToHalf(values, halves);
        if (TensorPrimitives.IndexOfMaxMagnitude<Half>(halves) is >= 0 and int largest && !Half.IsFinite(halves[largest]))
            throw new CheckpointException($"Weight '{name}' has the value {values[largest]}, which is too large for float16. Use float32.");
        TensorProto half = NewTensor(name, TensorProto.Types.DataType.Float16, [values.Length], values.Length);
        Store(half, MemoryMarshal.AsBytes<Half>(halves));
        Value flat = Node("Cast", [new Value(half.Name)], ("to", (long)TensorProto.Types.DataType.Float));
        long[] dims = new long[shape.Length];
        for (int i = 0; i < dims.Length; i++) dims[i] = shape[i];
        // Flat, so that this costs nothing but cannot be left out: ONNX Runtime has ended the process when the body of a
        // loop took the output of a Cast.
        return Reshape(flat, dims);
    }

    /// <summary>
    /// A large weight that is float32 in any case: that of a convolution, which ONNX Runtime has to see as a constant.
    /// </summary>
    public Value Kernel(string name, ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        if (_outer is not null) return _outer.Kernel(name, values, shape);
        TensorProto tensor = NewTensor(name, TensorProto.Types.DataType.Float, shape, values.Length);
        Store(tensor, MemoryMarshal.AsBytes(values));
        return new Value(tensor.Name);
    }

    /// <summary>A matrix of 8-bit integers, row-major.</summary>
    public Value Integers8(string name, ReadOnlySpan<sbyte> values, params ReadOnlySpan<int> shape)
    {
        if (_outer is not null) return _outer.Integers8(name, values, shape);
        TensorProto tensor = NewTensor(name, TensorProto.Types.DataType.Int8, shape, values.Length);
        Store(tensor, MemoryMarshal.AsBytes(values));
        return new Value(tensor.Name);
    }

    /// <summary>A vector of one value throughout.</summary>
    public Value Filled(float value, int count) => Small($"filled_{value:R}_{count}", () =>
    {
        float[] values = new float[count];
        Array.Fill(values, value);
        return Constant($"filled_{value:R}_{count}", values, count);
    });

    public Value Scalar(float value) => Small($"scalar_{value:R}", () => Constant($"scalar_{value:R}", [value]));

    /// <summary>A shape or a list of axes, as int64.</summary>
    public Value Integers(params ReadOnlySpan<long> values)
    {
        if (_outer is not null) return _outer.Integers(values);
        string name = "integers_" + string.Join('_', values.ToArray());
        long[] copy = values.ToArray();
        return Small(name, () =>
        {
            TensorProto tensor = NewTensor(name, TensorProto.Types.DataType.Int64, [copy.Length], copy.Length);
            tensor.RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<long>(copy));
            _graph.Initializer.Add(tensor);
            return new Value(tensor.Name);
        });
    }

    public Value Node(string op, ReadOnlySpan<Value> inputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        string[] names = new string[inputs.Length];
        for (int i = 0; i < names.Length; i++) names[i] = inputs[i].Name;
        string output = Unique(op);
        NodeProto node = Add(op, names, output);
        foreach ((string name, object value) in attributes) node.Attribute.Add(Attribute(name, value));
        return new Value(output);
    }

    private Value RuntimeNode(string op, ReadOnlySpan<Value> inputs, params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        Value result = Node(op, inputs, attributes);
        _graph.Node[^1].Domain = RuntimeDomain;
        for (GraphBuilder? g = this; g is not null; g = g._outer) g._usesRuntimeOperators = true;
        return result;
    }

    public Value Add(Value a, Value b) => Node("Add", [a, b]);

    public Value Multiply(Value a, Value b) => Node("Mul", [a, b]);

    public Value MatMul(Value a, Value b) => Node("MatMul", [a, b]);

    /// <summary>x · weight + bias on rows, in one node.</summary>
    public Value Gemm(Value x, Value weight, Value bias) => Node("Gemm", [x, weight, bias]);

    /// <summary>
    /// Turns values into unsigned 8-bit integers, with a scale and a zero point that are made for them at run time:
    /// from their smallest to their largest value, 0 included.
    /// </summary>
    public (Value Integers, Value Scale, Value Zero) Quantize(Value x)
    {
        const string op = "DynamicQuantizeLinear";
        NodeProto node = Add(op, [x.Name], Unique(op));
        node.Output.Add(Unique("scale"));
        node.Output.Add(Unique("zero"));
        return (new Value(node.Output[0]), new Value(node.Output[1]), new Value(node.Output[2]));
    }

    /// <summary>
    /// (integers - zero) · scale · weight + bias, float32. An operator of ONNX Runtime's own: plain ONNX needs four.
    /// </summary>
    /// <param name="x">Of <see cref="Quantize"/>.</param>
    /// <param name="weight">8-bit integers, inputs x outputs.</param>
    /// <param name="scale">What they are multiplied by, one for each output.</param>
    /// <param name="bias">One for each output, or null.</param>
    public Value IntegerProduct((Value Integers, Value Scale, Value Zero) x, Value weight, Value scale, Value? bias)
    {
        var absent = new Value("");
        return RuntimeNode("MatMulIntegerToFloat", [x.Integers, weight, x.Scale, scale, x.Zero, absent, bias ?? absent]);
    }

    /// <summary>
    /// softmax(q·kᵀ · scale)·v of each head, a block of scores at a time, which stays in the cache: an operator of ONNX Runtime's own.
    /// </summary>
    /// <param name="q">(1, tokens, channels); <paramref name="k"/> and <paramref name="v"/> alike.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="heads">Heads, each with its part of the channels.</param>
    /// <param name="scale">Multiplies the scores.</param>
    /// <returns>(1, tokens, channels).</returns>
    public Value MultiHeadAttention(Value q, Value k, Value v, int heads, float scale) =>
        RuntimeNode("MultiHeadAttention", [q, k, v], ("num_heads", (long)heads), ("scale", scale));

    public Value Relu(Value x) => Node("Relu", [x]);

    /// <summary>The exact form, with the error function; the tanh form is off by 2e-2 at the end of the decoder.</summary>
    public Value Gelu(Value x) => Node("Gelu", [x], ("approximate", "none"));

    public Value Softmax(Value x, int axis = -1) => Node("Softmax", [x], ("axis", (long)axis));

    /// <summary>Normalises over the last axis.</summary>
    public Value LayerNorm(Value x, Value weight, Value bias, float epsilon) =>
        Node("LayerNormalization", [x, weight, bias], ("axis", -1L), ("epsilon", epsilon));

    /// <summary>
    /// Does the same to each part of <paramref name="x"/> along its first axis, one part after the other, so that what is
    /// computed in between stays in the cache; the results are stacked along a new first axis.
    /// </summary>
    /// <param name="x">(parts, ...).</param>
    /// <param name="part">The shape of a part.</param>
    /// <param name="result">The shape of what the body makes of it.</param>
    /// <param name="body">Builds the body; may use values of this graph.</param>
    public Value ForEachPart(Value x, ReadOnlySpan<Dim> part, ReadOnlySpan<Dim> result, Func<GraphBuilder, Value, Value> body)
    {
        GraphBuilder inner = new(Unique("body"), this);
        Value output = body(inner, inner.Input(Unique("part"), part));
        inner.Output(Unique("result"), output, result);
        return Node("Scan", [x], ("body", inner._graph), ("num_scan_inputs", 1L));
    }

    /// <summary>0 keeps a dimension, -1 (once) takes what is left.</summary>
    public Value Reshape(Value x, params ReadOnlySpan<long> shape) => Node("Reshape", [x, Integers(shape)]);

    public Value ReshapeLike(Value x, Value other) => Node("Reshape", [x, Node("Shape", [other])]);

    public Value Transpose(Value x, params ReadOnlySpan<long> axes) => Node("Transpose", [x], ("perm", axes.ToArray()));

    public Value Concat(int axis, params ReadOnlySpan<Value> values) => Node("Concat", values, ("axis", (long)axis));

    /// <summary>Keeps positions <paramref name="start"/> to <paramref name="end"/> (exclusive) of one axis.</summary>
    public Value Slice(Value x, int axis, long start, long end) =>
        Node("Slice", [x, Integers(start), Integers(end), Integers(axis)]);

    /// <summary>x · weightᵀ + bias, for a weight as PyTorch keeps it (out x in).</summary>
    public Value Linear(Value x, string name, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias)
    {
        int outputs = bias.Length;
        int inputs = weight.Length / outputs;
        Value w = Constant(name + ".weight", Matrices.Transpose(weight, outputs, inputs), inputs, outputs);
        return Add(MatMul(x, w), Constant(name + ".bias", bias, outputs));
    }

    public ModelProto Build() => new()
    {
        IrVersion = IrVersion,
        ProducerName = "SegmentAnything",
        OpsetImport =
        {
            new OperatorSetIdProto { Version = Opset },
            _usesRuntimeOperators ? [new OperatorSetIdProto { Domain = RuntimeDomain, Version = 1 }] : Array.Empty<OperatorSetIdProto>(),
        },
        Graph = _graph,
        MetadataProps = { Metadata.Select(m => new StringStringEntryProto { Key = m.Key, Value = m.Value }) },
    };

    public byte[] ToBytes() => Build().ToByteArray();

    private void Store(TensorProto tensor, ReadOnlySpan<byte> bytes)
    {
        if (_weights.External is { } file && bytes.Length >= ExternalWeights.SmallestTensor)
        {
            tensor.DataLocation = TensorProto.Types.DataLocation.External;
            foreach ((string key, string value) in file.Append(bytes))
                tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
        }
        else
        {
            tensor.RawData = ByteString.CopyFrom(bytes);
        }

        _graph.Initializer.Add(tensor);
    }

    private static ValueInfoProto Describe(string name, ReadOnlySpan<Dim> shape, TensorProto.Types.DataType type = TensorProto.Types.DataType.Float)
    {
        TensorShapeProto dims = new();
        foreach (Dim dim in shape)
        {
            dims.Dim.Add(dim.Name is null
                ? new TensorShapeProto.Types.Dimension { DimValue = dim.Size }
                : new TensorShapeProto.Types.Dimension { DimParam = dim.Name });
        }

        return new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto
            {
                TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = dims },
            },
        };
    }

    private static AttributeProto Attribute(string name, object value) => value switch
    {
        long i => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = i },
        float f => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Float, F = f },
        string s => new AttributeProto
        {
            Name = name,
            Type = AttributeProto.Types.AttributeType.String,
            S = ByteString.CopyFromUtf8(s),
        },
        GraphProto graph => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Graph, G = graph },
        long[] list => new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Ints, Ints = { list } },
        _ => throw new ArgumentException($"Attribute {name} is a {value.GetType()}: expected long, float, string, a graph or long[]."),
    };

    private NodeProto Add(string op, ReadOnlySpan<string> inputs, string output)
    {
        NodeProto node = new() { OpType = op, Name = output, Output = { output } };
        foreach (string input in inputs) node.Input.Add(input);
        _graph.Node.Add(node);
        return node;
    }

    private TensorProto NewTensor(string name, TensorProto.Types.DataType type, ReadOnlySpan<int> shape, int length)
    {
        long count = 1;
        TensorProto tensor = new() { Name = Unique(name), DataType = (int)type };
        foreach (int size in shape)
        {
            tensor.Dims.Add(size);
            count *= size;
        }

        return count == length
            ? tensor
            : throw new ArgumentException($"{name}: {length} values do not fill the shape [{string.Join(", ", shape.ToArray())}].");
    }

    private Value Small(string key, Func<Value> create)
    {
        if (_outer is not null) return _outer.Small(key, create);
        if (!_smallConstants.TryGetValue(key, out Value value)) _smallConstants[key] = value = create();
        return value;
    }

    private string Unique(string name)
    {
        string candidate = name;
        for (int i = 1; !_names.Add(candidate); i++) candidate = $"{name}_{i}";
        return candidate;
    }
}
