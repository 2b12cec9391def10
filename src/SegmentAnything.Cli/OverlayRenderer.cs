using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.Cli;

/// <summary>Draws masks and prompts over a picture.</summary>
internal static class OverlayRenderer
{
    private const float Tint = 0.45f;

    /// <summary>Draws every mask in a colour of its own, large ones below small ones, then the prompts.</summary>
    /// <param name="picture">What lies below; it is not changed.</param>
    /// <param name="masks">Masks of the picture's size.</param>
    /// <param name="prompts">Their points and boxes are drawn on top.</param>
    /// <returns>Red-green-blue bytes of the picture's size.</returns>
    /// <exception cref="ArgumentException">A mask has another size than the picture.</exception>
    public static byte[] Render(LoadedImage picture, IReadOnlyList<RleMask> masks, params IReadOnlyList<Prompt> prompts)
    {
        byte[] pixels = [.. picture.Pixels];
        int[] owners = Owners(picture, masks);
        for (int i = 0; i < owners.Length; i++)
        {
            if (owners[i] == 0) continue;
            bool edge = owners[i] < 0;
            (byte r, byte g, byte b) = MaskColours.Of(Math.Abs(owners[i]) - 1);
            Blend(pixels, i, r, g, b, edge ? 1 : Tint);
        }

        var canvas = new Canvas(pixels, picture.Width, picture.Height);
        foreach (Prompt prompt in prompts) canvas.Draw(prompt);
        return pixels;
    }

    // For each pixel the number (from 1) of the smallest mask that covers it, negative on its outline, 0 where none does.
    private static int[] Owners(LoadedImage picture, IReadOnlyList<RleMask> masks)
    {
        int thickness = Math.Clamp((int)Math.Round(Math.Max(picture.Width, picture.Height) / 400.0), 1, 6);
        int[] owners = new int[picture.Width * picture.Height];
        foreach (int k in Enumerable.Range(0, masks.Count).OrderByDescending(k => masks[k].Area))
        {
            RleMask mask = masks[k];
            if (mask.Width != picture.Width || mask.Height != picture.Height)
            {
                throw new ArgumentException(
                    $"Mask {k} has {mask.Width}x{mask.Height} pixels, the picture {picture.Width}x{picture.Height}.", nameof(masks));
            }

            if (mask.IsEmpty) continue;
            MaskBox box = mask.BoundingBox;
            int[] depth = Depth(mask, box, thickness);
            for (int y = 0; y < box.Height; y++)
            {
                for (int x = 0; x < box.Width; x++)
                {
                    int d = depth[(y * box.Width) + x];
                    if (d > 0) owners[((box.Y + y) * picture.Width) + box.X + x] = d <= thickness ? -(k + 1) : k + 1;
                }
            }
        }

        return owners;
    }

    // How many steps each pixel of the box is inside the mask, counted no further than one beyond the limit; 0 is outside.
    private static int[] Depth(RleMask mask, MaskBox box, int limit)
    {
        int[] depth = new int[box.Width * box.Height];
        long position = 0; // in columns, from the top of the first
        bool inside = false;
        foreach (int count in mask.Counts)
        {
            for (long p = position; inside && p < position + count; p++)
            {
                int x = (int)(p / mask.Height) - box.X, y = (int)(p % mask.Height) - box.Y;
                depth[(y * box.Width) + x] = limit + 1;
            }

            position += count;
            inside = !inside;
        }

        // Two passes of the city-block distance: what lies outside the box is outside the mask.
        for (int y = 0; y < box.Height; y++)
        {
            for (int x = 0; x < box.Width; x++)
            {
                int i = (y * box.Width) + x;
                int near = Math.Min(x > 0 ? depth[i - 1] : 0, y > 0 ? depth[i - box.Width] : 0);
                depth[i] = Math.Min(depth[i], near + 1);
            }
        }

        for (int y = box.Height - 1; y >= 0; y--)
        {
            for (int x = box.Width - 1; x >= 0; x--)
            {
                int i = (y * box.Width) + x;
                int near = Math.Min(x < box.Width - 1 ? depth[i + 1] : 0, y < box.Height - 1 ? depth[i + box.Width] : 0);
                depth[i] = Math.Min(depth[i], near + 1);
            }
        }

        return depth;
    }

    private static void Blend(byte[] pixels, int pixel, byte r, byte g, byte b, float amount)
    {
        int i = pixel * 3;
        pixels[i] = (byte)(pixels[i] + ((r - pixels[i]) * amount));
        pixels[i + 1] = (byte)(pixels[i + 1] + ((g - pixels[i + 1]) * amount));
        pixels[i + 2] = (byte)(pixels[i + 2] + ((b - pixels[i + 2]) * amount));
    }

    // Points and boxes, in a size that suits the picture, with soft edges.
    private sealed class Canvas(byte[] pixels, int width, int height)
    {
        private readonly float _unit = Math.Max(1.5f, Math.Max(width, height) / 300f);

        public void Draw(Prompt prompt)
        {
            if (prompt.BoxInSource is { } box) DrawBox(box);
            foreach (PointPrompt point in prompt.Points) DrawPoint(point);
        }

        // Yellow with a dark rim, which shows on any ground.
        private void DrawBox(Box box)
        {
            float half = _unit * 0.7f, rim = half + Math.Max(0.7f, _unit * 0.25f);
            ForEach(box.X0 - rim, box.Y0 - rim, box.X1 + rim, box.Y1 + rim, (x, y) =>
            {
                // The distance to the box's outline, from either side.
                float dx = Math.Max(box.X0 - x, x - box.X1), dy = Math.Max(box.Y0 - y, y - box.Y1);
                float distance = Math.Abs(Math.Max(dx, dy));
                return (Cover(rim - distance), Cover(half - distance));
            }, (255, 214, 0));
        }

        // A disc with a light ring: green on the object, red off it.
        private void DrawPoint(PointPrompt point)
        {
            float ring = _unit * 2.4f, disc = _unit * 1.7f;
            (byte, byte, byte) colour = point.Label == PointLabel.Foreground ? ((byte)30, (byte)200, (byte)60) : ((byte)230, (byte)40, (byte)40);
            ForEach(point.X - ring - 1, point.Y - ring - 1, point.X + ring + 1, point.Y + ring + 1, (x, y) =>
            {
                float distance = MathF.Sqrt(((x - point.X) * (x - point.X)) + ((y - point.Y) * (y - point.Y)));
                return (Cover(ring - distance), Cover(disc - distance));
            }, colour, rim: 255);
        }

        // How much of a pixel is covered whose centre lies so far within an edge.
        private static float Cover(float within) => Math.Clamp(within + 0.5f, 0, 1);

        private void ForEach(
            float x0, float y0, float x1, float y1, Func<float, float, (float Rim, float Fill)> shape, (byte R, byte G, byte B) colour, byte rim = 0)
        {
            (int left, int right) = ((int)Math.Clamp(x0 - 1, 0, width), (int)Math.Clamp(x1 + 2, 0, width));
            (int top, int bottom) = ((int)Math.Clamp(y0 - 1, 0, height), (int)Math.Clamp(y1 + 2, 0, height));
            for (int y = top; y < bottom; y++)
            {
                for (int x = left; x < right; x++)
                {
                    (float rimCover, float fillCover) = shape(x + 0.5f, y + 0.5f);
                    Blend(pixels, (y * width) + x, rim, rim, rim, rimCover);
                    Blend(pixels, (y * width) + x, colour.R, colour.G, colour.B, fillCover);
                }
            }
        }
    }
}
