using System.Runtime.InteropServices;

namespace SegmentAnything.Imaging.Vips;

/// <summary>One image of libvips: a recipe of pixels, computed when they are asked for.</summary>
internal sealed class VipsImage : SafeHandle
{
    /// <summary>libvips's number for bands of unsigned bytes.</summary>
    public const int FormatUChar = 0;

    /// <summary>libvips's number for bands of unsigned 16-bit integers.</summary>
    public const int FormatUShort = 2;

    internal VipsImage(nint handle) : base(0, ownsHandle: true) => SetHandle(handle);

    public override bool IsInvalid => handle == 0;

    public int Width => VipsNative.ImageWidth(handle);

    public int Height => VipsNative.ImageHeight(handle);

    public int Bands => VipsNative.ImageBands(handle);

    public int Format => VipsNative.ImageFormat(handle);

    public bool HasAlpha => VipsNative.ImageHasAlpha(handle) != 0;

    /// <summary>Copies pixels of interleaved bands, rows from the top, into an image.</summary>
    public static unsafe VipsImage FromMemory<T>(ReadOnlySpan<T> pixels, int width, int height, int bands, int format)
        where T : unmanaged
    {
        VipsLibrary.EnsureStarted();
        fixed (T* data = pixels)
        {
            nint image = VipsNative.ImageNewFromMemoryCopy(data, (nuint)pixels.Length * (nuint)sizeof(T), width, height, bands, format);
            return image != 0 ? new VipsImage(image) : throw new VipsException(VipsNative.TakeError());
        }
    }

    /// <summary>Attaches a number, such as <c>orientation</c>, that a file format may carry.</summary>
    public void SetMetadata(string name, int value) => VipsNative.ImageSetInt(handle, name, value);

    /// <summary>Computes all pixels and copies them out: interleaved bands, rows from the top.</summary>
    /// <param name="cancellationToken">Stops within the work.</param>
    /// <exception cref="VipsException">The pixels cannot be computed: the file they come from is damaged.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public unsafe byte[] ToBytes(CancellationToken cancellationToken = default)
    {
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
            static image => VipsNative.ImageSetKill(((VipsImage)image!).handle, 1), this);
        void* pixels = VipsNative.ImageWriteToMemory(handle, out nuint length);
        if (pixels == null)
        {
            string reason = VipsNative.TakeError();
            cancellationToken.ThrowIfCancellationRequested();
            throw new VipsException(reason);
        }

        try
        {
            return new ReadOnlySpan<byte>(pixels, checked((int)length)).ToArray();
        }
        finally
        {
            VipsNative.Free(pixels);
        }
    }

    protected override bool ReleaseHandle()
    {
        VipsNative.ObjectUnref(handle);
        return true;
    }
}

/// <summary>libvips refused. The message is libvips's; callers add which file and what to do.</summary>
internal sealed class VipsException(string message) : Exception(message);
