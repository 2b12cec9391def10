using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Models;

public class SamModelsTests
{
    public static TheoryData<string> Names => [.. SamModels.All.Select(v => v.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryModel_IsCompleteAndConsistent(string name)
    {
        SamVariant variant = SamModels.Find(name)!;
        Assert.Equal(name, variant.Name);
        Assert.Matches("^[a-z0-9.-]+$", variant.Name);
        Assert.Equal(variant.ImageSize, variant.EmbeddingGrid * 16);
        Assert.Equal((3, 3), (variant.PixelMean.Length, variant.PixelStd.Length));
        Assert.NotEmpty(variant.License);

        Assert.True(variant.FindFile(ModelFileRole.Checkpoint) is not null
            || (variant.FindFile(ModelFileRole.Encoder) is not null && variant.FindFile(ModelFileRole.Decoder) is not null));
        Assert.All(variant.Files, file =>
        {
            Assert.Equal(Path.GetFileName(file.FileName), file.FileName);
            // What cannot be checked is never downloaded.
            if (file.Downloads.IsEmpty) return;
            Assert.Matches("^[0-9a-f]{64}$", file.Sha256);
            Assert.True(file.Bytes > 1_000_000);
            Assert.All(file.Downloads, address => Assert.Equal("https", address.Scheme));
            // Where one network is blocked or down, another may not be.
            Assert.True(file.Downloads.Select(address => address.Host).Distinct().Count() >= 2);
        });
    }

    /// <summary>What fetches and packs MobileSAM's files checks the same hashes.</summary>
    [Theory]
    [InlineData("eng/setup-models.sh")]
    [InlineData("src/SegmentAnything.Models.MobileSam/SegmentAnything.Models.MobileSam.csproj")]
    public void HashesOfMobileSam_AreTheSameEverywhere(string path)
    {
        string text = File.ReadAllText(Path.Combine(TestPaths.Repository, path));
        Assert.All(SamModels.MobileSam.Files, file => Assert.Contains(file.Sha256!, text, StringComparison.Ordinal));
    }

    [Fact]
    public void All_HaveDifferentNames() => Assert.Equal(SamModels.All.Length, SamModels.All.Select(v => v.Name).Distinct().Count());

    [Fact]
    public void Find_IgnoresCase_AndGivesNullForOthers()
    {
        Assert.Same(SamModels.MobileSam, SamModels.Find("Mobile-SAM"));
        Assert.Null(SamModels.Find("mobile"));
    }
}
