namespace SegmentAnything.Imaging;

/// <summary>
/// A picture that our own code draws: a ball, a mug, a book and a pear on a wooden table, in soft light. It needs no
/// file, and the silhouette of each object is known, so demonstrations and tests can say how well it was found.
/// </summary>
/// <remarks>
/// Only additions, multiplications, divisions, square roots and integer hashes are used, which every processor rounds
/// alike: the bytes are the same everywhere.
/// </remarks>
public static class StillLife
{
    /// <summary>Columns of the picture.</summary>
    public const int Width = 768;

    /// <summary>Rows of the picture.</summary>
    public const int Height = 576;

    private const int Samples = 3; // by 3 within each pixel: smooth edges
    private const float TableEdge = 250; // the row where the wall ends and the table begins

    private static readonly Lazy<(LoadedImage Image, StillLifeObject[] Objects)> Drawing = new(Render);

    // Toward the light, from the upper left and in front; of length 1.
    private static readonly Vec3 Light = new Vec3(-0.55f, -0.65f, 0.6f).Normalized();

    private static readonly Shape[] Shapes =
    [
        new Book(),
        new Mug(),
        new Ball(),
        new Pear(),
    ];

    /// <summary>The picture, <see cref="Width"/> x <see cref="Height"/>; drawn once per process, on first use.</summary>
    public static LoadedImage Image => Drawing.Value.Image;

    /// <summary>What is in the picture: book, mug, ball, pear.</summary>
    public static IReadOnlyList<StillLifeObject> Objects => Drawing.Value.Objects;

    private static (LoadedImage Image, StillLifeObject[] Objects) Render()
    {
        byte[] pixels = new byte[Width * Height * 3];
        byte[][] masks = [.. Shapes.Select(_ => new byte[Width * Height])];
        Span<int> hits = stackalloc int[Shapes.Length];
        for (int y = 0; y < Height; y++)
        {
            for (int x = 0; x < Width; x++)
            {
                hits.Clear();
                Vec3 sum = default;
                for (int s = 0; s < Samples * Samples; s++)
                {
                    float sx = x + (((s % Samples) + 0.5f) / Samples), sy = y + (((s / Samples) + 0.5f) / Samples);
                    sum += Sample(sx, sy, out int shape);
                    if (shape >= 0) hits[shape]++;
                }

                Vec3 colour = (sum * (1f / (Samples * Samples))) + Grain(x, y);
                int i = ((y * Width) + x) * 3;
                pixels[i] = ToByte(colour.X);
                pixels[i + 1] = ToByte(colour.Y);
                pixels[i + 2] = ToByte(colour.Z);
                for (int k = 0; k < masks.Length; k++) masks[k][(y * Width) + x] = (byte)(hits[k] * 2 > Samples * Samples ? 1 : 0);
            }
        }

        return (new LoadedImage(pixels, Width, Height),
            [.. Shapes.Select((shape, k) => new StillLifeObject(shape.Name, shape.ClickX, shape.ClickY, masks[k], Width, Height))]);
    }

    // The colour at a place, and which shape it belongs to (-1: the room). The last shape drawn is the nearest.
    private static Vec3 Sample(float x, float y, out int shape)
    {
        for (shape = Shapes.Length - 1; shape >= 0; shape--)
            if (Shapes[shape].Hit(x, y, out Vec3 colour)) return colour;
        Vec3 room = y < TableEdge ? Wall(x, y) : Table(x, y);
        float shade = 1;
        foreach (Shape s in Shapes) shade *= s.Shadow(x, y);
        return room * shade;
    }

    private static Vec3 Wall(float x, float y)
    {
        float glow = 1 - (0.35f * Square((x - 250) / 700)) - (0.25f * Square((y - 90) / 420));
        float blotches = 0.96f + (0.08f * Noise(x / 90, y / 90, 1)) + (0.02f * Noise(x / 3, y / 3, 2));
        float nearTable = 1 - (0.25f * Smooth((y - (TableEdge - 60)) / 60));
        return new Vec3(0.66f, 0.69f, 0.70f) * (glow * blotches * nearTable);
    }

