namespace SegmentAnything.TestSupport;

/// <summary>The switch of this leg had its effect; see <see cref="SimdLeg"/>.</summary>
public class SimdLegTests
{
    [Fact]
    public void Switch_OfThisLeg_TookEffect() => SimdLeg.AssertTookEffect();
}
