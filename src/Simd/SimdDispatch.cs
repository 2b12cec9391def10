using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

#if SEGMENTANYTHING_RLE
namespace SegmentAnything.Rle.Kernels;
#else
namespace SegmentAnything.Kernels;
#endif

/// <summary>A kernel with its arguments, which runs at any vector width.</summary>
/// <typeparam name="TResult">What it gives.</typeparam>
internal interface ISimdKernel<TResult>
{
    /// <summary>Runs with vectors.</summary>
    TResult Run<TSimd, TVector>()
        where TSimd : ISimd<TVector>
        where TVector : struct;

    /// <summary>Runs without: the definition.</summary>
    TResult RunScalar();
}

/// <summary>Chooses the vector width of a kernel: the one place that does.</summary>
internal static class SimdDispatch
{
    /// <summary>Floats in the widest vectors that this processor has: 16, 8 or 4; 0 without vectors.</summary>
    public static int Width => Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : Vector128.IsHardwareAccelerated ? 4 : 0;

    /// <summary>Runs a kernel with the widest vectors that this processor has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TResult Run<TKernel, TResult>(TKernel kernel)
        where TKernel : struct, ISimdKernel<TResult>, allows ref struct => Run<TKernel, TResult>(kernel, Width);

    /// <summary>Runs a kernel with vectors of 16, 8 or 4 floats, whether the processor has them or not, or with 0 without vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TResult Run<TKernel, TResult>(TKernel kernel, int width)
        where TKernel : struct, ISimdKernel<TResult>, allows ref struct
    {
        if (width == 16) return kernel.Run<Simd512, Vector512<float>>();
        if (width == 8) return kernel.Run<Simd256, Vector256<float>>();
        if (width == 4) return kernel.Run<Simd128, Vector128<float>>();
        return kernel.RunScalar();
    }
}
