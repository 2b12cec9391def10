namespace SegmentAnything;

/// <summary>
/// What the weights of a model do not show, for models of other sizes than the published ones: <see cref="Sam2Spec"/>.
/// </summary>
public abstract record ModelSpecification
{
    private protected ModelSpecification()
    {
    }
}
