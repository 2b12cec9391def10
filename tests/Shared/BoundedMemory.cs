using System.Runtime.InteropServices;

namespace SegmentAnything.TestSupport;

/// <summary>Memory with a forbidden page right before or right after it: reading or writing past the end crashes.</summary>
/// <typeparam name="T">The element.</typeparam>
/// <remarks>
/// Only one side can touch its page, since pages are larger than an element: use <see cref="BoundedSide.After"/> for
/// kernels that may run over the end and <see cref="BoundedSide.Before"/> for those that may read before the start.
/// On systems other than Linux and macOS the memory is an ordinary block without guards.
/// </remarks>
public sealed unsafe class BoundedMemory<T> : IDisposable
    where T : unmanaged
{
    private readonly void* _mapping;
    private readonly nuint _mappingLength;
    private readonly T* _start;
    private bool _disposed;

    /// <summary>Allocates zeroed elements next to a forbidden page.</summary>
    /// <param name="length">Number of elements.</param>
    /// <param name="side">Where the forbidden page lies.</param>
    public BoundedMemory(int length, BoundedSide side = BoundedSide.After)
    {
        Length = length;
        nuint bytes = (nuint)length * (nuint)sizeof(T);
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS())
        {
            _mapping = NativeMemory.AllocZeroed(Math.Max(bytes, 1));
            _start = (T*)_mapping;
            return;
        }

        nuint page = (nuint)Environment.SystemPageSize;
        nuint usable = Math.Max(page, (bytes + page - 1) / page * page);
        _mappingLength = usable + (2 * page);
        _mapping = BoundedMemoryNative.Map(null, _mappingLength, 0, BoundedMemoryNative.PrivateAnonymous, -1, 0);
        if (_mapping == (void*)-1) throw new InvalidOperationException($"Could not map {_mappingLength} bytes.");
        byte* first = (byte*)_mapping + page;
        if (BoundedMemoryNative.Protect(first, usable, BoundedMemoryNative.ReadWrite) != 0)
            throw new InvalidOperationException("Could not make the pages between the guards writable.");
        _start = (T*)(side == BoundedSide.After ? first + (usable - bytes) : first);
    }

    /// <summary>Number of elements.</summary>
    public int Length { get; }

    /// <summary>The elements.</summary>
    public Span<T> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return new Span<T>(_start, Length);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        if (_mappingLength == 0) NativeMemory.Free(_mapping);
        else _ = BoundedMemoryNative.Unmap(_mapping, _mappingLength);
    }
}

/// <summary>Makes <see cref="BoundedMemory{T}"/> without naming the element.</summary>
public static class BoundedMemory
{
    /// <summary>A copy of elements next to a forbidden page.</summary>
    public static BoundedMemory<T> CopyOf<T>(ReadOnlySpan<T> source, BoundedSide side = BoundedSide.After)
        where T : unmanaged
    {
        var memory = new BoundedMemory<T>(source.Length, side);
        source.CopyTo(memory.Span);
        return memory;
    }
}

/// <summary>The side of the memory where the forbidden page lies.</summary>
public enum BoundedSide
{
    /// <summary>Right after the last element.</summary>
    After,

    /// <summary>Right before the first element.</summary>
    Before,
}

/// <summary>The system calls behind the guard pages; the generator of their stubs wants a type without parameters.</summary>
internal static unsafe partial class BoundedMemoryNative
{
    public const int ReadWrite = 1 | 2;

    public static int PrivateAnonymous => OperatingSystem.IsMacOS() ? 0x1002 : 0x22;

    [LibraryImport("libc", EntryPoint = "mmap")]
    public static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    public static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    public static partial int Unmap(void* address, nuint length);
}
