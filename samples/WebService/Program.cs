// How do I serve clicks from a browser?
//   dotnet run
//   curl --data-binary @photo.jpg http://localhost:5000/pictures                          -> {"id":"…","width":…,"height":…}
//   curl 'http://localhost:5000/pictures/ID/masks?x=320&y=180'                            -> three masks, the likeliest first
using System.Collections.Concurrent;
using SegmentAnything;
using SegmentAnything.Imaging;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);

// One model serves all requests: it has no state of its own. The container disposes it at the end.
builder.Services.AddSingleton(_ => SamModel.Load(SamModels.MobileSam));
builder.Services.AddSingleton<EmbeddingCache>();
WebApplication app = builder.Build();

// The expensive half, once per picture.
app.MapPost("/pictures", async (HttpRequest request, SamModel sam, EmbeddingCache cache, CancellationToken cancellation) =>
{
    using var body = new MemoryStream();
    await request.Body.CopyToAsync(body, cancellation);
    LoadedImage picture;
    try
    {
        picture = ImageFile.Load(body.GetBuffer().AsMemory(0, (int)body.Length));
    }
    catch (ImageFileException e)
    {
        return Results.BadRequest(e.Message);
    }

    ImageEmbedding embedding = await Task.Run(() => sam.Encode(picture.ToPixelBuffer(), cancellation), cancellation);
    return Results.Ok(new { id = cache.Add(embedding), width = picture.Width, height = picture.Height });
});

// The cheap half, as often as someone clicks.
app.MapGet("/pictures/{id}/masks", (string id, float x, float y, SamModel sam, EmbeddingCache cache, CancellationToken cancellation) =>
{
    if (cache.Find(id) is not { } embedding) return Results.NotFound("There is no such picture, or it was dropped; send it again.");
    try
    {
        using MaskPrediction masks = sam.Predict(embedding, Prompt.Point(x, y), cancellationToken: cancellation);
        return Results.Ok(masks.Select(m => new
        {
            segmentation = new { size = new[] { m.Mask.Height, m.Mask.Width }, counts = m.Mask.ToCocoString() },
            area = m.Mask.Area,
            predicted_iou = m.PredictedIou,
        }));
    }
    catch (Exception e) when (e is ArgumentException or ObjectDisposedException)
    {
        return Results.BadRequest(e.Message);
    }
});

app.Run();

/// <summary>Keeps the embeddings of the latest pictures: 4 MB each.</summary>
internal sealed class EmbeddingCache
{
    private const int Capacity = 100;
    private readonly ConcurrentDictionary<string, ImageEmbedding> _embeddings = new();
    private readonly ConcurrentQueue<string> _order = new();

    public string Add(ImageEmbedding embedding)
    {
        string id = Guid.NewGuid().ToString("N");
        _embeddings[id] = embedding;
        _order.Enqueue(id);
        while (_order.Count > Capacity && _order.TryDequeue(out string? oldest))
            if (_embeddings.TryRemove(oldest, out ImageEmbedding? dropped)) dropped.Dispose(); // safe: a prediction under way keeps the memory
        return id;
    }

    public ImageEmbedding? Find(string id) => _embeddings.GetValueOrDefault(id);
}
