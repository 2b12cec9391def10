using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>
/// Runs on a provider that has no type of its own here, such as <c>XNNPACK</c>, <c>QNN</c> or <c>OpenVINO</c>, by the
/// name and with the options that ONNX Runtime documents for it.
/// </summary>
public sealed record NamedProvider : ExecutionProvider
{
    /// <summary>Names a provider.</summary>
    /// <param name="name">The name as ONNX Runtime's generic append function knows it.</param>
    /// <param name="options">The provider's options, by key; null for none.</param>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    public NamedProvider(string name, IReadOnlyDictionary<string, string>? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Name = name;
        Options = options ?? new Dictionary<string, string>();
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <summary>The provider's options, by key.</summary>
    public IReadOnlyDictionary<string, string> Options { get; }

    /// <inheritdoc/>
    public override void Configure(SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.AppendExecutionProvider(Name, new Dictionary<string, string>(Options));
    }

    /// <summary>Equal when the name and every option are.</summary>
    /// <param name="other">The other provider.</param>
    public bool Equals(NamedProvider? other) =>
        other is not null && Name == other.Name && Options.Count == other.Options.Count
        && Options.All(o => other.Options.TryGetValue(o.Key, out string? value) && value == o.Value);

    /// <summary>A hash of the name and the number of options.</summary>
    public override int GetHashCode() => HashCode.Combine(Name, Options.Count);
}
