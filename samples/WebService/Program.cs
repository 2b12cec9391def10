// How do I serve clicks from a browser?
//   dotnet run
//   curl --data-binary @photo.jpg http://localhost:5000/pictures                          -> {"id":"…","width":…,"height":…}
//   curl 'http://localhost:5000/pictures/ID/masks?x=320&y=180'                            -> three masks, the likeliest first
//   curl 'http://localhost:5000/pictures/ID/outline.svg?x=320&y=180'                      -> the likeliest, to be laid over the picture
using System.Globalization;
using System.Security.Cryptography;
using SegmentAnything;
using SegmentAnything.Extensions.Hosting;
using SegmentAnything.Imaging;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);

// One model serves all requests, loaded and warm before the first. Pictures are encoded one at a time, at most 16 wait, and the
// latest embeddings are kept within 512 MiB.
builder.Services.AddSegmentAnything(options =>
{
    options.MaxQueueLength = 16;
    options.MaxCacheBytes = 512L << 20;
});
WebApplication app = builder.Build();

// The expensive half, once per picture: the same file is never encoded twice while its embedding is kept.
app.MapPost("/pictures", async (HttpRequest request, ISegmentationService service, CancellationToken cancellation) =>
{
    using var body = new MemoryStream();
    await request.Body.CopyToAsync(body, cancellation);
    ReadOnlyMemory<byte> file = body.GetBuffer().AsMemory(0, (int)body.Length);
    try
    {
        LoadedImage picture = ImageFile.Load(file);
        string id = Convert.ToHexStringLower(SHA256.HashData(file.Span));
        using EmbeddingLease lease = await service.EncodeAsync(id, picture.ToPixelBuffer(), cancellation);
        return Results.Ok(new { id, width = picture.Width, height = picture.Height });
    }
    catch (ImageFileException e)
    {
        return Results.BadRequest(e.Message);
    }
    catch (SegmentationQueueFullException e)
    {
        return Results.Problem(e.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
    }
});

// The cheap half, as often as someone clicks.
app.MapGet("/pictures/{id}/masks", (string id, float x, float y, ISegmentationService service, ISegmenter sam, CancellationToken cancellation) =>
    Click(id, x, y, service, sam, cancellation, masks => Results.Ok(masks.Select(m => new
    {
        segmentation = new { size = new[] { m.Mask.Height, m.Mask.Width }, counts = m.Mask.ToCocoString() },
        area = m.Mask.Area,
        predicted_iou = m.PredictedIou,
    }))));

app.MapGet("/pictures/{id}/outline.svg", (string id, float x, float y, ISegmentationService service, ISegmenter sam, CancellationToken cancellation) =>
    Click(id, x, y, service, sam, cancellation, masks => Results.Text(
        string.Create(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {masks.Best.Mask.Width} {masks.Best.Mask.Height}">
              <path fill="{RgbColor.OfLabel(0)}" fill-opacity="0.45" stroke="{RgbColor.OfLabel(0)}" d="{masks.Best.Mask.ToSvgPath()}"/>
            </svg>
            """),
        "image/svg+xml")));

app.Run();

static IResult Click(
    string id, float x, float y, ISegmentationService service, ISegmenter sam, CancellationToken cancellation, Func<MaskPrediction, IResult> show)
{
    if (!service.TryGetEmbedding(id, out EmbeddingLease? photo)) return Results.NotFound("There is no such picture, or it was dropped; send it again.");
    using (photo)
    {
        try
        {
            using MaskPrediction masks = sam.Predict(photo.Embedding, Prompt.Point(x, y), cancellationToken: cancellation);
            return show(masks);
        }
        catch (ArgumentException e)
        {
            return Results.BadRequest(e.Message);
        }
    }
}
