namespace SegmentAnything;

/// <summary>What the automatic generator is doing.</summary>
public enum MaskGenerationStage
{
    /// <summary>Computing the embedding of the image or of a crop.</summary>
    Encoding,

    /// <summary>Prompting with points and measuring masks.</summary>
    Prompting,

    /// <summary>Removing duplicates and cleaning masks.</summary>
    Finishing,

    /// <summary>Done.</summary>
    Done,
}

/// <summary>How far the automatic generator is.</summary>
/// <param name="Stage">What it is doing.</param>
/// <param name="Fraction">How much of the points of all crops is done, 0 to 1. Never decreases.</param>
/// <param name="Crop">How many crops are done; they are taken from the smallest to the whole image.</param>
/// <param name="CropCount">How many crops there are, the whole image included.</param>
public readonly record struct MaskGenerationProgress(MaskGenerationStage Stage, double Fraction, int Crop, int CropCount);
