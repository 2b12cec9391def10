using System.Text.Json;
using SegmentAnything.Imaging;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Detection.Tests;

/// <summary>Small detectors of every layout that really look for a red square: where preparation is wrong, they find another box.</summary>
public class DetectorGoldenTests
{
    [Fact]
    public void Detect_EveryLayoutAndPicture_FindsTheSquare()
    {
        string folder = TestPaths.RequireGolden("eval", "detectors");
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "detectors.json")));
        int cases = 0;
        foreach (JsonElement layout in manifest.RootElement.GetProperty("layouts").EnumerateArray())
        {
            using ObjectDetector detector = ObjectDetector.Load(Path.Combine(folder, layout.GetProperty("model").GetString()!));
            foreach (JsonElement golden in layout.GetProperty("cases").EnumerateArray())
            {
                string name = $"{layout.GetProperty("layout").GetString()}/{golden.GetProperty("picture").GetString()}";
                PixelBuffer picture = ImageFile.Load(Path.Combine(folder, golden.GetProperty("picture").GetString()!)).ToPixelBuffer();
                IReadOnlyList<DetectedObject> found = detector.Detect(picture);
                JsonElement[] expected = [.. golden.GetProperty("detections").EnumerateArray()];
                Assert.True(expected.Length == found.Count, $"{name}: {string.Join("; ", found)}");
                double tolerance = golden.GetProperty("tolerance_px").GetDouble();
                for (int i = 0; i < expected.Length; i++)
                {
                    Assert.True(expected[i].GetProperty("class").GetInt32() == found[i].Class, $"{name}: {found[i]}");
                    Assert.True(Math.Abs(expected[i].GetProperty("score").GetDouble() - found[i].Score) <= 1e-4, $"{name}: {found[i]}");
                    AssertNear(expected[i].GetProperty("box"), found[i].Box, 2 * tolerance, name);
                }

                AssertNear(golden.GetProperty("expected_red_box"), found[0].Box, tolerance, name);
                AssertNear(golden.GetProperty("expected_picture_box"), found.First(box => box.Class == found.Min(each => each.Class)).Box, tolerance, name);
                cases++;
            }
        }

        Assert.True(cases > 0);
    }

    [Fact]
    public void Load_NamedModels_HaveTheirClassNames()
    {
        string folder = TestPaths.RequireGolden("eval", "detectors");
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "detectors.json")));
        foreach (JsonElement layout in manifest.RootElement.GetProperty("layouts").EnumerateArray())
        {
            using ObjectDetector detector = ObjectDetector.Load(Path.Combine(folder, layout.GetProperty("model").GetString()!));
            if (detector.Classes.Count > 0) Assert.Equal(["picture", "the cat's", "red square"], [detector.NameOf(0), detector.NameOf(1), detector.NameOf(2)]);
            else Assert.Equal("7", detector.NameOf(7));
        }
    }

    [Fact]
    public void Load_WrongLayoutNamed_SaysWhichItHas()
    {
        string folder = TestPaths.RequireGolden("eval", "detectors");
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "detectors.json")));
        foreach (JsonElement layout in manifest.RootElement.GetProperty("layouts").EnumerateArray())
        {
            string path = Path.Combine(folder, layout.GetProperty("model").GetString()!);
            using ObjectDetector detector = ObjectDetector.Load(path);
            foreach (DetectorLayout other in Enum.GetValues<DetectorLayout>().Where(other => other != detector.Layout))
                Assert.Throws<ModelContractException>(() => ObjectDetector.Load(path, new() { Layout = other }));
            ObjectDetector.Load(path, new() { Layout = detector.Layout }).Dispose();
        }
    }

    [Fact]
    public void Detect_ClassAgnostic_KeepsOneBoxAPlace()
    {
        string folder = TestPaths.RequireGolden("eval", "detectors");
        PixelBuffer picture = ImageFile.Load(Path.Combine(folder, "p0.png")).ToPixelBuffer();
        foreach (string model in Directory.GetFiles(folder, "*.onnx"))
        {
            using ObjectDetector detector = ObjectDetector.Load(model, new() { ClassAgnostic = true });
            Assert.Equal(2, detector.Detect(picture).Count);
        }
    }

    private static void AssertNear(JsonElement expected, Box found, double tolerance, string name)
    {
        float[] sides = [found.X0, found.Y0, found.X1, found.Y1];
        for (int i = 0; i < 4; i++)
            Assert.True(Math.Abs(expected[i].GetDouble() - sides[i]) <= tolerance + 1e-3, $"{name}: {expected} expected, {found} found, tolerance {tolerance}");
    }
}
