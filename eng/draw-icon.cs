#:project ../src/SegmentAnything.Imaging
#:property PublishAot=false
// Draws docs/images/icon.png, which the packages show: a thing, its mask with an outline, and the click that gave it.
//   dotnet run eng/draw-icon.cs
using SegmentAnything.Imaging;

const int Size = 128, Samples = 4; // samples a pixel, each way
byte[] pixels = new byte[Size * Size * 4];
for (int y = 0; y < Size; y++)
{
    for (int x = 0; x < Size; x++)
    {
        double red = 0, green = 0, blue = 0, cover = 0;
        for (int i = 0; i < Samples * Samples; i++)
        {
            double sx = x + (((i % Samples) + 0.5) / Samples), sy = y + (((i / Samples) + 0.5) / Samples);
            if (ColorAt(sx, sy) is not var (r, g, b)) continue;
            (red, green, blue, cover) = (red + r, green + g, blue + b, cover + 1);
        }

        if (cover == 0) continue;
        int at = ((y * Size) + x) * 4;
        (pixels[at], pixels[at + 1], pixels[at + 2]) = ((byte)(red / cover), (byte)(green / cover), (byte)(blue / cover));
        pixels[at + 3] = (byte)(255 * cover / (Samples * Samples));
    }
}

ImageFile.SavePng(args is [var path] ? path : "docs/images/icon.png", pixels, Size, Size);

// Null outside of the icon's rounded square.
static (double R, double G, double B)? ColorAt(double x, double y)
{
    if (RoundedSquare(x, y, half: 62, radius: 26) > 0) return null;
    double toThing = Math.Max(Thing(x, y), -Circle(x, y, 92, 62, 13)); // a cup: its body and its handle's hole
    if (Circle(x, y, 52, 66, 8) <= 0) return (255, 255, 255);          // the click
    if (Circle(x, y, 52, 66, 12) <= 0) return (32, 36, 66);
    if (Math.Abs(toThing) <= 2.2) return (255, 255, 255);
    if (toThing < 0) return (255, 138 + (0.35 * (64 - y)), 76);        // the mask
    return (44 + (0.25 * y), 52 + (0.2 * y), 110 + (0.45 * y));
}

static double Thing(double x, double y) => Math.Min(RoundedBox(x, y, 54, 66, 32, 30, 12), Circle(x, y, 92, 62, 22));

static double Circle(double x, double y, double cx, double cy, double radius) => Math.Sqrt(((x - cx) * (x - cx)) + ((y - cy) * (y - cy))) - radius;

static double RoundedSquare(double x, double y, double half, double radius) => RoundedBox(x, y, 64, 64, half, half, radius);

// Signed distance to a box with round corners, negative inside.
static double RoundedBox(double x, double y, double cx, double cy, double halfWidth, double halfHeight, double radius)
{
    double dx = Math.Abs(x - cx) - halfWidth + radius, dy = Math.Abs(y - cy) - halfHeight + radius;
    return Math.Sqrt((Math.Max(dx, 0) * Math.Max(dx, 0)) + (Math.Max(dy, 0) * Math.Max(dy, 0))) + Math.Min(Math.Max(dx, dy), 0) - radius;
}
