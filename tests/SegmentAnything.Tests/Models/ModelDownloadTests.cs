using System.Security.Cryptography;
using SegmentAnything.Loading;
using SegmentAnything.Models;
using SegmentAnything.TestSupport;
using static SegmentAnything.Tests.Fakes.FaultyServer;

namespace SegmentAnything.Tests.Models;

public sealed class ModelDownloadTests : IDisposable
{
    private static readonly byte[] Content = RandomBytes(seed: 1, 1_000_000);

    private readonly TemporaryFolder _folder = new();

    private string Target => Path.Combine(_folder.Path, "encoder.onnx");

    private string[] Parts => Directory.GetFiles(_folder.Path, "*.part");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    internal static byte[] RandomBytes(int seed, int count)
    {
        byte[] bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    internal static SamVariant Variant(params ReadOnlySpan<ModelFile> files) => new()
    {
        Name = "tiny",
        DisplayName = "Tiny",
        License = "MIT",
        Source = new Uri("https://example.org/tiny"),
        Files = [.. files],
    };

    private static ModelFile FileAt(params ReadOnlySpan<Uri> addresses) => new(ModelFileRole.Encoder, "encoder.onnx")
    {
        Bytes = Content.Length,
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(Content)),
        Downloads = [.. addresses],
    };

    private static ModelDownloader Downloader(IProgress<ModelDownloadProgress>? progress = null, TimeSpan? silence = null) =>
        new(null, progress)
        {
            RetryDelay = TimeSpan.FromMilliseconds(1),
            SilenceTimeout = silence ?? TimeSpan.FromSeconds(30),
            MaxFruitlessAttempts = 3,
        };

    private Task DownloadAsync(ModelFile file, ModelDownloader? downloader = null, CancellationToken? token = null) =>
        (downloader ?? Downloader()).DownloadAsync(Variant(file), file, _folder.Path, token ?? Token);

