using System.CommandLine;
using SegmentAnything.Tasks;

namespace SegmentAnything.Cli.Commands.Evaluate;

/// <summary><c>evaluate proposals</c>: how many of the objects are among a model's proposals.</summary>
internal static class EvaluateProposalsCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Option<int?> points = OptionOf.Whole("--points-per-side", "points", 1, 256, $"Points along one side of the grid ({ObjectProposals.Options.PointsPerSide}, as the paper has it).");
        var set = new SetOptions();
        var model = new ModelOptions();
        var pictures = new PictureOptions();
        var command = new Command("proposals", "Average recall of object proposals: AR@10, AR@100, AR@1000 by size.") { points };
        set.AddTo(command);
        model.AddTo(command);
        pictures.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            var progress = new Progress(parsed.InvocationConfiguration.Error);
            PictureSet[] sets = set.Read(parsed, pictures, progress, cancellation);
            AutomaticMaskOptions options = ObjectProposals.Options with { PointsPerSide = parsed.GetValue(points) ?? ObjectProposals.Options.PointsPerSide };
            using SamModel sam = model.Load(parsed, progress, cancellation);
            TextWriter output = parsed.InvocationConfiguration.Output;
            foreach (PictureSet one in sets)
            {
                ProposalReport report = ProposalEvaluation.Run(
                    sam, one.Annotated, one.Load, options, new ImageProgress(progress, one.Name, one.Annotated.Images.Count), cancellation);
                if (sets.Length > 1) output.Write($"### {one.Name}\n\n");
                output.Write(report.ToMarkdown());
                if (sets.Length > 1) output.Write("\n");
            }

            return Task.FromResult(Tool.Success);
        });
        return command;
    }
}
