namespace SegmentAnything.Imaging;

/// <summary>Draws points and boxes, in a size that suits the picture, with soft edges.</summary>
internal sealed class PromptCanvas(LoadedImage picture)
{
    private static readonly RgbColor Yellow = new(255, 214, 0), Green = new(30, 200, 60), Red = new(230, 40, 40);
    private static readonly RgbColor White = new(255, 255, 255), Black = new(0, 0, 0);
    private readonly float _unit = Math.Max(1.5f, Math.Max(picture.Width, picture.Height) / 300f);

    public void Draw(Prompt prompt)
    {
        if (prompt.BoxInSource is { } box) DrawBox(box);
        foreach (PointPrompt point in prompt.Points) DrawPoint(point);
    }

    // Yellow with a dark rim, which shows on any ground.
    private void DrawBox(Box box)
    {
        float half = _unit * 0.7f, rim = half + Math.Max(0.7f, _unit * 0.25f);
        ForEach(box.X0 - rim, box.Y0 - rim, box.X1 + rim, box.Y1 + rim, Yellow, Black, (x, y) =>
        {
            // The distance to the box's outline, from either side.
            float dx = Math.Max(box.X0 - x, x - box.X1), dy = Math.Max(box.Y0 - y, y - box.Y1);
            float distance = Math.Abs(Math.Max(dx, dy));
            return (Cover(rim - distance), Cover(half - distance));
        });
    }

    // A disc with a light ring: green on the object, red off it.
    private void DrawPoint(PointPrompt point)
    {
        float ring = _unit * 2.4f, disc = _unit * 1.7f;
        RgbColor color = point.Label == PointLabel.Foreground ? Green : Red;
        ForEach(point.X - ring - 1, point.Y - ring - 1, point.X + ring + 1, point.Y + ring + 1, color, White, (x, y) =>
        {
            float distance = MathF.Sqrt(((x - point.X) * (x - point.X)) + ((y - point.Y) * (y - point.Y)));
            return (Cover(ring - distance), Cover(disc - distance));
        });
    }

    // How much of a pixel is covered whose centre lies so far within an edge.
    private static float Cover(float within) => Math.Clamp(within + 0.5f, 0, 1);

    private void ForEach(
        float x0, float y0, float x1, float y1, RgbColor color, RgbColor rim, Func<float, float, (float Rim, float Fill)> shape)
    {
        (int left, int right) = ((int)Math.Clamp(x0 - 1, 0, picture.Width), (int)Math.Clamp(x1 + 2, 0, picture.Width));
        (int top, int bottom) = ((int)Math.Clamp(y0 - 1, 0, picture.Height), (int)Math.Clamp(y1 + 2, 0, picture.Height));
        for (int y = top; y < bottom; y++)
        {
            for (int x = left; x < right; x++)
            {
                (float rimCover, float fillCover) = shape(x + 0.5f, y + 0.5f);
                MaskDrawing.Blend(picture.Pixels, (y * picture.Width) + x, rim, rimCover);
                MaskDrawing.Blend(picture.Pixels, (y * picture.Width) + x, color, fillCover);
            }
        }
    }
}
