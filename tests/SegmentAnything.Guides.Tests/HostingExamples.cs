using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SegmentAnything.Extensions.Hosting;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.Guides.Tests;

public sealed class HostingExamples(Guide guide) : IClassFixture<Guide>
{
    [Fact]
    public async Task AWebService()
    {
        RleMask expected = guide.Expected;
        CancellationToken token = TestContext.Current.CancellationToken;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();

        // example: AddSegmentAnything
        builder.Services.AddSegmentAnything(options =>
        {
            options.Model = "mobile-sam";           // a name, a folder or a checkpoint
            options.MaxConcurrency = 1;             // encodings at a time: one takes all cores, or the GPU
            options.MaxQueueLength = 64;            // calls that may wait; one more is refused at once
            options.MaxCacheBytes = 512L << 20;     // embeddings that are kept
        });
        // end

        await using WebApplication app = builder.Build();

        // example: HostingEndpoints
        app.MapPost("/pictures/{id}", async (string id, HttpRequest request, ISegmentationService service, CancellationToken cancellation) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body, cancellation);
            LoadedImage picture = ImageFile.Load(body.GetBuffer().AsMemory(0, (int)body.Length), cancellationToken: cancellation);
            using EmbeddingLease photo = await service.EncodeAsync(id, picture.ToPixelBuffer(), cancellation);
            return Results.Ok();
        });

        app.MapGet("/pictures/{id}/masks", (string id, float x, float y, ISegmentationService service, ISegmenter sam) =>
        {
            if (!service.TryGetEmbedding(id, out EmbeddingLease? photo)) return Results.NotFound();
            using (photo)
            {
                using MaskPrediction masks = sam.Predict(photo.Embedding, Prompt.Point(x, y));
                return Results.Ok(masks.Best.Mask.ToCocoString());
            }
        });
        // end

        await app.StartAsync(token);
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        using var content = new ByteArrayContent(await File.ReadAllBytesAsync(guide.Photo, token));
        using HttpResponseMessage posted = await client.PostAsync("/pictures/1", content, token);
        Assert.Equal(System.Net.HttpStatusCode.OK, posted.StatusCode);
        PointPrompt click = Guide.Click.Points.Single();
        string? counts = await client.GetFromJsonAsync<string>(FormattableString.Invariant($"/pictures/1/masks?x={click.X}&y={click.Y}"), token);
        Assert.Equal(expected, RleMask.FromCocoString(counts!, expected.Width, expected.Height));
        using HttpResponseMessage unknown = await client.GetAsync("/pictures/2/masks?x=1&y=1", token);
        Assert.Equal(System.Net.HttpStatusCode.NotFound, unknown.StatusCode);
    }
}
