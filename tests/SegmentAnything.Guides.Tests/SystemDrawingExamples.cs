using System.Drawing;
using System.Drawing.Imaging;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using SegmentAnything.Rle;

namespace SegmentAnything.Guides.Tests;

/// <summary>Compiled everywhere; System.Drawing runs on Windows alone.</summary>
[SupportedOSPlatform("windows")]
public sealed class SystemDrawingExamples(Guide guide) : IClassFixture<Guide>
{
    [Fact]
    public void FromAndToSystemDrawing()
    {
        Assert.SkipUnless(OperatingSystem.IsWindows(), "System.Drawing runs on Windows alone.");
        (SamModel sam, string path) = (guide.Sam, guide.Photo);

        // example: FromSystemDrawing
        using var bitmap = new Bitmap(path);
        BitmapData locked = bitmap.LockBits(new Rectangle(Point.Empty, bitmap.Size), ImageLockMode.ReadOnly, System.Drawing.Imaging.PixelFormat.Format24bppRgb);
        byte[] pixels = new byte[locked.Stride * locked.Height];
        try
        {
            Marshal.Copy(locked.Scan0, pixels, 0, pixels.Length);
        }
        finally
        {
            bitmap.UnlockBits(locked);
        }

        // Format24bppRgb lies in memory as blue, green, red; rows are padded to 4 bytes, which the stride says.
        using ImageEmbedding photo = sam.Encode(PixelBuffer.FromBgr24(pixels, bitmap.Width, bitmap.Height, locked.Stride));
        // end

        RleMask mask = sam.Predict(photo, Guide.Click).Best.Mask;
        Assert.Equal(guide.Expected, mask);

        // example: ToSystemDrawing
        // The mask's alpha in the picture's fourth byte: the object on a transparent ground.
        byte[] alpha = new byte[mask.Width * mask.Height];
        mask.ToBitmap(alpha, foreground: 255);
        using Bitmap cutOut = bitmap.Clone(new Rectangle(Point.Empty, bitmap.Size), System.Drawing.Imaging.PixelFormat.Format32bppArgb);
        BitmapData target = cutOut.LockBits(new Rectangle(Point.Empty, cutOut.Size), ImageLockMode.ReadWrite, System.Drawing.Imaging.PixelFormat.Format32bppArgb);
        try
        {
            for (int y = 0; y < mask.Height; y++)
                for (int x = 0; x < mask.Width; x++)
                    Marshal.WriteByte(target.Scan0, (y * target.Stride) + (x * 4) + 3, alpha[(y * mask.Width) + x]);
        }
        finally
        {
            cutOut.UnlockBits(target);
        }

        cutOut.Save("cut-out.png", ImageFormat.Png);
        // end
    }
}
