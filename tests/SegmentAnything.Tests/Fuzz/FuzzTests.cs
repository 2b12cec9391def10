using SegmentAnything.TestSupport;
using SegmentAnything.TestSupport.Fuzzing;

namespace SegmentAnything.Tests.Fuzz;

/// <summary>
/// Damaged files, some seconds for each reader. By hand, for hours:
/// <c>SEGMENTANYTHING_FUZZ_SECONDS=3600 SEGMENTANYTHING_FUZZ_SEED=7 dotnet SegmentAnything.Tests.dll --filter-class SegmentAnything.Tests.Fuzz.FuzzTests</c>.
/// </summary>
public sealed class FuzzTests
{
    private const double Seconds = 6;

    public static TheoryData<string> Names => [.. FuzzTargets.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void DamagedFile_IsReadOrRefused_InBoundedTimeAndMemory(string name)
    {
        Assert.SkipUnless(SimdLeg.IsDefault, "Files are read by the same code on every processor.");
        (int read, int refused) = Fuzzer.Run(FuzzTargets.All.Single(target => target.Name == name), Seconds);
        // Both happen, so the changes are neither all harmless nor all fatal.
        Assert.True(read > 0 && refused > 0, $"{read} read, {refused} refused");
    }
}
