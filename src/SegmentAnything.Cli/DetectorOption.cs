using System.CommandLine;
using SegmentAnything.Detection;
using SegmentAnything.Detection.Layouts;

namespace SegmentAnything.Cli;

/// <summary>The options <c>--detector</c>, <c>--layout</c> and <c>--score</c>, alike in every command that takes boxes of a detector.</summary>
internal sealed class DetectorOption
{
    private const string Any = "auto";

    private readonly Option<string?> _detector = new("--detector") { Description = "An object detector as ONNX, whose boxes are taken.", HelpName = "MODEL.onnx" };
    private readonly Option<string> _layout = OptionOf.Word("--layout", "The detector's layout, where its file does not tell.", [Any, .. LayoutRegistry.ByName.Keys]);
    private readonly Option<float?> _score = OptionOf.Real("--score", "a score", 0f, 1, $"The least score of a detector's box ({DetectorOptions.Default.ScoreThreshold}).");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_detector);
        command.Options.Add(_layout);
        command.Options.Add(_score);
    }

    /// <summary>The detector's file; null where none is named.</summary>
    public string? PathOf(ParseResult parsed) => parsed.GetValue(_detector);

    /// <summary>Loads the detector that the command line names.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ModelContractException">It is no detector of a layout that is known.</exception>
    public ObjectDetector Load(string path, ParseResult parsed, Progress progress) => progress.Run($"Loading {path}", () => ObjectDetector.Load(path, new DetectorOptions
    {
        Layout = parsed.GetRequiredValue(_layout) is var name && name != Any ? LayoutRegistry.ByName[name] : null,
        ScoreThreshold = parsed.GetValue(_score) ?? DetectorOptions.Default.ScoreThreshold,
    }));
}