    private static Vec3 Table(float x, float y)
    {
        // Seen from above at a slant: what is further back is smaller. Boards run to the left and right.
        float depth = (Height + 260) / (y - TableEdge + 260f);
        float u = (x - (Width / 2f)) * depth, v = 900 * depth;
        int board = (int)(v / 190);
        float across = (v / 190) - board;
        float wave = Noise(u / 160, v / 40, 10 + board) * 6;
        float grain = Noise((u / 190) + (board * 7.3f), (v / 5) + wave, 20 + board);
        float fine = Noise(u / 30, v / 1.6f, 40);
        float tone = 0.82f + (0.18f * grain) + (0.07f * fine) + (0.05f * (Hash(board, 3, 50) - 0.5f));
        float seam = across < 0.02f ? 0.6f : 1;
        float light = 1.08f - (0.35f * Square((x - 300) / 620)) - (0.10f * Square((y - 400) / 330));
        return new Vec3(0.60f, 0.42f, 0.26f) * (tone * seam * light);
    }

    // What a camera's sensor adds.
    private static Vec3 Grain(int x, int y)
    {
        float common = Hash(x, y, 90) + Hash(x, y, 91) - 1;
        return new Vec3(
            (0.010f * common) + (0.008f * (Hash(x, y, 92) - 0.5f)),
            (0.010f * common) + (0.008f * (Hash(x, y, 93) - 0.5f)),
            (0.010f * common) + (0.012f * (Hash(x, y, 94) - 0.5f)));
    }

    // A surface's colour in the light: some from everywhere, most from the lamp, and a highlight where it is glossy.
    private static Vec3 Shade(Vec3 colour, Vec3 normal, float gloss)
    {
        float lambert = Vec3.Dot(normal, Light);
        float wrapped = Math.Max(0, (lambert + 0.25f) / 1.25f); // soft light reaches around the edge
        Vec3 half = (Light + new Vec3(0, 0, 1)).Normalized();
        float shine = Math.Max(0, Vec3.Dot(normal, half));
        shine *= shine;
        shine *= shine;
        shine *= shine;
        shine *= shine;
        shine *= shine; // to the 32nd
        float bounce = 0.10f * Math.Max(0, normal.Y); // from the table below
        Vec3 lit = colour * (0.26f + (0.82f * wrapped));
        return lit + (new Vec3(0.60f, 0.42f, 0.26f) * bounce) + (new Vec3(1, 0.98f, 0.94f) * (gloss * shine));
    }

    private static byte ToByte(float value) => (byte)Math.Clamp((int)((value * 255) + 0.5f), 0, 255);

    private static float Square(float value) => value * value;

    // 0 below 0, 1 above 1, an S between.
    private static float Smooth(float t)
    {
        t = Math.Clamp(t, 0, 1);
        return t * t * (3 - (2 * t));
    }

    private static float Lerp(float a, float b, float t) => a + ((b - a) * t);

    // Evenly spread over 0 to 1, from three integers.
    private static float Hash(int x, int y, int seed)
    {
        uint h = ((uint)x * 0x9E3779B1u) ^ ((uint)y * 0x85EBCA77u) ^ ((uint)seed * 0xC2B2AE3Du);
        h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
        h = (h ^ (h >> 12)) * 0x297A2D39u;
        h ^= h >> 15;
        return (h >> 8) * (1f / (1 << 24));
    }

    // Random values at whole coordinates, smoothly joined.
    private static float Noise(float x, float y, int seed)
    {
        int x0 = (int)MathF.Floor(x), y0 = (int)MathF.Floor(y);
        float tx = Smooth(x - x0), ty = Smooth(y - y0);
        return Lerp(
            Lerp(Hash(x0, y0, seed), Hash(x0 + 1, y0, seed), tx),
            Lerp(Hash(x0, y0 + 1, seed), Hash(x0 + 1, y0 + 1, seed), tx), ty);
    }

