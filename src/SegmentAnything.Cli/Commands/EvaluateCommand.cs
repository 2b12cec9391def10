using System.CommandLine;
using SegmentAnything.Cli.Commands.Evaluate;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>evaluate TASK</c>: how well a model does one of the paper's tasks.</summary>
internal static class EvaluateCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create() => new("evaluate", "Measures how well a model does one of the paper's tasks on annotated pictures.")
    {
        EvaluateClicksCommand.CreatePoints(),
        EvaluateClicksCommand.CreateClicks(),
        EvaluateEdgesCommand.Create(),
        EvaluateProposalsCommand.Create(),
        EvaluateInstancesCommand.Create(),
    };
}
