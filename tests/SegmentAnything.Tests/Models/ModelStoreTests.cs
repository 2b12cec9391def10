using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Models;

public sealed class ModelStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static SamVariant Tiny { get; } = new()
    {
        Name = "tiny",
        DisplayName = "Tiny",
        License = "MIT",
        Source = new Uri("https://example.org/tiny"),
        Files =
        [
            new ModelFile(ModelFileRole.Encoder, "encoder.onnx") { Bytes = 3, Downloads = [new Uri("https://example.org/e.onnx")] },
            new ModelFile(ModelFileRole.Decoder, "decoder.onnx"),
        ],
    };

    private void Write(string store, string file, int bytes)
    {
        Directory.CreateDirectory(Path.Combine(_folder.Path, store, "tiny"));
        File.WriteAllBytes(Path.Combine(_folder.Path, store, "tiny", file), new byte[bytes]);
    }

    [Fact]
    public void Find_FilesOfFullLength_AreFoundByVariantAndFileName()
    {
        Write("", "encoder.onnx", 3);
        Write("", "decoder.onnx", 1);
        ModelFiles files = new ModelStore(_folder.Path).Find(Tiny);
        Assert.Equal(Path.Combine(_folder.Path, "tiny", "decoder.onnx"), files.FindPath(ModelFileRole.Decoder));
    }

    [Fact]
    public void Find_NothingThere_SaysWhereItLookedAndHowToGetTheFiles()
    {
        var e = Assert.Throws<ModelNotFoundException>(() => new ModelStore(_folder.Path).Find(Tiny));
        string folder = Path.Combine(_folder.Path, "tiny");
        Assert.Equal(2, e.Tried.Length);
        foreach (string part in new[]
        {
            "Tiny", Path.Combine(folder, "encoder.onnx") + ": not there", Path.Combine(folder, "decoder.onnx") + ": not there",
            "https://example.org/e.onnx", "https://example.org/tiny", "GetAsync", "SEGMENTANYTHING_MODELS",
        })
        {
            Assert.Contains(part, e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Find_FileCutShort_CountsAsMissing_AndSaysWhy()
    {
        Write("", "encoder.onnx", 2);
        Write("", "decoder.onnx", 1);
        var store = new ModelStore(_folder.Path);
        Assert.False(store.TryFind(Tiny, out _));
        var e = Assert.Throws<ModelNotFoundException>(() => store.Find(Tiny));
        Assert.Contains("2 bytes, expected 3", Assert.Single(e.Tried), StringComparison.Ordinal);
    }

    [Fact]
    public void Default_SearchesTheVariablesFolderThenTheCache_AndTakesTheOneThatHasAll()
    {
        string cache = Path.Combine(_folder.Path, "cache");
        string? Variable(string name) => name switch
        {
            "SEGMENTANYTHING_MODELS" => Path.Combine(_folder.Path, "named"),
            "XDG_CACHE_HOME" => cache,
            _ => null,
        };
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The cache of Windows is not set by a variable.");
        ModelStore store = ModelStore.FromEnvironment(Variable);
        string beside = Path.Combine(AppContext.BaseDirectory, "models");
        Assert.Equal([Path.Combine(_folder.Path, "named"), Path.Combine(cache, "segment-anything", "models"), beside], store.Folders);

        Write("named", "encoder.onnx", 3);
        Assert.False(store.TryFind(Tiny, out _));
        Write("cache/segment-anything/models", "encoder.onnx", 3);
        Write("cache/segment-anything/models", "decoder.onnx", 3);
        Assert.StartsWith(cache, store.Find(Tiny).FindPath(ModelFileRole.Encoder), StringComparison.Ordinal);
        Write("named", "decoder.onnx", 3);
        Assert.StartsWith(store.Folders[0], store.Find(Tiny).FindPath(ModelFileRole.Encoder), StringComparison.Ordinal);
    }

    [Fact]
    public void Default_WithoutVariables_IsTheSystemsCacheFolder()
    {
        ModelStore store = ModelStore.FromEnvironment(name => name switch
        {
            "HOME" => "/home/somebody",
            "XDG_CACHE_HOME" => "relative/is/ignored",
            _ => null,
        });
        string folder = store.Folders[0];
        string cache = OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : OperatingSystem.IsMacOS() ? "/home/somebody/Library/Caches"
            : "/home/somebody/.cache";
        Assert.Equal(Path.Combine(cache, "segment-anything", "models"), folder);
    }

    [Fact]
    public void Default_FindsAModelBesideTheApplication()
    {
        ModelStore store = ModelStore.FromEnvironment(name => name is "HOME" or "XDG_CACHE_HOME" ? _folder.Path : null);
        SamVariant variant = Tiny with { Name = $"tiny-{Guid.NewGuid():N}" };
        string folder = Path.Combine(AppContext.BaseDirectory, "models", variant.Name);
        Assert.False(store.TryFind(variant, out _));
        try
        {
            Directory.CreateDirectory(folder);
            File.WriteAllBytes(Path.Combine(folder, "encoder.onnx"), new byte[3]);
            File.WriteAllBytes(Path.Combine(folder, "decoder.onnx"), new byte[1]);
            Assert.Equal(Path.Combine(folder, "encoder.onnx"), store.Find(variant).FindPath(ModelFileRole.Encoder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("files.example.org/models")]
    [InlineData("ftp://files.example.org")]
    [InlineData("/srv/models")]
    public async Task GetAsync_MirrorThatIsNoWebAddress_SaysSo_ButOnlyWhenItIsNeeded(string mirror)
    {
        ModelStore store = ModelStore.FromEnvironment(name => name switch
        {
            "SEGMENTANYTHING_MODELS" => _folder.Path,
            "SEGMENTANYTHING_MIRROR" => mirror,
            _ => null,
        });
        var e = await Assert.ThrowsAsync<ModelNotFoundException>(() => store.GetAsync(Tiny, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains($"'{mirror}' (SEGMENTANYTHING_MIRROR)", e.Message, StringComparison.Ordinal);

        Write("", "encoder.onnx", 3);
        Write("", "decoder.onnx", 1);
        Assert.NotNull(await store.GetAsync(Tiny, cancellationToken: TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task GetAsync_WithoutAddressOrHash_SaysSo()
    {
        var e = await Assert.ThrowsAsync<ModelNotFoundException>(() =>
            new ModelStore(_folder.Path).GetAsync(Tiny, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains("no SHA-256", e.Message, StringComparison.Ordinal);
    }
}
