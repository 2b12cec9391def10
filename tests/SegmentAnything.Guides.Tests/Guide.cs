using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Guides.Tests;

/// <summary>What the guides' examples have in common: the model, the still life as a file, and a folder to write into.</summary>
public sealed class Guide : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private SamModel? _sam;

    public Guide()
    {
        Photo = System.IO.Path.Combine(_folder.Path, "photo.png");
        ImageFile.SavePng(Photo, StillLife.Image.Pixels, StillLife.Width, StillLife.Height);
    }

    /// <summary>The model, loaded once; a test is skipped where it is not in the model store.</summary>
    public SamModel Sam
    {
        get
        {
            Assert.SkipUnless(ModelStore.Default.TryFind(SamModels.MobileSam, out _), "MobileSAM is not in the model store: run eng/setup-models.sh.");
            return _sam ??= SamModel.Load(SamModels.MobileSam);
        }
    }

    /// <summary>A PNG file of 24 bits.</summary>
    public string Photo { get; }

    /// <summary>A path in the folder of this run.</summary>
    public string Path(string name) => System.IO.Path.Combine(_folder.Path, name);

    /// <summary>The mask of the mug, from our own way to read pictures.</summary>
    public RleMask Expected
    {
        get
        {
            using ImageEmbedding embedding = Sam.Encode(StillLife.Image.ToPixelBuffer());
            return Sam.Predict(embedding, Click).Best.Mask;
        }
    }

    /// <summary>A click on the mug.</summary>
    public static Prompt Click
    {
        get
        {
            StillLifeObject mug = StillLife.Objects.Single(o => o.Name == "mug");
            return Prompt.Point(mug.ClickX, mug.ClickY);
        }
    }

    public void Dispose()
    {
        _sam?.Dispose();
        _folder.Dispose();
    }
}