    private readonly record struct Vec3(float X, float Y, float Z)
    {
        public static Vec3 operator +(Vec3 a, Vec3 b) => new(a.X + b.X, a.Y + b.Y, a.Z + b.Z);

        public static Vec3 operator *(Vec3 a, float s) => new(a.X * s, a.Y * s, a.Z * s);

        public static float Dot(Vec3 a, Vec3 b) => (a.X * b.X) + (a.Y * b.Y) + (a.Z * b.Z);

        public Vec3 Normalized() => this * (1 / MathF.Sqrt(Dot(this, this)));
    }

    private abstract class Shape(string name, float clickX, float clickY)
    {
        public string Name => name;

        public float ClickX => clickX;

        public float ClickY => clickY;

        /// <summary>Whether the shape covers a place, and its colour there.</summary>
        public abstract bool Hit(float x, float y, out Vec3 colour);

        /// <summary>How much light the shape leaves at a place of the room: 1 all, 0 none.</summary>
        public abstract float Shadow(float x, float y);

        // Dark in the middle of an ellipse, fading to its edge: narrow and deep where the thing stands, wide and pale
        // where it keeps the lamp away.
        protected static float SoftShadow(float x, float y, float centreX, float centreY, float radiusX, float radiusY, float depth)
        {
            if (y < TableEdge) return 1;
            float r = MathF.Sqrt(Square((x - centreX) / radiusX) + Square((y - centreY) / radiusY));
            return 1 - (depth * (1 - Smooth(r)));
        }
    }

    private sealed class Ball() : Shape("ball", X - 10, Y + 12)
    {
        private const float X = 330, Y = 428, Radius = 74;

        public override bool Hit(float x, float y, out Vec3 colour)
        {
            float nx = (x - X) / Radius, ny = (y - Y) / Radius;
            float rest = 1 - (nx * nx) - (ny * ny);
            colour = default;
            if (rest < 0) return false;
            var normal = new Vec3(nx, ny, MathF.Sqrt(rest));
            float mottle = 0.95f + (0.10f * Noise(x / 6, y / 6, 60));
            colour = Shade(new Vec3(0.86f, 0.22f, 0.13f) * mottle, normal, gloss: 0.55f);
            return true;
        }

        public override float Shadow(float x, float y) =>
            SoftShadow(x, y, X + 60, Y + Radius - 14, 150, 46, 0.42f) * SoftShadow(x, y, X + 12, Y + Radius - 6, 74, 22, 0.6f);
    }

    private sealed class Mug() : Shape("mug", X - 15, (Top + Bottom) / 2)
    {
        private const float X = 178, Top = 232, Bottom = 402, Radius = 66, Flat = 17; // Flat: half height of the rim's ellipse
        private const float HandleX = X - Radius + 4, HandleY = 312, HandleRadius = 46, HandleWidth = 10;

        public override bool Hit(float x, float y, out Vec3 colour)
        {
            float nx = (x - X) / Radius;
            float rest = 1 - (nx * nx);
            var glaze = new Vec3(0.90f, 0.89f, 0.84f);
            if (rest >= 0)
            {
                float bulge = Flat * MathF.Sqrt(rest);
                float rim = Square(nx) + Square((y - Top) / Flat);
                if (rim <= 1)
                {
                    // The mouth: a lip of glaze, the inside lit on its far right, and coffee below.
                    float inner = Square(nx / 0.92f) + Square((y - Top) / (Flat * 0.86f));
                    float coffee = Square(nx / 0.88f) + Square((y - Top - 8) / (Flat * 0.72f));
                    if (inner > 1) colour = glaze * 1.04f;
                    else if (coffee < 1) colour = new Vec3(0.20f, 0.11f, 0.06f) * (1.0f + (0.5f * Smooth(-nx)));
                    else colour = glaze * (0.52f + (0.22f * nx));
                    return true;
                }

                if (y >= Top && y <= Bottom + bulge)
                {
                    var normal = new Vec3(nx, 0, MathF.Sqrt(rest));
                    bool band = y - bulge > 336 && y - bulge < 358; // a painted band that follows the round
                    float speckle = Noise(x / 2.5f, y / 2.5f, 61) > 0.93f ? 0.9f : 1;
                    float toward = 1 - (0.14f * Smooth((y - Bottom + 50) / 60));
                    Vec3 body = band ? new Vec3(0.16f, 0.30f, 0.52f) : glaze * speckle;
                    colour = Shade(body * toward, normal, gloss: 0.35f);
                    return true;
                }
            }

            return Handle(x, y, glaze, out colour);
        }

