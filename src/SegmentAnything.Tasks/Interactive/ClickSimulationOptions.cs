namespace SegmentAnything.Tasks;

/// <summary>How a simulated person prompts.</summary>
public enum SimulatedPerson
{
    /// <summary>Clicks where the error is thickest, as interactive segmentation is evaluated.</summary>
    Evaluation,

    /// <summary>
    /// Prompts as SAM was trained: first a point or a box that is a little off, each as likely; then eight points anywhere in the
    /// error, and two rounds without a new point, one of them the last. Source: Kirillov et al. 2023, appendix A.
    /// </summary>
    Training,
}

/// <summary>How clicks are simulated.</summary>
public sealed record ClickSimulationOptions
{
    /// <summary>The settings of interactive evaluation: 20 clicks at most, the first in the centre.</summary>
    public static ClickSimulationOptions Default { get; } = new();

    /// <summary>Who prompts.</summary>
    public SimulatedPerson Person { get; init; }

    /// <summary>Clicks at most, 1 to 100. <see cref="SimulatedPerson.Training"/> has eleven rounds, whatever this says.</summary>
    public int MaxClicks { get; init; } = 20;

    /// <summary>Ends the clicks when intersection over union is this or more. Default 1: nothing is wrong any more.</summary>
    public double StopAt { get; init; } = 1;

    /// <summary>Whether the first click is anywhere on the object, every pixel as likely; else it is its centre.</summary>
    public bool RandomFirstClick { get; init; }

    /// <summary>Chooses the random clicks: the same seed and object give the same clicks.</summary>
    public int Seed { get; init; }

    /// <summary>
    /// Whether the most confident of three masks is taken after every click, as SegNext's figures for SAM do. Default false: only
    /// after the first click, as the model was trained.
    /// </summary>
    public bool AlwaysMultiple { get; init; }

    internal void Check()
    {
        if (MaxClicks is < 1 or > 100) throw new ArgumentOutOfRangeException(nameof(MaxClicks), MaxClicks, "MaxClicks is 1 to 100.");
        if (!(StopAt > 0 && StopAt <= 1)) throw new ArgumentOutOfRangeException(nameof(StopAt), StopAt, "StopAt is more than 0 and at most 1.");
    }
}
