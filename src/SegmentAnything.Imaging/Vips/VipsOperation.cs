using System.Buffers;
using System.Runtime.InteropServices;

namespace SegmentAnything.Imaging.Vips;

/// <summary>One operation of libvips, by its name: set the arguments, then ask for the result.</summary>
/// <example><c>using var op = new VipsOperation("flip").Set("in", image).Set("direction", "vertical"); op.RunForImage();</c></example>
internal sealed unsafe class VipsOperation : SafeHandle
{
    /// <summary>Creates the operation.</summary>
    /// <exception cref="VipsException">This build of libvips has no such operation.</exception>
    public VipsOperation(string name) : base(0, ownsHandle: true)
    {
        VipsLibrary.EnsureStarted();
        SetHandle(VipsNative.OperationNew(name));
        if (IsInvalid) throw new VipsException(VipsNative.TakeError());
    }

    /// <summary>Whether this build of libvips has an operation.</summary>
    public static bool Exists(string name)
    {
        VipsLibrary.EnsureStarted();
        nint operation = VipsNative.OperationNew(name);
        if (operation == 0)
        {
            _ = VipsNative.TakeError();
            return false;
        }

        VipsNative.ObjectUnref(operation);
        return true;
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>Sets an argument from text: a number, several numbers, an enumeration's nickname.</summary>
    public VipsOperation Set(string argument, string value)
    {
        if (VipsNative.SetArgumentFromString(handle, argument, value) != 0) throw new VipsException(VipsNative.TakeError());
        return this;
    }

    /// <summary>Sets an image argument.</summary>
    public VipsOperation Set(string argument, VipsImage image)
    {
        VipsNative.GValue value = default;
        VipsNative.ValueInit(&value, VipsNative.ImageType());
        VipsNative.ValueSetObject(&value, image.DangerousGetHandle());
        VipsNative.SetProperty(handle, argument, &value);
        VipsNative.ValueUnset(&value);
        GC.KeepAlive(image);
        return this;
    }

    /// <summary>Sets an argument of bytes. They are not copied: the memory stays pinned for as long as results are in use.</summary>
    public VipsOperation Set(string argument, MemoryHandle pinned, int length)
    {
        VipsNative.GValue value = default;
        VipsNative.ValueInit(&value, VipsNative.BlobType());
        VipsNative.ValueSetBlob(&value, 0, pinned.Pointer, (nuint)length);
        VipsNative.SetProperty(handle, argument, &value);
        VipsNative.ValueUnset(&value);
        return this;
    }

    /// <summary>Runs the operation; its result is the image argument <c>out</c>.</summary>
    /// <exception cref="VipsException">The operation failed.</exception>
    public VipsImage RunForImage()
    {
        Build();
        VipsNative.GValue value = default;
        VipsNative.ValueInit(&value, VipsNative.ImageType());
        VipsNative.GetProperty(handle, "out", &value);
        var image = new VipsImage(VipsNative.ObjectRef(VipsNative.ValueGetObject(&value)));
        VipsNative.ValueUnset(&value);
        return image;
    }

    /// <summary>Runs the operation; its result is the argument <c>buffer</c>, bytes.</summary>
    /// <exception cref="VipsException">The operation failed.</exception>
    public byte[] RunForBytes()
    {
        Build();
        VipsNative.GValue value = default;
        VipsNative.ValueInit(&value, VipsNative.BlobType());
        VipsNative.GetProperty(handle, "buffer", &value);
        void* data = VipsNative.ValueGetBlob(&value, out nuint length);
        byte[] bytes = new ReadOnlySpan<byte>(data, checked((int)length)).ToArray();
        VipsNative.ValueUnset(&value);
        return bytes;
    }

    protected override bool ReleaseHandle()
    {
        VipsNative.UnrefOutputs(handle);
        VipsNative.ObjectUnref(handle);
        return true;
    }

    private void Build()
    {
        if (VipsNative.ObjectBuild(handle) != 0) throw new VipsException(VipsNative.TakeError());
    }
}