        public override float Shadow(float x, float y) =>
            SoftShadow(x, y, X + 75, Bottom + 10, 170, 42, 0.40f) * SoftShadow(x, y, X + 8, Bottom + 12, Radius + 16, 26, 0.6f);

        // Half a ring of round section, left of the body.
        private static bool Handle(float x, float y, Vec3 glaze, out Vec3 colour)
        {
            colour = default;
            float dx = x - HandleX, dy = (y - HandleY) / 1.15f;
            if (dx > 0) return false;
            float r = MathF.Sqrt((dx * dx) + (dy * dy));
            float across = (r - HandleRadius) / HandleWidth;
            if (across is < -1 or > 1) return false;
            var normal = new Vec3(dx / r * across, dy / r * across, MathF.Sqrt(1 - (across * across)));
            colour = Shade(glaze, normal, gloss: 0.35f);
            return true;
        }
    }

    private sealed class Book() : Shape("book", 560, 312)
    {
        // The cover from above, a slanted four-corner; spine and page edges hang below its two near sides.
        private static readonly (float X, float Y)[] Corners = [(452, 290), (640, 268), (722, 326), (498, 362)];
        private const float Thickness = 40;

        public override bool Hit(float x, float y, out Vec3 colour)
        {
            if (Inside(x, y, Corners))
            {
                float nap = 0.94f + (0.12f * Noise(x / 2, y / 2, 62)) + (0.04f * Noise(x / 40, y / 40, 63));
                float light = 1.06f - (0.22f * ((x - 452) / 270));
                bool title = Inside(x, y, [(540, 297), (620, 287.5f), (634, 297), (550, 308)]);
                colour = (title ? new Vec3(0.83f, 0.74f, 0.46f) : new Vec3(0.12f, 0.38f, 0.30f)) * (nap * light);
                return true;
            }

            // Near long side: page edges between two covers.
            if (Below(x, y, Corners[3], Corners[2], out float down))
            {
                bool cover = down < 0.12f || down > 0.88f;
                float lines = 0.88f + (0.12f * Hash((int)((down * Thickness) + 100), 0, 64)) + (0.04f * Noise(x / 5, y, 65));
                colour = cover ? new Vec3(0.075f, 0.25f, 0.20f) : new Vec3(0.66f, 0.62f, 0.53f) * lines;
                return true;
            }

            // Near short side: the spine, facing the light.
            if (Below(x, y, Corners[0], Corners[3], out down))
            {
                float round = 1 - (0.35f * Square((down * 2) - 0.9f));
                colour = new Vec3(0.10f, 0.32f, 0.25f) * (round * (0.95f + (0.1f * Noise(x / 2, y / 2, 66))));
                return true;
            }

            colour = default;
            return false;
        }

        public override float Shadow(float x, float y) =>
            SoftShadow(x, y, 640, 368, 190, 60, 0.38f) * SoftShadow(x, y, 600, 378, 150, 36, 0.45f);

