// How do I serve clicks from a browser?
//   dotnet run
//   curl --data-binary @photo.jpg http://localhost:5000/pictures                          -> {"id":"…","width":…,"height":…}
//   curl 'http://localhost:5000/pictures/ID/masks?x=320&y=180'                            -> three masks, the likeliest first
//   curl 'http://localhost:5000/pictures/ID/outline.svg?x=320&y=180'                      -> the likeliest, to be laid over the picture
using System.Globalization;
using System.Security.Cryptography;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
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

// What strangers send is bounded: the bytes of a file, the pixels that its header announces, how many files are read at a time
// (each is in memory, before its turn), and how often one address may ask.
const long MostFileBytes = 32L << 20;
var reading = new ImageReadOptions { MaxPixels = 40_000_000 };
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = MostFileBytes);
builder.Services.AddRateLimiter(limiter =>
{
    limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
    limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context => RateLimitPartition.GetTokenBucketLimiter(
        context.Connection.RemoteIpAddress?.ToString() ?? "", _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = 60,
            TokensPerPeriod = 10,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
        }));
    limiter.AddConcurrencyLimiter("files", files =>
    {
        files.PermitLimit = 4;
        files.QueueLimit = 16;
    });
});
WebApplication app = builder.Build();
app.UseRateLimiter();

// The expensive half, once per picture: the same file is never encoded twice while its embedding is kept.
app.MapPost("/pictures", async (HttpRequest request, ISegmentationService service, CancellationToken cancellation) =>
{
    try
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, cancellation);
        ReadOnlyMemory<byte> file = body.GetBuffer().AsMemory(0, (int)body.Length);
        LoadedImage picture = ImageFile.Load(file, reading, cancellation);
        string id = Convert.ToHexStringLower(SHA256.HashData(file.Span));
        using EmbeddingLease lease = await service.EncodeAsync(id, picture.ToPixelBuffer(), cancellation);
        return Results.Ok(new { id, width = picture.Width, height = picture.Height });
    }
    catch (ImageFileException e)
    {
        return Results.BadRequest(e.Message);
    }
    catch (BadHttpRequestException e)
    {
        return Results.Problem($"A file may have {MostFileBytes >> 20} MB.", statusCode: e.StatusCode);
    }
    catch (SegmentationQueueFullException e)
    {
        return Results.Problem(e.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
    }
}).RequireRateLimiting("files");

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
    if (!float.IsFinite(x) || !float.IsFinite(y)) return Results.BadRequest("x and y are pixels: finite numbers.");
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
            // What the parameter is called in our code is nothing to a caller.
            return Results.BadRequest(e.Message.Split(" (Parameter '")[0]);
        }
    }
}
