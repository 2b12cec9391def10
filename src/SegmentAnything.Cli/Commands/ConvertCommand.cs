using System.CommandLine;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>convert CHECKPOINT --out FOLDER [--float16] [--plain] [--spec FILE]</c>: from a checkpoint to a folder that loads at once.</summary>
internal static class ConvertCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string> checkpoint = new("CHECKPOINT") { Description = "A checkpoint of any model that is known here: .pth, .pt or .safetensors." };
        Option<string> folder = new("--out") { Description = "The folder to write; --model takes it.", HelpName = "FOLDER", Required = true };
        Option<bool> half = new("--float16") { Description = "Store the image encoder's weights in half the size." };
        Option<bool> plain = new("--plain") { Description = "Arrange the image encoder for GPUs and other runtimes instead of the processor." };
        var specification = new SpecificationOption();
        var command = new Command("convert", "Turns a checkpoint into ONNX and tries the result. Checkpoints can also be run as they are.")
        {
            checkpoint, folder, half, plain,
        };
        specification.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetRequiredValue(checkpoint), parsed.GetRequiredValue(folder),
            new CheckpointConversionOptions { Float16 = parsed.GetValue(half), ForProcessor = !parsed.GetValue(plain), Specification = specification.Read(parsed) },
            parsed.InvocationConfiguration.Output, new Progress(parsed.InvocationConfiguration.Error), cancellation)));
        return command;
    }

    private static int Run(
        string checkpoint, string folder, CheckpointConversionOptions options, TextWriter output, Progress progress, CancellationToken cancellation)
    {
        var tenths = new Tenths(progress);
        ConvertedModel model = progress.Run(
            $"Converting {Path.GetFileName(checkpoint)}", () => CheckpointConverter.Convert(checkpoint, folder, options, tenths, cancellation));
        output.WriteLine($"{model.Variant.DisplayName}: {model.Variant.ImageSize}x{model.Variant.ImageSize} pixels, tried with one click (predicted IoU {model.PredictedIou:0.000}).");
        foreach (string file in model.Files)
        {
            string path = Path.Combine(model.Folder, file);
            output.WriteLine($"  {path} ({new FileInfo(path).Length / 1e6:0.0} MB)");
        }

        return Tool.Success;
    }

    // A line for each tenth: enough for minutes, not too many for a log.
    private sealed class Tenths(Progress progress) : IProgress<float>
    {
        private int _said;

        public void Report(float value)
        {
            if ((int)(value * 10) <= _said) return;
            _said = (int)(value * 10);
            progress.Say($"  image encoder: {_said * 10} %");
        }
    }
}
