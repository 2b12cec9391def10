using SegmentAnything.Rle;

namespace SegmentAnything.Imaging;

/// <summary>Draws masks and prompts: overlays, outlines and cut-outs.</summary>
/// <remarks>
/// Every method takes a view of pixels in any of the library's formats, leaves it as it is, and gives new pixels. Masks have the
/// picture's size. Safe to call from several threads. For vectors instead of pixels see <see cref="RleMask.ToSvgPath"/>.
/// <code>
/// LoadedImage photo = ImageFile.Load("photo.jpg");
/// MaskDrawing.Overlay(photo.ToPixelBuffer(), [mask], [prompt]).SavePng("overlay.png");
/// MaskDrawing.CutOut(photo.ToPixelBuffer(), mask).SavePng("cup.png");
/// </code>
/// </remarks>
public static class MaskDrawing
{
    /// <summary>Draws every mask in a colour of its own, large ones below small ones, then the prompts.</summary>
    /// <param name="picture">What lies below; it is not changed.</param>
    /// <param name="masks">Masks of the picture's size; their order decides nothing but the colours. Empty ones draw nothing.</param>
    /// <param name="prompts">Their points (green on the object, red off it) and boxes (yellow) are drawn on top; parts outside the picture are cut off.</param>
    /// <param name="options">Colours, opacity and outline.</param>
    /// <returns>A new picture of the same size.</returns>
    /// <exception cref="ArgumentException">A mask has another size than the picture, or the picture is the default value.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    /// <remarks>
    /// A pixel belongs to the smallest mask that covers it: it gets that mask's colour, opaque where it is nearer to the mask's
    /// border than the outline is thick (in steps along rows and columns), and otherwise old + (colour - old) * opacity, cut to a byte.
    /// </remarks>
    public static LoadedImage Overlay(
        PixelBuffer picture, IReadOnlyList<RleMask> masks, IReadOnlyList<Prompt>? prompts = null, DrawingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(masks);
        options ??= DrawingOptions.Default;
        options.Validate();
        LoadedImage drawing = Copy(picture);
        int[] owners = Owners(drawing, masks, options.ThicknessFor(drawing.Width, drawing.Height));
        RgbColor[] colors = [.. Enumerable.Range(0, masks.Count).Select(options.Color)];
        for (int i = 0; i < owners.Length; i++)
        {
            if (owners[i] == 0) continue;
            Blend(drawing.Pixels, i, colors[Math.Abs(owners[i]) - 1], owners[i] < 0 ? 1 : options.FillOpacity);
        }

        var canvas = new PromptCanvas(drawing);
        foreach (Prompt prompt in prompts ?? []) canvas.Draw(prompt);
        return drawing;
    }

