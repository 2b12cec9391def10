using System.Text.Json;

namespace SegmentAnything.Rle.Tests;

/// <summary>Segment Anything's remove_small_regions, exactly.</summary>
public class RegionGoldenTests
{
    [Fact]
    public void RemoveSmallRegionsAndFillSmallHoles_EveryCase_EqualTheReference()
    {
        foreach (JsonElement golden in Golden.LowLevel("remove_small_regions.json").GetProperty("cases").EnumerateArray())
        {
            RleMask mask = Golden.Mask(golden.GetProperty("rows"));
            long area = golden.GetProperty("area_thresh").GetInt64();
            (RleMask result, bool changed) = golden.GetProperty("mode").GetString() == "holes"
                ? mask.FillSmallHoles(area) : mask.RemoveSmallRegions(area);
            string name = $"{golden.GetProperty("name")}, {golden.GetProperty("mode")}, {area}";
            Assert.True(golden.GetProperty("changed").GetBoolean() == changed, name);
            Assert.True(Golden.Mask(golden.GetProperty("out_rows")) == result, name);
        }
    }

    [Fact]
    public void HolesThenIslands_EveryCase_EqualTheReference()
    {
        foreach (JsonElement golden in Golden.LowLevel("remove_small_regions.json").GetProperty("holes_then_islands").EnumerateArray())
        {
            long area = golden.GetProperty("area_thresh").GetInt64();
            (RleMask filled, bool holes) = Golden.Mask(golden.GetProperty("rows")).FillSmallHoles(area);
            (RleMask result, bool islands) = filled.RemoveSmallRegions(area);
            Assert.Equal(golden.GetProperty("holes_changed").GetBoolean(), holes);
            Assert.Equal(golden.GetProperty("islands_changed").GetBoolean(), islands);
            Assert.Equal(Golden.Mask(golden.GetProperty("out_rows")), result);
        }
    }
}
