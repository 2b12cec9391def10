using System.CommandLine;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>inspect FILE...</c>: what checkpoints and ONNX files are, and whether they can be run.</summary>
internal static class InspectCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string[]> files = new("FILE") { Description = "Checkpoints (.pth, .pt, .safetensors) or ONNX files.", Arity = ArgumentArity.OneOrMore };
        var specification = new SpecificationOption();
        var command = new Command("inspect", "Says what a model's file is: family, sizes, inputs and outputs, and whether it can be run here. Reads all of it.") { files };
        specification.AddTo(command);
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(
            parsed.GetRequiredValue(files), specification.Read(parsed), parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error, cancellation)));
        return command;
    }

    private static int Run(string[] files, ModelSpecification? specification, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        int status = Tool.Success;
        foreach (string file in files)
        {
            try
            {
                ModelInspection found = ModelInspector.Inspect(file, specification);
                FileVerification? read = found.Kind == ModelFileKind.Unknown ? null : ModelVerifier.Verify(file, cancellation);
                Write(found, read, output);
                if (read?.Problem is null) continue;
                error.WriteLine($"error: {PrintableWriter.Show(file)}: {PrintableWriter.Show(read.Problem)}");
                status = Tool.Failure;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The others are still of interest.
                error.WriteLine($"error: {PrintableWriter.Show(file)}: {PrintableWriter.Show(e.Message)}");
                status = Tool.Failure;
            }
        }

        return status;
    }

    private static void Write(ModelInspection found, FileVerification? read, TextWriter output)
    {
        output.WriteLine(PrintableWriter.Show(found.Path));
        Line("is", found.Kind switch
        {
            ModelFileKind.Checkpoint => $"a checkpoint of {found.Family ?? "an unknown model"}",
            ModelFileKind.ImageEncoder => $"an image encoder of {found.Family ?? "an unknown family"}",
            ModelFileKind.MaskDecoder => $"a mask decoder of {found.Family ?? "an unknown family"}",
            _ => "nothing that is known here",
        });
        Line("format", found.Format);
        if (found.Parameters > 0) Line("weights", $"{found.Parameters / 1e6:0.0} million");
        if (found.ImageSize is { } side)
        {
            string fit = found.Fit switch
            {
                PictureFit.Pad => ", the longer side scaled and the rest padded",
                PictureFit.Squash => ", each side scaled for itself",
                _ => "",
            };
            Line("picture", $"{side}x{side} pixels{fit}");
        }

        if (found.NormalisesInside is { } inside) Line("normalised", inside ? "inside the graph" : "before the graph");
        if (found.EmbeddingChannels is { } channels) Line("embedding", found.EmbeddingGrid is { } grid ? $"{channels} x {grid} x {grid}" : $"{channels} channels");
        if (found.Masks is { } masks) Line("masks", $"{masks} a prompt: one alone and {masks - 1} to choose from");
        foreach (ModelTensor tensor in found.Inputs) Line("input", tensor.ToString());
        foreach (ModelTensor tensor in found.Outputs) Line("output", tensor.ToString());
        if (!found.Inputs.IsEmpty) Line("batches", found.BatchedInputs.IsEmpty ? "none" : string.Join(", ", found.BatchedInputs));
        if (read is not null) Line("content", read.Problem ?? (read.IsPublished ? "as published" : "whole, every weight finite"));
        if (read?.Sha256 is { } hash) Line("SHA-256", hash);
        Line("can be run", found.CanRun && read?.Problem is null ? "yes" : "no");
        if (found.Note is { } note) Line("note", note);

        void Line(string name, string value) => output.WriteLine($"  {name,-11} {PrintableWriter.Show(value)}");
    }
}