    private async Task AssertInstalledAsync()
    {
        Assert.True((await File.ReadAllBytesAsync(Target, Token)).AsSpan().SequenceEqual(Content));
        Assert.Equal([Target], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task HonestServer_TheFileAppearsWhole_AndProgressEndsAtItsLength()
    {
        using var server = new FaultyServer(Honest(Content));
        var seen = new List<long>();
        ModelFile file = FileAt(server.Address("e"));
        await DownloadAsync(file, Downloader(new Reports(p =>
        {
            Assert.Equal((file, Content.Length), (p.File, p.Total));
            Assert.False(File.Exists(Target), "The file appeared before it was complete.");
            seen.Add(p.Received);
        })));
        await AssertInstalledAsync();
        Assert.Equal(seen.Order(), seen);
        Assert.Equal((0, Content.Length), (seen[0], seen[^1]));
        Assert.Equal(0, Assert.Single(server.Requests).RangeStart);
    }

    [Fact]
    public async Task FileOfOtherContent_InTheStore_IsFoundOut_AndFetchedAgain()
    {
        using var server = new FaultyServer(Honest(Content));
        SamVariant variant = Variant(FileAt(server.Address("e")));
        ModelStore store = new(_folder.Path);
        string path = (await store.GetAsync(variant, cancellationToken: Token)).FindPath(ModelFileRole.Encoder)!;
        DateTime time = File.GetLastWriteTimeUtc(path);
        Assert.True(store.TryFind(variant, out _));

        // In place, of the same length, and the old time set again: one bit, where no sample looks.
        byte[] changed = [.. Content];
        changed[12_345] ^= 1;
        using (FileStream file = File.OpenWrite(path)) file.Write(changed);
        File.SetLastWriteTimeUtc(path, time);

        if (!OperatingSystem.IsWindows())
        {
            Assert.False(store.TryFind(variant, out _));
            Assert.Contains("SHA-256", Assert.Throws<ModelNotFoundException>(() => store.Find(variant)).Message, StringComparison.Ordinal);
        }

        FileVerification found = Assert.Single(ModelVerifier.Verify(variant, store, Token));
        Assert.Equal((path, false), (found.Path, found.IsPublished));
        Assert.Contains("SHA-256", found.Problem, StringComparison.Ordinal);
        await store.GetAsync(variant, cancellationToken: Token);
        Assert.Equal(Content, await File.ReadAllBytesAsync(path, Token));
        Assert.Equal((true, null), Assert.Single(ModelVerifier.Verify(variant, store, Token)) is var whole ? (whole.IsPublished, whole.Problem) : default);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task FileThatNobodyTouched_IsNotReadWhollyAgain()
    {
        using var server = new FaultyServer(Honest(Content));
        SamVariant variant = Variant(FileAt(server.Address("e")));
        ModelStore store = new(_folder.Path);
        await store.GetAsync(variant, cancellationToken: Token);
        string note = Assert.Single(Directory.GetFiles(Path.Combine(_folder.Path, ".verified")));
        // What is known is believed: another hash in its place, and the file is not that one.
        string[] lines = await File.ReadAllLinesAsync(note, Token);
        await File.WriteAllLinesAsync(note, [.. lines[..^1], new string('0', 64)], Token);
        Assert.False(store.TryFind(variant, out _));
        // And what is not known is read.
        File.Delete(note);
        Assert.True(store.TryFind(variant, out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".lock")]
    public async Task PartThatIsALink_IsRefused_AndItsEndLeftAlone(string ending)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        string precious = Path.Combine(_folder.Path, "precious"), part = $"{Target}.{Guid.NewGuid():N}.part";
        await File.WriteAllTextAsync(precious, "kept", Token);
        File.CreateSymbolicLink(part + ending, precious);
        using var server = new FaultyServer(Honest(Content));
        IOException e = await Assert.ThrowsAsync<IOException>(() => DownloadAsync(FileAt(server.Address("e"))));
        Assert.Contains("link", e.Message, StringComparison.Ordinal);
        Assert.Equal("kept", await File.ReadAllTextAsync(precious, Token));
    }

    [Fact]
    public async Task ConnectionCut_IsTakenUpWhereItBroke_WithTheValidator()
    {
        Func<Request, Response> honest = Honest(Content);
        using var server = new FaultyServer(r => honest(r) with { CutAfter = r.Number < 3 ? 200_000 : null });
        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
        Assert.Equal([0, 200_000, 400_000, 600_000], server.Requests.Select(r => r.RangeStart));
        Assert.Equal([null, "\"v1\"", "\"v1\"", "\"v1\""], server.Requests.Select(r => r.IfRange));
    }

    [Fact]
    public async Task WeakTag_IsNoValidator_TheDateIs()
    {
        const string Date = "Wed, 01 Jan 2025 00:00:00 GMT";
        Func<Request, Response> honest = Honest(Content, Date);
        using var server = new FaultyServer(r =>
        {
            Response response = honest(r);
            return response with
            {
                Headers = response.Headers.Replace($"ETag: {Date}", $"ETag: W/\"1\"\r\nLast-Modified: {Date}", StringComparison.Ordinal),
                CutAfter = r.Number == 0 ? 200_000 : null,
            };
        });
        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
        Assert.Equal([(0, null), (200_000, Date)], server.Requests.Select(r => (r.RangeStart, r.IfRange)));
    }

    [Fact]
    public async Task ServerThatCutsForEver_IsGivenUp_AndWhatCameIsKept()
    {
        Func<Request, Response> honest = Honest(Content);
        using var server = new FaultyServer(r => honest(r) with { CutAfter = r.RangeStart < 300_000 ? 100_000 : 0 });
        var e = await Assert.ThrowsAsync<ModelNotFoundException>(() => DownloadAsync(FileAt(server.Address("e"))));
        Assert.Contains("300000 bytes are here", Assert.Single(e.Tried), StringComparison.Ordinal);
        Assert.False(File.Exists(Target));
        Assert.Equal(300_000, new FileInfo(Assert.Single(Parts)).Length);
    }

    [Fact]
    public async Task WhatAnEarlierAttemptLeft_IsTakenUp()
    {
        await File.WriteAllBytesAsync(Target + ".0001.part", Content[..1000], Token);
        await File.WriteAllBytesAsync(Target + ".0002.part", Content[..600_000], Token);
        await File.WriteAllBytesAsync(Target + ".0002.part.lock", [], Token); // of a process that ended without warning
        await File.WriteAllBytesAsync(Target + ".0003.part.lock", [], Token);
        using var server = new FaultyServer(Honest(Content));
        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
        Assert.Equal(600_000, Assert.Single(server.Requests).RangeStart);
    }

    [Fact]
    public async Task WhatAnEarlierAttemptLeft_WhenAnotherWritesIt_IsLeftAlone()
    {
        string busy = Target + ".0001.part";
        await File.WriteAllBytesAsync(busy, Content[..1000], Token);
        using var server = new FaultyServer(Honest(Content));
        using (new FileStream(busy + ".lock", FileMode.Create, FileAccess.ReadWrite, FileShare.None))
            await DownloadAsync(FileAt(server.Address("e")));
        Assert.True((await File.ReadAllBytesAsync(Target, Token)).AsSpan().SequenceEqual(Content));
        Assert.Equal([busy], Parts);
        Assert.Equal(0, Assert.Single(server.Requests).RangeStart);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(1_000_000)]
    [InlineData(1_000_001)]
    public async Task WhatAnEarlierAttemptLeft_OfAnotherFile_IsThrownAway(int length)
    {
        await File.WriteAllBytesAsync(Target + ".0001.part", RandomBytes(seed: 2, length), Token);
        using var server = new FaultyServer(Honest(Content));
        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
        Assert.Equal(0, server.Requests.Last().RangeStart);
    }

    [Fact]
    public async Task ServerWithoutRanges_StartsAgainFromTheBeginning()
    {
        using var server = new FaultyServer(r => new Response("200 OK", Content) { CutAfter = r.Number == 0 ? 700_000 : null });
        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
        Assert.Equal([0, 700_000], server.Requests.Select(r => r.RangeStart));
    }

    [Fact]
    public async Task FileThatChangesMeanwhile_StartsAgainFromTheBeginning()
    {
        byte[] old = RandomBytes(seed: 3, Content.Length);
        using var server = new FaultyServer(r => r.Number == 0
            ? Honest(old, "\"old\"")(r) with { CutAfter = 500_000 }
            : Honest(Content, "\"new\"")(r));
        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
        Assert.Equal("\"old\"", server.Requests.Last().IfRange);
    }

    [Fact]
    public async Task AnotherRangeThanAsked_IsNotTaken()
    {
        Func<Request, Response> honest = Honest(Content);
        using var server = new FaultyServer(r => r.Number switch
        {
            0 => honest(r) with { CutAfter = 500_000 },
            1 => new Response("206 Partial Content", Content[400_000..]) { Headers = "Content-Range: bytes 400000-999999/1000000\r\n" },
            _ => honest(r),
        });
        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
    }

    [Fact]
    public async Task UnannouncedLength_IsAccepted_WhenTheBytesAreRight()
    {
        using var server = new FaultyServer(_ => new Response("200 OK", Content) { Chunked = true });
        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
    }

    [Theory]
    [InlineData(999_999)]
    [InlineData(1_000_001)]
    [InlineData(5_000_000_000)]
    public async Task LyingLength_IsRefused_BeforeAnythingIsReceived(long announced)
    {
        using var server = new FaultyServer(_ => new Response("200 OK", Content) { AnnouncedLength = announced });
        var e = await Assert.ThrowsAsync<ModelNotFoundException>(() => DownloadAsync(FileAt(server.Address("e"))));
        Assert.Contains($"has {announced} bytes, expected 1000000", Assert.Single(e.Tried), StringComparison.Ordinal);
        AssertNothingLeft();
    }

    [Fact]
    public async Task MoreBytesThanTheFileHas_AreRefused()
    {
        using var server = new FaultyServer(_ => new Response("200 OK", [.. Content, 1]) { Chunked = true });
        var e = await Assert.ThrowsAsync<ModelNotFoundException>(() => DownloadAsync(FileAt(server.Address("e"))));
        Assert.Contains("more than the 1000000 bytes", Assert.Single(e.Tried), StringComparison.Ordinal);
        AssertNothingLeft();
    }

    [Fact]
    public async Task FewerBytesThanTheFileHas_AreAskedForAgain()
    {
        using var server = new FaultyServer(r => r.Number == 0
            ? new Response("200 OK", Content[..400_000]) { Chunked = true }
            : Honest(Content)(r));
        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
        Assert.Equal([0, 400_000], server.Requests.Select(r => r.RangeStart));
    }

    [Fact]
    public async Task WrongBytes_AreNeverInstalled()
    {
        byte[] wrong = [.. Content];
        wrong[123_456] ^= 1;
        using var server = new FaultyServer(Honest(wrong));
        var e = await Assert.ThrowsAsync<ModelNotFoundException>(() => DownloadAsync(FileAt(server.Address("e"))));
        string tried = Assert.Single(e.Tried);
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(wrong)), tried, StringComparison.Ordinal);
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(Content)), tried, StringComparison.Ordinal);
        AssertNothingLeft();
    }

    [Fact]
    public async Task AddressesAreTriedInTurn_AndTheErrorListsEach()
    {
        Func<Request, Response> answers = r => r.Path switch
        {
            "gone" => new Response("404 Not Found", "<html>"u8.ToArray()),
            "busy" => new Response("503 Service Unavailable", []),
            "short" => new Response("200 OK", Content[..10]),
            _ => Honest(Content)(r),
        };
        using var server = new FaultyServer(answers);
        Uri[] bad = [server.Address("gone"), server.Address("busy"), server.Address("short")];
        var e = await Assert.ThrowsAsync<ModelNotFoundException>(() => DownloadAsync(FileAt(bad)));
        Assert.Equal(3, e.Tried.Length);
        foreach ((string tried, (Uri address, string reason)) in e.Tried.Zip(bad.Zip(["404", "503", "has 10 bytes"])))
        {
            Assert.StartsWith(address.ToString(), tried, StringComparison.Ordinal);
            Assert.Contains(reason, tried, StringComparison.Ordinal);
            Assert.Contains(tried, e.Message, StringComparison.Ordinal);
        }

        Assert.Contains(Target, e.Message, StringComparison.Ordinal);
        Assert.Equal(3, server.Requests.Count(r => r.Path == "busy"));
        Assert.Single(server.Requests, r => r.Path == "gone");

        await DownloadAsync(FileAt([.. bad, server.Address("good")]));
        await AssertInstalledAsync();
    }

    [Fact]
    public async Task NobodyListens_IsAClearError()
    {
        Uri address;
        using (var server = new FaultyServer(Honest(Content))) address = server.Address("e");
        var e = await Assert.ThrowsAsync<ModelNotFoundException>(() => DownloadAsync(FileAt(address)));
        Assert.StartsWith(address.ToString(), Assert.Single(e.Tried), StringComparison.Ordinal);
        AssertNothingLeft();
    }

    [Fact]
    public async Task SilentServer_IsGivenUpAndTakenUpAgain()
    {
        Func<Request, Response> honest = Honest(Content);
        using var server = new FaultyServer(r => honest(r) with { CutAfter = r.Number == 0 ? 300_000 : null, ThenSilent = r.Number == 0 });
        await DownloadAsync(FileAt(server.Address("e")), Downloader(silence: TimeSpan.FromSeconds(1)));
        await AssertInstalledAsync();
        Assert.Equal([0, 300_000], server.Requests.Select(r => r.RangeStart));
    }

    [Fact]
    public async Task Cancelled_StopsAtOnce_KeepsWhatCame_AndGoesOnNextTime()
    {
        Func<Request, Response> honest = Honest(Content);
        using var server = new FaultyServer(r => honest(r) with { CutAfter = r.Number == 0 ? 300_000 : null, ThenSilent = r.Number == 0 });
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var downloader = Downloader(new Reports(p => { if (p.Received == 300_000) cancel.Cancel(); }));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DownloadAsync(FileAt(server.Address("e")), downloader, cancel.Token));
        Assert.False(File.Exists(Target));
        Assert.Equal(300_000, new FileInfo(Assert.Single(Parts)).Length);

        await DownloadAsync(FileAt(server.Address("e")));
        await AssertInstalledAsync();
        Assert.Equal([0, 300_000], server.Requests.Select(r => r.RangeStart));
    }

    [Fact]
    public async Task EightDownloadsAtOnce_InOneFolder_AllSucceed()
    {
        Func<Request, Response> honest = Honest(Content);
        using var server = new FaultyServer(r => honest(r) with { Step = 50_000, CutAfter = r.Number % 3 == 0 ? 400_000 : null });
        ModelFile file = FileAt(server.Address("e"));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => DownloadAsync(file)));
        await AssertInstalledAsync();
    }

    [Fact]
    public async Task Store_GetsOnlyWhatIsMissing_ThenNothing()
    {
        byte[] decoder = RandomBytes(seed: 4, 1000);
        using var server = new FaultyServer(r => Honest(r.Path == "d" ? decoder : Content)(r));
        SamVariant variant = Variant(FileAt(server.Address("e")), new ModelFile(ModelFileRole.Decoder, "decoder.onnx")
        {
            Bytes = 1000,
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(decoder)),
            Downloads = [server.Address("d")],
        });
        var store = new ModelStore(_folder.Path);
        Directory.CreateDirectory(Path.Combine(_folder.Path, "tiny"));
        await File.WriteAllBytesAsync(Path.Combine(_folder.Path, "tiny", "decoder.onnx"), decoder, Token);

        using var client = new HttpClient();
        ModelFiles files = await store.GetAsync(variant, client, cancellationToken: Token);
        Assert.True(Content.AsSpan().SequenceEqual(files.Read(ModelFileRole.Encoder).Span));
        Assert.Equal("e", Assert.Single(server.Requests).Path);

        await store.GetAsync(variant, client, cancellationToken: Token);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("mirror")]
    [InlineData("mirror/")]
    public async Task Store_AsksTheMirrorFirst_InTheStoresLayout(string mirror)
    {
        using var server = new FaultyServer(Honest(Content));
        var store = new ModelStore(_folder.Path, server.Address(mirror));
        await store.GetAsync(Variant(FileAt(server.Address("published"))), cancellationToken: Token);
        Assert.Equal("mirror/tiny/encoder.onnx", Assert.Single(server.Requests).Path);
    }

    [Fact]
    public async Task Store_TheMirrorOfTheEnvironmentLacksTheFile_ThePublishedAddressHasIt()
    {
        Func<Request, Response> honest = Honest(Content);
        using var server = new FaultyServer(r => r.Path == "published" ? honest(r) : new Response("404 Not Found", []));
        ModelStore store = ModelStore.FromEnvironment(name => name switch
        {
            "SEGMENTANYTHING_MODELS" => _folder.Path,
            "SEGMENTANYTHING_MIRROR" => server.Address("mirror").ToString(),
            _ => null,
        });
        await store.GetAsync(Variant(FileAt(server.Address("published"))), cancellationToken: Token);
        Assert.Equal(["mirror/tiny/encoder.onnx", "published"], server.Requests.Select(r => r.Path));
    }

    [Fact]
    public async Task Download_ServersNameThatNobodyKnows_IsGivenUpAtOnce_AndTheErrorSaysWhatElseToDo()
    {
        // With the delays that users have: a second attempt alone would take a second, all of them seven.
        var downloader = new ModelDownloader(null, null) { RetryDelay = TimeSpan.FromDays(1) };
        ModelFile file = FileAt(new Uri("http://no-such-server.invalid/e"));
        var e = await Assert.ThrowsAsync<ModelNotFoundException>(() => DownloadAsync(file, downloader));
        Assert.Contains("no-such-server.invalid", Assert.Single(e.Tried), StringComparison.Ordinal);
        foreach (string part in new[] { Target, "SEGMENTANYTHING_MIRROR", "tiny/encoder.onnx" })
            Assert.Contains(part, e.Message, StringComparison.Ordinal);
        AssertNothingLeft();
    }

    [Fact]
    public async Task LoadAsync_DownloadsWhatIsMissing_SaysHowFar_AndLoadsWithoutTheNetworkFromThenOn()
    {
        byte[] checkpoint = TinyCheckpoint.Zip(TinySam.Tensors(TinySam.Weights(seed: 5)));
        await File.WriteAllBytesAsync(Path.Combine(_folder.Path, "tiny.pth"), checkpoint, Token);
        using var server = new FaultyServer(Honest(checkpoint));
        using OpenedModel opened = OpenedModel.OfCheckpoint(Path.Combine(_folder.Path, "tiny.pth"));
        SamVariant variant = opened.Variant with
        {
            Name = $"tiny-{Guid.NewGuid():N}",
            Files =
            [
                new ModelFile(ModelFileRole.Checkpoint, "tiny.pth")
                {
                    Bytes = checkpoint.Length,
                    Sha256 = Convert.ToHexStringLower(SHA256.HashData(checkpoint)),
                    Downloads = [server.Address("tiny.pth")],
                },
            ],
        };
        List<string> said = [];
        var reports = new Reports(p => said.Add(p.ToString()));
        using (SamModel sam = await SamModel.LoadAsync(variant, reports, cancellationToken: Token)) Assert.Same(variant, sam.Variant);
        Assert.StartsWith("tiny.pth: ", said[^1], StringComparison.Ordinal);
        int reported = said.Count;

        using (SamModel again = await SamModel.LoadAsync(variant, reports, cancellationToken: Token))
        using (ImageEmbedding embedding = again.Encode(PixelBuffer.FromRgb24(RandomBytes(seed: 6, 40 * 30 * 3), 40, 30)))
            Assert.Equal(3, again.Predict(embedding, Prompt.Point(20, 15)).Count);
        Assert.Equal(reported, said.Count);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task LoadAsync_Cancelled_Stops()
    {
        using var server = new FaultyServer(r => Honest(Content)(r) with { CutAfter = 1000, ThenSilent = true });
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        SamVariant variant = Variant(FileAt(server.Address("e"))) with { Name = $"tiny-{Guid.NewGuid():N}" };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            SamModel.LoadAsync(variant, new Reports(p => { if (p.Received == 1000) cancel.Cancel(); }), cancellationToken: cancel.Token));
    }

    private void AssertNothingLeft() => Assert.Empty(Directory.GetFiles(_folder.Path));

    // Progress<T> would report from another thread, later.
    private sealed class Reports(Action<ModelDownloadProgress> report) : IProgress<ModelDownloadProgress>
    {
        public void Report(ModelDownloadProgress value) => report(value);
    }
}