        private static bool Below(float x, float y, (float X, float Y) a, (float X, float Y) b, out float down)
        {
            float t = (x - a.X) / (b.X - a.X);
            down = (y - Lerp(a.Y, b.Y, t)) / Thickness;
            return t is >= 0 and <= 1 && down is >= 0 and <= 1;
        }

        // Corners in clockwise order, y down: inside is to the right of every side.
        private static bool Inside(float x, float y, ReadOnlySpan<(float X, float Y)> corners)
        {
            for (int i = 0; i < corners.Length; i++)
            {
                (float ax, float ay) = corners[i];
                (float bx, float by) = corners[(i + 1) % corners.Length];
                if (((bx - ax) * (y - ay)) - ((by - ay) * (x - ax)) < 0) return false;
            }

            return true;
        }
    }

    private sealed class Pear() : Shape("pear", 588, 452)
    {
        // Half widths from the top down, every 16 rows: neck, waist, belly.
        private static readonly float[] Profile = [0, 17, 24, 28, 32, 39, 48, 56, 60, 59];
        private const float X = 584, Top = 356, Step = 16;

        public override bool Hit(float x, float y, out Vec3 colour)
        {
            colour = default;
            float lean = X + (8 * Smooth((Top + 90 - y) / 90)); // the neck bends to the right
            float half = HalfWidth(y);
            float nx = (x - lean) / Math.Max(half, 1e-3f);
            if (half > 0 && nx is >= -1 and <= 1)
            {
                // A body of revolution: the outline's slope turns the normal up or down.
                float slope = (HalfWidth(y + 2) - HalfWidth(y - 2)) / 4;
                float nz = MathF.Sqrt(1 - (nx * nx));
                Vec3 normal = new Vec3(nx, -Math.Clamp(slope, -1.6f, 1.6f), nz).Normalized();
                float freckles = Noise(x / 1.7f, y / 1.7f, 67) > 0.9f ? 0.84f : 1;
                float blush = Smooth(((x - lean) / 60) + 0.1f) * Noise(x / 30, y / 30, 68);
                Vec3 skin = new Vec3(0.72f, 0.72f, 0.20f) + (new Vec3(0.10f, -0.24f, -0.04f) * blush);
                colour = Shade(skin * (freckles * (0.95f + (0.1f * Noise(x / 9, y / 9, 69)))), normal, gloss: 0.22f);
                return true;
            }

            // The stalk.
            float up = (Top + 6 - y) / 34;
            if (up is < 0 or > 1) return false;
            float centre = X + 8 + (11 * up * up), width = 3.2f + (1.6f * Square(up));
            float side = (x - centre) / width;
            if (side is < -1 or > 1) return false;
            colour = Shade(new Vec3(0.34f, 0.23f, 0.12f), new Vec3(side, 0, MathF.Sqrt(1 - (side * side))), gloss: 0.05f);
            return true;
        }

        public override float Shadow(float x, float y) =>
            SoftShadow(x, y, X + 60, 526, 135, 34, 0.42f) * SoftShadow(x, y, X + 8, 528, 62, 16, 0.6f);

        // Joined by a cubic through four neighbours (Catmull-Rom), round at both ends.
        private static float HalfWidth(float y)
        {
            float t = (y - Top) / Step;
            int i = (int)MathF.Floor(t);
            int last = Profile.Length - 1;
            if (i < 0) return 0;
            if (i >= last) return Profile[last] * MathF.Sqrt(Math.Max(0, 1 - Square((t - last) / 2.4f)));
            t -= i;
            if (i == 0) return Profile[1] * MathF.Sqrt(t * (2 - t)) * (0.86f + (0.14f * t));
            float a = Profile[i - 1], b = Profile[i], c = Profile[i + 1], d = Profile[Math.Min(i + 2, last)];
            if (i == 1) a = 12;
            return b + (0.5f * t * (c - a + (t * ((2 * a) - (5 * b) + (4 * c) - d + (t * ((3 * (b - c)) + d - a))))));
        }
    }
}
