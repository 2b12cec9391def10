using System.Security.Cryptography;
using SegmentAnything.TestSupport;
using static SegmentAnything.Tests.Fakes.FaultyServer;

namespace SegmentAnything.Tests.Models;

/// <summary>Downloads from two processes at once: this test program starts itself a second time.</summary>
public sealed class ModelDownloadProcessTests
{
    private const int Bytes = 3_000_000;

    private static SamVariant Variant(Uri address) => ModelDownloadTests.Variant(new ModelFile(ModelFileRole.Encoder, "encoder.onnx")
    {
        Bytes = Bytes,
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(ModelDownloadTests.RandomBytes(seed: 5, Bytes))),
        Downloads = [address],
    });

    [Fact]
    public async Task TwoProcesses_OneFolder_BothGetTheFile_AndNothingIsLeft()
    {
        CancellationToken token = TestContext.Current.CancellationToken;
        byte[] content = ModelDownloadTests.RandomBytes(seed: 5, Bytes);
        using var folder = new TemporaryFolder();
        using var bothAsked = new CountdownEvent(2);

        // Neither gets a byte before both have asked, so that they really work at the same time; each is cut once.
        using var server = new FaultyServer(r =>
        {
            if (r.Number < 2)
            {
                bothAsked.Signal();
                bothAsked.Wait(TimeSpan.FromMinutes(2), token);
            }

            return Honest(content)(r) with { Step = 100_000, CutAfter = r.Number < 2 ? 1_000_000 : null };
        });

        Task second = SecondProcess.RunAsync(
            typeof(ModelDownloadProcessTests).GetMethod(nameof(Child))!,
            ("SEGMENTANYTHING_TEST_STORE", folder.Path),
            ("SEGMENTANYTHING_TEST_ADDRESS", server.Address("e").ToString()));
        ModelFiles files = await new ModelStore(folder.Path).GetAsync(Variant(server.Address("e")), cancellationToken: token);
        Assert.True(content.AsSpan().SequenceEqual(files.Read(ModelFileRole.Encoder).Span));

        await second;
        Assert.True(bothAsked.IsSet);
        Assert.Equal(["encoder.onnx"], Directory.GetFiles(Path.Combine(folder.Path, "tiny")).Select(Path.GetFileName));
    }

    /// <summary>What the second process does.</summary>
    [Fact(Explicit = true)]
    public async Task Child()
    {
        string store = Environment.GetEnvironmentVariable("SEGMENTANYTHING_TEST_STORE")!;
        var address = new Uri(Environment.GetEnvironmentVariable("SEGMENTANYTHING_TEST_ADDRESS")!);
        ModelFiles files = await new ModelStore(store).GetAsync(Variant(address), cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(ModelDownloadTests.RandomBytes(seed: 5, Bytes).AsSpan().SequenceEqual(files.Read(ModelFileRole.Encoder).Span));
    }
}
