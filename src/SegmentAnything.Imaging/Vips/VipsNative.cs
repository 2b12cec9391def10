using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SegmentAnything.Imaging.Vips;

/// <summary>The functions of libvips and GObject that are called.</summary>
/// <remarks>
/// None takes a variable number of arguments: on macOS Arm64 and elsewhere those are passed in another way than fixed
/// ones, which .NET cannot express. libvips's convenience functions (vips_jpegload and the like) all do, so operations are
/// created by name and their arguments set as properties, as libvips's documentation suggests for bindings.
/// </remarks>
internal static unsafe partial class VipsNative
{
    /// <summary>GObject's container for a value of any type. Its fields are private to GObject; zeroed means empty.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct GValue
    {
        public nuint Type;
        public ulong Data0, Data1;
    }

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_init", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Init(string programName);

    /// <summary>Major, minor or micro version, for 0, 1, 2.</summary>
    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_version")]
    public static partial int Version(int part);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_cache_set_max")]
    public static partial void CacheSetMax(int operations);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_error_buffer")]
    private static partial byte* ErrorBuffer();

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_error_clear")]
    private static partial void ErrorClear();

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_operation_new", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint OperationNew(string name);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_object_set_argument_from_string", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SetArgumentFromString(nint operation, string name, string value);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_object_build")]
    public static partial int ObjectBuild(nint operation);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_object_unref_outputs")]
    public static partial void UnrefOutputs(nint operation);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_get_type")]
    public static partial nuint ImageType();

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_blob_get_type")]
    public static partial nuint BlobType();

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_value_set_blob")]
    public static partial void ValueSetBlob(GValue* value, nint free, void* data, nuint length);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_value_get_blob")]
    public static partial void* ValueGetBlob(GValue* value, out nuint length);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_new_from_memory_copy")]
    public static partial nint ImageNewFromMemoryCopy(void* data, nuint length, int width, int height, int bands, int format);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_write_to_memory")]
    public static partial void* ImageWriteToMemory(nint image, out nuint length);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_set_kill")]
    public static partial void ImageSetKill(nint image, int kill);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_set_int", StringMarshalling = StringMarshalling.Utf8)]
    public static partial void ImageSetInt(nint image, string name, int value);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_get_width")]
    public static partial int ImageWidth(nint image);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_get_height")]
    public static partial int ImageHeight(nint image);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_get_bands")]
    public static partial int ImageBands(nint image);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_get_format")]
    public static partial int ImageFormat(nint image);

    [LibraryImport(VipsLibrary.Vips, EntryPoint = "vips_image_hasalpha")]
    public static partial int ImageHasAlpha(nint image);

    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_object_ref")]
    public static partial nint ObjectRef(nint instance);

    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_object_unref")]
    public static partial void ObjectUnref(nint instance);

    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_object_set_property", StringMarshalling = StringMarshalling.Utf8)]
    public static partial void SetProperty(nint instance, string name, GValue* value);

    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_object_get_property", StringMarshalling = StringMarshalling.Utf8)]
    public static partial void GetProperty(nint instance, string name, GValue* value);

    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_value_init")]
    public static partial GValue* ValueInit(GValue* value, nuint type);

    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_value_unset")]
    public static partial void ValueUnset(GValue* value);

    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_value_set_object")]
    public static partial void ValueSetObject(GValue* value, nint instance);

    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_value_get_object")]
    public static partial nint ValueGetObject(GValue* value);

    // GLib proper, found the way GObject is.
    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_free")]
    public static partial void Free(void* memory);

    [LibraryImport(VipsLibrary.GObject, EntryPoint = "g_log_set_handler", StringMarshalling = StringMarshalling.Utf8)]
    public static partial uint LogSetHandler(
        string domain, int levels, delegate* unmanaged[Cdecl]<byte*, int, byte*, nint, void> handler, nint data);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static void IgnoreLog(byte* domain, int level, byte* message, nint data)
    {
    }

    /// <summary>libvips's account of what went wrong, on one line, and forgets it.</summary>
    public static string TakeError()
    {
        string text = Marshal.PtrToStringUTF8((nint)ErrorBuffer()) ?? "";
        ErrorClear();
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length == 0 ? "no reason was given" : string.Join("; ", lines.Distinct());
    }
}
