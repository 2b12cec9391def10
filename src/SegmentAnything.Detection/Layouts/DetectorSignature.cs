using System.Collections.Immutable;
using System.Text.Json;

namespace SegmentAnything.Detection.Layouts;

/// <summary>What a model says of itself: inputs, outputs, metadata, and the files beside it.</summary>
internal sealed class DetectorSignature(OnnxSession session, string path)
{
    public string Source => Path.GetFileName(path);

    public ImmutableArray<OnnxTensor> Inputs => session.Inputs;

    public ImmutableArray<OnnxTensor> Outputs => session.Outputs;

    public IReadOnlyDictionary<string, string> Metadata => session.Metadata;

    /// <summary>The input that takes the picture: three channels first, of batches of one.</summary>
    public OnnxTensor? Picture => Inputs.FirstOrDefault(input =>
        input.Dimensions.Length == 4 && input.Dimensions[1] is 3 or -1 && (input.ElementType == typeof(float) || input.ElementType == typeof(Half)));

    public bool HasInput(string name) => Inputs.Any(input => input.Name == name);

    public OnnxTensor? Output(string name) => Outputs.FirstOrDefault(output => output.Name == name);

    /// <summary>A small JSON file beside the model, or null when there is none.</summary>
    /// <exception cref="ModelContractException">It is not JSON.</exception>
    public JsonElement? ReadJson(string name)
    {
        const int mostBytes = 1 << 24;
        // Beside a model of several files, such as detr-hf.onnx and detr-hf.config.json, or in its folder.
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string own = Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(path)}.{name}");
        string file = File.Exists(own) ? own : Path.Combine(folder, name);
        if (!File.Exists(file)) return null;
        if (new FileInfo(file).Length > mostBytes) throw new ModelContractException($"{file} has more than {mostBytes} bytes: it is no settings file of a model.");
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException e)
        {
            throw new ModelContractException($"{file} is not JSON: {e.Message}");
        }
    }

    public override string ToString() => $"inputs {string.Join(", ", Inputs)}; outputs {string.Join(", ", Outputs)}";
}