    /// <summary>Draws the outline of every mask in a colour of its own, and nothing inside.</summary>
    /// <param name="picture">What lies below; it is not changed.</param>
    /// <param name="masks">Masks of the picture's size.</param>
    /// <param name="prompts">Drawn on top, as by <see cref="Overlay"/>.</param>
    /// <param name="options">Colours and outline; <see cref="DrawingOptions.FillOpacity"/> is not used.</param>
    /// <returns>A new picture of the same size.</returns>
    /// <exception cref="ArgumentException">A mask has another size than the picture, or the picture is the default value.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static LoadedImage Outline(
        PixelBuffer picture, IReadOnlyList<RleMask> masks, IReadOnlyList<Prompt>? prompts = null, DrawingOptions? options = null) =>
        Overlay(picture, masks, prompts, (options ?? DrawingOptions.Default) with { FillOpacity = 0 });

    /// <summary>Cuts an object out of its picture: what is outside the mask becomes transparent.</summary>
    /// <param name="picture">Where the object is; it is not changed.</param>
    /// <param name="mask">The object, of the picture's size.</param>
    /// <param name="crop">Whether to keep only the smallest box around the mask, or the whole picture's size.</param>
    /// <returns>The object on a transparent ground, and where it was.</returns>
    /// <exception cref="ArgumentException">
    /// The mask has another size than the picture, the picture is the default value, or the mask is empty and the result is to be
    /// cropped to it.
    /// </exception>
    public static CutOutImage CutOut(PixelBuffer picture, RleMask mask, bool crop = true)
    {
        ArgumentNullException.ThrowIfNull(mask);
        CheckPicture(picture, bytesPerPixel: 4);
        CheckSize(mask, picture.Width, picture.Height, "The mask");
        if (crop && mask.IsEmpty)
            throw new ArgumentException("The mask is empty: there is nothing to crop to. Give crop: false for a transparent picture.", nameof(mask));

        MaskBox box = crop ? mask.BoundingBox : new MaskBox(0, 0, picture.Width, picture.Height);
        byte[] alpha = mask.Crop(box).ToBitmap();
        byte[] pixels = new byte[box.Width * box.Height * 4];
        byte[] row = new byte[box.Width * 3];
        for (int y = 0; y < box.Height; y++)
        {
            ReadRow(picture, box.X, box.Y + y, row);
            for (int x = 0; x < box.Width; x++)
            {
                int i = (y * box.Width) + x;
                if (alpha[i] == 0) continue;
                row.AsSpan(x * 3, 3).CopyTo(pixels.AsSpan(i * 4));
                pixels[(i * 4) + 3] = 255;
            }
        }

        return new CutOutImage(pixels, box.X, box.Y, box.Width, box.Height);
    }

    internal static void Blend(byte[] pixels, int pixel, RgbColor color, float amount)
    {
        int i = pixel * 3;
        pixels[i] = (byte)(pixels[i] + ((color.R - pixels[i]) * amount));
        pixels[i + 1] = (byte)(pixels[i + 1] + ((color.G - pixels[i + 1]) * amount));
        pixels[i + 2] = (byte)(pixels[i + 2] + ((color.B - pixels[i + 2]) * amount));
    }

    private static LoadedImage Copy(PixelBuffer picture)
    {
        CheckPicture(picture, bytesPerPixel: 3);
        byte[] pixels = GC.AllocateUninitializedArray<byte>(picture.Width * picture.Height * 3);
        for (int y = 0; y < picture.Height; y++) ReadRow(picture, 0, y, pixels.AsSpan(y * picture.Width * 3, picture.Width * 3));
        return new LoadedImage(pixels, picture.Width, picture.Height);
    }

    // As red, green, blue; as many pixels as fit.
    private static void ReadRow(PixelBuffer picture, int x, int y, Span<byte> destination)
    {
        int step = picture.Format.BytesPerPixel();
        ReadOnlySpan<byte> row = picture.Memory.Span.Slice((y * picture.Stride) + (x * step), destination.Length / 3 * step);
        if (picture.Format == PixelFormat.Rgb24)
        {
            row.CopyTo(destination);
            return;
        }

        (int red, int green, int blue) = picture.Format switch
        {
            PixelFormat.Rgba32 => (0, 1, 2),
            PixelFormat.Gray8 => (0, 0, 0),
            _ => (2, 1, 0),
        };
        for (int from = 0, to = 0; to < destination.Length; from += step, to += 3)
        {
            destination[to] = row[from + red];
            destination[to + 1] = row[from + green];
            destination[to + 2] = row[from + blue];
        }
    }

    private static void CheckPicture(PixelBuffer picture, int bytesPerPixel)
    {
        if (picture.Width == 0) throw new ArgumentException("The picture is empty: make it with one of PixelBuffer's methods.", nameof(picture));
        if ((long)picture.Width * picture.Height * bytesPerPixel > Array.MaxLength)
        {
            throw new ArgumentException(
                $"The picture has {picture.Width}x{picture.Height} pixels; at most {Array.MaxLength / bytesPerPixel} in all can be drawn on. Draw on a crop.", nameof(picture));
        }
    }

    private static void CheckSize(RleMask mask, int width, int height, string what)
    {
        if (mask.Width != width || mask.Height != height)
            throw new ArgumentException($"{what} has {mask.Width}x{mask.Height} pixels, the picture {width}x{height}.", nameof(mask));
    }

    // For each pixel the number (from 1) of the smallest mask that covers it, negative on its outline, 0 where none does.
    private static int[] Owners(LoadedImage picture, IReadOnlyList<RleMask> masks, int thickness)
    {
        for (int k = 0; k < masks.Count; k++) CheckSize(masks[k], picture.Width, picture.Height, $"Mask {k}");
        int[] owners = new int[picture.Width * picture.Height];
        foreach (int k in Enumerable.Range(0, masks.Count).OrderByDescending(k => masks[k].Area))
        {
            RleMask mask = masks[k];
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
        byte[] inside = mask.Crop(box).ToBitmap();
        int[] depth = new int[inside.Length];
        for (int i = 0; i < depth.Length; i++) depth[i] = inside[i] * (limit + 1);
        if (limit == 0) return depth;

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
}
