namespace SegmentAnything.ModelTests;

/// <summary>
/// The real MobileSAM, loaded once for all tests: its files come from the model store, where eng/setup-models.sh puts
/// them. They are not optional: without them these tests fail and say what to do.
/// </summary>
public sealed class MobileSam : IDisposable
{
    private readonly Lazy<ImageEmbedding> _stillLife;

    public MobileSam() => _stillLife = new Lazy<ImageEmbedding>(() => Model.Encode(Scene.Pixels));

    public SamModel Model { get; } = SamModel.Load(SamModels.MobileSam);

    /// <summary>The still life, encoded once. Not to be disposed by a test.</summary>
    public ImageEmbedding StillLife => _stillLife.Value;

    public void Dispose()
    {
        if (_stillLife.IsValueCreated) _stillLife.Value.Dispose();
        Model.Dispose();
    }
}

/// <summary>Tests that share the loaded model run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class MobileSamCollection : ICollectionFixture<MobileSam>
{
    public const string Name = "MobileSAM";
}
